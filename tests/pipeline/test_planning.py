"""Plans against arithmetic that is written out: what fits, what divides, how long it takes, YaRN."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_configs import DEEPSEEK_V2_LITE, QWEN3_4B, QWEN3_30B_A3B, QWEN3_NEXT_80B

from golongrl.core.errors import DataError, UsageError
from golongrl.core.gpus import GPUS, gpu_type
from golongrl.core.memory.rollout import server_working
from golongrl.core.model_shape.read import read_shape
from golongrl.pipeline.planning.context import plan_context
from golongrl.pipeline.planning.cuts import cuts
from golongrl.pipeline.planning.model_source import find_config
from golongrl.pipeline.planning.output import as_json
from golongrl.pipeline.planning.plan import plan_config
from golongrl.pipeline.planning.quantities import Gpus, parse_gpus, parse_length
from golongrl.pipeline.planning.request import Efficiency, Request
from golongrl.pipeline.planning.servers import Way, read_seconds, server, touched, weight_bytes, write_seconds
from golongrl.pipeline.planning.stored import Stored, stored_weights
from golongrl.pipeline.planning.summary import assumptions, seconds, verdict
from golongrl.pipeline.planning.tables import sections
from golongrl.pipeline.planning.work import decode, forward, update

GIB = 1 << 30
MILLION = 1 << 20


def asked(length=MILLION, gpus="8xH100", **changes) -> Request:
    return Request(parse_gpus(gpus), length, **changes)


def test_lengths_are_in_units_of_1024():
    assert [parse_length(text) for text in ("131072", "128k", "1m", "1M", "1.5k", "1_000")] == [
        131_072,
        131_072,
        1_048_576,
        1_048_576,
        1536,
        1000,
    ]
    for text in ("", "long", "-1", "0", "1g"):
        with pytest.raises(UsageError, match="no length in tokens"):
            parse_length(text)


def test_gpus_are_counted_by_machine():
    assert parse_gpus("H100") == Gpus(GPUS["H100"], 1, 1)
    assert parse_gpus("8xh100") == Gpus(GPUS["H100"], 1, 8)
    assert parse_gpus("16x8xH100") == parse_gpus("128 x H100") == Gpus(GPUS["H100"], 16, 8)
    assert parse_gpus("4xRTX 4090") == Gpus(GPUS["RTX4090"], 1, 4)
    with pytest.raises(UsageError, match="2x6xL40S"):
        parse_gpus("12xL40S")
    with pytest.raises(UsageError, match="write 8xH100"):
        parse_gpus("0xH100")


def test_gpus_are_found_by_the_names_people_use_and_others_are_described():
    assert gpu_type("a100") is gpu_type("A100-80GB") is GPUS["A100-80"]
    assert gpu_type("h100_pcie") is gpu_type("NVIDIA H100 PCIe") is GPUS["H100-PCIE"]
    assert gpu_type("NVIDIA H100 80GB HBM3") is gpu_type("H100-SXM5") is GPUS["H100"]
    assert gpu_type("A100-SXM4-40GB") is GPUS["A100-40"]
    assert gpu_type("NVIDIA GeForce RTX 4090") is GPUS["RTX4090"]
    with pytest.raises(UsageError, match=r"did you mean H20\? known: A100-40.*--gpu-memory, --gpu-flops"):
        gpu_type("H201")
    own = parse_gpus("2xMyChip", memory=64, flops=500, bandwidth=2000).type
    assert (own.memory, own.flops, own.bandwidth) == (64 << 30, 500e12, 2e12)
    assert parse_gpus("H100", memory=40).type.memory == 40 << 30
    with pytest.raises(UsageError, match="no GPU 'MyChip'"):
        parse_gpus("MyChip", memory=64)


def test_flops_of_reading_a_million_tokens_by_hand():
    shape = read_shape(QWEN3_4B)
    work = forward(shape, MILLION, logits=1)
    # 4,022,468,096 parameters without the embedding of 388,956,160, two FLOPs each.
    assert work.matrices == 2 * 3_633_511_936 * MILLION
    # 36 layers x 4 x 32 heads x 128 x (1 + 2 + ... + 2^20).
    assert work.attention == 36 * 4 * 4096 * (MILLION * (MILLION + 1) // 2)
    assert work.head == 2 * 2560 * 151_936
    assert round(work.attention / work.total, 2) == 0.98
    # At 8,192 tokens it is a quarter.
    short = forward(shape, 8192, logits=1)
    assert round(short.attention / short.total, 2) == 0.25


def test_only_active_experts_and_windows_cost_flops():
    moe = read_shape(QWEN3_30B_A3B)
    # 3,353,032,704 active without embedding and head.
    assert forward(moe, 10).matrices == 2 * (3_353_032_704 - 2 * 311_164_928) * 10
    windowed = read_shape(
        {**QWEN3_4B, "model_type": "mistral", "sliding_window": 4, "num_hidden_layers": 1, "head_dim": 128}
    )
    # 1 + 2 + 3 + 4 + 4 + 4 positions.
    assert forward(windowed, 6).attention == 4 * 4096 * 18
    assert decode(windowed, 1000).attention == 4 * 4096 * 4


def test_recurrent_layers_cost_the_same_at_any_length():
    shape = read_shape(QWEN3_NEXT_80B)
    # 12 layers attend; 36 update a state of 32 x 128 x 128 numbers.
    assert decode(shape, 1000).attention == 12 * 4 * 16 * 256 * 1000
    state = 36 * 6 * 32 * 128 * 128
    assert decode(shape, 1000).matrices == 2 * shape.parameters.body + state


def test_latent_attention_reads_written_out_heads_and_decodes_on_the_latent():
    shape = read_shape(DEEPSEEK_V2_LITE)
    assert forward(shape, 4).attention == 27 * 2 * 16 * (192 + 128) * 10
    assert decode(shape, 100).attention == 27 * 2 * 16 * (2 * 512 + 64) * 100


def test_the_backward_pass_costs_twice_and_recomputation_once():
    shape = read_shape(QWEN3_4B)
    once, all_of_it = forward(shape, 4096), update(shape, 4096, recompute=True)
    assert all_of_it.matrices == 4 * once.matrices
    assert all_of_it.attention == 4.5 * once.attention
    assert all_of_it.head == 3 * once.head
    assert update(shape, 4096, recompute=False).matrices == 3 * once.matrices


def test_what_an_h100_of_eight_holds_of_qwen3_4b_by_hand():
    shape, request = read_shape(QWEN3_4B), asked()
    made = server(shape, request, Way(8))
    # 2 bytes x (split parameters / 8 + norms), 8 key-value heads on 8 GPUs.
    assert made.weights == 2 * ((4_022_468_096 - 196_096) // 8 + 196_096)
    # A prefill of 8,192 tokens: 4 x 2560 + (4096 + 2 x 1024 + 3 x 9728) / 8 numbers of 2 bytes each.
    assert made.working == server_working(shape, 8192, 8)[0] == 2 * 8192 * (10_240 + 35_328 // 8)
    assert made.pool == round(0.9 * GPUS["H100"].memory) - made.weights - made.working
    # 147,456 bytes a token over 8 GPUs.
    assert made.sequence == 18_432 * MILLION == 18 * GIB
    assert made.sequences == made.total == made.pool // (18 * GIB) == 3


def test_speed_of_a_server_by_hand():
    shape, request = read_shape(QWEN3_4B), asked(efficiency=Efficiency(0.5, 0.4, 0.5))
    work = forward(shape, MILLION, logits=1)
    whole, attention = read_seconds(shape, request, Way(8))
    assert whole == pytest.approx(work.total / (8 * 989e12 * 0.5))
    assert attention == pytest.approx(work.attention / (8 * 989e12 * 0.5))
    # Writing reads weights and cache: 1.0 GB and 18 GiB a GPU at half of 3.35 TB/s.
    made = server(shape, request, Way(8))
    moved = (made.weights + 3 * 18 * GIB) / (3.35e12 * 0.5)
    assert write_seconds(shape, request, Way(8), 3, MILLION) == pytest.approx(moved)


def test_stages_share_the_layers_and_work_one_after_another():
    shape = read_shape(QWEN3_4B)
    # 9 of 36 layers, and the embedding of 388,956,160.
    layers = 4_022_468_096 - 388_956_160
    assert weight_bytes(shape, Way(1, 4), 2) == 2 * (layers // 4 + 388_956_160)
    # A token of each of four sequences: every stage reads its layers once for each, the last one the head.
    whole, cut = (write_seconds(shape, asked(length=1024), Way(1, stages), 4, 1024) for stages in (1, 4))
    assert whole == pytest.approx((2 * 4_022_468_096 + 4 * 147_456 * 1024) / (3.35e12 * 0.6))
    assert cut == pytest.approx((2 * 4_022_468_096 + 147_456 * 1024) / (3.35e12 * 0.6))


def test_a_small_batch_touches_few_experts():
    shape, request = read_shape(QWEN3_30B_A3B), asked(length=4096, gpus="H200")
    assert touched(shape, 1) == 8 / 128
    assert touched(shape, 2) == pytest.approx(1 - (1 - 1 / 16) ** 2)
    one = write_seconds(shape, request, Way(1), 1, 4096)
    # 3,353,032,704 active parameters without the embedding, 98,304 bytes of cache a token.
    moved = 2 * (3_353_032_704 - 311_164_928) + 98_304 * 4096
    assert one == pytest.approx(moved / (4.8e12 * 0.6), rel=1e-6)


def test_attention_split_by_data_keeps_one_copy_of_the_cache():
    shape, request = read_shape(DEEPSEEK_V2_LITE), asked(length=131_072)
    tensor, by_data = server(shape, request, Way(8)), server(shape, request, Way(8, by_data=True))
    assert tensor.sequence == by_data.sequence == 31_104 * 131_072
    assert by_data.weights > tensor.weights
    assert by_data.sequences == 8 * (by_data.pool // by_data.sequence) > 7 * tensor.sequences
    # One GPU computes a prompt's attention.
    assert read_seconds(shape, request, by_data.way)[1] == pytest.approx(
        8 * read_seconds(shape, request, tensor.way)[1]
    )


def test_what_divides_and_why_not():
    of = {cut.kind: cut for cut in cuts(read_shape(QWEN3_30B_A3B), parse_gpus("12x8xH100"))}
    assert of["tensor"].sizes == [1, 2, 4, 8]
    assert of["tensor"].notes == {8: "4 key-value heads, each on 2 GPUs: the cache shrinks no further"}
    assert of["context, Ulysses (FSDP)"].refused[3] == "32 heads (GQA) do not divide evenly"
    assert of["expert"].refused[3] == "128 experts do not divide evenly"
    assert of["expert"].sizes == [1, 2, 4, 8, 16, 32]
    assert 3 in of["pipeline"].sizes
    assert of["pipeline"].notes[32].startswith("48 layers do not divide evenly")
    six = {cut.kind: cut for cut in cuts(read_shape({**QWEN3_4B, "num_key_value_heads": 4}), parse_gpus("1x6xL40S"))}
    assert six["tensor"].sizes == [1, 2]
    hybrid = {cut.kind: cut for cut in cuts(read_shape(QWEN3_NEXT_80B), parse_gpus("8xH100"))}
    assert hybrid["context, ring (Megatron)"].sizes == [1]
    assert "gated delta net" in hybrid["context, ring (Megatron)"].refused[2]


def test_a_million_tokens_of_qwen3_4b_on_eight_h100s():
    found = plan_config(QWEN3_4B, "config.json", asked())
    assert found.fits
    assert verdict(found) == "fits on 8 x H100 with TP 8; at 1,048,576 tokens 3 sequences at once"
    assert not plan_config(QWEN3_4B, "config.json", asked(batch=4)).fits
    assert plan_config(QWEN3_4B, "config.json", asked(batch=4, cache="fp8")).fits


def test_attention_is_split_by_data_where_it_holds_much_more_or_the_batch_asks_for_it():
    request = asked(length=131_072)
    plain = plan_config(QWEN3_30B_A3B, "config.json", request).serving.best.server
    assert (str(plain.way), plain.total) == ("TP 4", 36)
    found = plan_config(QWEN3_30B_A3B, "config.json", asked(length=131_072, batch=40))
    assert found.fits
    assert found.serving.best.server.way == Way(8, by_data=True)
    # A prompt's attention is then computed by one GPU of the eight, which the verdict says beside what it wins.
    read = {str(option.server.way): seconds(option.read) for option in found.serving.options}
    by_data = "8 GPUs that share the experts, attention split by data"
    assert verdict(found).endswith(
        f"; one prompt of that length is read in {read[by_data]}, with TP 8 in {read['TP 8']}"
    )
    assert read[by_data] != read["TP 8"]
    assert "is read in" not in verdict(plan_config(QWEN3_30B_A3B, "config.json", request))


def test_stages_are_recommended_where_they_hold_half_as_many_sequences_again():
    request = asked(length=131_072, gpus="1x3xH100")
    found = plan_config(QWEN3_4B, "config.json", request).serving
    assert {str(option.server.way): option.server.total for option in found.options} == {"TP 1": 9, "TP 1 x PP 3": 11}
    assert str(found.best.server.way) == "TP 1"
    more = plan_config(QWEN3_4B, "config.json", asked(length=131_072, gpus="1x3xH100", batch=10)).serving
    assert str(more.best.server.way) == "TP 1 x PP 3"


def test_a_stage_of_experts_reads_the_experts_of_its_layers_alone():
    shape, request = read_shape(QWEN3_30B_A3B), asked(length=1, gpus="8xH100")
    # Two stages of 24 layers, one after another: 3,353,032,704 active parameters without the embedding, once.
    moved = 2 * (3_353_032_704 - 311_164_928) + 98_304
    assert write_seconds(shape, request, Way(1, 2), 1, 1) == pytest.approx(moved / (3.35e12 * 0.6), rel=1e-6)


def test_a_quantized_checkpoint_is_planned_as_it_is_stored_and_trained_in_bf16():
    assert stored_weights(QWEN3_4B) == Stored()
    assert stored_weights({"quantization_config": {"quant_method": "fp8"}}) == Stored("fp8", "fp8")
    assert stored_weights({"quantization_config": {"quant_method": "awq", "bits": 4}}) == Stored("int4", "awq")
    assert stored_weights({"quantization_config": {"quant_method": "mxfp4"}}) == Stored("int4", "mxfp4")
    packed = {"config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}}}
    found = stored_weights({"quantization_config": {"quant_method": "compressed-tensors", **packed}})
    assert found == Stored("fp8", "compressed-tensors")
    unclear = stored_weights({"text_config": {"quantization_config": {"quant_method": "aqlm"}}})
    assert unclear == Stored("bf16", "aqlm", recognised=False)
    config = {**QWEN3_4B, "quantization_config": {"quant_method": "fp8"}}
    served = plan_config(config, "config.json", asked(length=131_072, weights="auto"))
    assert served.request.weights == "fp8"
    assert served.serving.options[0].server.weights == 4_022_468_096
    assert any("stored in fp8" in line for line in assumptions(served))
    trained = plan_config(config, "config.json", asked(length=131_072, weights="auto", purpose="train"))
    assert trained.request.weights == "bf16"
    assert "the checkpoint is quantized (fp8)" in trained.warnings[0]


def test_what_does_not_fit_says_why():
    one = plan_config(QWEN3_4B, "config.json", asked(gpus="H100"))
    assert not one.fits
    assert "the cache holds" in verdict(one)
    assert "one sequence has 1,048,576" in verdict(one)
    big = plan_config(QWEN3_30B_A3B, "config.json", asked(gpus="L40S", length=4096))
    assert "the weights and a prefill chunk alone need GPUs of 63" in verdict(big)
    assert "--weights-dtype fp8" in verdict(big)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([QWEN3_4B, QWEN3_30B_A3B, DEEPSEEK_V2_LITE, QWEN3_NEXT_80B]),
    st.integers(1, 1 << 21),
    st.sampled_from(sorted(GPUS)),
    st.sampled_from(["", "2x", "8x", "2x8x"]),
)
def test_every_option_keeps_within_the_card(config, length, name, number):
    request = asked(length, number + name)
    found = plan_config(config, "config.json", request)
    assert found.serving is not None
    for option in found.serving.options:
        made = option.server
        per_gpu = -(-made.sequences // made.way.tensor) if made.way.by_data else made.sequences
        if made.sequences:
            taken = made.weights + made.working + per_gpu * made.sequence
            assert taken <= 0.9 * request.gpus.type.memory + 1
        assert made.servers * made.way.gpus <= request.gpus.world
    best = found.serving.best
    most = max(option.server.total for option in found.serving.options)
    assert (best is None) == (most == 0)
    assert best is None or 1.5 * best.server.total >= most
    assert [section.rows for section in sections(found)]
    json.dumps(as_json(found))


def test_yarn_is_the_smallest_factor_with_the_exact_parameters():
    assert plan_context(QWEN3_4B, 262_144).factor is None
    found = plan_context(QWEN3_4B, MILLION)
    assert found.factor == 4.0
    assert found.parameters == {
        "rope_type": "yarn",
        "rope_theta": 5_000_000,
        "factor": 4.0,
        "original_max_position_embeddings": 262_144,
    }
    assert found.max_position_embeddings == MILLION
    assert found.warnings == []
    assert "--max-model-len 1048576" in found.flags["vllm"]
    assert "--context-length 1048576" in found.flags["sglang"]


def test_more_than_four_times_the_trained_length_is_warned_about():
    found = plan_context({**QWEN3_4B, "max_position_embeddings": 40_960}, MILLION)
    assert found.factor == 25.75
    assert "goes beyond a factor of 4" in found.warnings[0]
    # DeepSeek ships a factor of 40: within it nothing is said, beyond it that is the limit.
    assert plan_context(DEEPSEEK_V2_LITE, 163_840).warnings == []
    assert "goes beyond 163,840 tokens" in plan_context(DEEPSEEK_V2_LITE, 200_000).warnings[0]


def test_a_model_that_yarn_cannot_lengthen_does_not_fit():
    config = {**QWEN3_4B, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}
    found = plan_config(config, "config.json", asked())
    assert not found.fits
    assert "YaRN cannot lengthen it" in verdict(found)
    silent = {key: value for key, value in QWEN3_4B.items() if key != "max_position_embeddings"}
    assert any("is not checked" in line for line in plan_config(silent, "config.json", asked()).warnings)


def test_configs_are_found_in_folders_and_files(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(QWEN3_4B))
    assert find_config(str(tmp_path)) == find_config(str(path)) == (QWEN3_4B, str(path))
    with pytest.raises(UsageError, match="give a folder that holds"):
        find_config(str(tmp_path / "none"))
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        find_config(str(tmp_path / "torn.json"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DataError, match="not a JSON object but a list"):
        find_config(str(tmp_path / "list.json"))


def test_a_hub_id_that_cannot_be_fetched_says_that_a_file_will_do(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"cannot fetch the config\.json of 'Qwen/Qwen3-4B'.*which is all a plan"):
        find_config("Qwen/Qwen3-4B")

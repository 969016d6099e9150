"""The checks before a run: what each one finds, and that it names the key to change and a value that works."""

import json
import subprocess
import sys

import pytest

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import ConfigError, DataError, MissingPackageError
from golongrl.core.machine import Gpu, HostMemory
from golongrl.core.memory.rows import GIB
from golongrl.core.model_config import model_config
from golongrl.core.model_shape.parts import Attention, FeedForward
from golongrl.core.model_shape.read import read_shape
from golongrl.core.model_shape.shape import Layers, Shape
from golongrl.core.records import Record, write_parquet
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import check_batches, check_layout
from golongrl.pipeline.training.memory import report
from golongrl.pipeline.training.preflight import checks as preflight
from golongrl.pipeline.training.preflight import data as data_check

MINI = "actor_rollout_ref.actor.ppo_mini_batch_size"
ATTENTION = Attention(heads=32, kv_heads=8, head_dim=128, qk_norm=True)
QWEN3_4B = Shape(2560, 151_936, True, (Layers(36, ATTENTION, FeedForward(9728)),))
EXPERTS = FeedForward(experts=128, experts_per_token=8, expert_intermediate=768)
MOE = Shape(2048, 151_936, False, (Layers(48, Attention(heads=32, kv_heads=4, head_dim=128), EXPERTS),))
H100 = Gpu("NVIDIA H100 80GB HBM3", 81_559 << 20, 81_000 << 20)


def settings(**changes) -> TrainConfig:
    return TrainConfig.model_validate({"model": "m", "data": "d", **changes})


def small(model, data, **changes) -> TrainConfig:
    given = {
        "model": str(model),
        "data": str(data),
        "device": "cpu",
        "rollout": "transformers",
        "gpus_per_node": 1,
        "prompts_per_batch": 2,
        "rollouts_per_prompt": 2,
        "max_prompt_tokens": 64,
        "max_response_tokens": 8,
        "filter_groups": False,
    }
    return TrainConfig.model_validate({**given, **changes})


def record(index):
    return Record(
        data_source="golongrl",
        prompt=[{"role": "user", "content": "?"}],
        reward_model={"ground_truth": {"golden_label": "4"}},
        extra_info={"index": index, "metric": "em"},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("model"), max_positions=128)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "train.parquet"
    write_parquet(path, [record(index) for index in range(5)])
    return path


# The whole check.


def test_a_run_that_can_start_is_described(model, data, tmp_path):
    facts = preflight.check(small(model, data, epochs=3, save_every=2), tmp_path / "run")
    assert (facts.prompts, facts.steps, facts.context) == (5, 3 * 2, 128)
    assert (facts.data.read, facts.data.scored, facts.data.whole) == (5, 5, True)
    parameters = read_shape(model_config(model)).parameters.total
    assert facts.memory.parameters == parameters
    assert facts.checkpoint_bytes == 16 * parameters
    assert [phase for phase, *_ in facts.memory.table()] == ["host"] * len(facts.memory.table())
    assert not (tmp_path / "run").exists()


def test_nothing_heavy_is_imported(model, data):
    code = (
        "import sys\n"
        "from golongrl.pipeline.training.preflight import checks as preflight\n"
        "from golongrl.pipeline.training.config import TrainConfig\n"
        f"config = TrainConfig.model_validate({small(model, data).model_dump()!r})\n"
        "preflight.check(config)\n"
        "preflight.gate(config)\n"
        "print(sorted({'torch', 'ray', 'verl', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_plan_for_another_machine_warns_of_what_this_one_lacks(model, data, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    cluster = small(model, data, device="cuda", rollout="sglang", gpus_per_node=2)
    with pytest.raises(MissingPackageError, match="sglang"):
        preflight.check(cluster)
    facts = preflight.check(cluster, tmp_path / "run", planning=True)
    assert any("on this machine: sglang rollouts need sglang" in warning for warning in facts.warnings)
    assert any("on this machine: gpus_per_node = 2" in warning for warning in facts.warnings)
    assert [verdict.card for verdict in facts.memory.verdicts] == ["80 GB", "96 GB", "141 GB"]
    # What is wrong with the plan itself is an error all the same.
    with pytest.raises(ConfigError, match="max_prompt_tokens"):
        preflight.check(cluster.model_copy(update={"max_prompt_tokens": 1000}), planning=True)


def test_an_unknown_model_type_leaves_the_estimate_out(model, data, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "mamba2"}))
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    facts = preflight.check(small(folder, data))
    assert (facts.memory, facts.checkpoint_bytes, facts.context) == (None, None, None)
    assert any("'mamba2'" in warning and "qwen3_moe" in warning for warning in facts.warnings)


def test_a_damaged_config_is_named(data, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json is not JSON"):
        preflight.check(small(tmp_path / "model", data))


def test_data_that_was_not_read_to_its_end_is_a_warning(tmp_path, model, monkeypatch):
    path = tmp_path / "long.parquet"
    write_parquet(path, (record(i) for i in range(3000)))
    monkeypatch.setattr(data_check, "SCORED", 1000)
    monkeypatch.setattr(data_check, "SECONDS", 0)
    found = preflight.check(small(model, path))
    assert (found.prompts, found.data.read) == (3000, 1024)
    assert any("1,024 of 3,000 rows" in warning and "verify-rewards" in warning for warning in found.warnings)


# Lengths against the context.


def test_a_sequence_beyond_the_context_names_what_fits_and_yarn(model, data):
    message = r"= 208 and the context of .* is 128 .*set max_prompt_tokens = 120, or write YaRN with factor 2"
    with pytest.raises(ConfigError, match=message):
        preflight.check(small(model, data, max_prompt_tokens=200))


def test_a_response_beyond_the_context_leaves_no_prompt(model, data):
    with pytest.raises(ConfigError, match=r"max_prompt_tokens \+ max_response_tokens <= 128"):
        preflight.check(small(model, data, max_response_tokens=128))


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_yarn_that_the_config_does_not_state_the_length_of(key):
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 100}
    described = {"text_config": {"max_position_embeddings": 100, key: rope}}
    config = settings(max_prompt_tokens=190, max_response_tokens=10)
    with pytest.raises(ConfigError, match=r"its YaRN reaches 400 tokens, set max_position_embeddings to that"):
        preflight.check_context(config, 100, described)
    preflight.check_context(config, 200, described)


# Batches and layout.


@pytest.mark.parametrize(
    ("verl", "message"),
    [
        ({MINI: 5}, rf"verl\.{MINI} = 5 must divide the 12 prompts .* set it to 1, 2, 3, 4, 6 or 12"),
        ({MINI: 24}, r"= 24 must divide the 12 prompts"),
        (
            {"actor_rollout_ref.actor.use_dynamic_bsz": False, MINI: 6, "trainer.nnodes": 1}
            | {"actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 5},
            r"ppo_micro_batch_size_per_gpu = 5 must divide the 12 rollouts .* set it to 1, 2, 3, 4, 6 or 12",
        ),
        (
            {"actor_rollout_ref.rollout.log_prob_use_dynamic_bsz": False}
            | {"actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 7},
            r"log_prob_micro_batch_size_per_gpu = 7 must divide the 24 rollouts",
        ),
        ({"data.gen_batch_size": 5}, r"verl\.data\.gen_batch_size = 5 must divide the 12 prompts"),
        (
            {"actor_rollout_ref.actor.ppo_max_token_len_per_gpu": 100},
            r"ppo_max_token_len_per_gpu = 100 .*= 180224; set it to 180224",
        ),
        ({"trainer.n_gpus_per_node": 7}, r"does not spread over 7 .* prompts_per_batch to a multiple of 7"),
    ],
)
def test_verl_settings_that_do_not_divide_name_what_does(verl, message):
    config = settings(prompts_per_batch=12, rollouts_per_prompt=4, gpus_per_node=2, verl=verl)
    with pytest.raises(ConfigError, match=message):
        check_batches(config)


def test_mini_batches_that_divide_pass_and_interpolations_are_left_to_verl():
    for verl in ({MINI: 4}, {MINI: "${data.train_batch_size}"}, {}):
        check_batches(settings(prompts_per_batch=12, rollouts_per_prompt=4, gpus_per_node=2, verl=verl))


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        (
            QWEN3_4B,
            {"engine": "megatron", "gpus_per_node": 6, "tensor_parallel": 3, "prompts_per_batch": 6},
            r"tensor_parallel = 3 must divide the model's 32 attention heads .* set it to 1 or 2",
        ),
        (
            QWEN3_4B,
            {"gpus_per_node": 3, "rollout_tensor_parallel": 3, "prompts_per_batch": 3},
            r"rollout_tensor_parallel = 3 .* set it to 1$",
        ),
        (
            QWEN3_4B,
            {
                "gpus_per_node": 6,
                "context_parallel": 6,
                "attention": "flash_attention_2",
                "prompts_per_batch": 6,
            },
            r"context_parallel = 6 must .*Ulysses .* set it to 1 or 2",
        ),
        (
            QWEN3_4B,
            {"engine": "megatron", "expert_parallel": 2},
            r"expert_parallel = 2, and the model has no experts",
        ),
        (
            MOE,
            {"engine": "megatron", "tensor_parallel": 4, "expert_parallel": 4},
            r"expert_parallel = 4 must divide .* 128 experts, and with the 4 ranks .* 8 GPUs; set it to 1 or 2",
        ),
        (
            MOE,
            {
                "engine": "megatron",
                "gpus_per_node": 5,
                "prompts_per_batch": 5,
                "verl": {"actor_rollout_ref.actor.megatron.pipeline_model_parallel_size": 5},
            },
            r"pipeline_model_parallel_size = 5 does not divide the model's 48 layers; set it to 1, 2, 3 or 4",
        ),
    ],
)
def test_a_model_that_cannot_be_cut_that_way_names_the_sizes_that_work(shape, changes, message):
    with pytest.raises(ConfigError, match=message):
        check_layout(settings(**changes), shape)


def test_the_recipes_layouts_are_accepted():
    recipe = {"engine": "megatron", "nodes": 16, "context_parallel": 8, "rollout_tensor_parallel": 8}
    check_layout(settings(**recipe, tensor_parallel=8), QWEN3_4B)
    check_layout(settings(**recipe, tensor_parallel=4, expert_parallel=4), MOE)


# GPUs and memory.


def test_too_few_gpus_name_the_key_and_the_count():
    with pytest.raises(ConfigError, match=r"gpus_per_node = 8, and this machine has 2 .*set gpus_per_node = 2"):
        preflight.check_gpus(settings(), [H100, H100])
    with pytest.raises(ConfigError, match=r"gpus_per_node = 8 .*no GPU here; .*ray_address = 'auto'"):
        preflight.check_gpus(settings(), [])
    with pytest.raises(ConfigError, match=r"nodes = 2 needs a Ray cluster .*ray_address = 'auto'"):
        preflight.check_gpus(settings(nodes=2), [H100] * 8)
    preflight.check_gpus(settings(gpus_per_node=2), [H100, H100])
    preflight.check_gpus(settings(nodes=2, ray_address="auto"), [])


def test_what_cannot_fit_the_gpu_here_is_an_error_with_values_that_do():
    config = settings(gpus_per_node=1, rollout_memory=0.1, offload=True, max_prompt_tokens=4096)
    memory = report(QWEN3_4B, config, preflight.cards(config, [H100]))
    with pytest.raises(ConfigError, match=r"key-value pool .*one of these helps: .*rollout_memory = 0\."):
        preflight.check_memory(config, QWEN3_4B, memory, [H100])
    # The cards of a cluster, or the usual ones, may be others.
    elsewhere = config.model_copy(update={"ray_address": "auto"})
    assert any("rollout_memory" in text for text in preflight.check_memory(elsewhere, QWEN3_4B, memory, [H100]))
    usual = report(QWEN3_4B, config, preflight.cards(config, []))
    hints = preflight.check_memory(config, QWEN3_4B, usual, [])
    # A tenth of 141 GB is enough, of 80 and 96 it is not.
    assert len([text for text in hints if "key-value pool" in text]) == 2


def test_the_smallest_card_of_a_machine_counts():
    low = Gpu("low", 40 * GIB, 40 * GIB)
    assert preflight.cards(settings(gpus_per_node=2), [H100, low]) == {"low": 40 * GIB}
    assert preflight.cards(settings(gpus_per_node=1), [H100, low]) == {H100.name: H100.total}


def test_host_memory_is_an_error_only_when_the_machine_has_less_in_all(model, data):
    config = small(model, data)
    assert preflight.check_host(config, 3 * GIB, HostMemory(8 * GIB, 4 * GIB)) == []
    (hint,) = preflight.check_host(config, 6 * GIB, HostMemory(8 * GIB, 4 * GIB))
    assert "takes about 6.0 GiB" in hint
    assert "micro_batch_tokens" in hint
    with pytest.raises(ConfigError, match=r"of 8.0 GiB 4.0 GiB are available; lower micro_batch_tokens.*down to 72"):
        preflight.check_host(config, 9 * GIB, HostMemory(8 * GIB, 4 * GIB))
    assert "offload = false" in preflight.check_host(settings(), 9 * GIB, HostMemory(8 * GIB, 4 * GIB))[0]

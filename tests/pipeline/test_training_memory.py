"""Memory rows against hand-computed numbers, verdicts and what would fit."""

from pathlib import Path

import pytest
from model_configs import QWEN3_4B, QWEN3_30B_A3B

from golongrl.core.errors import ConfigError
from golongrl.core.memory.host import RAY, host_rows
from golongrl.core.memory.layout import FUSED, OFFLOAD_POLICY
from golongrl.core.memory.rollout import (
    PREFILL_TOKENS,
    kv_bytes_per_token,
    kv_pool,
    rollout_rows,
    server_weights,
    server_working,
    sync_rows,
)
from golongrl.core.memory.rows import GIB, OTHER, rows_total
from golongrl.core.memory.update import layer_bytes, resident, update_rows
from golongrl.core.memory.verdict import judge
from golongrl.core.model_shape.parts import Attention, FeedForward
from golongrl.core.model_shape.read import read_shape
from golongrl.core.model_shape.shape import Layers, Shape
from golongrl.pipeline.training import verl_overrides, verl_tree
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import check_layout, layout
from golongrl.pipeline.training.memory import CARDS, remedies, report
from golongrl.pipeline.training.resolve import preset

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "intermediate_size": 160,
    "vocab_size": 300,
}
EXPERTS = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 40}

LAYERS = Layers(2, Attention(heads=2, kv_heads=1, head_dim=3, qk_norm=True), FeedForward(5))
TINY = Shape(hidden=4, vocab=7, tied=False, groups=(LAYERS,))
"""query width 6, key-value width 3."""


def settings(**changes) -> TrainConfig:
    return TrainConfig.model_validate({"model": "m", "data": "d", **changes})


def cluster(name: str, **changes) -> TrainConfig:
    return TrainConfig.model_validate({"data": "d", **preset(name), **changes})


def built(config):
    """The transformers model of a config dict, without memory for its weights."""
    import torch
    import transformers

    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config))


def test_megatron_keeps_weights_and_gradients_whole_and_splits_the_optimizer():
    config = settings(engine="megatron", gpus_per_node=8, tensor_parallel=2, context_parallel=2)
    held = resident(TINY, layout(config))
    # 320 parameters over two tensor-parallel ranks and 32 on each: 192 on a GPU, 8 / 2 = 4 copies of the optimizer.
    assert (held.weights, held.gradients, held.optimizer) == (384, 768, 12 * 192 // 4)


def test_a_transformers_server_does_not_take_the_weights_of_experts():
    moe, dense = read_shape(QWEN3_30B_A3B), read_shape(QWEN3_4B)
    names = [name for name, _ in built(QWEN3_30B_A3B | {"num_hidden_layers": 1}).named_parameters() if "exp" in name]
    assert names == [f"model.layers.0.mlp.experts.{part}" for part in ("gate_up_proj", "down_proj")]
    config = settings(rollout="transformers")
    with pytest.raises(ConfigError, match=r"mixture-of-experts model \(128 experts\).*'sglang' or 'vllm'"):
        check_layout(config, moe)
    check_layout(config, dense)
    check_layout(settings(rollout="sglang"), moe)


def test_experts_are_split_by_expert_parallelism_and_megatrons_expert_tensor_parallelism():
    shape = read_shape(QWEN3_30B_A3B)
    cut = layout(cluster("qwen3-30b-a3b"))
    assert (cut.expert, cut.expert_tensor, cut.data) == (4, 4, 4)
    counts = shape.parameters
    dense, experts = counts.sharded / 4 + counts.replicated, counts.experts / 16
    held = resident(shape, cut)
    assert held.weights == round(2 * (dense + experts))
    assert held.optimizer == round(12 * (dense / 32 + experts / 8))


def test_pipeline_stages_share_the_layers():
    path = "actor_rollout_ref.actor.megatron.pipeline_model_parallel_size"
    config = settings(engine="megatron", gpus_per_node=2, verl={path: 2})
    held = resident(TINY, layout(config))
    # The first stage: the embedding, one layer's 72 + 60, half of the 32 replicated.
    assert held.weights == 2 * (28 + 132 + 16)


def test_fsdp_splits_everything_over_all_processes():
    held = resident(TINY, layout(settings(gpus_per_node=4)))
    assert (held.weights, held.gradients, held.optimizer) == (352, 352, 704)


def test_update_rows_by_hand():
    config = settings(
        engine="megatron", gpus_per_node=2, tensor_parallel=2, max_prompt_tokens=90, max_response_tokens=10
    )
    rows = {row.item: row for row in update_rows(TINY, layout(config))}
    assert rows["layer inputs"].bytes == 2 * 100 * 4 * 2 // 2
    # (16 x 4 + 10 x 6 + 10 x 3 + 8 x 5) + (4 x 4 + 6 x 5) = 240 bytes a token, over two ranks.
    assert rows["one layer"].bytes == 100 * 240 // 2
    assert rows["logits"].bytes == 100 * 7 * 8 // 2
    assert "100 tokens x 7 words / 2 x 8 bytes" in rows["logits"].formula
    assert "attention mask" not in rows
    kept = {row.item: row for row in update_rows(TINY, layout(config.model_copy(update={"recompute": False})))}
    assert kept["activations"].bytes == 100 * (194 * 2 + 46) // 2


def test_fsdp_gathers_two_layers_and_the_root_and_pads_for_sdpa():
    config = settings(gpus_per_node=1, max_prompt_tokens=90, max_response_tokens=10)
    rows = {row.item: row.bytes for row in update_rows(TINY, layout(config))}
    assert rows["gathered weights"] == 2 * (2 * 146 + 28 + 4) + 6 * 146
    assert rows["logits"] == 100 * 7 * 13
    assert rows["attention mask"] == 3 * 100 * 100
    packed = settings(gpus_per_node=1, max_prompt_tokens=90, max_response_tokens=10, attention="flash_attention_2")
    rows = {row.item: row.bytes for row in update_rows(TINY, layout(packed))}
    assert rows["logits"] == 100 * 7 * 4
    assert "attention mask" not in rows


def test_fused_kernels_and_the_offload_policy_are_taken_into_account():
    config = settings(gpus_per_node=1, verl={FUSED: True, OFFLOAD_POLICY: True})
    rows = {row.item: row for row in update_rows(TINY, layout(config))}
    assert (rows["weights"].bytes, rows["gradients"].bytes, rows["optimizer"].bytes) == (0, 0, 0)
    assert rows["weights"].formula == "in host memory"
    assert rows["logits"].bytes == 512 * 7 * 16


@pytest.mark.parametrize("kind", ["qwen3", "qwen3_moe"])
def test_one_layers_activations_are_what_autograd_saves(kind):
    import torch
    import transformers

    tokens = 128

    def saved_per_token(layers: int) -> float:
        config = {
            "model_type": kind,
            **SMALL,
            "hidden_size": 256,
            "intermediate_size": 768,
            "head_dim": 64,
            "num_hidden_layers": layers,
            **(EXPERTS | {"moe_intermediate_size": 128} if kind == "qwen3_moe" else {}),
        }
        made = transformers.AutoConfig.for_model(**config)
        model = transformers.AutoModelForCausalLM.from_config(made, attn_implementation="sdpa", dtype=torch.bfloat16)
        weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        kept = {}

        def keep(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = (storage.nbytes(), tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = model(input_ids=torch.arange(tokens)[None], use_cache=False).logits
        assert loss.requires_grad
        shapes.append(read_shape(config))
        return sum(size for size, _ in kept.values()) / tokens

    shapes: list[Shape] = []
    measured = saved_per_token(3) - saved_per_token(2)
    assert layer_bytes(shapes[0], shapes[0].groups[0], layout(settings(gpus_per_node=1)))[0] == pytest.approx(
        measured, rel=0.03
    )


def test_key_value_heads_are_copied_where_there_are_fewer_than_gpus():
    assert kv_bytes_per_token(read_shape(QWEN3_4B), 8) == 2 * 2 * 36 * 1 * 128 == 18_432
    assert kv_bytes_per_token(read_shape(QWEN3_4B), 1) == 147_456
    assert kv_bytes_per_token(read_shape(QWEN3_30B_A3B), 8) == 2 * 2 * 48 * 1 * 128 == 24_576
    # TINY on 2 GPUs: 320 split, and its one key-value head (2 layers x k and v of 4x3 = 48) a second time.
    assert server_weights(TINY, 2) == 2 * ((320 + 48) // 2 + 32)


def test_the_pool_is_what_the_share_leaves_beside_the_weights():
    card = 100 * GIB
    sglang = settings(
        gpus_per_node=1, rollout_memory=0.5, offload=True, max_prompt_tokens=900, max_response_tokens=100
    )
    pool = kv_pool(TINY, layout(sglang), card)
    assert pool.bytes == round(0.5 * (card - OTHER)) - 704
    assert pool.per_token == 2 * 2 * 2 * 3
    assert pool.tokens == pool.bytes // 24
    # vLLM takes its share of the whole card and its working memory out of it.
    vllm = sglang.model_copy(update={"rollout": "vllm"})
    working = next(row.bytes for row in rollout_rows(TINY, layout(vllm), card) if row.item == "working memory")
    assert working == 2 * 8192 * (4 * 4 + 6 + 2 * 3 + 3 * 5)
    assert kv_pool(TINY, layout(vllm), card).bytes == round(0.5 * card) - 704 - working
    # What the trainer does not give back is missing when SGLang starts: weights 4 x 352, optimizer 8 x 352.
    kept = kv_pool(TINY, layout(sglang.model_copy(update={"offload": False})), card)
    assert kept.bytes == round(0.5 * (card - OTHER - 12 * 352)) - 704


@pytest.mark.parametrize(
    ("name", "config", "weights", "requests"),
    [("qwen3-4b", QWEN3_4B, 1.0e9, 14), ("qwen3-30b-a3b", QWEN3_30B_A3B, 4.4e9, 9)],
)
def test_the_recipes_fit_every_usual_card(name, config, weights, requests):
    run, shape = cluster(name), read_shape(config)
    found = report(shape, run, CARDS)
    assert [verdict.level for verdict in found.verdicts] == ["fits", "fits", "fits"]
    held = next(row for row in found.rows if (row.phase, row.item) == ("update", "weights"))
    assert held.bytes == pytest.approx(weights, rel=0.02)
    pool = found.verdicts[0].pool
    assert pool.tokens // run.longest == requests
    assert found.totals()["update"] < 0.4 * CARDS["80 GB"]
    assert str(found.verdicts[0]).startswith("80 GB: fits, at most ")
    assert found.table()[0][:2] == ("update", "weights")
    assert found.totals()["weight sync"] == rows_total(sync_rows(shape, layout(run)), "weight sync")


def test_a_pool_without_room_for_the_longest_request_does_not_fit():
    shape = read_shape(QWEN3_4B)
    run = cluster("gpu-1x", rollout_memory=0.1)
    verdict = judge(shape, layout(run), "80 GB", CARDS["80 GB"])
    assert (verdict.level, verdict.pool.holds_longest) == ("does not fit", False)
    assert "rollout_memory = 0.1" in verdict.problems["pool"]
    assert "the longest request has 16,384" in verdict.problems["pool"]


def test_every_remedy_makes_the_run_fit():
    shape = read_shape(QWEN3_4B)
    run = cluster("qwen3-4b", rollout_memory=0.05)
    assert judge(shape, layout(run), "", CARDS["80 GB"]).level == "does not fit"
    first = remedies(shape, run, CARDS["80 GB"], "pool")[0]
    key, value = first.split(" = ")
    assert key == "rollout_memory"
    changed = run.model_copy(update={key: float(value)})
    assert judge(shape, layout(changed), "", CARDS["80 GB"]).level == "fits"
    # One step less does not.
    less = run.model_copy(update={key: float(value) - 0.05})
    assert judge(shape, layout(less), "", CARDS["80 GB"]).level == "does not fit"


def test_context_parallelism_helps_logits_that_do_not_fit():
    run = cluster("qwen3-4b", context_parallel=1, tensor_parallel=1, rollout_tensor_parallel=8)
    verdict = judge(read_shape(QWEN3_4B), layout(run), "80 GB", CARDS["80 GB"])
    assert (verdict.level, verdict.phase) == ("does not fit", "update")
    found = dict(text.split(" = ") for text in remedies(read_shape(QWEN3_4B), run, CARDS["80 GB"], "peak"))
    for key, value in found.items():
        changed = TrainConfig.model_validate({**run.model_dump(), key: int(value), "micro_batch_tokens": None})
        assert judge(read_shape(QWEN3_4B), layout(changed), "", CARDS["80 GB"]).level == "fits", key
    assert "context_parallel" in found


def test_vllm_reads_long_prompts_in_chunks():
    run, shape = cluster("qwen3-4b", rollout="vllm"), read_shape(QWEN3_4B)
    rows = rollout_rows(shape, layout(run), CARDS["80 GB"])
    working = next(row.bytes for row in rows if row.item == "working memory")
    assert working == server_working(shape, 8192, 8)[0] < 1 << 30
    # verl's own settings, which nothing of ours may change.
    defaults = verl_tree.defaults("ppo_megatron_trainer")
    assert defaults["actor_rollout_ref.rollout.enable_chunked_prefill"] is True
    assert defaults["actor_rollout_ref.rollout.max_num_batched_tokens"] == PREFILL_TOKENS
    set_by_us = verl_overrides.settings(run, Path("run"), "optional")
    assert not [path for path in set_by_us if "batched" in path or "chunked_prefill" in path]


def test_vllm_wants_its_share_free_when_it_starts():
    run = cluster("gpu-1x", rollout="vllm", rollout_memory=0.6, offload=False, max_prompt_tokens=2048)
    verdict = judge(read_shape(QWEN3_4B), layout(run), "80 GB", CARDS["80 GB"])
    assert verdict.level == "does not fit"
    assert "rollout_memory = 0.6 asks for 47.8 GiB" in verdict.problems["start"]


def test_host_memory_of_a_cpu_run_by_hand():
    config = settings(
        device="cpu",
        rollout="transformers",
        gpus_per_node=2,
        prompts_per_batch=2,
        rollouts_per_prompt=3,
        max_prompt_tokens=90,
        max_response_tokens=10,
        filter_groups=False,
    )
    rows = {row.item: row.bytes for row in host_rows(TINY, layout(config))}
    assert rows["Ray and idle processes"] == RAY
    assert (rows["weights"], rows["gradients"], rows["optimizer"]) == (4 * 352, 4 * 352, 8 * 352)
    assert rows["gathered weights"] == 2 * 4 * (2 * 146 + 28)
    assert rows["activations"] == 2 * 100 * 2 * (24 * 4 + 16 * (6 + 3 + 5))
    assert rows["logits"] == 2 * 100 * 7 * 20
    assert rows["attention mask"] == 2 * 5 * 100 * 100
    assert rows["rollout weights"] == 2 * 4 * 352
    # Six rollouts over two servers: three sequences each, keys and values in fp32.
    assert rows["rollout cache"] == 2 * 3 * 100 * (2 * 4 * 2 * 3)


def test_host_memory_of_a_gpu_run_holds_what_is_offloaded():
    shape = read_shape(QWEN3_4B)
    rows = {row.item: row.bytes for row in host_rows(shape, layout(cluster("gpu-1x")))}
    total = shape.parameters.total
    assert rows["offloaded weights"] == 4 * total
    assert rows["offloaded optimizer"] == 8 * total
    assert rows["loading and saving the model"] == 6 * total
    # With tied embeddings every process reads the whole model.
    tied = {row.item: row.bytes for row in host_rows(shape, layout(settings(gpus_per_node=8)))}
    assert tied == {"loading and saving the model": 8 * 4 * total}
    policy = {row.item: row.bytes for row in host_rows(shape, layout(cluster("gpu-1x", verl={OFFLOAD_POLICY: True})))}
    assert policy["weights, gradients, optimizer"] == 16 * total

"""Every preset and example composes with verl's packaged configuration and passes verl's own validator."""

from pathlib import Path

import pytest

from golongrl.core.config import command_table
from golongrl.core.errors import ConfigError
from golongrl.core.records import write_parquet
from golongrl.pipeline.training import known_limits, verl_overrides, verl_tree
from golongrl.pipeline.training.resolve import PRESETS, preset, resolve
from golongrl.pipeline.training.smoke import smoke_records

FILES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
EXAMPLES = [path for path in FILES if "[train]" in path.read_text(encoding="utf-8")]
GIVEN = {"model": "some/model", "data": "train.parquet"}


def composed(config, out):
    """verl's tree of a configuration, through verl's validator."""
    from golongrl.pipeline.training.worker import compose_config

    values = verl_overrides.settings(config, out, "required")
    name, overrides = verl_overrides.config_name(config), verl_overrides.overrides(values)
    tree = compose_config(name, overrides)
    known_limits.check_limits(verl_tree.leaves(verl_tree.plain(tree)), "test")
    return tree


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from golongrl.core.byte_model import build_byte_model

    return str(build_byte_model(tmp_path_factory.mktemp("model")))


def test_the_presets_are_those_that_the_command_names():
    assert set(PRESETS) == {"cpu-smoke", "cpu-smollm2", "gpu-1x", "qwen3-4b", "qwen3-30b-a3b"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_passes_verls_validator(name, model, tmp_path):
    config = resolve({}, {}, {"preset": name, "model": model, "data": "train.parquet"}, "test")
    tree = composed(config, tmp_path / "a run")
    assert tree.actor_rollout_ref.rollout.max_model_len == config.longest
    assert tree.trainer.v1.sampler.custom_sampler.name == "GroupBuffer"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes_verls_validator(example, model, tmp_path):
    table, where = command_table("train", example)
    config = resolve(table, {}, {"model": model}, where)
    verl_tree.check_paths(config.verl, verl_overrides.config_name(config), where)
    tree = composed(config, tmp_path / "a run")
    assert tree.data.train_batch_size == config.prompts_per_batch


@pytest.mark.parametrize(("name", "tensor", "experts"), [("qwen3-4b", 8, 1), ("qwen3-30b-a3b", 4, 4)])
def test_the_cluster_presets_are_the_recipes_settings(name, tensor, experts, model, tmp_path):
    tree = composed(resolve({}, {}, {"preset": name, "model": model, "data": "d"}, "test"), tmp_path)
    assert (tree.trainer.nnodes, tree.trainer.n_gpus_per_node) == (16, 8)
    assert (tree.data.max_prompt_length, tree.data.max_response_length) == (163_840, 16_384)
    assert (tree.data.train_batch_size, tree.actor_rollout_ref.rollout.n) == (128, 16)
    actor, rollout = tree.actor_rollout_ref.actor, tree.actor_rollout_ref.rollout
    assert (actor.ppo_mini_batch_size, actor.ppo_epochs, actor.optim.lr) == (128, 1, 2e-6)
    assert (actor.clip_ratio_low, actor.clip_ratio_high, actor.clip_ratio_c) == (0.2, 0.28, 3.0)
    assert (actor.loss_agg_mode, actor.use_kl_loss, tree.algorithm.use_kl_in_reward) == ("token-mean", False, False)
    megatron = actor.megatron
    assert (megatron.tensor_model_parallel_size, megatron.context_parallel_size) == (tensor, 8)
    assert megatron.expert_model_parallel_size == experts
    assert (megatron.param_offload, megatron.optimizer_offload) == (True, True)
    assert megatron.override_transformer_config.recompute_granularity == "full"
    assert megatron.override_transformer_config.moe_router_dtype == "fp32"
    assert (rollout.name, rollout.mode, rollout.tensor_model_parallel_size) == ("sglang", "async", 8)
    assert rollout.gpu_memory_utilization == 0.6
    assert rollout.engine_kwargs.sglang.context_length == 180_224
    correction = tree.algorithm.rollout_correction
    assert (correction.rollout_is, correction.rollout_is_threshold) == ("token", "0.5_5.0")
    assert tree.algorithm.filter_groups.enable
    # A sequence is split over eight GPUs, so an eighth of it is what one of them holds.
    assert actor.ppo_max_token_len_per_gpu == 180_224 // 8


def test_an_unknown_preset_names_the_near_one_and_all():
    with pytest.raises(ConfigError, match=r"did you mean 'cpu-smoke'.*gpu-1x"):
        preset("cpu-smok")


def test_a_preset_of_the_table_lies_below_it_and_one_of_the_command_line_above():
    table = {"preset": "cpu-smoke", "steps": 5}
    assert resolve(table, {}, {}, "test").steps == 5
    assert resolve(table, {}, {"preset": "cpu-smoke"}, "test").steps == 20
    assert resolve(table, {}, {"preset": "cpu-smoke", "steps": 7}, "test").steps == 7


def test_a_preset_keeps_its_verl_settings_beside_those_of_the_table():
    offload = "actor_rollout_ref.actor.fsdp_config.offload_policy"
    table = {"preset": "gpu-1x", "verl": {"trainer": {"balance_batch": False}}}
    config = resolve(table, {"verl.data.shuffle": False}, GIVEN, "test")
    assert config.verl == {offload: True, "trainer.balance_batch": False, "data.shuffle": False}


def test_a_preset_of_the_command_line_takes_the_place_of_the_tables():
    config = resolve({"preset": "gpu-1x"}, {}, {"preset": "cpu-smoke"}, "test")
    assert (config.offload, config.sampling, config.verl) == (False, "shuffle", {})
    assert resolve({"preset": "qwen3-4b"}, {}, {"preset": "gpu-1x", **GIVEN}, "test").tensor_parallel == 1


def test_padded_rows_on_a_gpu_go_through_one_at_a_time(model, tmp_path):
    config = resolve({}, {}, {"preset": "gpu-1x", "model": model, "data": "d"}, "test")
    tree = composed(config, tmp_path)
    actor, rollout = tree.actor_rollout_ref.actor, tree.actor_rollout_ref.rollout
    assert (actor.use_dynamic_bsz, actor.ppo_micro_batch_size_per_gpu) == (False, 1)
    assert (rollout.log_prob_use_dynamic_bsz, rollout.log_prob_micro_batch_size_per_gpu) == (False, 1)
    packed = resolve({}, {"attention": "flash_attention_2"}, {"preset": "gpu-1x", **GIVEN}, "test")
    assert not packed.one_at_a_time


def test_the_smoke_records_are_valid(tmp_path):
    assert write_parquet(tmp_path / "smoke.parquet", smoke_records()) == 12
    assert {record.metric for record in smoke_records()} == {"em", "f1", "rouge_l"}

"""Settings for verl: checked against its tree, compared with its defaults, refused where they are known to fail."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from golongrl.core.errors import ConfigError
from golongrl.pipeline.training import known_limits, verl_tree

PPO = "ppo_trainer"


def check(**settings):
    verl_tree.check_paths({path.replace("__", "."): value for path, value in settings.items()}, PPO, "test")


def test_known_settings_pass():
    known = {"actor_rollout_ref.actor.clip_ratio_c": 5.0, "trainer.balance_batch": False}
    check(**known)
    assert known.keys() <= verl_tree.defaults(PPO).keys()


@pytest.mark.parametrize(
    "path",
    [
        "actor_rollout_ref.rollout.engine_kwargs.sglang.attention_backend",
        "actor_rollout_ref.model.override_config.sliding_window",
        "ray_kwargs.ray_init.log_to_driver",
    ],
)
def test_settings_of_other_programs_pass_below_the_nodes_that_take_them(path):
    check(**{path: 1})
    assert path not in verl_tree.defaults(PPO)


def test_a_misspelt_setting_is_refused_with_the_near_one():
    with pytest.raises(ConfigError, match=r"clip_ratoi_c'; did you mean '\S+actor.clip_ratio_c'"):
        check(actor_rollout_ref__actor__clip_ratoi_c=5.0)


def test_a_setting_in_the_wrong_group_is_found_by_its_name():
    with pytest.raises(ConfigError, match=r"did you mean 'algorithm.filter_groups.max_num_gen_batches'"):
        check(filter_groups__max_num_gen_batches=3)


def test_a_group_is_no_setting_unless_it_is_given_a_table():
    with pytest.raises(ConfigError, match=r"is a group of settings; set one of .*train_files"):
        check(data=1)
    check(data={"seed": 1})


def test_differences_name_default_and_value():
    found = verl_tree.differences(
        PPO, ["data.seed=3", "+golongrl.algo=tmn", "actor_rollout_ref.actor.clip_ratio_c=3.0"]
    )
    assert [(d.path, d.default, d.value) for d in found] == [
        ("data.seed", None, 3),
        ("golongrl.algo", verl_tree.ABSENT, "tmn"),
    ]


def test_overrides_that_do_not_fit_are_one_message():
    with pytest.raises(ConfigError, match="does not take these settings"):
        verl_tree.compose(PPO, ["data.sead=3"])


def test_the_tree_is_read_without_importing_verl_or_torch():
    code = (
        "import sys; from golongrl.pipeline.training import verl_tree; verl_tree.defaults('ppo_megatron_trainer'); "
        "print([name for name in ('verl', 'torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("engine", "setting", "value", "instead"),
    [
        ("sglang", "actor_rollout_ref.model.lora_rank", 8, "vllm"),
        ("sglang", "actor_rollout_ref.model.lora.rank", 8, "vllm"),
        ("sglang", "actor_rollout_ref.actor.megatron.router_replay.mode", "R2", "leave it off"),
        ("sglang", "actor_rollout_ref.rollout.enable_rollout_routing_replay", True, "leave it off"),
        ("sglang", "actor_rollout_ref.rollout.disaggregation.enabled", True, "disaggregation_decode_tp"),
        ("sglang", f"{known_limits.SGLANG_ARGUMENTS}.cuda_graph_max_bs", 64, "cuda_graph_max_bs_decode"),
        ("sglang", f"{known_limits.SGLANG_ARGUMENTS}.enable_piecewise_cuda_graph", True, "cuda_graph_max_bs_decode"),
        ("sglang", "actor_rollout_ref.model.override_config.rope_scaling.factor", 4.0, "config.json"),
        ("vllm", "actor_rollout_ref.rollout.mode", "sync", "async"),
        ("vllm", "trainer.v1.trainer_mode", "separate_async", "sync"),
        ("transformers", "algorithm.adv_estimator", "gae", "algo"),
        ("transformers", "trainer.use_v1", False, "true"),
        ("vllm", "actor_rollout_ref.rollout.pipeline_model_parallel_size", 2, "rollout_tensor_parallel"),
        ("sglang", "actor_rollout_ref.nccl_timeout", 3600, "leave it out"),
    ],
)
def test_what_is_known_to_fail_is_refused_with_what_to_do(engine, setting, value, instead):
    tree = {"actor_rollout_ref.rollout.name": engine, setting: value}
    with pytest.raises(ConfigError, match=f"{engine} rollouts: .*{instead}"):
        known_limits.check_limits(tree, "test")


def test_settings_with_a_key_of_golongrls_own_are_sent_there():
    with pytest.raises(ConfigError, match=r"verl\.data\.train_batch_size follows .* set prompts_per_batch instead"):
        known_limits.check_own_keys({"trainer.balance_batch": False, "data.train_batch_size": 3}, "test")
    known = verl_tree.defaults(PPO)
    for path in known_limits.OWN_KEYS:
        assert path in known, path


@pytest.mark.parametrize(
    "path", ["actor_rollout_ref.rollout.pipeline_model_parallel_size", "actor_rollout_ref.model.lora_rank"]
)
def test_a_setting_that_is_null_is_no_limit(path):
    known_limits.check_limits({"actor_rollout_ref.rollout.name": "sglang", path: None}, "test")


def test_what_works_is_not_refused():
    known_limits.check_limits({"actor_rollout_ref.rollout.name": "vllm", "actor_rollout_ref.model.lora_rank": 8}, "t")
    merged = {"actor_rollout_ref.model.lora_rank": 8, "actor_rollout_ref.model.lora.merge": True}
    known_limits.check_limits({"actor_rollout_ref.rollout.name": "sglang", **merged}, "test")
    replay = {"actor_rollout_ref.actor.megatron.router_replay.mode": "disabled"}
    known_limits.check_limits({"actor_rollout_ref.rollout.name": "sglang", **replay}, "test")


def test_verls_workers_start_their_process_groups_with_torchs_timeout():
    workers = Path(find_spec("verl").origin).parent / "workers" / "engine_workers.py"
    text = workers.read_text(encoding="utf-8")
    assert "initialize_global_process_group_ray(timeout_second=None)" in text
    assert "nccl_timeout" not in text
    assert verl_tree.defaults(PPO)["actor_rollout_ref.nccl_timeout"] == known_limits.DEFAULT_NCCL_TIMEOUT


def test_every_limit_names_a_path_that_verl_has_or_takes():
    known = verl_tree.defaults("ppo_megatron_trainer") | verl_tree.defaults(PPO)
    for limit in known_limits.LIMITS:
        assert limit.path in known or verl_tree.is_open(limit.path, known), limit.path

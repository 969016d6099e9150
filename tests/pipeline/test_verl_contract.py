"""verl 0.9.1 as we rely on it, without Ray or a process group: fails loudly when verl moves.

Cluster-sized SGLang configurations pass verl's own validator, and verl's real dataset, reward manager, advantage
and rollout-correction code run with our reward and estimator.
"""

import subprocess

import numpy as np
import pytest
import torch

from golongrl.core.byte_model import build_byte_model
from golongrl.core.records import Record, write_parquet
from golongrl.pipeline.training import verl_overrides
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.resolve import resolve

LONG_PROMPT = 163_840


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = [
        Record(
            data_source="EM",
            prompt=[{"role": "user", "content": f"question {index}"}],
            reward_model={"ground_truth": {"golden_label": "Paris", "summary": "English"}},
            extra_info={"index": index, "reward_mode": "EM", "metric": "em", "question": f"question {index}"},
        )
        for index in range(8)
    ]
    rows[5].prompt[0].content = "long " * 2000
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    write_parquet(path, rows)
    return path


def composed(config: TrainConfig, out):
    from golongrl.pipeline.training.worker import compose_config

    values = verl_overrides.settings(config, out, "required")
    return compose_config(verl_overrides.config_name(config), verl_overrides.overrides(values))


def cluster(model, data, **changes) -> TrainConfig:
    """16 x 8 GPUs, SGLang, 160K prompts, FSDP2 with sequences split over four GPUs."""
    return TrainConfig(
        model=str(model),
        data=str(data),
        nodes=16,
        rollout_tensor_parallel=8,
        context_parallel=4,
        offload=True,
        attention="flash_attention_2",
        **changes,
    )


def check_cluster(config, out):
    """Compose, validate and convert a configuration; returns it."""
    from verl.utils.config import omega_conf_to_dataclass

    tree = composed(config, out)
    rollout = tree.actor_rollout_ref.rollout
    assert tree.data.max_prompt_length == LONG_PROMPT
    assert rollout.name == "sglang"
    assert rollout.max_model_len == LONG_PROMPT + 16_384
    assert rollout.engine_kwargs.sglang.context_length == rollout.max_model_len
    assert tree.actor_rollout_ref.actor.ppo_mini_batch_size == 128
    assert tree.trainer.nnodes * tree.trainer.n_gpus_per_node == 128
    for part in (rollout, tree.algorithm):
        assert omega_conf_to_dataclass(part) is not None
    return tree


def test_an_fsdp_cluster_with_160k_prompts_passes_verls_validator(model, data, tmp_path):
    actor = check_cluster(cluster(model, data), tmp_path / "a run").actor_rollout_ref.actor
    assert actor.strategy == "fsdp2"
    assert actor.fsdp_config.ulysses_sequence_parallel_size == 4


@pytest.mark.parametrize("name", ["qwen3-4b", "qwen3-30b-a3b"])
def test_the_megatron_presets_with_160k_prompts_pass_verls_validator(model, data, tmp_path, name):
    config = resolve({}, {}, {"preset": name, "model": str(model), "data": str(data)}, "test")
    tree = check_cluster(config, tmp_path / "a run")
    assert tree.ray_kwargs.ray_init.address == "auto"
    assert "rollout_registry" in tree.ray_kwargs.ray_init.runtime_env.env_vars.VERL_USE_EXTERNAL_MODULES


def test_paths_with_spaces_and_quotes_survive_hydra(model, data, tmp_path):
    out = tmp_path / "it's a run, really"
    config = composed(cluster(model, data), out)
    assert config.trainer.default_local_dir == str(out / "checkpoints")


def test_an_interpreter_below_a_folder_with_a_space_survives_rays_shell(model, data, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/home/me/a new folder/it's/python")
    config = composed(cluster(model, data), tmp_path)
    executable = config.ray_kwargs.ray_init.runtime_env.py_executable
    shown = subprocess.run(["bash", "-c", f"printf %s {executable}"], capture_output=True, text=True, check=True)
    assert shown.stdout == "/home/me/a new folder/it's/python"


def test_further_verl_settings_win(model, data, tmp_path):
    config = composed(cluster(model, data, verl={"actor_rollout_ref.actor.clip_ratio_c": 7.0}), tmp_path)
    assert config.actor_rollout_ref.actor.clip_ratio_c == 7.0


@pytest.fixture(scope="module")
def cpu_config(model, data, tmp_path_factory):
    config = TrainConfig(
        model=str(model),
        data=str(data),
        device="cpu",
        rollout="transformers",
        gpus_per_node=1,
        prompts_per_batch=2,
        rollouts_per_prompt=2,
        max_prompt_tokens=128,
        max_response_tokens=16,
        steps=1,
    )
    return composed(config, tmp_path_factory.mktemp("run"))


def test_verls_dataset_reads_our_parquet_and_drops_what_is_too_long(cpu_config, model, data):
    from transformers import AutoTokenizer
    from verl.trainer.ppo.utils import create_rl_dataset

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = create_rl_dataset(str(data), cpu_config.data, tokenizer, None, is_train=True)
    assert len(rows) == 7
    assert rows[0]["extra_info"]["metric"] == "em"
    assert rows[0]["reward_model"]["ground_truth"]["golden_label"] == "Paris"


def reward_batch(tokenizer, response: str, golden: object):
    from verl import DataProto

    ids = torch.tensor([tokenizer.encode(response)])
    prompt = torch.tensor([tokenizer.encode("question")])
    return DataProto.from_dict(
        tensors={
            "prompts": prompt,
            "responses": ids,
            "input_ids": torch.cat([prompt, ids], dim=1),
            "attention_mask": torch.ones(1, prompt.shape[1] + ids.shape[1], dtype=torch.long),
            "response_mask": torch.ones_like(ids),
        },
        non_tensors={
            "data_source": np.array(["EM"], dtype=object),
            "reward_model": np.array([{"ground_truth": golden}], dtype=object),
            "extra_info": np.array([{"index": 3, "metric": "em"}], dtype=object),
        },
    )


@pytest.mark.parametrize(
    ("response", "golden", "score", "scorable", "reason"),
    [
        ("<think>hm</think>Paris", {"golden_label": "Paris"}, 1.0, 1.0, "ok"),
        ("<think>hm</think>Rome", {"golden_label": "Paris"}, 0.0, 1.0, "ok"),
        ("Paris, and no end of thinking", {"golden_label": "Paris"}, 0.0, 1.0, "unclosed_think"),
        ("<think>hm</think>Paris", {"golden_label": ""}, 0.0, 0.0, "malformed_gold"),
    ],
)
def test_verls_reward_manager_calls_our_reward(cpu_config, model, response, golden, score, scorable, reason):
    import asyncio

    from transformers import AutoTokenizer
    from verl.trainer.ppo.reward import load_reward_manager

    tokenizer = AutoTokenizer.from_pretrained(model)

    async def score_one():
        # The manager takes the event loop of the moment it is made in.
        return await load_reward_manager(cpu_config, tokenizer).run_single(reward_batch(tokenizer, response, golden))

    result = asyncio.run(score_one())
    assert result["reward_score"] == score
    info = result["reward_extra_info"]
    assert (info["task"], info["scorable"], info["reason"], info["index"]) == ("em", scorable, reason, 3)


def test_verls_advantage_code_calls_our_estimator(cpu_config):
    from verl import DataProto
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    from golongrl.core.advantages import compute
    from golongrl.pipeline.training.verl_plugin.estimator import CONTEXT, BatchContext

    # Two prompts on two tasks, a rollout that could not be scored, and a padding row.
    rewards = [1.0, 0.0, 0.0, 0.3, 0.9, 0.0]
    prompts = ["p", "p", "p", "q", "q", "pad"]
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 0], [0, 0, 0]])
    token_rewards = torch.zeros(6, 3)
    for row, reward in enumerate(rewards):
        token_rewards[row, max(0, int(mask[row].sum()) - 1)] = reward
    data = DataProto.from_dict(
        tensors={"token_level_rewards": token_rewards, "response_mask": mask},
        non_tensors={"uid": np.array(prompts, dtype=object)},
    )
    keys = ["p_0_0", "p_1_0", "p_2_0", "q_0_0", "q_1_0", "pad_0_0"]
    context = BatchContext(
        algo="tmn-reweight",
        options={"alpha": 0.8, "gamma": 1.0},
        task_N=["em", "em", "em", "f1", "f1", ""],
        session_N=[key.rsplit("_", 1)[0] for key in keys],
        counted_N=np.array([True, True, False, True, True, False]),
    )
    token = CONTEXT.set(context)
    try:
        data = compute_advantage_for_multi_trajectories(
            data, batch_keys=keys, adv_estimator=cpu_config.algorithm.adv_estimator, config=cpu_config.algorithm
        )
    finally:
        CONTEXT.reset(token)
    expected = compute("tmn-reweight", [1.0, 0.0, 0.3, 0.9], "ppqq", ["em", "em", "f1", "f1"]).values
    advantages = data.batch["advantages"]
    assert advantages[[0, 1, 3, 4], 0].numpy() == pytest.approx(expected, rel=1e-5)
    assert not advantages[[2, 5]].any()
    assert torch.equal(advantages != 0, (mask * torch.tensor([[1], [1], [0], [1], [1], [0]])).bool())
    assert context.metrics["task/f1/rollouts"] == 2


def test_outputs_of_one_session_share_its_last_outputs_advantage():
    from golongrl.pipeline.training.verl_plugin.estimator import BatchContext, row_advantages

    context = BatchContext(
        algo="dr-grpo",
        options={},
        task_N=["em"] * 3,
        session_N=["p_0", "p_0", "p_1"],
        counted_N=np.array([True, True, True]),
    )
    assert row_advantages(np.array([0.0, 1.0, 0.0]), ["p"] * 3, context) == pytest.approx([0.5, 0.5, -0.5])


def test_rollout_correction_masks_tokens_outside_the_icepop_band(cpu_config):
    from verl import DataProto
    from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_add_to_batch

    # log(train / rollout) of 0.5 is inside [0.5, 5], 2 is above (e^2 = 7.4), -3 is below (e^-3 = 0.05)
    ratio = torch.tensor([[0.0, 0.5, 2.0, -3.0]])
    data = DataProto.from_dict(
        tensors={
            "old_log_probs": ratio - 5.0,
            "rollout_log_probs": torch.full((1, 4), -5.0),
            "response_mask": torch.ones(1, 4, dtype=torch.long),
        }
    )
    data, _ = compute_rollout_correction_and_add_to_batch(data, cpu_config.algorithm.rollout_correction)
    weights = data.batch["rollout_is_weights"][0].tolist()
    assert weights == pytest.approx([1.0, 1.6487, 0.0, 0.0], abs=1e-3)


def test_the_transformers_rollout_is_registered_by_name():
    from verl.workers.rollout.base import get_rollout_class
    from verl.workers.rollout.replica import get_rollout_replica_class

    import golongrl.pipeline.training.verl_plugin.rollout_registry  # noqa: F401

    assert get_rollout_replica_class("transformers").__name__ == "TransformersReplica"
    assert get_rollout_class("transformers").__name__ == "TransformersAdapter"

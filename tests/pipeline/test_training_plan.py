"""What --dry-run shows: the batch algebra by hand, the command for a cluster, and where settings come from."""

import json
import shlex
import shutil

import pytest

from golongrl.core.errors import ConfigError, UsageError
from golongrl.core.records import write_parquet
from golongrl.core.runs import open_run
from golongrl.pipeline.training import plan as planning
from golongrl.pipeline.training.config import may_differ
from golongrl.pipeline.training.metrics import Step
from golongrl.pipeline.training.resolve import resolve
from golongrl.pipeline.training.smoke import smoke_records


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny model and 24 records."""
    from golongrl.core.byte_model import build_byte_model

    root = tmp_path_factory.mktemp("plan")
    build_byte_model(root / "model")
    write_parquet(root / "train.parquet", smoke_records() * 2)
    return root


def planned(folder, **changes):
    given = {"preset": "cpu-smoke", "model": str(folder / "model"), "data": str(folder / "train.parquet"), **changes}
    return planning.plan(resolve({}, given, {}, "test"), folder / "run", skip_gate=True)


def test_the_batch_algebra_by_hand(folder):
    batch = dict(
        planned(folder, gpus_per_node=2, prompts_per_batch=4, rollouts_per_prompt=8, steps=None, epochs=3).batch
    )
    assert batch["processes"] == "1 x 2 = 2"
    assert batch["rollouts per step"] == "4 x 8 = 32"
    assert batch["rollouts per copy and update"] == "4 x 8 / 2 = 16"
    assert batch["policy updates per step"] == "4 / 4 prompts x 1 epochs = 1"
    assert batch["longest sequence"] == "64 + 16 = 80 tokens; the model takes 4,096"
    # 2,048 tokens hold 25 sequences of 80, so 16 rollouts are one micro batch.
    assert batch["micro batches per update"] == "at most 1, when every sequence is of full length"
    assert batch["steps"] == "3 x 6 = 18"
    assert "prompts in generation" not in batch


def test_the_algebra_follows_settings_passed_through_to_verl(folder):
    verl = {"actor_rollout_ref": {"actor": {"ppo_mini_batch_size": 2, "ppo_epochs": 3}}}
    batch = dict(planned(folder, verl=verl, prompts_per_batch=4, filter_groups=True).batch)
    assert batch["policy updates per step"] == "4 / 2 prompts x 3 epochs = 6"
    assert batch["prompts in generation"] == "at most 4 x 4 = 16"


def test_the_plan_shows_what_differs_from_verls_defaults(folder):
    found = {difference.path: difference for difference in planned(folder, learning_rate=3e-4).differences}
    rate = found["actor_rollout_ref.actor.optim.lr"]
    assert (rate.default, rate.value) == (1e-6, 3e-4)
    assert "actor_rollout_ref.actor.clip_ratio_low" not in found


def test_a_folder_that_holds_another_run_is_told_before_it_is_refused(folder, tmp_path):
    given = {"preset": "cpu-smoke", "model": str(folder / "model"), "data": str(folder / "train.parquet")}
    config = resolve({}, given, {}, "test")
    open_run(tmp_path / "run", config.model_dump(), command="train")
    other = config.model_copy(update={"gamma": 0.0, "save_every": 7})
    same, changed = (
        planning.plan(c, tmp_path / "run", skip_gate=True, elsewhere=True).facts.warnings for c in (config, other)
    )
    assert not any("other settings" in warning for warning in same)
    assert any("(gamma: 1.0 -> 0.0)" in warning for warning in changed)


def test_a_run_may_go_on_to_more_steps_where_the_learning_rate_does_not_depend_on_them(folder):
    config = resolve({}, {"preset": "cpu-smoke", "model": "m", "data": "d", "steps": 3}, {}, "test")
    before = config.model_dump()
    longer, shorter, endless = (config.model_copy(update={"steps": steps}) for steps in (5, 2, None))
    cosine = longer.model_copy(update={"verl": {"actor_rollout_ref.actor.optim.lr_scheduler_type": "cosine"}})
    assert "steps" in may_differ(longer, before)
    assert not any("steps" in may_differ(each, before) for each in (config, shorter, endless, cosine))
    # Where nothing said how many, the data did.
    assert "steps" not in may_differ(longer, {**before, "steps": None})


def test_a_setting_verl_does_not_have_stops_the_plan(folder):
    with pytest.raises(ConfigError, match=r"no setting 'trainer.total_epoch'; did you mean 'trainer.total_epochs'"):
        planned(folder, verl={"trainer.total_epoch": 3})


def test_a_combination_known_to_fail_stops_the_plan(folder):
    with pytest.raises(ConfigError, match="asynchronous rollout servers"):
        planned(folder, verl={"actor_rollout_ref.rollout.mode": "sync"})


def test_yarn_that_the_model_does_not_take_stops_the_plan(folder):
    copy = folder / "scaled"
    shutil.copytree(folder / "model", copy, dirs_exist_ok=True)
    config = json.loads((copy / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="linear"):
        planned(folder, model=str(copy), yarn_factor=4.0)


def test_the_submit_command_is_the_same_call_from_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = planning.submit_command(["--preset", "qwen3-4b", "--data", "my data.parquet", "--dry-run", "--json"])
    words = shlex.split(line)
    assert words[:3] == ["ray", "job", "submit"]
    assert words[words.index("--") + 1 :] == [
        *("env", "-C", str(tmp_path), "golongrl", "train"),
        *("--preset", "qwen3-4b", "--data", "my data.parquet", "--ray-address", "auto"),
    ]


def test_an_address_that_was_given_stays():
    assert planning.submit_command(["--ray-address=10.0.0.1:6379"]).endswith("train --ray-address=10.0.0.1:6379")


def test_a_step_shows_a_task_without_what_did_not_happen():
    metrics = {"task/em/reward": 0.5, "task/em/truncated": 0.0, "task/em/unscorable": 0.25, "task/em/rollouts": 8.0}
    assert Step(1, metrics).shown("em") == [("reward", ".3f", 0.5), ("unscorable", ".0%", 0.25)]

"""Training configuration, the checks before a run, and what they say when something is wrong."""

import fcntl
import shutil

import pytest

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import (
    CheckFailedError,
    ConfigError,
    DataError,
    MissingPackageError,
    RunConflictError,
    UsageError,
)
from golongrl.core.records import Record, RewardModel, write_parquet
from golongrl.pipeline.training import launch, verl_overrides
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.preflight import checks as preflight
from golongrl.pipeline.training.resolve import resolve

SMALL = {
    "device": "cpu",
    "prompts_per_batch": 2,
    "rollouts_per_prompt": 2,
    "max_prompt_tokens": 64,
    "max_response_tokens": 8,
}


def record(index, metric="em", gold="4", **extra):
    source, mode = {"em": ("EM", "EM"), "choice": ("selection", "selection")}[metric]
    return Record(
        data_source=source,
        prompt=[{"role": "user", "content": "?"}],
        reward_model={"ground_truth": {"golden_label": gold}},
        extra_info={"index": index, "reward_mode": mode, "metric": metric, **extra},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(build_byte_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "train.parquet"
    write_parquet(path, [record(0), record(1), record(2, n_tokens=65)])
    return str(path)


def settled(model, data, **changes) -> TrainConfig:
    return resolve({"model": model, "data": data, **SMALL, **changes}, {}, {}, "test")


def test_what_is_missing_is_named_with_the_flag_that_gives_it():
    with pytest.raises(UsageError, match=r"needs data: pass --data FILE\.parquet.*golongrl\.toml"):
        resolve({"model": "m"}, {}, {}, "test")
    with pytest.raises(UsageError, match="needs model and data"):
        resolve({}, {}, {}, "test")


def test_a_misspelt_key_is_named_before_what_is_missing():
    with pytest.raises(ConfigError, match="'modle'; did you mean 'model'"):
        resolve({"modle": "m"}, {}, {}, "test")


def test_flags_win_over_set_and_set_over_the_file():
    config = resolve({"model": "a", "data": "d", **SMALL}, {"model": "b", "gamma": 0.5}, {"model": "c"}, "test")
    assert (config.model, config.gamma) == ("c", 0.5)


def test_a_cpu_gets_one_process_and_transformers_rollouts():
    config = resolve({"model": "m", "data": "d", "device": "cpu"}, {}, {}, "test")
    assert (config.rollout, config.gpus_per_node) == ("transformers", 1)


def test_verl_settings_pass_through_nested_or_dotted():
    config = resolve(
        {"model": "m", "data": "d", **SMALL, "verl": {"trainer": {"balance_batch": False}}},
        {"verl.data.shuffle": False},
        {},
        "test",
    )
    assert config.verl == {"trainer.balance_batch": False, "data.shuffle": False}
    values = verl_overrides.settings(config, launch.Path("out"), "optional")
    assert values["++data.shuffle"] is False
    assert values["++trainer.balance_batch"] is False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rollout": "sglang"}, "needs GPUs"),
        ({"engine": "megatron"}, "needs GPUs"),
        ({"tensor_parallel": 2}, "need engine = 'megatron'"),
        ({"validate_every": 2}, "needs val_data"),
        ({"gpus_per_node": 3}, "multiple of the 3 data-parallel"),
        ({"rollouts_per_prompt": 1}, "rollouts_per_prompt"),
        ({"alpha": 1.5}, "alpha"),
        ({"micro_batch_tokens": 71}, "must hold one sequence of .* = 72; set it to at least 72"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        settled("m", "d", **changes)


def test_strings_are_quoted_for_hydra():
    assert verl_overrides.overrides({"a": "it's, here", "b": ["x y"], "c": None, "d": {"k": True}, "e": 1e-6}) == [
        "a='it\\'s, here'",
        "b=['x y']",
        "c=null",
        "d={k:true}",
        "e=1e-06",
    ]


def test_the_checks_count_what_will_be_trained_on(model, data):
    facts = preflight.check(settled(model, data))
    assert (facts.prompts, facts.too_long, facts.tasks, facts.think) == (2, 1, {"em": 3}, "optional")


def test_a_batch_larger_than_the_data_is_refused(model, data):
    with pytest.raises(ConfigError, match="has 2 prompts of at most 64 tokens, a batch needs 4"):
        preflight.check(settled(model, data, prompts_per_batch=4))


def test_a_missing_file_and_another_format_are_refused(model, data, tmp_path):
    with pytest.raises(DataError, match="no such data file"):
        preflight.check(settled(model, str(tmp_path / "none.parquet")))
    with pytest.raises(DataError, match=r"training reads \.parquet"):
        preflight.check(settled(model, str(tmp_path / "x.jsonl")))


def test_a_bad_row_is_named(model, tmp_path):
    path = tmp_path / "bad.parquet"
    write_parquet(path, [record(0), record(1), record(2, gold=" ")])
    with pytest.raises(DataError, match=r"bad\.parquet row 3, field reward_model.ground_truth: the ground truth is"):
        preflight.check(settled(model, str(path)))


def test_rewards_that_can_be_gamed_are_not_trained_on(model, tmp_path):
    path = tmp_path / "always-a.parquet"
    write_parquet(path, [record(index, "choice", gold="A", options=["w", "x", "y", "z"]) for index in range(16)])
    config = settled(model, str(path), prompts_per_batch=2)
    with pytest.raises(CheckFailedError, match=r"1 attacks pay.*attack first_option pays.*golongrl verify-rewards"):
        launch.plan(config, tmp_path / "run")
    assert launch.plan(config, tmp_path / "run", skip_gate=True).facts.prompts == 16


def test_a_folder_that_is_no_model_is_refused(model, data, tmp_path):
    with pytest.raises(ConfigError, match=r"no config\.json"):
        preflight.check(settled(str(tmp_path), data))
    with pytest.raises(ConfigError, match="no such model folder"):
        preflight.check(settled(str(tmp_path / "none"), data))
    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="no chat template"):
        preflight.check(settled(str(bare), data))


def test_a_hub_id_that_cannot_be_fetched_is_one_clear_error(data, tmp_path, monkeypatch):
    # A closed port of this machine stands for a hub that cannot be reached.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigError, match=r"cannot fetch 'someone/some-model' from the hub.*--model"):
        preflight.check(settled("someone/some-model", data))


def test_a_missing_engine_names_the_extra(model, data):
    with pytest.raises(MissingPackageError, match=r"need sglang; run: pip install 'golongrl\[sglang\]'"):
        preflight.check(settled(model, data, device="cuda", rollout="sglang", gpus_per_node=1))


def test_a_folder_in_use_is_refused(model, data, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunConflictError, match="another golongrl train is writing"):
            launch.train(settled(model, data), out)


@pytest.mark.parametrize(
    ("metric", "gold", "extra", "problem"),
    [
        ("f1", {"doc_ids": []}, {}, "the ground truth is empty"),
        ("choice", {"golden_label": "D"}, {"options": ["x", "y"]}, "gold D is not among the options AB"),
        ("ndcg", {"doc_ids": ["a", "b"]}, {"relevance": [1.0]}, "one non-negative number per gold item"),
    ],
)
def test_a_record_that_cannot_be_scored_is_named_before_training(tmp_path, model, metric, gold, extra, problem):
    bad = record(1).model_copy(
        update={
            "reward_model": RewardModel.model_validate({"ground_truth": gold}),
            "extra_info": {"index": 1, "metric": metric, **extra},
        }
    )
    path = tmp_path / "bad.parquet"
    write_parquet(path, [record(0), bad, record(2)])
    with pytest.raises(DataError, match=f"bad.parquet row 2, field reward_model.ground_truth: .*{problem}"):
        preflight.check(settled(model, str(path)))


@pytest.mark.parametrize(("tracker", "step"), [("4", 4), ("", 12), ("\0\0", 12)])
def test_a_tracker_torn_by_a_full_disk_still_names_the_newest_checkpoint(tmp_path, tracker, step):
    folder = tmp_path / "checkpoints"
    for number in (4, 12):
        (folder / f"global_step_{number}").mkdir(parents=True)
    (folder / "latest_checkpointed_iteration.txt").write_text(tracker)
    found = launch.latest_checkpoint(tmp_path)
    assert found == (step, folder / f"global_step_{step}")
    assert (folder / "latest_checkpointed_iteration.txt").read_text() == str(step)


def test_a_torn_tracker_without_a_checkpoint_starts_anew(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").touch()
    assert launch.latest_checkpoint(tmp_path) == (0, None)
    assert not (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").exists()

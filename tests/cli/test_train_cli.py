"""`golongrl train` as a user calls it, up to the point where training would start."""

import json

import pytest
from run_cli import golongrl

from golongrl.core.byte_model import build_byte_model
from golongrl.core.records import Record, write_parquet


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder as build-dataset leaves it."""
    root = tmp_path_factory.mktemp("work")
    build_byte_model(root / "model")
    rows = [
        Record(
            data_source="EM",
            prompt=[{"role": "user", "content": "?"}],
            reward_model={"ground_truth": {"golden_label": "4"}},
            extra_info={"index": index, "reward_mode": "EM"},
        )
        for index in range(8)
    ]
    write_parquet(root / "train.parquet", rows)
    (root / "golongrl.toml").write_text(
        '[train]\nmodel = "model"\ndata = "train.parquet"\ndevice = "cpu"\nprompts_per_batch = 4\n'
        "rollouts_per_prompt = 4\nmax_prompt_tokens = 64\nmax_response_tokens = 8\n"
    )
    return root


def test_without_a_configuration_it_says_what_to_pass(tmp_path):
    done = golongrl("train", "--algo", "tmn-reweight", cwd=tmp_path)
    assert done.returncode == 2
    assert "--model" in done.stderr
    assert "--data" in done.stderr
    assert "golongrl.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_the_batch_and_starts_nothing(folder):
    done = golongrl("train", "--algo", "tmn-reweight", "--dry-run", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "4 x 4 = 16" in done.stderr
    assert "algorithm.adv_estimator='golongrl'" in done.stdout
    assert not (folder / "runs").exists()


def test_a_dry_run_as_json_is_one_object(folder):
    done = golongrl("train", "--algo", "grpo", "--dry-run", "--json", "--set", "gamma=0.5", cwd=folder)
    plan = json.loads(done.stdout)
    assert plan["config"]["algo"] == "grpo"
    assert plan["config"]["gamma"] == 0.5
    assert plan["verl"]["+golongrl"]["algo"] == "grpo"
    assert plan["batch"]["rollouts per step"] == "4 x 4 = 16"
    assert plan["memory"]["parameters"] > 0
    assert {"path": "data.train_batch_size", "default": 1024, "value": 4} in plan["differences"]
    assert plan["submit"].endswith("golongrl train --algo grpo --set gamma=0.5 --ray-address auto")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--algo", "ppo"), "algo"),
        (("--data", "nowhere.parquet"), "nowhere.parquet"),
        (("--model", "./nowhere"), "no such model folder"),
        (("--set", "lerning_rate=1"), "did you mean 'learning_rate'"),
        (("--set", "prompts_per_batch=99"), "a batch needs 99"),
        (("--config", "missing.toml"), "missing.toml"),
        (("--preset", "gpu-2x"), "did you mean 'gpu-1x'"),
        (("--set", "verl.trainer.save_frequency=3"), "did you mean 'trainer.save_freq'"),
        (("--set", "max_prompt_tokens=9000"), "max_position_embeddings"),
        (("--set", 'loggers=["vandb"]'), "loggers"),
    ],
)
def test_wrong_calls_exit_with_2_and_one_message(folder, arguments, message):
    done = golongrl("train", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

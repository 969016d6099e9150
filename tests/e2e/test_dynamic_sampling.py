"""Dynamic sampling in the real trainer: dead prompts are replaced, surplus is carried, hopeless data end the run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from golongrl.core.records import write_parquet
from golongrl.core.store import Journal
from golongrl.pipeline.training.metrics import read_steps
from golongrl.pipeline.training.smoke import build_smoke_model, smoke_records

STEPS = 5
TRAIN = [sys.executable, "-m", "golongrl.cli.app", "train", "--preset", "cpu-smoke", "--json"]
SETTINGS = ("--set", "filter_groups=true", "--set", "rollouts_per_prompt=8", "--set", 'loggers=["console"]')


def dead_records(first: int, count: int) -> list:
    """Records whose answer the model never gives, so that all their rollouts earn 0."""
    rows = []
    for place, record in enumerate(smoke_records()[:4] * (count // 4)):
        row = record.model_copy(deep=True)
        row.reward_model.ground_truth.golden_label = "never"
        row.extra_info["index"] = first + place
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("dynamic")
    build_smoke_model(root / "model")
    write_parquet(root / "half.parquet", [*smoke_records(), *dead_records(12, 12)])
    write_parquet(root / "dead.parquet", dead_records(0, 12))
    return root


def command(data, out, *more):
    return [*TRAIN, "--model", "model", "--data", data, "--out", out, *SETTINGS, *more]


@pytest.fixture(scope="module")
def run(folder):
    """Five steps on half dead data with a checkpoint after each, killed once groups were carried, then resumed."""
    arguments = command("half.parquet", "run", "--steps", str(STEPS), "--set", "save_every=1")
    first = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    out = folder / "run"
    carried = out / "checkpoints"
    while not list(carried.glob("*/carried.pt")) or not read_steps(out):
        assert first.poll() is None, first.stderr.read()
        assert time.monotonic() < deadline, "no groups were carried over"
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=400)
    assert second.returncode == 0, second.stderr
    return out, json.loads(second.stdout)["resumed_from"]


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_every_group_trained_on_has_a_signal(run):
    out, _ = run
    rewards = defaultdict(list)
    with Journal(out / "rollouts.jsonl") as journal:
        for row in journal.rows.values():
            rewards[row["step"], row["prompt"]].append(row["reward"])
    assert len(rewards) == STEPS * 6
    for group in rewards.values():
        assert len(group) == 8
        assert max(group) - min(group) > 1e-6


@pytest.mark.slow
def test_dead_prompts_are_replaced_and_counted(run):
    out, _ = run
    steps = read_steps(out)
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    # Half of the prompts are dead, so about as many are evicted as are kept.
    assert sum(step.metrics["training/filter_groups/evicted_samples"] for step in steps) >= STEPS


@pytest.mark.slow
def test_surplus_groups_are_trained_on_in_the_next_step_and_survive_a_kill(run):
    out, resumed_from = run
    assert resumed_from >= 1
    with Journal(out / "rollouts.jsonl") as journal:
        # A prompt's name begins with the step that drew it.
        drawn = {(row["step"], int(row["prompt"].split(".")[0])) for row in journal.rows.values()}
    carried = {trained for trained, drawn_in in drawn if drawn_in < trained}
    assert carried
    left = {step.step: step.metrics["training/filter_groups/carried_samples"] for step in read_steps(out)}
    for step in range(1, STEPS):
        assert (left[step] > 0) == (step + 1 in carried), (step, left, carried)


@pytest.mark.slow
def test_data_without_any_signal_end_the_run_with_what_to_do(folder):
    arguments = command("dead.parquet", "dead", "--set", "max_generated_batches=3")
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "18 generated prompts" in done.stderr
    assert "18 earn 0" in done.stderr
    assert "golongrl verify-rewards" in done.stderr
    assert "Traceback" not in done.stderr

"""Replaying rollouts: hand-computed shares, logs of every form, the effect of settings."""

import json

import numpy as np
import pytest

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.simulation.mixes import MIXES, PROPORTIONS, draw
from golongrl.pipeline.simulation.replay import grouped, replay, resized
from golongrl.pipeline.simulation.rollouts import Batch, read_batches
from golongrl.pipeline.simulation.run import simulate


def batch(*groups):
    made = Batch()
    for place, (task, rewards) in enumerate(groups):
        for reward in rewards:
            made.add(reward, f"p{place}", task)
    return made


def test_shares_of_two_tasks_by_hand():
    # dr-grpo: |r - mean| is 0.5 four times for em, 0.1 twice for f1, 0 for the constant group.
    whole = grouped([batch(("em", [1, 0, 1, 0]), ("f1", [0.2, 0.4]), ("f1", [0.3, 0.3]))])
    outcome = replay(whole, "dr-grpo", "dr-grpo")
    assert outcome.rollouts == 8
    assert outcome.tasks["em"].rollout_share == 0.5
    assert outcome.tasks["em"].advantage_share == pytest.approx(2.0 / 2.2)
    assert outcome.tasks["f1"].mean_abs_advantage == pytest.approx(0.05)
    assert outcome.no_signal == pytest.approx(1 / 3)
    assert outcome.sign_flips == 0
    # Means 0.5 and 0.05: deviation 0.225 around 0.275.
    assert outcome.unevenness == pytest.approx(0.225 / 0.275)


def test_batches_of_another_size_hold_the_same_rollouts():
    batches = [batch(("em", [1, 0, 0]), ("f1", [0.5, 0.1, 0.2])), batch(("em", [0, 0, 1]), ("f1", [1, 0, 0.5]))]
    merged = resized(batches, prompts=4)
    assert [len(part.rewards) for part in merged] == [12]
    assert len(set(merged[0].prompts)) == 4
    assert [part.rewards for part in resized(batches, rollouts=2)] == [[1, 0, 0.5, 0.1], [0, 0, 1, 0]]


def test_running_statistics_go_from_batch_to_batch():
    batches = grouped([batch(("f1", [0, 1])), batch(("f1", [0.4, 0.6]))])
    alone, running = (replay(batches, "tmn", "tmn", task_stats=stats) for stats in ("batch", "ema"))
    assert alone.tasks["f1"].mean_abs_advantage == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert running.tasks["f1"].mean_abs_advantage < alone.tasks["f1"].mean_abs_advantage


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_logs_of_a_run_and_of_verl(tmp_path):
    run = [
        {"key": "2/0", "step": 2, "prompt": "a", "task": "em", "reward": 1.0},
        {"key": "1/0", "step": 1, "prompt": "a", "task": "em", "reward": 0.0},
        {"key": "1/1", "step": 1, "prompt": "a", "task": "em", "reward": None, "reason": "timeout"},
        {"key": "2/0", "step": 2, "prompt": "b", "task": "f1", "reward": 0.5},
    ]
    write(tmp_path / "run" / "rollouts.jsonl", run)
    found = read_batches(tmp_path / "run")
    assert [(part.rewards, part.prompts, part.tasks) for part in found] == [
        ([0.0], ["a"], ["em"]),
        ([0.5], ["b"], ["f1"]),
    ]
    write(tmp_path / "dumps" / "10.jsonl", [{"input": "q", "output": "x", "score": 1.0, "step": 10}])
    write(tmp_path / "dumps" / "9.jsonl", [{"input": "q", "output": "x", "score": 0.0, "task": "em"}])
    assert [(part.rewards, part.tasks) for part in read_batches(tmp_path / "dumps")] == [
        ([0.0], ["em"]),
        ([1.0], ["all"]),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": "a"}, "line 1: no field reward"),
        ({"reward": "high", "prompt": "a"}, "line 1, field reward"),
        ({"reward": 1.0}, "line 1: no field prompt"),
        ({"reward": 1.0, "prompt": "a", "step": "x"}, "line 1, field step"),
        ({"reward": None, "prompt": "a"}, "holds no rollout with a reward"),
    ],
)
def test_bad_logs_are_named(tmp_path, row, problem):
    with pytest.raises(DataError, match=problem):
        read_batches(write(tmp_path / "log.jsonl", [row]))


def test_an_empty_folder_is_no_log(tmp_path):
    with pytest.raises(DataError, match=r"neither rollouts\.jsonl"):
        read_batches(tmp_path)


@pytest.mark.parametrize("mix", MIXES)
def test_mixes_are_drawn_by_seed_in_the_recipes_proportions(mix):
    first, again = (list(draw(mix, 4, 500, 4, seed=3)) for _ in range(2))
    assert first == again
    share = np.mean([task == "em" for part in first for task in part.tasks])
    assert share == pytest.approx(PROPORTIONS["T1"] / sum(PROPORTIONS.values()), abs=0.05)
    assert all(0 <= reward <= 1 for part in first for reward in part.rewards)


def test_filtered_mixes_hold_no_constant_group():
    outcome = replay(grouped(list(draw("hard", 3, 64, 8, filtered=True))), "grpo", "grpo")
    assert outcome.no_signal == 0


def test_a_simulation_writes_its_report(tmp_path):
    outcomes = simulate([], batches=4, prompts=16, rollouts=8, out=tmp_path / "out", alpha=0.8, gamma=1.0)
    settings = [outcome.setting for outcome in outcomes]
    assert settings[:5] == ["grpo", "dr-grpo", "tmn", "tmn-reweight", "qwenlong"]
    assert {"tmn-reweight, alpha 0.5", "tmn-reweight, gamma 2", "tmn, task statistics ema"} <= set(settings)
    assert {"grpo, 4 rollouts per prompt", "tmn, 4 prompts per batch", "tmn, 64 prompts per batch"} <= set(settings)
    assert settings[settings.index("tmn-reweight, gamma 0")]
    by_name = dict(zip(settings, outcomes, strict=True))
    assert by_name["tmn-reweight, gamma 0"].tasks == by_name["tmn"].tasks
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(results["outcomes"]) == len(outcomes)
    assert "sign flips against grpo" in (tmp_path / "out" / "report.html").read_text()


def test_impossible_calls_are_refused():
    with pytest.raises(UsageError, match="unknown mix"):
        simulate([], mix="lucky")
    with pytest.raises(UsageError, match="unknown algorithm"):
        simulate([], algos=["ppo"], batches=1)
    with pytest.raises(UsageError, match="expected at least 1"):
        simulate([], batches=0)
    with pytest.raises(UsageError, match="batch or ema"):
        simulate([], batches=1, task_stats="weekly")

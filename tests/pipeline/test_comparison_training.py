"""Training runs compared: curves and bands, the difference at the end, prompts that are the same or not."""

import json
import re

import numpy as np
import pytest
from comparison_runs import scored, write_eval, write_training

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.comparison.run import compare


def rollouts(gain, *, steps=20, prompts=30, seed=0, first=0, task="em"):
    """Every step all prompts, four rollouts each; the chance of a reward rises by `gain` over the run."""
    rng = np.random.default_rng(seed)
    hard = np.random.default_rng(99).random(prompts) * 0.5
    return [
        (step, first + prompt, task, float(rng.random() < hard[prompt] + gain * step / steps))
        for step in range(1, steps + 1)
        for prompt in range(prompts)
        for _ in range(4)
    ]


def done(tmp_path, *runs, **options):
    return compare(runs, out=tmp_path / "out", **options)


def test_the_end_is_compared_prompt_by_prompt(tmp_path):
    rows = {name: rollouts(gain, seed=number) for number, (name, gain) in enumerate({"a": 0.1, "b": 0.4}.items())}
    found = done(tmp_path, *(write_training(tmp_path / name, rows[name]) for name in rows), window=5)
    (end,) = found.as_json()["ends"]
    last = {name: np.array([reward for step, *_, reward in rows[name] if step > 15]) for name in rows}
    assert (end["steps"], end["paired"], end["n_items"], end["left_out"]) == ([16, 20], True, 30, 0)
    assert end["mean"] == pytest.approx(last["b"].mean() - last["a"].mean())
    assert 0 < end["low"] < end["mean"] < end["high"]
    assert re.fullmatch(
        r"b is better than a by \d\d\.\d points \[.*\], p <0\.001 \(30 shared prompts\)", end["verdict"]
    )
    assert 0 < end["noise_share"] <= 1
    assert any("each run is one seed" in line for line in found.remarks())


def test_a_point_is_the_mean_over_the_groups_of_its_window_and_a_band_around_it(tmp_path):
    rows = [(1, 0, "em", 0.0), (1, 0, "em", 1.0), (1, 1, "em", 1.0), (2, 0, "em", 1.0), (3, 0, "em", 0.5)]
    runs = [write_training(tmp_path / name, rows) for name in "ab"]
    curves = done(tmp_path, *runs, window=2).as_json()["curves"]
    points = curves[0]["points"]
    assert [(p["step"], p["groups"], p["mean"]) for p in points] == [
        (1, 2, pytest.approx(2 / 3)),
        (2, 3, 0.75),
        (3, 2, 0.75),
    ]
    assert (points[0]["low"], points[0]["high"]) == (0.5, 1.0)  # two groups: one of them alone
    assert curves[0]["points"] == curves[1]["points"]


def test_one_group_has_no_band(tmp_path):
    runs = [write_training(tmp_path / name, [(1, 0, "em", 0.5), (2, 0, "em", 1.0)]) for name in "ab"]
    (point, _) = done(tmp_path, *runs, window=1).as_json()["curves"][0]["points"]
    assert (point["mean"], point["low"], point["high"]) == (0.5, None, None)


def test_other_prompts_are_compared_as_two_samples(tmp_path):
    a = write_training(tmp_path / "a", rollouts(0.1))
    b = write_training(tmp_path / "b", rollouts(0.4, seed=1, first=1000))
    found = done(tmp_path, a, b, window=5)
    (end,) = found.as_json()["ends"]
    assert (end["paired"], end["n_items"], end["outcome"]) == (False, 60, "better")
    assert any("compared as two samples" in line for line in found.remarks())


def test_a_run_of_one_prompt_allows_no_interval(tmp_path):
    runs = [
        write_training(tmp_path / name, [(1, f"{name}{at}", "em", reward) for at in range(prompts)])
        for name, prompts, reward in (("a", 1, 0.0), ("b", 20, 0.5))
    ]
    (said,) = compare(runs, out=tmp_path / "out").verdicts()
    assert said.endswith("+50.0 points; one document or prompt by itself allows no interval of the mean")


def test_two_samples_that_earn_nothing_do_not_rule_out_that_others_would(tmp_path):
    runs = [
        write_training(tmp_path / name, [(1, f"{name}{at}", "em", 0.0) for at in range(prompts)])
        for name, prompts in (("a", 12), ("b", 20))
    ]
    (said,) = compare(runs, out=tmp_path / "out").verdicts()
    # 1 - 0.025 ** (1 / 12) of the first run's prompts.
    assert said.endswith(
        "the scores of all 32 prompts are equal, which rules out a true one of more than 26.5 points"
    )


def test_tasks_are_compared_apart_and_together(tmp_path):
    runs = [
        write_training(
            tmp_path / name, [*rollouts(gain), *rollouts(0.2, first=100, task="f1")], validation=[(10, "f1", 0.25)]
        )
        for name, gain in (("a", 0.0), ("b", 0.5))
    ]
    found = done(tmp_path, *runs)
    ends = {end["task"]: end["outcome"] for end in found.as_json()["ends"]}
    assert ends == {"em": "better", "f1": "equal", "all tasks": "better"}
    assert found.as_json()["validation"]["a"] == {"f1": [(10.0, 0.25)]}
    html = (found.folder / "report.html").read_text()
    assert "Reward per task" in html
    assert "Validation" in html
    assert html.count("<polygon") == 6  # a band for each task and all, of either run


def test_the_shorter_run_decides_where_they_are_compared(tmp_path):
    a = write_training(tmp_path / "a", rollouts(0.1, steps=10))
    b = write_training(tmp_path / "b", rollouts(0.1, steps=20))
    found = done(tmp_path, a, b, window=4)
    assert found.as_json()["ends"][0]["steps"] == [7, 10]
    assert "compared at step 10, which all runs reached; further went b (20)" in found.remarks()


def test_rollouts_without_a_reward_are_counted_not_zero(tmp_path):
    a = write_training(tmp_path / "a", [(1, n, "em", None if n % 2 else 1.0) for n in range(20)])
    b = write_training(tmp_path / "b", [(1, n, "em", 1.0) for n in range(20)])
    found = done(tmp_path, a, b)
    assert found.as_json()["unscorable"] == {"a": 10, "b": 0}
    assert found.as_json()["curves"][0]["points"][0]["mean"] == 1.0
    assert "a: 10 rollouts without a reward left out" in found.remarks()


def test_of_a_step_that_was_run_twice_the_later_rows_count(tmp_path):
    a = write_training(tmp_path / "a", [(1, n, "em", 0.0) for n in range(8)])
    rows = (a / "rollouts.jsonl").read_text()
    (a / "rollouts.jsonl").write_text(rows + rows.replace('"reward": 0.0', '"reward": 1.0'))
    b = write_training(tmp_path / "b", [(1, n, "em", 1.0) for n in range(8)])
    (end,) = done(tmp_path, a, b).as_json()["ends"]
    assert end["outcome"] == "equal"


def test_what_decides_the_rewards_is_refused_and_the_algorithm_is_what_is_compared(tmp_path):
    a = write_training(tmp_path / "a", rollouts(0.1))
    b = write_training(tmp_path / "b", rollouts(0.1), algo="tmn", seed=1)
    assert "b: also differs in algo grpo against tmn; seed not recorded against 1" in done(tmp_path, a, b).remarks()
    assert done(tmp_path, a / "rollouts.jsonl", b).as_json()["ends"]
    c = write_training(tmp_path / "c", rollouts(0.1), temperature=0.5, inputs={"train.parquet": "d2"})
    with pytest.raises(UsageError) as refused:
        done(tmp_path, a, c)
    assert "a against c: temperature 1.0 against 0.5" in str(refused.value)
    assert "a against c: data sha256 d1 against d2" in str(refused.value)
    assert done(tmp_path, a, c, allow_different=True).as_json()["ends"]


def test_filtered_groups_are_pointed_out(tmp_path):
    runs = [write_training(tmp_path / name, rollouts(0.1), filter_groups=True) for name in "ab"]
    assert any("filter_groups was on" in line for line in done(tmp_path, *runs).remarks())


def test_long_runs_keep_their_last_step_and_a_hundred_points(tmp_path):
    rows = [(step, prompt, "em", float(prompt)) for step in range(1, 251) for prompt in (0, 1)]
    runs = [write_training(tmp_path / name, rows) for name in "ab"]
    steps = [point["step"] for point in done(tmp_path, *runs).as_json()["curves"][0]["points"]]
    assert len(steps) == 84
    assert steps[-1] == 250


def test_evaluations_and_training_runs_do_not_mix(tmp_path):
    with pytest.raises(UsageError, match="cannot be compared with each other"):
        done(tmp_path, write_eval(tmp_path / "a", scored([1.0])), write_training(tmp_path / "b", rollouts(0.1)))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"step": "1", "reward": 1.0}, "line 1, field step: expected a whole number, got '1'"),
        ({"step": 1, "reward": "1"}, "line 1, field reward: expected a number or null, got '1'"),
        ({"step": 1, "reward": None}, "holds no rollout with a reward"),
    ],
)
def test_broken_journals_are_named_by_line(tmp_path, row, says):
    a, b = (write_training(tmp_path / name, rollouts(0.1)) for name in "ab")
    (a / "rollouts.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=re.escape(says)):
        done(tmp_path, a, b)

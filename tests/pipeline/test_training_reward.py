"""The reward function that verl calls, by itself."""

import math

import pytest

from golongrl.core.records import Score
from golongrl.pipeline.training.verl_plugin.reward import compute_score
from golongrl.rewards import REWARDS

GOLD = {"golden_label": "Paris"}


def test_a_rollout_is_scored_with_its_task_and_record():
    scored = compute_score("EM", "Paris", GOLD, {"index": 7, "metric": "em"})
    assert {key: scored[key] for key in ("score", "scorable", "task", "reason", "index")} == {
        "score": 1.0,
        "scorable": 1.0,
        "task": "em",
        "reason": "ok",
        "index": 7,
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_gives_no_number_does_not_end_the_run(value, monkeypatch):
    monkeypatch.setitem(REWARDS, "em", lambda record, text: Score(value=value))
    scored = compute_score("EM", "Paris", GOLD, {"metric": "em"})
    assert (scored["score"], scored["scorable"], scored["reason"], scored["index"]) == (0.0, 0.0, "error", -1)

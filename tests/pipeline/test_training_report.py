import json

import pytest

from golongrl.pipeline.training.metrics import Step, read_steps
from golongrl.pipeline.training.report import page_of
from golongrl.pipeline.training.report_curves import reward_lines, smoothing, validation
from golongrl.pipeline.training.rollout_log import Group, dumped, read_groups


def write(path, rows, torn=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + torn)


def rollout(step, number, prompt, reward, task="em", reason="ok"):
    return {"key": f"{step}/{number}", "step": step, "prompt": prompt, "index": 3, "task": task, "reward": reward,
            "reason": reason}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """A run of three steps that goes on; step 2 was repeated after a crash."""
    folder = tmp_path / "run"
    manifest = {"command": "train", "started": "2026-05-04T10:00:00+0000", "finished": None, "versions": {}}
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "config.json").write_text(json.dumps({"command": "train", "algo": "tmn", "steps": 5, "verl": {}}))
    rows = [
        rollout(1, 0, "a", 0.0),
        rollout(1, 1, "a", 1.0),
        rollout(2, 0, "b", 1.0),
        rollout(2, 1, "b", 1.0),
        rollout(2, 0, "c", 0.5),
        rollout(2, 1, "c", 0.5),
        rollout(2, 2, "d", None, "f1", "timeout"),
        rollout(2, 3, "d", 0.25, "f1"),
        rollout(3, 0, "e", 1.0),
    ]
    write(folder / "rollouts.jsonl", rows, torn='{"key": "3/1", "st')
    metrics = {1: {"em": 0.5}, 2: {"em": 0.5, "f1": 0.25}, 3: {"em": 1.0}}
    steps = [
        {
            "key": f"step-{step}",
            "step": step,
            "metrics": {
                "timing_s/step": 2.0 * step,
                "actor/grad_norm": 1.0,
                **{f"task/{task}/reward": reward for task, reward in rewards.items()},
                **{f"task/{task}/advantage_share": 1 / len(rewards) for task in rewards},
                **{f"task/{task}/rollout_share": 1 / len(rewards) for task in rewards},
            },
        }
        for step, rewards in metrics.items()
    ]
    write(folder / "metrics.jsonl", steps)
    return folder


def test_a_repeated_step_counts_as_it_was_last(run):
    groups = read_groups(run)
    assert [(group.step, group.prompt) for group in groups] == [(1, "a"), (2, "c"), (2, "d"), (3, "e")]
    assert [group.mean for group in groups] == [0.5, 0.5, 0.25, 1.0]
    assert [group.has_signal for group in groups] == [True, False, False, False]
    assert groups[2].rewards == [None, 0.25]
    assert groups[2].reasons == {"timeout": 1, "ok": 1}
    assert read_groups(run / "nowhere") == []


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(run):
    page = page_of(run)
    assert page.title == "run"
    assert page.header.verdict == "unfinished"
    assert [heading for heading, _ in page.sections] == [
        "Run", "Reward per task", "Who gets the gradient", "Responses", "Optimisation", "Speed", "Prompts",
        "Every step", "Settings",
    ]  # fmt: skip
    sections = dict(page.sections)
    assert sections["Run"][0].values["steps"] == "3 of 5"
    assert sections["Run"][0].values["median seconds per step"] == 4.0
    table = sections["Reward per task"][1]
    assert table.rows == [["em", 0.5, 1.0, 0.5], ["f1", 0.25, 0.25, 0.0]]
    # f1 was in one of three steps, with half of its rollouts and of its advantage.
    shares = sections["Who gets the gradient"][0].rows
    assert shares[1][:4] == ["f1", pytest.approx(1 / 6), pytest.approx(1 / 6), pytest.approx(1.0)]
    assert [row[0] for row in sections["Every step"].rows] == [1, 2, 3]
    reasons = sections["Responses"][-1]
    assert (reasons.columns[3:], reasons.rows[1][1:]) == (["ok", "timeout"], [1, 2, 1, 1])
    assert len(sections["Prompts"].samples) == 4
    assert "<!doctype html>" in page.html()


def test_validation_before_training_is_step_0_of_its_curve_and_no_training_step(run):
    row = {"key": "step-0", "step": 0, "metrics": {"val/em/reward": 0.25}}
    end = {"key": "step-3", "step": 3, "metrics": {"timing_s/step": 6.0, "val/em/reward": 0.75}}
    journal = run / "metrics.jsonl"
    journal.write_text(json.dumps(row) + "\n" + journal.read_text() + json.dumps(end) + "\n")
    assert [step.step for step in read_steps(run)] == [1, 2, 3]
    sections = dict(page_of(run).sections)
    assert [row[0] for row in sections["Every step"].rows] == [1, 2, 3]
    assert sections["Reward per task"][-1].lines[0].points == [(0, 0.25), (3, 0.75)]


def test_a_run_before_its_first_step_says_so(run):
    (run / "metrics.jsonl").unlink()
    (run / "rollouts.jsonl").unlink()
    page = page_of(run)
    assert [heading for heading, _ in page.sections] == ["Run", "Settings"]
    assert "No step is finished yet" in page.html()


def test_the_band_is_that_of_the_mean_over_the_prompts():
    steps = [Step(1, {"task/em/reward": 0.5})]
    groups = [Group(1, name, "em", 0, [value]) for name, value in (("a", 0.4), ("b", 0.6), ("c", 0.45), ("d", 0.55))]
    (figure,) = reward_lines(steps, groups, ["em"]).blocks
    (line,) = figure.lines
    # Their deviation is sqrt(0.025 / 3) = 0.0913; with Student's 3.1824 the half is 3.1824 * 0.0913 / 2 = 0.1453.
    assert line.points == [(1, 0.5)]
    assert line.band == [(1, pytest.approx(0.5 - 0.1453, abs=1e-4), pytest.approx(0.5 + 0.1453, abs=1e-4))]
    (figure,) = reward_lines(steps, groups[:1], ["em"]).blocks
    assert figure.lines[0].band == []


def test_long_runs_are_smoothed_and_keep_single_steps_as_dots():
    assert [smoothing(steps, 8) for steps in (1, 39, 40, 100, 5000)] == [1, 1, 2, 5, 20]
    # Two prompts of a task in a step: four steps make eight of them.
    assert [smoothing(steps, 2) for steps in (3, 30, 100)] == [3, 4, 5]
    assert smoothing(30, 0) == 1
    steps = [Step(n, {"task/em/reward": float(n % 2)}) for n in range(40)]
    (figure,) = reward_lines(steps, [], ["em"]).blocks
    (line,) = figure.lines
    assert line.points[:3] == [(0, 0.0), (1, 0.5), (2, 0.5)]
    assert line.dots[:3] == [(0, 0.0), (1, 1.0), (2, 0.0)]


def test_one_validation_is_shown_as_bars_and_several_as_curves():
    once = [Step(1, {}), Step(2, {"val/em/reward": 0.5})]
    assert validation(once[:1]) is None
    assert validation(once).rows == [("em", 0.5, None, None)]
    assert validation([*once, Step(4, {"val/em/reward": 0.75})]).series == [("em", [(2, 0.5), (4, 0.75)])]


def test_dumped_texts_come_evenly_from_the_steps_and_stay_text(run):
    hostile = "<script>alert(1)</script>"
    for step in (9, 10):
        rows = [
            {"input": "q" * 9_000, "output": f"{hostile} {n}", "score": n / 10, "step": step, "task": "em",
             "index": 3, "reason": "ok", "gts": {"golden_label": "x", "doc_ids": ["y"], "summary": ""}}
            for n in range(10)
        ]  # fmt: skip
        write(run / "rollouts" / f"{step}.jsonl", rows)
    rows = dumped(run, 4)
    assert [(row["step"], row["score"]) for row in rows] == [(9, 0.0), (9, 0.5), (10, 0.0), (10, 0.5)]
    page = page_of(run)
    viewer = dict(page.sections)["Rollouts"]
    assert len(viewer.samples) == 20
    parts = dict(viewer.samples[1].parts)
    assert parts["response"] == f"{hostile} 1"
    assert parts["gold answer"] == "x\ny"
    assert "(5,000 characters)" in parts["prompt"]
    assert hostile not in page.html()

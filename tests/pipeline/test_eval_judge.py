"""A judge over real HTTP: verdicts, faults, what stays unjudged, and nothing judged twice."""

import json
import os
import signal
import subprocess
import sys
import time

import benchmark_rows
import llm_server
import pytest

from golongrl.core.config import build
from golongrl.core.errors import ConfigError, RunConflictError, ServerError, UsageError
from golongrl.pipeline.evaluation import runner
from golongrl.pipeline.evaluation.config import EvalConfig

ROWS = [
    {
        "id": str(number),
        "Prompt": f"Which town has lighthouse {number}?",
        "Answer": f"Norwick {number}",
        "wiki_items": [{"title": "Norwick", "text": f"It has lighthouse {number}."}],
    }
    for number in range(6)
]
# The model answers in words of its own, except for the first question; the judge's replies vary with the question.
SCRIPT = """
import re

def answer(messages, schema, model, seed):
    text = messages[-1]["content"]
    number = int(re.search(r"lighthouse (\\d)\\?", text)[1])
    if model == "model":
        return "Therefore, the answer is " + ("Norwick 0" if number == 0 else f"town no. {number}")
    return VERDICT(number, seed)
"""
YES_NO = 'VERDICT = lambda number, seed: f\'It is so.\\n[[{"YES" if number % 2 else "NO"}]]\''


@pytest.fixture
def scripted(tmp_path):
    """Start the model and the judge; the judge's rule and its faults are arguments."""
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl(ROWS))

    def start(verdict=YES_NO, *arguments):
        path = tmp_path / "script.py"
        path.write_text(f"{SCRIPT}\n{verdict}\n", encoding="utf-8")
        return llm_server.start("--script", path, "--models", "model,judge", *arguments)

    return start


def config(server, tmp_path, **values):
    defaults = {
        "bench": "frames",
        "data": str(tmp_path / "rows.jsonl"),
        "model": "model",
        "base_url": server.base_url,
        "judge_model": "judge",
        "judge_base_url": server.base_url,
        "out": str(tmp_path / "run"),
        "retries": 0,
    }
    return build(EvalConfig, {**defaults, **values})


def samples(tmp_path, name="run"):
    return [json.loads(line) for line in (tmp_path / name / "samples.jsonl").read_text().splitlines()]


def test_verdicts_are_the_score_and_the_rule_stays_in_the_details(scripted, tmp_path):
    with scripted() as server:
        results = runner.evaluate(config(server, tmp_path)).cards[0].results
        asked = server.stats()["requests"]
        # Six answers; the one that equals the gold answer needs no judge.
        assert asked == 6 + 5
        again = runner.evaluate(config(server, tmp_path)).cards[0].results
        assert server.stats()["requests"] == asked
    assert again == results
    # Right: 0 by equality; 1, 3 and 5 by the judge.
    assert (results["n_scored"], results["counts"]["ok"]) == (6, 6)
    assert results["score"] == pytest.approx(4 / 6, abs=1e-6)
    assert results["judge"]["model"] == "judge"
    assert results["metric"] == "share of answers that the judge finds right"
    found = samples(tmp_path)
    assert [s["score"] for s in found] == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert [s["details"]["rule"] for s in found] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert [s["details"]["verdict"] for s in found] == ["equal", "yes", "no", "yes", "no", "yes"]
    assert found[1]["details"]["answer"] == "town no. 1"


def test_a_reply_without_verdict_is_asked_again_and_in_the_end_unjudged(scripted, tmp_path):
    # 1: never a verdict. 2: one at the second attempt, whose seed differs. Others: yes.
    verdict = """
SEEN = {}
def VERDICT(number, seed):
    seeds = SEEN.setdefault(number, [])
    seeds.append(seed)
    if number == 1 or (number == 2 and len(set(seeds)) < 2):
        return "I cannot say."
    return "[[YES]]"
"""
    with scripted(verdict) as server:
        card = runner.evaluate(config(server, tmp_path, judge_retries=2)).cards[0]
        # Question 1 three times, question 2 twice, 3 to 5 once.
        assert server.stats()["requests"] == 6 + 3 + 2 + 3
        runner.evaluate(config(server, tmp_path, judge_retries=2))
        assert server.stats()["requests"] == 6 + 3 + 2 + 3
    results = card.results
    assert card.complete
    assert (results["n"], results["n_scored"], results["n_unjudged"], results["score"]) == (6, 5, 1, 1.0)
    assert results["counts"]["unjudged"] == 1
    assert results["score_unscored_as_zero"] == pytest.approx(5 / 6, abs=1e-6)
    found = samples(tmp_path)[1]
    assert (found["status"], found["score"], found["details"]["last_reply"]) == ("unjudged", None, "I cannot say.")
    assert "unjudged" in (tmp_path / "run" / "report.html").read_text()


def test_a_judge_that_fails_leaves_answers_owed_not_wrong(scripted, tmp_path):
    with scripted() as server, scripted(YES_NO, "--schedule", "500", "--fault-attempts", 1) as broken:
        runner.evaluate(config(server, tmp_path, out=str(tmp_path / "calm")))
        answered = server.stats()["requests"]
        settled = config(server, tmp_path, judge_base_url=broken.base_url)
        card = runner.evaluate(settled)
        results = card.cards[0].results
        assert not card.complete
        assert (results["n_incomplete"], results["n_scored"], results["score"]) == (5, 1, 1.0)
        assert results["counts"]["judge_error"] == 5
        assert "again" in " ".join(card.remarks())
        assert samples(tmp_path)[1]["details"]["kind"] == "judge server"
        # The same command asks only the judge, and only for what it owes.
        assert runner.evaluate(settled).complete
        assert broken.stats()["requests"] == 5 + 5
        assert server.stats()["requests"] == answered + 6
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (tmp_path / "calm" / "samples.jsonl").read_bytes()


def test_without_a_judge_the_rule_is_the_metric(scripted, tmp_path):
    with scripted() as server:
        card = runner.evaluate(config(server, tmp_path, judge_model=None, judge_base_url=None))
        assert server.stats()["requests"] == 6
        results = card.cards[0].results
        assert results["score"] == pytest.approx(1 / 6, abs=1e-6)
        assert results["metric"] == "share of answers equal to the gold answer (a lower bound)"
        assert results["judge"] is None
        assert any("scored without a judge" in line for line in card.remarks())
        # The same answers, graded again by a judge: no answer is asked for again.
        judged = runner.evaluate(config(server, tmp_path, rescore=True)).cards[0].results
        assert server.stats()["requests"] == 6 + 5
        assert judged["score"] == pytest.approx(4 / 6, abs=1e-6)
        with pytest.raises(RunConflictError, match="judge_model"):
            runner.evaluate(config(server, tmp_path, judge_model="model"))


def test_equal_answers_to_one_question_are_judged_once(scripted, tmp_path):
    with scripted() as server:
        runner.evaluate(config(server, tmp_path, repeats=4))
        assert server.stats()["requests"] == 4 * 6 + 5
    rows = (tmp_path / "run" / "judge.jsonl").read_text().splitlines()
    assert len(rows) == len({json.loads(row)["key"] for row in rows}) == 5


def test_responses_are_judged_too(scripted, tmp_path):
    path = tmp_path / "responses.jsonl"
    path.write_bytes(benchmark_rows.jsonl({**row, "response": f"Town no. {row['id']}"} for row in ROWS))
    with scripted() as server:
        values = {"model": None, "base_url": None, "responses": str(path), "data": None}
        results = runner.evaluate(config(server, tmp_path, **values)).cards[0].results
        assert server.stats()["requests"] == 6
    assert results["score"] == 0.5


def test_a_benchmark_without_rule_needs_a_judge_before_the_first_request(scripted, tmp_path):
    with scripted() as server:
        missing = config(server, tmp_path, bench="longmemeval", judge_model=None, judge_base_url=None)
        with pytest.raises(UsageError, match=r"longmemeval.*--judge-model NAME and --judge-base-url URL"):
            runner.evaluate(missing)
        assert server.stats()["requests"] == 0
    assert not (tmp_path / "run").exists()


def test_a_judge_without_address_is_refused():
    with pytest.raises(ConfigError, match="--judge-base-url belong together"):
        build(EvalConfig, {"bench": "frames", "model": "m", "judge_model": "judge"})


def test_a_judge_that_is_not_there_is_found_before_the_first_answer(scripted, tmp_path):
    with scripted() as server:
        with pytest.raises(
            ServerError, match=r"the judge: http://127.0.0.1:9/v1 cannot be reached.*--judge-base-url"
        ):
            runner.evaluate(config(server, tmp_path, judge_base_url="http://127.0.0.1:9/v1"))
        with pytest.raises(ServerError, match="check --judge-base-url and the model's name"):
            runner.evaluate(config(server, tmp_path, judge_model="nobody"))
        assert server.stats()["requests"] == 6 + 5
    # What the model answered is kept.
    assert len((tmp_path / "run" / "generations.jsonl").read_text().splitlines()) == 6


def rows_in(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_kill_9_while_judging_and_nothing_is_judged_twice(scripted, tmp_path):
    rows = [
        {**row, "id": f"{row['id']}-{copy}", "Prompt": f"{copy}: {row['Prompt']}"} for row in ROWS for copy in "abc"
    ]
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl(rows))

    def command(server, out):
        arguments = ["--bench", "frames", "--data", tmp_path / "rows.jsonl", "--model", "model", "--out", out]
        arguments += ["--base-url", server.base_url, "--judge-model", "judge", "--judge-base-url", server.base_url]
        arguments += ["--set", "judge_concurrency=1"]
        return [sys.executable, "-m", "golongrl.cli.app", "eval", *map(str, arguments)]

    with scripted() as server:
        calm = subprocess.run(command(server, "calm"), cwd=tmp_path, check=False, capture_output=True, text=True)
        assert calm.returncode == 0, calm.stderr
    with scripted(YES_NO, "--token-seconds", 0.02) as server:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command(server, "run"), cwd=tmp_path, **quiet)
        journal, deadline = tmp_path / "run" / "judge.jsonl", time.monotonic() + 60
        while rows_in(journal) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        judged = rows_in(journal)
        assert 3 <= judged < 15
        assert not (tmp_path / "run" / "samples.jsonl").exists()
    with scripted() as server:
        subprocess.run(command(server, "run"), cwd=tmp_path, check=True, capture_output=True)
        assert server.stats()["requests"] == 15 - judged
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (tmp_path / "calm" / "samples.jsonl").read_bytes()

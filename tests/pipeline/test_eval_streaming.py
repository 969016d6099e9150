"""Prompts that wait on disk, answers graded as they come, and runs that end before their time."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import benchmark_rows
import chat_server
import pytest
import stream_server

from golongrl.cli import console
from golongrl.core.config import build
from golongrl.core.errors import ServerError
from golongrl.pipeline.evaluation import grading, runner
from golongrl.pipeline.evaluation.config import EvalConfig

RIGHT = "The correct answer is (A)"


def long_rows(path, count, size):
    with open(path, "w") as out:
        for number in range(count):
            row = {
                "_id": f"r{number}",
                "question": "Which?",
                **{f"choice_{letter}": letter for letter in "ABCD"},
                "answer": "A",
                "context": f"{number} " + "words of a document " * (size // 20),
            }
            out.write(json.dumps(row) + "\n")
    return str(path)


def corpus_rows(path, contexts, questions):
    rows = []
    for number in range(contexts * questions):
        corpus = f"# Document 1:\nThis is corpus {number % contexts}. " + "A line of it. " * 500
        text = f"{corpus}\nQuestion: what about q{number}"
        prompt = [{"role": "user", "content": text}]
        rows.append({"id": f"r{number}", "prompt": prompt, "question": f"what about q{number}", "answer": "x"})
    random.Random(0).shuffle(rows)
    path.write_bytes(benchmark_rows.jsonl(rows))
    return str(path)


PEAK = """
import json, resource, sys
from golongrl.core.config import build
from golongrl.pipeline.evaluation import runner
from golongrl.pipeline.evaluation.config import EvalConfig
config = build(EvalConfig, json.loads(sys.argv[1]))
if config.dry_run:
    assert runner.describe(config)[0]["requests"] == int(sys.argv[2])
else:
    assert runner.evaluate(config).cards[0].results["n_scored"] == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.fixture
def peak(tmp_path):
    """The memory in MB that a run of its own took, all of whose samples were scored (or, of a plan, asked for)."""

    def measure(count, **asked):
        asked |= {"out": str(tmp_path / f"run{count}")}
        command = [sys.executable, "-c", PEAK, json.dumps(asked), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    return measure


@pytest.mark.slow
def test_memory_does_not_grow_with_the_prompts_that_wait(tmp_path, peak):
    """90 prompts of 2 MB are 180 MB of text; held, they would show."""

    def grown(**values):
        asked = {"bench": "longbench-v2", "model": "echo", "concurrency": 2, "max_input": 600_000}
        asked |= {"max_model_len": 700_000, **values}
        many, few = (
            peak(count, **asked, data=long_rows(tmp_path / f"{count}.jsonl", count, 2_000_000)) for count in (90, 10)
        )
        return many - few

    with stream_server.start("--say", RIGHT) as server:
        assert grown(base_url=server.base_url) < 100
    # Nor does a plan, or grading what is there.
    nobody = "http://127.0.0.1:9/v1"
    assert grown(base_url=nobody, dry_run=True) < 60
    assert grown(base_url=nobody, rescore=True) < 60


@pytest.mark.slow
def test_memory_does_not_grow_with_answers_that_were_made_elsewhere(tmp_path, peak):
    """120 answers of 1.5 MB are 180 MB of text, also where the rows carry the items."""

    def grown(own_items):
        sizes = []
        for count in (120, 20):
            file, rows = tmp_path / f"answers{count}.jsonl", tmp_path / f"rows{count}.jsonl"
            with open(file, "w") as out:
                for number in range(count):
                    text = f"<think>{number} {'thinking aloud ' * 100_000}</think>{RIGHT}"
                    out.write(json.dumps({"id": f"r{number}", "response": text, "answer": "A"}) + "\n")
            data = {} if own_items else {"data": long_rows(rows, count, 100)}
            sizes.append(peak(count, bench="longbench-v2", responses=str(file), fresh=True, **data))
        return sizes[0] - sizes[1]

    assert grown(own_items=True) < 60
    assert grown(own_items=False) < 60


def test_nothing_of_the_prompts_is_left_on_disk(tmp_path):
    data = long_rows(tmp_path / "rows.jsonl", 3, 100_000)
    with chat_server.start() as server:
        asked = {"bench": "longbench-v2", "data": data, "model": "echo", "base_url": server.base_url}
        runner.evaluate(build(EvalConfig, {**asked, "out": str(tmp_path / "deep" / "run")}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "rows.jsonl"]
    sizes = [
        path.stat().st_size for path in (tmp_path / "deep" / "run").iterdir() if path.name != "generations.jsonl"
    ]
    assert max(sizes) < 100_000


def test_a_prompt_that_the_servers_cache_cannot_hold_is_overlong_and_never_sent(tmp_path):
    data = corpus_rows(tmp_path / "rows.jsonl", 2, 2)
    long = json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])
    long["id"], long["question"] = "long", "what about long"
    long["prompt"][0]["content"] = "# Document 1: " + "word " * 20_000 + "\nQuestion: what about long"
    with open(data, "a") as out:
        out.write(json.dumps(long) + "\n")
    said = []
    with stream_server.start("--pool", 16_000) as server:
        asked = {"bench": "corpusqa-128k", "data": data, "model": "echo", "base_url": server.base_url}
        asked |= {"max_output": 1000, "out": str(tmp_path / "run")}
        card = runner.evaluate(build(EvalConfig, asked), say=said.append)
        assert server.stats()["requests"] == 4
    assert card.cards[0].results["counts"]["overlong_input"] == 1
    assert card.complete
    assert "the server's KV cache holds 16000 tokens" in said


class Lines(console.Progress):
    """A line for every step."""

    def __init__(self, label, total=None):
        super().__init__(label, total, every=0.0)


def test_the_score_is_shown_while_answers_come(tmp_path, capsys):
    data = long_rows(tmp_path / "rows.jsonl", 12, 500)
    with stream_server.start("--say", RIGHT) as server:
        asked = {"bench": "longbench-v2", "data": data, "model": "echo", "base_url": server.base_url}
        runner.evaluate(build(EvalConfig, {**asked, "concurrency": 1, "out": str(tmp_path / "run")}), Lines)
    lines = [line for line in capsys.readouterr().err.splitlines() if "generating" in line]
    assert "longbench-v2: generating: 12 of 12" in lines[-1]
    assert "score 1.000 of " in lines[-1]
    assert lines[-1].endswith("left")


def test_rows_that_ask_the_same_are_asked_once_and_graded_by_their_own_answers(tmp_path, capsys):
    rows = [json.loads(Path(long_rows(tmp_path / "one.jsonl", 1, 500)).read_text())] * 2
    rows = [{**row, "_id": f"r{n}", "answer": "AB"[n]} for n, row in enumerate(rows)]
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl(rows))
    with stream_server.start("--say", RIGHT) as server:
        asked = {"bench": "longbench-v2", "data": str(tmp_path / "rows.jsonl"), "model": "echo"}
        asked |= {"base_url": server.base_url, "out": str(tmp_path / "run")}
        runner.evaluate(build(EvalConfig, asked), Lines)
        assert server.stats()["requests"] == 1
    assert "generating: 2 of 2" in capsys.readouterr().err
    samples = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    assert [(sample["id"], sample["score"]) for sample in samples] == [("r0", 1.0), ("r1", 0.0)]


def test_answers_graded_beside_are_graded_as_ever_and_too_many_are_left_to_the_end():
    gold = {"answer": "A", "options": 4}
    jobs = [grading.Submission("longbench-v2", gold, RIGHT + " " * n, "optional") for n in range(2000)]
    long = grading.Submission("longbench-v2", gold, "so " * 4000 + RIGHT, "optional")
    scores = {}
    with grading.in_background(scores) as running:
        running.add("long", long)
        for number, one in enumerate(jobs):
            running.add(str(number), one)
        deadline = time.monotonic() + 60
        while "long" not in scores and time.monotonic() < deadline:
            time.sleep(0.01)
    assert scores["long"] == grading.grade(long)
    assert all(score == grading.grade(jobs[int(key)]) for key, score in scores.items() if key != "long")
    assert running.text() == f"score 1.000 of {len(scores)}"
    assert running._waiting == set()


WORKER = """
import time
from golongrl.pipeline.evaluation import grading
if __name__ == "__main__":
    with grading.in_background({}) as running:
        gold = {"answer": "A", "options": 4}
        running.add("k", grading.Submission("longbench-v2", gold, "so " * 4000, "optional"))
        while not running.scores:
            time.sleep(0.01)
        print(*running._process._processes, flush=True)
        time.sleep(600)
"""


def test_a_process_that_grades_ends_with_the_run_even_when_that_is_killed(tmp_path):
    script = tmp_path / "grade.py"
    script.write_text(WORKER)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 60
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{worker}")


def both(server, tmp_path, **values):
    asked = {"bench": "corpusqa-128k,longbench-v2", "data": str(tmp_path / "data"), "model": "echo", "retries": 0}
    return build(EvalConfig, {**asked, "base_url": server.base_url, "out": str(tmp_path / "run"), **values})


def test_a_server_that_dies_leaves_the_scorecards_of_what_was_finished(tmp_path):
    (tmp_path / "data").mkdir()
    corpus_rows(tmp_path / "data" / "corpusqa-128k.jsonl", 2, 3)
    long_rows(tmp_path / "data" / "longbench-v2.jsonl", 5, 500)
    with chat_server.start("--die-after", 8) as server, pytest.raises(ServerError) as stopped:
        runner.evaluate(both(server, tmp_path, concurrency=1))
    assert "finished work is kept" in str(stopped.value)
    assert "complete before that: corpusqa-128k" in str(stopped.value)
    first, second = stopped.value.card.cards
    assert (first.complete, first.results["n_scored"]) == (True, 6)
    assert (second.complete, second.results["n_scored"], second.results["n_incomplete"]) == (False, 2, 3)
    manifests = [json.loads((card.folder / "manifest.json").read_text()) for card in (first, second)]
    assert [manifest["finished"] is None for manifest in manifests] == [False, True]
    assert all((card.folder / "report.html").is_file() for card in (first, second))
    with chat_server.start() as server:
        assert runner.evaluate(both(server, tmp_path)).complete
        assert server.stats()["requests"] == 3


def test_a_dead_server_is_one_message_behind_the_table_and_exit_code_3(tmp_path):
    (tmp_path / "data").mkdir()
    corpus_rows(tmp_path / "data" / "corpusqa-128k.jsonl", 2, 3)
    long_rows(tmp_path / "data" / "longbench-v2.jsonl", 5, 500)
    with chat_server.start("--die-after", 8) as server:
        command = [
            sys.executable,
            "-m",
            "golongrl.cli.app",
            "eval",
            "--bench",
            "corpusqa-128k,longbench-v2",
            "--json",
        ]
        command += ["--model", "echo", "--base-url", server.base_url, "--data", "data", "--concurrency", "1"]
        command += ["--set", "retries=0", "--out", "run"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("cannot be reached") == 1
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert [bench["n_incomplete"] for bench in found["benchmarks"]] == [0, 3]


@pytest.mark.slow
def test_kill_9_at_random_points_of_a_streamed_run_gives_the_same_samples(tmp_path):
    data = corpus_rows(tmp_path / "rows.jsonl", 5, 6)

    def command(server, out):
        asked = ["--bench", "corpusqa-128k", "--data", data, "--model", "echo", "--base-url", server.base_url]
        return [sys.executable, "-m", "golongrl.cli.app", "eval", *asked, "--concurrency", "6", "--out", str(out)]

    with stream_server.start() as server:
        subprocess.run(command(server, tmp_path / "calm"), check=True, capture_output=True)
    chance = random.Random(7)
    journal = tmp_path / "run" / "generations.jsonl"
    with stream_server.start("--read", 0.1, "--write", 0.2) as server:
        for _ in range(3):
            process = subprocess.Popen(
                command(server, tmp_path / "run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            before = journal.stat().st_size if journal.exists() else -1
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if journal.exists() and journal.stat().st_size > before + chance.randrange(900):
                    break
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert not (tmp_path / "run" / "samples.jsonl").exists()
        assert server.stats()["streams"] > 0
    with stream_server.start() as server:
        subprocess.run(command(server, tmp_path / "run"), check=True, capture_output=True)
        assert server.stats()["requests"] < 30
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (tmp_path / "calm" / "samples.jsonl").read_bytes()

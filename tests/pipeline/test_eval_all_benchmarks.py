"""Every benchmark end to end: rows in the published schema, a scripted endpoint and a judge over real HTTP."""

import json
import sys

import benchmark_rows
import llm_server
import pytest
from test_benchmark_bfcl import install_package
from test_benchmark_data import hub  # noqa: F401  a fixture

from golongrl.core.config import build
from golongrl.core.errors import ServerError, UsageError
from golongrl.pipeline.evaluation import benchmarks, job, runner
from golongrl.pipeline.evaluation.config import EvalConfig

# What the model says where a prompt holds the first text, and what the judge says of it. Right but for AIME 2025 and
# the half of LongBench QA whose answer is 9.
SCRIPT = """
import re

SAYS = {
    "Prepend qZ7": "qZ7Rain, verse 1: it falls and falls.",
    "How many ships passed on Monday?": "It was seven. ANSWER: B",
    "older lighthouse": "Therefore, the answer is Norwick",
    "How many ships passed?": "Therefore, the answer is (7)",
    "By how much did revenue change": "It fell. Therefore, the answer is -5.1",
    "Who sold more?": "The answer is: Tin Ltd",
    "Who sold more than 20?": "The answer is: nobody did",
    "List all.": "The answer is:\\nIron Ltd\\nTin Ltd",
    "prime": "ANSWER: J",
    "floats": "<think>Lead? No.</think>ANSWER: B",
    "3 times 8": "That is \\\\boxed{24}.",
    "7 times 10": "That is \\\\boxed{71}.",
    "pear tree": "Ten days ago.",
    "question": "{'answer': 'old maps', 'context': 'You told me.'}",
}

def answer(messages, schema, model, seed):
    text = messages[-1]["content"]
    if model == "judge":
        wrong = "Reference answers" in text and "- 9\\n" in text
        return "They differ.\\n[[NO]]" if wrong else "Same.\\n[[YES]]"
    if found := re.search(r"([A-D])\\) mercury", text):
        return f"ANSWER: {found[1]}"
    return next((said for part, said in SAYS.items() if part in text), "Noted.")
"""
SCORES = {**dict.fromkeys(benchmarks.GROUPS["all"], 1.0), "longbench-qa": 0.5, "aime25": 0.0}


def write_bfcl(folder):
    (folder / "possible_answer").mkdir(parents=True)
    (folder / "BFCL_v4_memory.json").write_bytes(benchmark_rows.jsonl(benchmark_rows.BFCL_QUESTIONS))
    (folder / "possible_answer" / "BFCL_v4_memory.json").write_bytes(
        benchmark_rows.jsonl(benchmark_rows.BFCL_ANSWERS)
    )


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for bfcl-eval in the interpreter that runs this test."""
    install_package(tmp_path / "site", monkeypatch)


@pytest.fixture
def data(tmp_path):
    """A folder with a file or folder by the name of every benchmark."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, rows in benchmark_rows.ROWS.items():
        if name == "bfcl-memory":
            write_bfcl(folder / name)
        else:
            (folder / f"{name}.jsonl").write_bytes(benchmark_rows.jsonl(rows))
    return folder


@pytest.fixture
def server(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    with llm_server.start("--script", path, "--models", "model,judge", "--model-len", 1_200_000) as running:
        yield running


def config(server, tmp_path, **values):
    defaults = {
        "model": "model",
        "base_url": server.base_url,
        "judge_model": "judge",
        "judge_base_url": server.base_url,
        "bfcl_python": sys.executable,
        "out": str(tmp_path / "run"),
        "retries": 0,
    }
    return build(EvalConfig, {**defaults, **values})


def samples(folder):
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_all_of_them_in_one_run(server, data, package, tmp_path):
    asked = config(server, tmp_path, bench="all", data=str(data))
    card = runner.evaluate(asked)
    assert card.complete
    assert {c.bench: c.results["score"] for c in card.cards} == SCORES
    assert len(card.cards) == 15
    requests = server.stats()["requests"]
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("samples.jsonl")}
    assert len(before) == 15
    again = runner.evaluate(asked)
    assert server.stats()["requests"] == requests
    assert [c.results for c in again.cards] == [c.results for c in card.cards]
    assert {path: path.read_bytes() for path in before} == before
    by_name = {c.bench: c.results for c in card.cards}
    # AIME is asked 32 times, and the rule is recorded where no judge grades.
    assert (by_name["aime24"]["n"], by_name["aime24"]["n_items"]) == (32, 1)
    assert by_name["aime24"]["repeats"]["pass@32"] == 1.0
    assert by_name["aime25"]["repeats"] == {
        **{"n": 32, "n_items": 1, "n_items_left_out": 0, "avg@32": 0.0},
        **{f"pass@{k}": 0.0 for k in (1, 2, 4, 8, 16, 32)},
    }
    assert by_name["mrcr-1m"]["settings"]["max_input"] == 1024 * 1024
    assert by_name["mmlu-pro"]["settings"]["max_output"] == 32768
    assert by_name["gpqa-diamond"]["judge"] is None
    assert by_name["docmath"]["judge"]["model"] == "judge"
    assert [entry["value"] for entry in by_name["bfcl-memory"]["buckets"]["memory"]] == ["kv", "rec_sum", "vector"]
    for results in by_name.values():
        assert results["settings"]["max_input"] + results["settings"]["max_output"] <= 1_200_000


def test_mrcr_mini_is_the_sixteenth(tmp_path):
    with llm_server.start("--models", "model") as echo:
        card = runner.evaluate(config(echo, tmp_path, bench="mrcr-mini", max_length="1k", limit=4))
    assert (card.complete, card.cards[0].results["n_scored"]) == (True, 4)


def test_rows_of_the_hub_are_recorded_with_their_commit(hub, server, tmp_path):  # noqa: F811
    card = runner.evaluate(config(server, tmp_path, bench="mmlu-pro,corpusqa-128k"))
    assert [c.results["score"] for c in card.cards] == [1.0, 1.0]
    manifests = {c.bench: json.loads((c.folder / "manifest.json").read_text())["inputs"] for c in card.cards}
    revision = benchmarks.get("mmlu-pro").hub.revision
    assert manifests["mmlu-pro"] == {"data": f"TIGER-Lab/MMLU-Pro@{revision}"}
    assert manifests["corpusqa-128k"]["data"].startswith("Tongyi-Zhiwen/CorpusQA@ab")


def test_groups_stand_for_their_benchmarks():
    found = build(EvalConfig, {"bench": "general,mrcr-128k,aime24", "model": "m"})
    assert found.bench == ["mmlu-pro", "aime24", "aime25", "gpqa-diamond", "mrcr-128k"]
    assert len(build(EvalConfig, {"bench": "all", "model": "m"}).bench) == 15


def test_a_folder_serves_each_benchmark_by_its_name(tmp_path):
    folder = tmp_path / "data"
    (folder / "docmath").mkdir(parents=True)
    (folder / "frames.jsonl").write_text("{}")

    def of(bench, *others):
        return job.data_of(build(EvalConfig, {"bench": [bench, *others], "model": "m", "data": str(folder)}), bench)

    assert of("docmath", "frames", "aime24") == str(folder / "docmath")
    assert of("frames", "docmath") == str(folder / "frames.jsonl")
    # No entry: the hub.
    assert of("aime24", "frames") is None
    assert of("docmath") == str(folder / "docmath")
    # No entry by any name: the whole folder.
    assert of("aime24") == str(folder)
    assert of("mrcr-128k", "mrcr-1m") == str(folder)


def test_bfcl_memory_resumes_and_what_failed_is_owed(data, package, tmp_path):
    asked = {"bench": "bfcl-memory", "data": str(data / "bfcl-memory"), "judge_model": None, "judge_base_url": None}
    (tmp_path / "plain.py").write_text("def answer(messages, schema, model, seed):\n    return 'old maps'\n")
    script = ("--script", tmp_path / "plain.py", "--models", "model")
    with llm_server.start(*script, "--refuse", "question 1") as refusing:
        card = runner.evaluate(config(refusing, tmp_path, **asked))
        results = card.cards[0].results
        assert (results["n"], results["n_scored"], results["n_incomplete"]) == (6, 3, 3)
        assert not card.complete
    with llm_server.start(*script) as mended:
        assert runner.evaluate(config(mended, tmp_path, **asked)).complete
        # Three kinds of memory, one question each.
        assert mended.stats()["requests"] == 3
        repeated = runner.evaluate(config(mended, tmp_path, **asked, repeats=2, fresh=True)).cards[0].results
        assert (repeated["n"], repeated["repeats"]["pass@2"]) == (12, 1.0)
    assert (tmp_path / "run" / "bfcl-1").is_dir()


def test_bfcl_memory_without_an_interpreter_or_package(server, data, tmp_path):
    asked = {"bench": "bfcl-memory", "data": str(data / "bfcl-memory")}
    with pytest.raises(UsageError, match=r"bfcl-eval==.*--bfcl-python"):
        runner.evaluate(config(server, tmp_path, **asked, bfcl_python=None))
    with pytest.raises(UsageError, match=r"no such interpreter: /no/python"):
        runner.evaluate(config(server, tmp_path, **asked, bfcl_python="/no/python"))
    with pytest.raises(ServerError, match=r"pip install bfcl-eval"):
        runner.evaluate(config(server, tmp_path, **asked))
    assert server.stats()["requests"] == 0

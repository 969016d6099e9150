"""What a scorecard says: intervals, maps, tokens, cost, and its pages, also of a run that still goes on."""

import json
import shutil
import signal
import subprocess
import sys
import time

import benchmark_rows
import chat_server
import llm_server
import pytest

from golongrl.core import chat
from golongrl.core.config import build
from golongrl.core.errors import DataError
from golongrl.core.report import sample_json
from golongrl.pipeline.evaluation import (
    aggregates,
    asked,
    overview_page,
    run_facts,
    runner,
    sample_viewer,
    scorecard,
    scorecard_page,
    unfinished,
    usage,
)
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.samples import shown_answer

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


def sample(identity, score, cluster, status="ok", **buckets):
    return {"id": identity, "score": score, "cluster": cluster, "status": status, **buckets}


def several(scores, **buckets):
    return [sample(str(place), score, f"c{place}", **buckets) for place, score in enumerate(scores)]


def test_scores_that_do_not_vary_still_have_an_interval():
    found = aggregates.aggregate(several([1.0] * 40), 0)
    # 0.025 ** (1 / 40).
    assert (found["score"], found["low"], found["high"]) == (1.0, pytest.approx(0.911903, abs=1e-6), 1.0)
    assert found["interval"] == aggregates.BOUND
    wrong = aggregates.aggregate(several([0.0] * 40), 0)
    assert (wrong["low"], wrong["high"]) == (0.0, pytest.approx(0.088097, abs=1e-6))
    # Forty answers about one document are one cluster: no interval at all.
    one = aggregates.aggregate([sample(str(n), 1.0, "same") for n in range(40)], 0)
    assert (one["n_clusters"], one["low"], one["high"], one["interval"]) == (1, None, None, None)
    mixed = aggregates.aggregate(several([0.0, 1.0] * 20), 0)
    assert mixed["interval"] == aggregates.BOOTSTRAP
    assert 0.3 < mixed["low"] < 0.4
    assert 0.6 < mixed["high"] < 0.7


def test_nearly_right_answers_say_little_about_failures_that_were_not_seen():
    # The spread of 0.99 and 1.0 says 0.001. With 40 answers one in twenty may still fail: Wilson's for 0.995 and 40.
    found = aggregates.aggregate(several([0.99, 1.0] * 20), 0)
    assert found["interval"] == aggregates.BOUND
    assert found["low"] == pytest.approx(0.9036, abs=1e-3)
    assert found["high"] >= 0.9999 - 1e-3
    wrong = aggregates.aggregate(several([0.01, 0.0] * 20), 0)
    assert (wrong["interval"], wrong["high"]) == (aggregates.BOUND, pytest.approx(1 - found["low"], abs=1e-3))
    # One failure that was seen is in the resamples.
    assert aggregates.aggregate(several([0.99, 1.0] * 20 + [0.0]), 0)["interval"] == aggregates.BOOTSTRAP


def test_few_clusters_never_make_a_narrow_interval():
    # Two scores that happen to be alike: their spread says 0.01, their number that nearly anything is possible.
    found = aggregates.aggregate(several([0.5, 0.51]), 0)
    assert found["low"] < 0.15
    assert found["high"] > 0.85
    assert "2 documents or conversations only" in scorecard.few_clusters(found)
    assert "no interval" in scorecard.few_clusters(aggregates.aggregate(several([0.5]), 0))
    assert scorecard.few_clusters(aggregates.aggregate(several([0.5, 0.6] * 5), 0)) is None


def test_a_heat_map_by_hand():
    found = aggregates.heat_map(
        [
            sample("a", 1.0, "x", length="16k", depth="0-20%"),
            sample("b", 0.0, "y", length="16k", depth="0-20%"),
            sample("c", 1.0, "z", length="4k", depth="80-100%"),
            sample("d", None, "z", "unjudged", length="4k", depth="80-100%"),
            sample("e", 1.0, "z", length="4k"),
        ],
        0,
    )
    assert (found["columns"], found["rows"], found["n_without_depth"]) == (["4k", "16k"], ["0-20%", "80-100%"], 1)
    cells = [[cell and (cell["score"], cell["n_scored"], cell["n"]) for cell in row] for row in found["cells"]]
    assert cells == [[None, (0.5, 2, 2)], [(1.0, 1, 2), None]]
    assert aggregates.heat_map([sample("a", 1.0, "x", length="4k")], 0) is None


def test_depth_makes_no_pair_of_two_other_axes():
    rows = [sample(n + k + d, 1.0, n, needles=n, length=k, depth=d) for n in "24" for k in "48" for d in "ab"]
    tables = aggregates.by_bucket(rows, ["needles", "length", "depth"], 0)
    assert list(tables) == ["needles", "length", "depth", "needles x length"]
    assert [entry["value"] for entry in tables["needles x length"]] == ["2 x 4", "2 x 8", "4 x 4", "4 x 8"]


def counted(prompt, completion, answer="x"):
    return {"n_input_tokens": 10, "prompt_tokens": prompt, "completion_tokens": completion, "answer": answer}


def test_tokens_and_cost_by_hand():
    tokens = usage.tokens_of([counted(100, 20), counted(300, 30), counted(None, None, None)])
    assert tokens == {"input_counted": 30, "prompt": 400, "completion": 50, "n_uncounted": 0}
    # 400 at 2 and 50 at 8 per million.
    assert usage.cost_of(tokens, usage.Prices(2.0, 8.0)) == {
        "total": 0.0012,
        "price_input": 2.0,
        "price_output": 8.0,
        "reason": None,
    }
    assert "--price-output" in usage.cost_of(tokens, usage.Prices(2.0))["reason"]
    # An answer without counts makes every total a guess.
    tokens = usage.tokens_of([counted(100, 20), counted(None, None)])
    assert (tokens["completion"], tokens["n_uncounted"]) == (20, 1)
    cost = usage.cost_of(tokens, usage.Prices(1.0, 1.0))
    assert (cost["total"], cost["reason"]) == (None, "the server did not count the tokens of every answer")
    # Of answers from elsewhere no prompt is known.
    assert usage.tokens_of([{**counted(None, None), "n_input_tokens": None}])["input_counted"] is None
    replies = [{"usage": {"prompt_tokens": 5, "completion_tokens": 2}}, {"usage": None}]
    judged = usage.tokens_of([counted(1, 1)], replies)
    assert (judged["judge_prompt"], judged["judge_completion"]) == (5, 2)


def test_seconds_in_flight_are_counted_once_and_pauses_not_at_all():
    def answer(started, ended, error=None):
        return chat.Generation(key="k", seconds=ended - started, ended=ended, error=error)

    late = chat.ChatError(kind="timeout", message="m")
    # 10 to 14 and 12 to 16 are 6 s together, 100 to 101 one more; a failure gave no answer.
    found = usage.seconds_of([answer(10, 14), answer(12, 16), answer(100, 101), answer(0, 90, late), None])
    assert found == {"generation_sum": 9.0, "slowest_request": 4.0, "busy": 7.0}
    assert usage.speed_of({"completion": 35}, found) == 5.0
    # Answers from elsewhere have no times.
    assert usage.seconds_of([answer(10, 14), chat.Generation(key="k")])["busy"] is None
    nothing = {"generation_sum": None, "slowest_request": None, "busy": None}
    assert usage.seconds_of([chat.Generation(key="k")]) == usage.seconds_of([]) == nothing
    assert usage.speed_of({"completion": 35}, usage.seconds_of([])) is None


def test_what_is_shown_of_an_answer():
    assert shown_answer("<think>no</think> Yes. ", "ok") == "Yes."
    assert shown_answer("<think>and then", "unclosed_think") == "(thinking that does not end) … <think>and then"
    assert shown_answer("half \ud83d pair", "ok") == "half \\ud83d pair"
    assert "(8,500 characters)" in shown_answer("x" * 10_000, "ok")


def card(bench, *scores):
    found = aggregates.aggregate(several(scores, length="4k"), 0)
    buckets = {"length": [{"value": value, **found} for value in ("4k", "8k")], "set": [{"value": "one", **found}]}
    return scorecard.BenchCard(bench, None, {**found, "buckets": buckets})


def test_the_table_has_a_line_per_benchmark_first_and_gaps_as_none():
    rows = scorecard.Scorecard([card("a", 1.0, 0.0), card("b", None), card("c", 0.5)]).rows()
    assert [row[:2] for row in rows[:4]] == [["a", "all"], ["b", "all"], ["c", "all"], ["a", "length 4k"]]
    assert len(rows) == 3 + 2 * 2  # b has no score, hence no buckets worth a line
    assert rows[0] == ["a", "all", "2 of 2", 0.5, "0.000 to 1.000", "-"]
    assert rows[1] == ["b", "all", "0 of 1", None, None, "-"]
    assert rows[2] == ["c", "all", "1 of 1", 0.5, None, "-"]


def remote(server, out, **values):
    defaults = {"bench": "mrcr-mini", "max_length": "1k,2k", "limit": 8, "model": "echo", "retries": 1}
    return build(EvalConfig, {**defaults, "base_url": server.base_url, "out": str(out), **values})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval") / "run"
    with chat_server.start() as server:
        runner.evaluate(remote(server, folder, price_input=1.0, price_output=2.0))
    return folder


def soup(page):
    bs4 = pytest.importorskip("bs4")
    return bs4.BeautifulSoup(page.html(), "lxml")


def shown(page):
    data = json.loads(page.select_one(".viewer script").string)
    return data["facets"], data["rows"]


def test_results_say_where_they_come_from(finished):
    results = json.loads((finished / "results.json").read_text())
    assert results["capability"] == {"id": "T1", "name": "precise retrieval"}
    assert (results["model_identity"], results["engine"]) == ("echo", None)
    assert {"golongrl", "python"} <= set(results["versions"])
    assert results["dataset"]["revision"] == results["inputs"]["documents"]
    # 8 answers with 11 and 7 tokens each: 88 at 1 and 56 at 2 per million.
    assert results["cost"] == {"total": 0.0002, "price_input": 1.0, "price_output": 2.0, "reason": None}
    assert results["seconds"]["busy"] > 0
    assert results["seconds"]["output_tokens_per_second"] == pytest.approx(56 / results["seconds"]["busy"], abs=0.01)
    assert results["heat_map"]["columns"] == ["1k", "2k"]
    assert sum(cell["n"] for row in results["heat_map"]["cells"] for cell in row if cell) == 8
    # Prices decide no score, so that they may change between two calls.
    assert "price_input" not in json.loads((finished / "config.json").read_text())


def test_the_page_comes_from_the_folder_alone(finished, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(finished, moved)
    page = soup(scorecard_page.page_of(moved))
    assert page.select_one(".verdict").text.strip() == "finished"
    assert "T1 precise retrieval" in page.header.text
    facets, rows = shown(page)
    assert len(rows) == 8
    samples = [json.loads(line) for line in (moved / "samples.jsonl").read_text().splitlines()]
    gold = {row["id"]: row["gold"] for row in asked.read(moved)}
    for (values, line, parts), one in zip(rows, samples, strict=True):
        assert line.startswith(f"{one['id']}: Prepend ")
        assert (values[facets.index("length")], values[facets.index("needles")]) == (one["length"], one["needles"])
        named = dict(parts)
        assert named["answer"] == one["answer"]
        place = next(name for name in named if name.startswith("evidence, from character"))
        (marked,) = [text for text, mark in named[place] if mark]
        assert gold[one["id"]]["prefix"] + marked == gold[one["id"]]["answer"]
    assert len(page.select(".heat table")) == 2


def test_settings_axes_and_repeats_say_what_they_mean(finished):
    told = run_facts.settings_of(json.loads((finished / "results.json").read_text())["settings"])
    assert told
    assert [name for name, _, meaning in told if not meaning] == []
    assert {"think", "yarn", "overlong"} <= {name for name, _, _ in told}
    text = soup(scorecard_page.page_of(finished)).get_text(" ")
    assert "Whether an answer needs a closed thinking block" in text
    assert "depth: how much of the prompt stands before the text that answers it" in text


def test_results_of_another_version_are_refused(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "old")
    results = tmp_path / "old" / "results.json"
    results.write_text('{"bench": "mrcr-mini"}')
    with pytest.raises(DataError, match="--rescore"):
        scorecard_page.page_of(tmp_path / "old")
    with pytest.raises(DataError, match="no run folder"):
        scorecard_page.page_of(tmp_path)


def test_the_journals_alone_give_the_same_numbers(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    for name in ("results.json", "samples.jsonl", "report.html"):
        (tmp_path / "run" / name).unlink()
    found, samples = unfinished.results_of(tmp_path / "run")
    results = json.loads((finished / "results.json").read_text())
    numbers = ("score", "low", "high", "counts", "buckets", "heat_map", "tokens", "seconds", "reasons", "n_items")
    assert {name: found[name] for name in numbers} == {name: results[name] for name in numbers}
    assert found["n_open"] == 0
    kept = [json.loads(line) for line in (finished / "samples.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in one.items() if k != "bucket_keys"} for one in samples] == kept


def test_a_page_of_a_run_that_was_killed_shows_what_is_there(tmp_path):
    command = [sys.executable, "-c", "from golongrl.cli.app import main; main()", "eval", "--bench", "mrcr-mini"]
    with chat_server.start("--delay", 0.2, "--refuse", "1st") as server:
        more = ["--model", "echo", "--base-url", server.base_url, "--max-length", "1k", "--limit", "12"]
        process = subprocess.Popen([*command, *more, "--concurrency", "2", "--out", "run"], cwd=tmp_path)
        journal = tmp_path / "run" / "generations.jsonl"
        deadline = time.monotonic() + 60
        while (not journal.exists() or journal.read_bytes().count(b"\n") < 4) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    # A row that was being written.
    with open(journal, "ab") as handle:
        handle.write(b'{"key": "torn')
    answers = journal.read_bytes().count(b"\n")
    assert 4 <= answers < 12
    results, samples, done = scorecard_page.load(tmp_path / "run")
    assert (len(samples), results["n_open"], done) == (answers, 12 - answers, False)
    # The refused ones are owed, and not what was never asked.
    assert results["n_incomplete"] == results["counts"]["server_error"]
    page = soup(scorecard_page.page_of(tmp_path / "run"))
    assert page.select_one(".verdict").text.strip() == "unfinished"
    assert f"{12 - answers} samples have no answer yet" in page.main.text
    assert len(shown(page)[1]) == answers
    # Looking changed nothing: the torn row is still there.
    assert journal.read_bytes().endswith(b'{"key": "torn')


JUDGING = """
def answer(messages, schema, model, seed):
    text = messages[-1]["content"]
    if model == "judge":
        return "Perhaps." if "maybe" in text else "[[YES]]" if "the town of" in text else "[[NO]]"
    said = {"0": "Norwick", "1": "the town of Norwick", "2": "maybe", "3": "Sudwick"}
    return f"Therefore, the answer is ({said[text.split('Number ')[1][0]]})"
"""


def judged_run(tmp_path, **values):
    pages = [{"title": "T", "text": "It is."}]
    rows = [{"id": str(n), "Prompt": f"Number {n}?", "Answer": "Norwick", "wiki_items": pages} for n in range(4)]
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl(rows))
    (tmp_path / "script.py").write_text(JUDGING, encoding="utf-8")
    with llm_server.start("--script", tmp_path / "script.py", "--models", "model,judge") as server:
        judge = {"judge_model": "judge", "judge_base_url": server.base_url, "judge_retries": 1}
        asked_for = {"bench": "frames", "data": str(tmp_path / "rows.jsonl"), "model": "model"}
        return runner.evaluate(remote(server, tmp_path / "run", **asked_for, max_length=[], **judge, **values))


def test_verdicts_count_in_a_page_from_the_journals_too(tmp_path):
    results = judged_run(tmp_path).cards[0].results
    assert (results["score"], results["counts"]["unjudged"]) == (pytest.approx(2 / 3, abs=1e-6), 1)
    # Three were asked about, one of them twice; one equals the reference.
    assert results["tokens"]["judge_completion"] > 0
    (tmp_path / "run" / "results.json").unlink()
    found, _ = unfinished.results_of(tmp_path / "run")
    assert (found["score"], found["counts"]) == (results["score"], results["counts"])
    (tmp_path / "run" / "judge.jsonl").unlink()
    found, _ = unfinished.results_of(tmp_path / "run")
    # Nobody asked the judge: no error of its, and no score either.
    assert (found["counts"]["ok"], found["counts"]["judge_error"], found["n_open"]) == (1, 0, 3)
    page = soup(scorecard_page.page_of(tmp_path / "run"))
    assert "3 samples have no answer or no verdict yet" in page.main.text


def test_hostile_text_stays_text(tmp_path):
    row = {"id": HOSTILE, "answer": f"ab{HOSTILE}", "random_string_to_prepend": "ab", "response": f"ab{HOSTILE}"}
    row["prompt"] = [
        {"role": "user", "content": HOSTILE},
        {"role": "assistant", "content": HOSTILE},
        {"role": "user", "content": HOSTILE},
    ]
    (tmp_path / "rows.jsonl").write_bytes(benchmark_rows.jsonl([row]))
    asked_for = {"bench": "mrcr", "responses": str(tmp_path / "rows.jsonl"), "out": str(tmp_path / "run")}
    runner.evaluate(build(EvalConfig, asked_for))
    page = soup(scorecard_page.page_of(tmp_path / "run"))
    assert not page.select("img")
    # The data, and the script of the viewer.
    assert [script.get("type") for script in page.select("script")] == ["application/json", None]
    (_, ((_, line, parts),)) = shown(page)
    assert line.startswith(HOSTILE)
    assert dict(map(tuple, parts[:2]))["question"] == HOSTILE


def test_half_a_surrogate_pair_in_an_answer_stops_nothing(tmp_path):
    row = '{"id": "1", "input": "Who \\ud83d?", "answers": ["x"], "response": "The answer is half \\ud83d of x."}\n'
    (tmp_path / "rows.jsonl").write_text(row, encoding="utf-8")
    asked_for = {"bench": "longbench-qa", "responses": str(tmp_path / "rows.jsonl"), "out": str(tmp_path / "run")}
    assert runner.evaluate(build(EvalConfig, asked_for)).complete
    (one,) = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text("utf-8").splitlines()]
    assert one["details"]["answer"] == "half \ud83d of x"
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_page_over_several_benchmarks(tmp_path):
    rows = benchmark_rows.jsonl(benchmark_rows.MRCR)
    (tmp_path / "data").mkdir()
    for name in ("mrcr-128k", "mrcr"):
        (tmp_path / "data" / f"{name}.jsonl").write_bytes(rows)
    (tmp_path / "data" / "mmlu-pro.jsonl").write_bytes(benchmark_rows.jsonl(benchmark_rows.MMLU_PRO))
    with chat_server.start() as server:
        asked_for = {"bench": "mrcr-128k,mrcr,mmlu-pro", "data": str(tmp_path / "data"), "max_length": []}
        runner.evaluate(remote(server, tmp_path / "run", **asked_for))
    assert (tmp_path / "run" / "report.html").is_file()
    page = soup(overview_page.page_of(tmp_path / "run"))
    links = [link["href"] for link in page.select("main ul a")]
    assert links == ["mmlu-pro/report.html", "mrcr/report.html", "mrcr-128k/report.html"]
    assert all((tmp_path / "run" / link).is_file() for link in links)
    facets, found = shown(page)
    assert {values[facets.index("capability")] for values, _, _ in found} == {"T1 precise retrieval", "none"}
    tables = {table.caption.text: table for table in page.select("table") if table.caption}
    (capability,) = tables["Mean of its benchmarks' scores, each counting once"].select("tbody tr")
    assert [cell.text for cell in capability.select("th, td")][:2] == ["T1 precise retrieval", "mrcr, mrcr-128k"]
    with pytest.raises(DataError, match="holds no run of golongrl eval"):
        overview_page.page_of(tmp_path / "data")


def test_a_page_holds_a_fair_part_of_very_many_samples():
    row = {"id": "1", "question": "Who?", "gold": {"answer": "x" * 3000}, "choices": [], "buckets": {}}
    row |= {"n_characters": 4_000_000, "excerpts": [], "repeats": []}
    facts = {"repeat": 0, "status": "ok", "reason": "ok", "details": {}, "finish_reason": "stop", "cluster": "c"}
    facts |= {"n_input_tokens": 1_000_000, "n_cut_tokens": 0, "evidence_depth": None, "answer": "y" * 1500}
    facts |= {"completion_tokens": 3, "prompt_tokens": 3}
    status = dict.fromkeys(range(0, 12_000, 1_000), "server_error")
    found = [
        sample_viewer.as_sample("b", "T1", facts | {"id": str(n), "score": n % 2, "status": status.get(n, "ok")}, row)
        for n in range(12_000)
    ]
    viewer = sample_viewer.viewer(found, 12_000)
    assert len(viewer.samples) == sample_viewer.SAMPLES
    assert viewer.caption.startswith("5,000 of 12,000 samples")
    assert sum(len(sample_json(one)) for one in viewer.samples) < sample_viewer.PAGE_BYTES
    numbers = [int(one.line.partition(":")[0]) for one in viewer.samples]
    assert numbers == sorted(numbers)
    assert 5_500 < sum(numbers) / len(numbers) < 6_500
    # The few that are not ok are all there.
    assert [n for n, one in zip(numbers, viewer.samples, strict=True) if one.facets[2] != "ok"] == list(status)

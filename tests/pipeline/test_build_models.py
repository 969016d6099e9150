"""A build through every phase: question sets, a model's questions, votes, necessity, difficulty, benchmarks, over
real HTTP with faults, killed at random points, and as the next version of itself."""

import json
import os
import random
from collections import Counter
from pathlib import Path

import llm_server
import pytest
from builds import digests, kill_until_done, records, write_corpus

from golongrl.core import config as configuration
from golongrl.core.errors import CheckFailedError
from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.rewards import gold_response, score_response

KEEPERS = """
import importlib.util, re
spec = importlib.util.spec_from_file_location("scripted", {path!r})
scripted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scripted)

def answer(messages, schema, model, seed):
    text = messages[-1]["content"]
    asked = re.search(r"first keeper of the lighthouse of (\\w+)[?]", text)
    if schema is not None or not asked:
        return scripted.answer(messages, schema, model, seed)
    found = re.search(rf"lighthouse of {{asked[1]}} was finished.*?keeper, ([\\w ]+),", text, re.S)
    knows = found and (not model.startswith("weak") or seed % 100 < 40)
    return f"[Answer]\\n{{found[1]}}" if knows else "I do not know."
""".format(path=str(Path(__file__).parent / "scripted_answers.py"))
"""The scripted model, which also answers the questions of the set below from their evidence alone."""
MODELS = "strong,other,weak-40"


def write_questions(folder: Path) -> Path:
    """SQuAD-like rows whose answers stand once in their passage."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(24):
        keeper, town, year = f"Mara Quill{number}", f"Ostend{number}", 1800 + 3 * number
        context = (
            f"The lighthouse of {town} was finished in {year} after a long dispute about its height. "
            f"Its first keeper, {keeper}, wrote a diary in which every storm of the coast has a page. "
            f"The lamp burned oil from the northern ports until electric light came {number + 30} years later."
        )
        question = f"Who was the first keeper of the lighthouse of {town}?"
        start = context.index(keeper)
        rows.append(
            {
                "id": str(number),
                "title": f"Lighthouse {number}",
                "context": context,
                "question": question,
                "answers": {"text": [keeper], "answer_start": [start]},
            }
        )
    rows.append({**rows[0], "id": "x", "question": "Why does it burn?", "answers": {"text": [], "answer_start": []}})
    (folder / "squad.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_benchmark(path: Path) -> Path:
    """Half of the set's questions again."""
    rows = [
        {
            "id": f"b{number}",
            "question": f"Who was the first keeper of the lighthouse of Ostend{number}?",
            "answer": "-",
        }
        for number in range(0, 24, 2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    return {
        "sources": [str(write_corpus(folder / "docs"))],
        "qa": [str(write_questions(folder / "questions"))],
        "against": [str(write_benchmark(folder / "bench.jsonl"))],
    }


def settings(sources, url, **changes):
    models = {
        name: {
            "base_url": url,
            "model": served,
            "max_tokens": 512,
            "max_model_len": 100_000,
            "concurrency": 8,
            "retries": 6,
            "input_price": 1.0,
            "output_price": 2.0,
        }
        for name, served in {"generator": "strong", "one": "other", "two": "strong", "small": "weak-40"}.items()
    }
    table = {
        "sources": sources["sources"],
        "qa": sources["qa"],
        "generator": "both",
        "mix": {"T1": 24} | dict.fromkeys(("T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9"), 4),
        "length_bins": "1k,2k",
        "seed": 3,
        "models": models,
        "verify": {"answerers": ["one", "two"], "votes": 2},
        "difficulty": {"small": "small", "large": "two", "rollouts": 4, "tracks": ["qa", "llm"]},
        "decontaminate": {"against": sources["against"]},
        **changes,
    }
    return configuration.build(BuildConfig, table)


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLONGRL_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "answers.py"
    path.write_text(KEEPERS)
    return path


@pytest.fixture(scope="module")
def server(scripted):
    with llm_server.start("--script", scripted, "--models", MODELS) as running:
        yield running


@pytest.fixture(scope="module")
def built(sources, server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    before = Path.cwd()
    os.chdir(folder)
    try:
        return build(settings(sources, server.base_url), folder / "data")
    finally:
        os.chdir(before)


def test_every_track_and_phase_has_rows(built):
    facts = built.facts
    made = records(built.out)
    assert {record.extra_info["generator"].split("/")[0] for record in made} == {"rules", "qa", "llm"}
    for record in made:
        assert score_response(record, gold_response(record)).value == pytest.approx(1.0)
    for track, steps in facts["funnel"].items():
        assert steps[-1]["left"] > 0, track
    stages = {track: [step["stage"] for step in steps] for track, steps in facts["funnel"].items()}
    assert {"read", "extend", "decontaminate", "verify", "difficulty"} <= set(stages["qa"])
    assert {"synthesis", "extend", "verify", "difficulty"} <= set(stages["llm"])
    synthesis, verify, difficulty = facts["synthesis"], facts["verify"], facts["difficulty"]
    assert synthesis["asked"] > synthesis["items"] > 0
    assert synthesis["malformed"] >= synthesis["repaired"] > 0
    assert sum(synthesis["rejected"].values()) > 0
    assert verify["records"] > verify["kept"] > 0
    assert sum(difficulty["levels"].values()) == difficulty["records"]
    assert facts["calls"]["generator"]["cost"] > 0


def test_what_a_phase_removes_stands_in_the_rejects(built):
    rows = [row for _, row in read_jsonl(built.out / "rejects.jsonl")]
    removed = Counter((row.get("track"), row["phase"]) for row in rows if row["phase"] in ("verify", "synthesis"))
    for track, steps in built.facts["funnel"].items():
        of_verify = sum(sum(step["removed"].values()) for step in steps if step["stage"] == "verify")
        assert removed[track, "verify"] == of_verify
    shared = [row for row in rows if row["phase"] == "decontaminate"]
    assert shared
    for row in shared:
        assert row["benchmark"] == "bench.jsonl"
        assert row["shared"].casefold() in row["question"]
    asked = {record.extra_info["question"] for record in records(built.out)}
    assert not any(f"lighthouse of Ostend{number}?" in text for text in asked for number in range(0, 24, 2))


def test_the_scores_of_the_phases_stay_with_the_row(built):
    verified = [r for r in records(built.out) if not r.extra_info["generator"].startswith("rules")]
    assert verified
    for record in verified:
        info = record.extra_info
        assert len(info["verifier_votes"]) == len(info["verifiers"]) >= 1
        assert not any(score == 1.0 for score in info["closed_book"] or []) or info["metric"] == "choice"
    infos = [record.extra_info for record in records(built.out)]
    rated = [info for info in infos if info["difficulty"] not in (None, "unknown")]
    assert rated
    for info in rated:
        low, high = info["pass_interval"]
        assert low <= info["pass_rate"] <= high
        assert info["difficulty"] in ("easy", "medium", "hard", "unsolved")


def test_card_and_report_show_the_phases(built):
    card, page = (built.out / "README.md").read_text(), (built.out / "report.html").read_text()
    for text in (card, page):
        assert "near-duplicate questions" in text
        assert "bench.jsonl" in text
        assert "closed_book" in text or "closed book" in text.lower()
    assert "127.0.0.1" not in card + page


def test_rules_are_verified_where_the_settings_say_so(sources, server, work):
    """The scripted models are no good at these, so that nothing passes."""
    verify = {"answerers": ["generator", "one"], "votes": 2, "necessity": False, "tracks": ["rules"]}
    changes = {"qa": [], "generator": "rules", "mix": {"T1": 6}, "difficulty": {}, "decontaminate": {}}
    with pytest.raises(CheckFailedError, match="not one training record is left: verify: "):
        build(settings(sources, server.base_url, **changes, verify=verify), work / "data")
    rows = [row for _, row in read_jsonl(work / "data" / "rejects.jsonl") if row["phase"] == "verify"]
    assert [row["track"] for row in rows] == ["rules"] * 6
    assert all(len(row["verifier_votes"]) == 2 for row in rows)


@pytest.mark.slow
def test_killed_at_random_points_nothing_is_lost_or_paid_twice(sources, scripted, built, work):
    faults = ("--probability", "0.1", "--faults", "429,500,cut,nonsense", "--fault-seed", "4")
    with llm_server.start("--script", scripted, "--models", MODELS, *faults) as server:
        rng = random.Random(11)
        config = settings(sources, server.base_url)
        kills = kill_until_done(work, config, lambda before: rng.uniform(2.0, 5.0) + before * 1.5)
        answered = server.stats()["answered"]
    assert kills >= 2
    assert digests(work / "data") == digests(built.out)
    # What was in flight when a process died may be asked again: at most 8 calls of each of 4 models.
    assert sum(count - 1 for count in answered.values() if count > 1) <= kills * 32


def test_the_cost_limit_stops_the_build_and_a_higher_one_goes_on(sources, server, built, work):
    cost = sum(one["cost"] for one in built.facts["calls"].values())
    with pytest.raises(CheckFailedError, match="raise --max-cost"):
        build(settings(sources, server.base_url, max_cost=cost / 3), work / "data")
    done = build(settings(sources, server.base_url, max_cost=cost * 1.5), work / "data")
    assert digests(done.out) == digests(built.out)


def test_the_next_version_keeps_what_still_passes(sources, server, built, work):
    changes = {"base": str(built.out), "target": 90, "mix": None, "generator": "rules", "qa": []}
    config = settings(sources, server.base_url, **changes, models={}, verify={}, difficulty={})
    second = build(config, work / "v2")
    versions = second.facts["versions"]
    assert versions["version"] == second.facts["version_of_data"] == 2
    old = {record.prompt[0].content for record in records(built.out)}
    new = {record.prompt[0].content for record in records(second.out)}
    assert len(old & new) == sum(versions["kept"].values())
    assert len(new - old) == sum(versions["added"].values()) > 0
    rows = [row for _, row in read_jsonl(second.out / "changelog.jsonl")]
    changes = Counter(row["change"] for row in rows)
    assert changes["added"] == len(new - old)
    assert changes["removed"] == len(old - new)
    assert all(row["reason"] for row in rows[1:])
    assert [r.extra_info["index"] for r in records(second.out)] == list(range(len(new)))

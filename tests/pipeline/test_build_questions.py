"""`build` with question sets: documents and rows of our own making in three forms, to files, whatever interrupts."""

import json
import os
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from builds import digests, kill_until_done, records

from golongrl.core import config as configuration
from golongrl.core.errors import CheckFailedError
from golongrl.core.records import read_records
from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.rewards import gold_response, score_response

SHIPS = ("Marigold", "Heron", "Juniper", "Sorrel", "Bramble", "Kestrel", "Tansy", "Osprey", "Larkspur", "Plover")
TOWNS = (
    "Oskarby",
    "Tallholm",
    "Westlund",
    "Nordvik",
    "Elmstad",
    "Grimsund",
    "Havnes",
    "Ravnborg",
    "Solvang",
    "Uldal",
)
PEOPLE = ("Brandt", "Aguilar", "Okafor", "Petrov", "Lindqvist", "Moreau", "Tanaka", "Novak", "Haddad", "Quist")
COLOURS = ("green", "crimson", "yellow", "violet", "orange", "silver", "brown", "turquoise", "white", "black")
WORDS = ("harbour", "willow", "lantern", "pebble", "orchard", "meadow")
WORDS += ("saddle", "copper", "ribbon", "kettle", "gravel", "thistle")
WAITING = "waiting: the quotas are full"


def chatter(seed: int, count: int) -> str:
    """Sentences that answer nothing."""
    rng = random.Random(seed)
    return " ".join(
        f"By the {rng.choice(WORDS)} lay {rng.randint(3, 99)} sacks of {rng.choice(WORDS)} or {rng.choice(WORDS)}."
        for _ in range(count)
    )


def ferry(n: int) -> str:
    return (
        f"The ferry {SHIPS[n]} was built in {TOWNS[n]} and launched before the whole parish. {chatter(n, 6)} "
        f"Captain {PEOPLE[n]} bought it later and painted it {COLOURS[n]}."
    )


def span_row(n: int) -> dict:
    """A question about a text, as SQuAD has it."""
    text = ferry(n)
    where = {"text": [TOWNS[n]], "answer_start": [text.index(TOWNS[n])]}
    return {
        "id": str(n),
        "title": f"Ferry_{SHIPS[n]}",
        "context": text,
        "question": f"In which town was the ferry {SHIPS[n]} built?",
        "answers": where,
    }


def hop_row(n: int) -> dict:
    """A question over two passages among others, as HotpotQA has it."""
    school = f"{PEOPLE[n]} went to the old school of {TOWNS[(n + 4) % 10]} for nine winters."
    bought = f"The barge {SHIPS[n]} was sold to {PEOPLE[n]} after the great flood."
    return {
        "_id": str(n),
        "question": f"The owner of the barge {SHIPS[n]} went to school in what place?",
        "answer": TOWNS[(n + 4) % 10],
        "supporting_facts": [[f"Barge {SHIPS[n]}", 0], [PEOPLE[n], 0]],
        "context": [
            [f"Mill {n}", [chatter(100 + n, 5)]],
            [f"Barge {SHIPS[n]}", [bought, " " + chatter(200 + n, 3)]],
            [PEOPLE[n], [school, " " + chatter(300 + n, 3)]],
        ],
    }


def choice_row(n: int) -> dict:
    """A choice about a story, as QuALITY has it."""
    deeds = [
        f"{verb} it beside the {WORDS[(n + k) % 12]}" for k, verb in enumerate(("Hid", "Burned", "Sold", "Tore"))
    ]
    return {
        "title": f"Story of {PEOPLE[n]}",
        "article": f"{chatter(400 + n, 8)}\n\nThat evening {PEOPLE[n]} took the letter. {deeds[n % 4]}, they say.",
        "question": f"What did {PEOPLE[n]} do with the letter that evening?",
        "options": deeds,
        "answer": n % 4,
    }


YES_NO = {**hop_row(0), "question": "Was the barge ever sold by its owner?", "answer": "yes"}
SETS = {
    "spans.jsonl": [span_row(n) for n in range(10)],
    "hops.jsonl": [*(hop_row(n) for n in range(10)), YES_NO],
    "stories.jsonl": [choice_row(n) for n in range(10)],
}


def guide(number: int) -> str:
    """A Markdown guide that the rules can ask about."""
    parts = [f"# Guide {number} to {TOWNS[number]}\n"]
    for step in range(5):
        animal, place = WORDS[(number + step) % 12], WORDS[(number * 3 + step * 5) % 12]
        parts.append(f"## Care of the {animal} {number}\n")
        parts.append(
            f"The {animal} of guide {number} stands beside the old {place} until noon. Keepers bring "
            f"{number + 20 + step} baskets to the {animal} before dusk. {chatter(500 + 10 * number + step, 3)}\n"
        )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """(folder of documents, folder of question sets)."""
    folder = tmp_path_factory.mktemp("material")
    for name in ("docs", "qa"):
        (folder / name).mkdir()
    for number in range(8):
        (folder / "docs" / f"guide{number}.md").write_text(guide(number))
    for name, rows in SETS.items():
        (folder / "qa" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "docs", folder / "qa"


def settings(material, **changes):
    documents, sets = map(str, material)
    table = {
        "sources": [documents],
        "qa": [sets],
        "generator": "none",
        "target": 60,
        "capabilities": "T1,T2",
        "length_bins": "1k,2k",
        "val_share": 0.2,
        "seed": 3,
    }
    return configuration.build(BuildConfig, {**table, **changes})


def rejects(out: Path) -> list[dict]:
    return [row for _, row in read_jsonl(out / "rejects.jsonl")]


@pytest.fixture(scope="module")
def built(material, tmp_path_factory):
    """The reports of a build of questions alone, and of one whose rules fill what is left."""
    reports = {}
    before = Path.cwd()
    for name in ("none", "rules"):
        os.chdir(tmp_path_factory.mktemp(name))
        try:
            reports[name] = build(settings(material, generator=name), Path("data").resolve())
        finally:
            os.chdir(before)
    return reports


def test_questions_of_three_forms_become_records_whose_gold_scores_one(built):
    found = records(built["none"].out)
    forms = Counter(record.extra_info["task_form"] for record in found)
    assert set(forms) == {"qa:squad", "qa:hotpotqa", "qa:quality"}
    sources = [record.extra_info["item_source"] for record in found]
    assert (
        len(sources)
        == len(set(sources))
        == sum(built["none"].facts["records"]["splits"].values())
        == sum(forms.values())
    )
    for record in found:
        assert score_response(record, gold_response(record)).value == 1.0
        text = record.prompt[0].content
        for span in record.extra_info["evidence_in_prompt"]:
            assert text[span["start"] : span["end"]].strip()
        assert 0 < record.extra_info["n_tokens"] <= {"1k": 1024, "2k": 2048}[record.extra_info["length_bin"]]
    spans = next(r for r in found if r.extra_info["task_form"] == "qa:squad")
    assert spans.gold.golden_label in TOWNS
    assert "as it stands in the documents" in spans.prompt[0].content


def test_no_training_record_shows_a_validation_document(built):
    for report in built.values():
        asked = set()
        for record in read_records(report.out / "val.parquet"):
            evidence = {one["doc"] for one in record.extra_info["evidence"]}
            asked |= evidence
        assert asked
        for record in read_records(report.out / "train.parquet"):
            assert not asked & set(record.extra_info["doc_sha256"])


def test_the_rules_fill_what_the_questions_leave(built):
    tracks = Counter(record.extra_info["generator"].partition("/")[0] for record in records(built["rules"].out))
    assert tracks["qa"] >= 20
    assert tracks["rules"] >= 10
    per = Counter(record.extra_info["capability"] for record in records(built["rules"].out))
    assert per == {"T1": 30, "T2": 30}


def test_the_funnel_adds_up_and_every_removal_is_in_the_rejects(built):
    for report in built.values():
        steps = report.facts["funnel"]["qa"]
        assert steps[0]["stage"] == "read"
        left = steps[0]["left"]
        assert left == sum(one["items"] for one in report.facts["qa"]) == 30
        waiting = 0
        for number, step in enumerate(steps[1:]):
            if step["stage"] == "extend":
                # Items that nobody wanted at first are asked again for what the rules could not give.
                left = waiting if number else left
                waiting = step["removed"].get(WAITING, 0)
            assert step["left"] + sum(step["removed"].values()) == left, step
            left = step["left"]
        said = defaultdict(Counter)
        for row in rejects(report.out):
            if row.get("track") == "qa":
                said[row["phase"]][row["reason"].partition(":")[0]] += row.get("count", 1)
        assert said["questions"] == Counter(steps[0]["removed"]) == {"guessable": 1}
        removed = Counter()
        for step in steps[1:]:
            removed += Counter({reason: n for reason, n in step["removed"].items() if reason != WAITING})
        assert sum(removed.values()) == sum(
            sum(some.values()) for phase, some in said.items() if phase != "questions"
        )


def test_card_and_report_show_the_sets_and_the_funnel(built):
    card = (built["none"].out / "README.md").read_text(encoding="utf-8")
    page = (built["none"].out / "report.html").read_text(encoding="utf-8")
    for text in (card, page):
        for words in ("Funnel", "Question sets", "hops.jsonl", "guessable", "questions left"):
            assert words in text, words
    assert "| hops.jsonl | 11 | 1 | 10 |" in card


def test_two_workers_give_the_same_bytes(material, built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = build(settings(material, generator="rules", workers=2), Path("data").resolve())
    assert digests(report.out) == digests(built["rules"].out)


@pytest.mark.parametrize("generator", ["none", "rules"])
def test_kill_9_again_and_again_gives_the_same_bytes(material, built, tmp_path, generator):
    config = settings(material, generator=generator)
    rng = random.Random(generator)
    kills = kill_until_done(
        tmp_path,
        config,
        lambda before: rng.uniform(0.0, 0.4) * (1 + before) + (0.5 if before else 0),
        from_first_file=True,
    )
    assert kills >= 1
    assert digests(tmp_path / "data") == digests(built[generator].out)
    assert not (tmp_path / "data" / "work").exists()


def test_a_planted_question_and_planted_documents_go_with_the_evidence(material, built, tmp_path, monkeypatch):
    """One question of a benchmark, one document of our own and one context of a question set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLONGRL_HOME", str(tmp_path / "home"))
    before = records(built["none"].out)
    asked, shown, context = SETS["hops.jsonl"][2], guide(5), SETS["spans.jsonl"][4]
    rows = [
        {"id": "ask", "question": f"Say: {asked['question']}", "answer": asked["answer"]},
        {"id": "doc", "question": "Who wrote it?", "context": shown},
        {"id": "text", "question": "Who wrote that?", "context": context["context"]},
    ]
    bench = tmp_path / "bench.jsonl"
    bench.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = build(settings(material, decontaminate={"against": [str(bench)]}), Path("data").resolve())
    after = records(report.out)
    planted = {"hops.jsonl#3", "spans.jsonl#5"}
    assert planted <= {record.extra_info.get("item_source") for record in before}
    assert not planted & {record.extra_info.get("item_source") for record in after}
    assert not any("spans.jsonl#5" in record.extra_info["doc_source"] for record in after)
    had, has = (
        {row["source"] for _, row in read_jsonl(out / "assigned.jsonl")} for out in (built["none"].out, report.out)
    )
    assert had - has == {"guide5.md", "spans.jsonl#5"}
    gone = {
        (row["step"], row.get("item", "-")): row for row in rejects(report.out) if row["phase"] == "decontaminate"
    }
    assert set(gone) == {
        ("document", "bench.jsonl#2 (doc)"),
        ("document", "bench.jsonl#3 (text)"),
        ("qa:squad", "-"),
        ("qa:hotpotqa", "bench.jsonl#1 (ask)"),
    }
    assert gone["qa:squad", "-"]["source"] == "spans.jsonl#5"
    question = gone["qa:hotpotqa", "bench.jsonl#1 (ask)"]
    assert question["shared"] in f"{asked['question']}\n{asked['answer']}"
    assert question["question"]
    (facts,) = report.facts["contamination"]["benchmarks"]
    assert (facts["items"], facts["question_hits"], facts["shared_documents"]) == (3, 1, 2)
    assert Counter(hit["kind"] for hit in report.facts["contamination"]["evidence"]) == {"document": 2, "question": 1}
    page = (report.out / "report.html").read_text(encoding="utf-8")
    assert "bench.jsonl#1 (ask)" in page
    assert "| bench.jsonl | 3 | 1 | 0 | 2 | 0 |" in (report.out / "README.md").read_text(encoding="utf-8")


def test_sets_without_a_usable_question_say_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(json.dumps({**hop_row(0), "answer": "yes"}) + "\n")
    config = configuration.build(BuildConfig, {"qa": ["rows.jsonl"], "generator": "none"})
    with pytest.raises(CheckFailedError, match=r"no usable question: guessable \(1 times\)\. rejects\.jsonl"):
        build(config, Path("data").resolve())


def test_sets_that_are_a_benchmark_leave_nothing_and_say_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLONGRL_HOME", str(tmp_path / "home"))
    (tmp_path / "rows.jsonl").write_text(json.dumps(span_row(0)) + "\n")
    (tmp_path / "bench.jsonl").write_text(json.dumps({"question": "Who?", "context": span_row(0)["context"]}) + "\n")
    table = {"qa": ["rows.jsonl"], "generator": "none", "decontaminate": {"against": ["bench.jsonl"]}}
    with pytest.raises(CheckFailedError, match="every document stands in a benchmark"):
        build(configuration.build(BuildConfig, table), Path("data").resolve())


def test_questions_that_fit_nowhere_are_named_when_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(json.dumps(span_row(0)) + "\n")
    table = {"qa": ["rows.jsonl"], "generator": "none", "length_bins": "64"}
    with pytest.raises(CheckFailedError, match="not one training record is left: extend: longer than the bin"):
        build(configuration.build(BuildConfig, table), Path("data").resolve())

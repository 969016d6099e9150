"""Questions of sets on their way into a build: sides, facts, shared documents, repeats, quotas, the funnel's sums."""

import dataclasses
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from item_library import filler, library, paragraphs
from qa_rows import FERRY, OTHER, hotpot, source, squad

from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.calls import open_calls
from golongrl.pipeline.dataset.collect import Collection, silent
from golongrl.pipeline.dataset.contamination.decontamination import open_index
from golongrl.pipeline.dataset.corpus import Found, gather_corpus
from golongrl.pipeline.dataset.drafts import Draft, Funnel, read_drafts
from golongrl.pipeline.dataset.questions.extend_items import extend_items
from golongrl.pipeline.dataset.questions.items import Item, Stretch
from golongrl.pipeline.dataset.questions.question_sets import (
    QuestionSets,
    choose_sides,
    collect_questions,
    near_copies,
    set_facts,
)
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.screen import SHARED, Contamination, drop_repeats, within_cells
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.versions import Sides
from golongrl.pipeline.dataset.workshop import Workshop


def item(*docs, source="own.json#1", **changes):
    made = Item(
        track="qa",
        source=source,
        form="qa:own",
        capability="T1",
        language="en",
        question=f"What do {' and '.join(docs)} say?",
        gold=("nothing",),
        shown=tuple(Stretch(doc, 0, 9) for doc in docs),
    )
    return dataclasses.replace(made, **changes)


def test_documents_that_a_question_joins_are_on_one_side():
    items = [item("a", "b"), item("c", "b"), item("d"), item("e", "f"), item("f", "g"), item("h", "d")]
    seen = set()
    for seed in range(20):
        sides = choose_sides(items, {}, 0.5, seed)
        assert sides.keys() == set("abcdefgh")
        families = [{sides[name] for name in family} for family in ("abc", "dh", "efg")]
        assert all(len(family) == 1 for family in families)
        seen.add(tuple(family.pop() for family in families))
    # The three families are drawn one by one.
    assert len(seen) > 3


LONGER = f"{FERRY} " + " ".join(f"On trip {n} it carried {n * 7} crates past buoy {n + 3}." for n in range(12))


def test_documents_that_say_almost_the_same_are_on_one_side(tmp_path):
    """The same article in two sets, worded in its own way in each."""
    copies = squad(
        title="The ferry Marigold", context=LONGER + " It was a fine ferry.", question="Who was the buyer?"
    )
    copies["answers"] = {"text": ["Ida Brandt"], "answer_start": [0]}
    files = [
        write_rows(tmp_path / "a.jsonl", squad(context=LONGER)),
        write_rows(tmp_path / "b.jsonl", copies),
        write_rows(tmp_path / "c.jsonl", squad(title="Other", context=f"{OTHER} It was built in Oskarby.")),
    ]
    sets = collected(tmp_path, *files)
    first, second, _ = (entry.sha256 for entry in sets.entries)
    (pair,) = near_copies(Collection(files=0), sets, 0.8)
    assert pair == (second, first)
    assert near_copies(Collection(files=0), sets, 1.0) == []
    for seed in range(20):
        sides = choose_sides(sets.items, {}, 0.5, seed, [pair])
        assert sides[first] == sides[second]
    assert len({tuple(choose_sides(sets.items, {}, 0.5, seed).values()) for seed in range(20)}) > 2
    # A copy of a document of our own follows it.
    own = Collection(files=1, entries=sets.entries[:1], signatures=bytes(sets.signatures[:512]))
    later = dataclasses.replace(sets, entries=sets.entries[1:], signatures=sets.signatures[512:])
    assert near_copies(own, later, 0.8) == [pair]
    assert choose_sides([], {first: True}, 0.0, 0, [pair]) == {first: True, second: True}


def test_a_side_that_is_known_draws_the_family_after_it():
    items = [item("a", "b"), item("c", "d"), item("e", "f"), item("f", "g")]
    for seed in range(8):
        sides = choose_sides(items, {"b": True, "c": False, "e": True, "f": False}, 0.5, seed)
        assert (sides["a"], sides["b"], sides["c"], sides["d"]) == (True, True, False, False)
        # What was held out stays so, and the rest of a family with both goes to training.
        assert (sides["e"], sides["f"], sides["g"]) == (True, False, False)


def test_the_share_of_validation_is_drawn_and_zero_draws_nobody():
    items = [item(f"doc{n}") for n in range(2_000)]
    held = sum(choose_sides(items, {}, 0.2, 7).values())
    assert abs(held / 2_000 - 0.2) < 0.04
    assert not any(choose_sides(items, {}, 0.0, 7).values())


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=8), st.randoms())
def test_sides_do_not_depend_on_the_order_of_the_items(groups, order):
    items = [item(*group) for group in groups]
    mixed = list(items)
    order.shuffle(mixed)
    sides = choose_sides(items, {"a": True}, 0.5, 1)
    assert choose_sides(mixed, {"a": True}, 0.5, 1) == sides
    assert all(len({sides[doc] for doc in group}) == 1 for group in groups if "a" not in "".join(group))


def test_facts_count_rows_items_and_reasons_per_file():
    sets = QuestionSets(
        items=[item("a", source="x.json#1.1"), item("b", source="x.json#1.2"), item("c", source="y.json#4")],
        refused=[
            Refusal("x.json#2", "no number: about ten"),
            Refusal("x.json#3", "no number: some"),
            Refusal("y.json#4", "unanswerable"),
            Refusal("z.txt", "unreadable: damaged"),
        ],
    )
    assert set_facts(sets) == [
        {"set": "x.json", "rows": 4, "items": 2, "refused": {"no number": 2}},
        {"set": "y.json", "rows": 1, "items": 1, "refused": {"unanswerable": 1}},
        {"set": "z.txt", "rows": 1, "items": 0, "refused": {"unreadable": 1}},
    ]


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return source(path)


def collected(folder, *files, known=(), **settings):
    config = BuildConfig(qa=("x",), generator="none", **settings)
    return collect_questions(folder, files, [], config, known, map, silent)


def test_a_question_in_two_files_is_asked_once_and_its_document_stored_once(tmp_path):
    files = [write_rows(tmp_path / name, squad()) for name in ("one.jsonl", "two.jsonl")]
    found = collected(tmp_path, *files)
    assert [one.source for one in found.items] == ["one.jsonl#1"]
    assert len(found.entries) == 1
    assert found.refused == [Refusal("two.jsonl#1", "asked before")]
    assert [one.form for one in found.items] == ["qa:squad"]
    # A document that the library holds already is not stored again.
    again = collected(tmp_path / "again", files[0], known=found.entries)
    assert (again.entries, len(again.items)) == ([], 1)


def test_capabilities_and_licences_that_nobody_wants_are_refused(tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", squad(), squad(license="GPL-3.0", question="In which town?"))
    found = collected(tmp_path / "a", file, capabilities=("T2",))
    assert found.refused == [Refusal(f"rows.jsonl#{n}", "not wanted: capability T1") for n in (1, 2)]
    assert found.items == []
    found = collected(tmp_path / "b", file, licences=("unknown",))
    assert [one.source for one in found.items] == ["rows.jsonl#1"]
    assert found.refused == [Refusal("rows.jsonl#2", "licence: GPL-3.0 is not among those allowed")]


def test_files_that_were_read_are_not_read_again(tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", squad(), hotpot())
    first = collected(tmp_path, file)

    def refuse(_function, jobs):
        assert list(jobs) == []
        return iter(())

    config = BuildConfig(qa=("x",), generator="none")
    second = collect_questions(tmp_path, [file], [], config, (), refuse, silent)
    assert (second.items, second.entries) == (first.items, first.entries)


def corpus(folder, files, *, against=(), sides=None, sources=(), **settings):
    config = BuildConfig(qa=("x",), generator="none", tokenizer="approx", **settings)
    contamination = None
    if against:
        path = folder / "bench.jsonl"
        write_rows(path, *against)
        contamination = Contamination(open_index((str(path),), 13, folder / "cache"), 0.2)
    with open_calls(folder, {}, max_cost=None, tokenizer=ApproxTokenizer()) as calls:
        shop = Workshop(folder, config, calls, contamination, map, silent)
        found = gather_corpus(shop, Found(sources), Found(files), sides)
    return found, shop.funnel, contamination


LONG = [
    f"{name} counted {n + 3} grey herons on the {place} before the storm of {1900 + n} took the roof of the {hall}."
    for n, (name, place, hall) in enumerate(
        (("Ola", "pier", "inn"), ("Ruth", "dyke", "barn"), ("Sven", "quay", "forge"), ("Tilda", "weir", "school"))
    )
]


def test_a_context_of_a_benchmark_takes_its_questions_along_and_is_nobodys_distractor(tmp_path):
    text = " ".join(LONG)
    passages = [["Marigold", [FERRY.split(". ")[0] + "."]], ["Herons", LONG], ["Other", ["Nothing of note."]]]
    own = hotpot(
        question="Where was the ferry Marigold built?",
        answer="Oskarby",
        supporting_facts=[["Marigold", 0]],
        context=passages,
    )
    answers = {"text": ["Sven"], "answer_start": [text.index("Sven")]}
    planted = squad(title="Herons", context=text, question="Who counted five herons?", answers=answers)
    file = write_rows(tmp_path / "rows.jsonl", own, planted)
    found, funnel, contamination = corpus(tmp_path, [file], against=[{"question": "?", "context": text}])
    assert [one.source for one in found.items] == ["rows.jsonl#1"]
    # The context of the second row and a distractor of the first are one text, and so one document.
    (evidence,) = [row for row in funnel.rejects if row["step"] == "document"]
    assert evidence["source"] == "rows.jsonl#1/2"
    titles = {entry.sha256: entry.title for entry in found.entries}
    assert "Herons" not in titles.values()
    assert [titles[name] for name in found.items[0].distractors] == ["Other"]
    (gone,) = [row for row in funnel.rejects if row["phase"] == "decontaminate" and row["step"] != "document"]
    assert (gone["source"], gone["reason"], gone["track"]) == ("rows.jsonl#2", SHARED, "qa")
    assert evidence["benchmark"] == "bench.jsonl"
    assert evidence["share"] == 1.0
    assert evidence["shared"] in text
    facts = contamination.facts()
    assert facts["document_share"] == 0.2
    assert facts["benchmarks"][0]["shared_documents"] == 1
    assert {hit["kind"] for hit in facts["evidence"]} == {"document"}
    assert [(step["stage"], step["removed"], step["left"]) for step in funnel.steps["qa"]] == [
        ("read", {}, 2),
        ("decontaminate documents", {SHARED: 1}, 1),
    ]


def test_what_an_earlier_version_has_settled_stays_settled(tmp_path):
    files = [write_rows(tmp_path / "rows.jsonl", squad())]
    first, _, _ = corpus(tmp_path / "a", files)
    (digest,) = [entry.sha256 for entry in first.entries]
    for held in (True, False):
        sides = Sides(frozenset([digest] if held else ()), frozenset(() if held else [digest]))
        found, _, _ = corpus(tmp_path / str(held), files, sides=sides, val_share=0.5)
        assert [entry.held_out for entry in found.entries] == [held]


NAMES = ("Voss", "Lindqvist", "Aguilar", "Petrov", "Okafor", "Brandt")
JOBS = (
    "keeps the lighthouse",
    "bakes the bread",
    "mends the nets",
    "winds the clock",
    "rows the mail",
    "tunes bells",
)


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """(folder, six drafts in the order of their questions' names)."""
    folder = tmp_path_factory.mktemp("drafts")
    documents = [
        paragraphs("It rains a lot here.", f"The person who {job} is called {name}.", title=f"Town {name}")
        for name, job in zip(NAMES, JOBS, strict=True)
    ]
    items = [
        item(
            document.sha256,
            source=f"own.json#{n}",
            question=f"Who is it in this town that {job} all the year round?",
            gold=(name,),
            shown=(Stretch(document.sha256, 0, len(document.text)),),
        )
        for n, (document, name, job) in enumerate(zip(documents, NAMES, JOBS, strict=True))
    ]
    held, _ = library(folder, [*documents, *(filler(n) for n in range(6))])
    config = BuildConfig(sources=("x",), length_bins=(512,), seed=3)
    made = extend_items(folder, config, held.entries, items, {(False, "T1", "512"): 6}, map, silent).made
    drafts = [Draft(one, "qa", "T1", held.entries[one.request.document].source) for one in made]
    drafts.sort(key=lambda draft: draft.made.answer)
    assert len(drafts) == 6
    return folder, drafts


def test_a_question_that_repeats_another_goes_and_names_it(drafted):
    folder, drafts = drafted
    funnel = Funnel()
    assert drop_repeats(folder, drafts, [], 0.8, funnel) == drafts
    twice = [*drafts, dataclasses.replace(drafts[2], track="llm")]
    assert drop_repeats(folder, twice, [], 0.8, funnel) == drafts
    (gone,) = funnel.rejects
    assert (gone["reason"], gone["track"], gone["similarity"]) == ("its question repeats another", "llm", 1.0)
    assert gone["repeats"] == drafts[2].made.question[:200]
    # Earlier records come first, whatever track asks again.
    assert drop_repeats(folder, drafts, drafts[:2], 0.8, Funnel()) == drafts[2:]
    assert drop_repeats(folder, twice, [], 1.0, Funnel()) == twice


def test_a_cell_keeps_its_first_drafts(drafted):
    _, drafts = drafted
    funnel = Funnel()
    assert within_cells(drafts, {(False, "T1", "512"): 4}, funnel) == drafts[:4]
    assert [row["question"] for row in funnel.rejects] == [draft.made.question for draft in drafts[4:]]
    assert within_cells(drafts, {(True, "T1", "512"): 4}, Funnel()) == []


def test_questions_of_a_benchmark_go_with_what_both_share(drafted, tmp_path):
    folder, drafts = drafted
    asked = next(iter(read_drafts(folder, drafts[:1]))).extra_info["question"]
    bench = tmp_path / "bench.jsonl"
    write_rows(bench, {"id": "b7", "question": asked, "answer": "nobody"})
    contamination = Contamination(open_index((str(bench),), 13, tmp_path / "cache"), 0.2)
    funnel = Funnel()
    kept = contamination.questions(folder, drafts, funnel)
    assert drafts[0] not in kept
    (gone, *_) = funnel.rejects
    assert gone["reason"] == "its question overlaps with bench.jsonl"
    assert gone["item"] == "bench.jsonl#1 (b7)"
    assert gone["shared"] in asked
    facts = contamination.facts()
    assert facts["checked"] == 6
    assert facts["benchmarks"][0]["question_hits"] == len(funnel.rejects) == 6 - len(kept)


@given(st.lists(st.tuples(st.sampled_from(["qa", "llm", "rules"]), st.sampled_from([None, "a", "b"])), max_size=30))
def test_what_a_phase_removes_and_leaves_adds_up(drafted, fates):
    _, drafts = drafted
    several = [dataclasses.replace(drafts[n % 6], track=track) for n, (track, _) in enumerate(fates)]
    funnel = Funnel()
    kept = funnel.sift(several, [reason for _, reason in fates], "phase")
    assert len(kept) + len(funnel.rejects) == len(several)
    for track, count in Counter(track for track, _ in fates).items():
        (step,) = funnel.steps[track]
        assert step["left"] + sum(step["removed"].values()) == count
        assert step["left"] == sum(draft.track == track for draft in kept)
        assert step["removed"] == Counter(row["reason"] for row in funnel.rejects if row["track"] == track)


def test_what_phases_add_to_a_draft_stands_in_its_record(drafted):
    folder, drafts = drafted
    told = drafts[0].with_fields({"pass_rate": 0.5}).with_fields({"difficulty": "easy"})
    (record,) = read_drafts(folder, [told], start=7)
    facts = record.extra_info
    assert (facts["index"], facts["pass_rate"], facts["difficulty"]) == (7, 0.5, "easy")

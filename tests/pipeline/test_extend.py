"""Items in contexts: sound records of every metric, windows, leaks, sides, letters, and the choice of bins."""

import dataclasses
import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from item_library import filler, library, paragraphs

from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import Record, write_parquet
from golongrl.pipeline.dataset.collect import silent
from golongrl.pipeline.dataset.construct.form import Unfit
from golongrl.pipeline.dataset.produce import read_records
from golongrl.pipeline.dataset.questions.extend import extend
from golongrl.pipeline.dataset.questions.extend_items import extend_items, extend_job, fitting_bins
from golongrl.pipeline.dataset.questions.item_checks import stands
from golongrl.pipeline.dataset.questions.items import Item, Stretch
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.rewards import gold_response, score_response

FACT = "The keeper of the lighthouse is called Marten Voss."
TARGET = paragraphs("It rains a lot here.", FACT, "Boats pass by at night.", title="Lighthouse")
BINS = bins((512, 1024, 2048))


def item(document=TARGET, quote=FACT, **changes):
    at = document.text.index(quote)
    made = Item(
        track="qa",
        source="own.json#1",
        form="qa:own",
        capability="T1",
        language="en",
        question="Who looks after the lighthouse?",
        gold=("Marten Voss", "Voss"),
        shown=(Stretch(document.sha256, 0, len(document.text)),),
        evidence=(Stretch(document.sha256, at, at + len(quote)),),
        licence="CC0-1.0",
    )
    return dataclasses.replace(made, **changes)


def put(folder, asked, documents, bin=BINS[1], *, held=(), held_out=False, slot=0):
    found, numbers = library(folder, documents, held)
    return extend(
        found, asked, bin, held_out=held_out, slot=slot, seed=1, template_tokens=20, documents=numbers
    )  # fmt: skip


FILLERS = [filler(n) for n in range(8)]


@pytest.mark.parametrize(
    ("capability", "gold", "told"),
    [
        ("T1", ("Marten Voss",), "only the answer, a word or phrase as it stands in the documents."),
        (
            "T3",
            ("Marten Voss", "Boats pass"),
            "one item per line, each as it stands in the documents, and nothing else.",
        ),
        ("T3", ("Marten Voss", "seven boats"), "one item per line and nothing else."),
        ("T9", ("Marten Voss looks after the lighthouse while boats pass by.",), "only the answer, as running text."),
    ],
)
def test_the_answer_format_fits_the_gold(tmp_path, capability, gold, told):
    record = put(tmp_path, item(capability=capability, gold=gold, evidence=()), [TARGET, *FILLERS])
    assert isinstance(record, Record), record
    assert told in record.prompt[0].content


def test_a_record_shows_its_evidence_and_accepts_every_alias(tmp_path):
    record = put(tmp_path, item(), [TARGET, *FILLERS])
    assert isinstance(record, Record), record
    info = record.extra_info
    assert 512 < info["n_tokens"] <= 1004
    span = info["evidence_in_prompt"][0]
    assert record.prompt[0].content[span["start"] : span["end"]] == FACT
    assert (record.gold.golden_label, record.gold.doc_ids) == ("Marten Voss", ["Voss"])
    assert score_response(record, "[Answer]\nVoss").value == 1.0
    assert (info["generator"], info["item_source"], info["template"]) == ("qa", "own.json#1", "qa:own")


@pytest.mark.parametrize(
    ("capability", "gold", "options"),
    [
        ("T1", ("Marten Voss",), ()),
        ("T2", ("B",), ("Anna Lee", "Marten Voss", "Olaf Berg")),
        ("T3", ("Marten Voss", "lighthouse"), ()),
        ("T4", ("42",), ()),
        ("T5", ('{"data": [["Marten Voss", "keeper"]]}',), ()),
        ("T6", ("Marten Voss", "keeper"), ()),
        ("T7", ("Marten Voss", "keeper"), ()),
        ("T8", ("rains", "keeper", "boats"), ()),
        ("T9", ("A keeper called Voss watches boats in the rain.",), ()),
    ],
)
def test_the_gold_of_every_metric_scores_one_and_is_written(tmp_path, capability, gold, options):
    record = put(tmp_path, item(capability=capability, gold=gold, options=options), [TARGET, *FILLERS])
    assert isinstance(record, Record), record
    assert score_response(record, gold_response(record)).value == 1.0
    write_parquet(tmp_path / "one.parquet", [record])
    assert pq.read_table(tmp_path / "one.parquet").num_rows == 1


def test_a_chinese_item_is_asked_in_chinese(tmp_path):
    fact = "这座灯塔的看守人名叫王小明。"
    target = paragraphs("这里经常下雨。", fact, title="灯塔")
    others = [
        paragraphs(*[f"第{n}条记录说的是第{k}号果园的天气。" for k in range(60)], title=f"记{n}") for n in range(6)
    ]
    asked = item(target, fact, language="zh", question="灯塔由谁看守？", gold=("王小明",))
    record = put(tmp_path, asked, [target, *others])
    assert isinstance(record, Record), record
    assert "问题：灯塔由谁看守？" in record.prompt[0].content
    assert record.language == "zh"


def test_a_long_document_is_cut_around_its_evidence_unless_the_whole_matters(tmp_path):
    lines = [f"Entry {n} of the log speaks about weather and wind at sea." for n in range(300)]
    long = paragraphs(*lines[:200], FACT, *lines[200:], title="Log")
    record = put(tmp_path, item(long), [long, *FILLERS], BINS[0])
    assert isinstance(record, Record), record
    assert FACT in record.prompt[0].content
    assert lines[0] not in record.prompt[0].content
    summary = item(long, capability="T9", gold=("A log of weather and a keeper called Voss.",))
    assert put(tmp_path, summary, [long, *FILLERS], BINS[0]) == Unfit("longer than the bin")
    assert put(tmp_path, item(long, evidence=()), [long, *FILLERS], BINS[0]) == Unfit("longer than the bin")


def test_a_table_is_cut_to_rows_around_the_evidence(tmp_path):
    builder = DocumentBuilder()
    builder.table(["Boat", "Length"], [[f"Boat{n}", str(1000 + n)] for n in range(300)])
    table = builder.build(source="boats.csv", title="Boats")
    asked = item(table, "| Boat150 | 1150 |", question="How long is the vessel named last?", gold=("1150",))
    record = put(tmp_path, asked, [table, *FILLERS], BINS[0])
    assert isinstance(record, Record), record
    shown = record.prompt[0].content
    assert "| Boat | Length |\n" in shown
    assert "| Boat150 | 1150 |" in shown
    assert "Boat299" not in shown


def test_a_distractor_with_the_answer_is_replaced(tmp_path):
    leaky = paragraphs("The lighthouse was painted by Marten Voss in spring.", *["It is tall."] * 3, title="Leak")
    clean = paragraphs("The library was painted in spring.", *["It is wide."] * 3, title="Clean")
    asked = item(distractors=(leaky.sha256, clean.sha256))
    record = put(tmp_path, asked, [TARGET, leaky, clean, *FILLERS])
    assert isinstance(record, Record), record
    assert clean.sha256 in record.extra_info["doc_sha256"]
    assert leaky.sha256 not in record.extra_info["doc_sha256"]


def test_training_shows_no_validation_document(tmp_path):
    documents = [TARGET, *FILLERS]
    record = put(tmp_path, item(distractors=(FILLERS[0].sha256,)), documents, held={1, 2, 3})
    assert isinstance(record, Record), record
    assert not {d.sha256 for d in documents[1:4]} & set(record.extra_info["doc_sha256"])
    wrong = Unfit("its documents are on the other side of the validation split")
    assert put(tmp_path, item(), documents, held={0}) == wrong
    assert put(tmp_path, item(), documents, held_out=True) == wrong


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": "Is Marten Voss the keeper?"}, "the question holds its own answer"),
        ({"gold": ("Boats",)}, "the evidence does not hold the gold answer"),
        ({"capability": "T2", "gold": ("A",), "options": ("Voss.", "voss", "Lee")}, "two options read the same"),
        ({"capability": "T6", "gold": ("Voss", "voss")}, "gold items read the same once normalised"),
    ],
)
def test_faults(tmp_path, changes, reason):
    assert put(tmp_path, item(**changes), [TARGET, *FILLERS]) == Unfit(reason)


def test_letters_are_balanced_over_slots_and_depths_spread(tmp_path):
    asked = item(capability="T2", gold=("B",), options=("Anna Lee", "Marten Voss", "Olaf Berg", "Ida Falk"))
    records = [put(tmp_path, asked, [TARGET, *FILLERS], BINS[2], slot=slot) for slot in range(16)]
    assert Counter(r.gold.golden_label for r in records) == dict.fromkeys("ABCD", 4)
    for record in records:
        assert record.extra_info["options"]["ABCD".index(record.gold.golden_label)] == "Marten Voss"
    thirds = Counter(int(3 * record.extra_info["evidence_depth"]) for record in records)
    assert min(thirds[n] for n in range(3)) >= 3


def test_options_that_name_others_stay_where_they_are(tmp_path):
    options = ("Anna Lee", "Marten Voss", "All of the above")
    found = [put(tmp_path, item(capability="T2", gold=("B",), options=options), [TARGET, *FILLERS], slot=s) for s in (0, 1, 2)]  # fmt: skip # noqa: E501
    assert {tuple(r.extra_info["options"]) for r in found} == {options}


def _set():
    """Ten documents with a question each."""
    names = ("Ada", "Bela", "Cara", "Dora", "Edda", "Fria", "Gita", "Hera", "Inga", "Jana")
    documents, items = [], []
    for n, name in enumerate(names):
        fact = f"The mill number {n}7 belongs to {name} Holm."
        documents.append(paragraphs("Wheat is ground here.", fact, "The wheel turns.", title=f"Mill {n}"))
        question = f"To whom does {'the ' * (n % 2)}mill of place {name[::-1]} {n}7 belong?"
        items.append(item(documents[-1], fact, source=f"own#{n}", question=question, gold=(f"{name} Holm",)))
    return [*documents, *FILLERS], items


def _built(folder, items, documents, run_all=map):
    folder.mkdir(exist_ok=True)
    found, _ = library(folder, documents, held_out={0, 1})
    config = BuildConfig(sources=("x",), length_bins=(512, 1024), seed=3)
    wanted = {(False, "T1", "512"): 3, (False, "T1", "1k"): 3, (True, "T1", "512"): 1, (True, "T1", "1k"): 2}
    return extend_items(folder, config, found.entries, items, wanted, run_all, silent)


def test_cells_get_their_quota_whatever_the_order(tmp_path):
    documents, items = _set()
    first = _built(tmp_path / "a", items, documents)
    assert Counter((m.request.held_out, m.request.bin.label) for m in first.made) == {
        (False, "512"): 3, (False, "1k"): 3, (True, "512"): 1, (True, "1k"): 1,
    }, first  # fmt: skip
    assert first.missing == {(True, "T1", "1k"): 1}
    assert [item.capability for item in first.unused] == ["T1", "T1"]
    second = _built(tmp_path / "b", items[::-1], documents)
    rows = [
        [json.dumps(record.model_dump()) for record in read_records(tmp_path / name, extended.made, 0)]
        for name, extended in (("a", first), ("b", second))
    ]
    assert rows[0] == rows[1]


def test_finished_jobs_are_not_done_again(tmp_path):
    documents, items = _set()
    first = _built(tmp_path / "a", items, documents)

    def refuse(function, jobs):
        assert function is extend_job
        assert not list(jobs)
        return iter(())

    assert _built(tmp_path / "a", items, documents, refuse).made == first.made


def test_an_item_that_cannot_be_cut_fits_only_long_bins(tmp_path):
    long = paragraphs(*[f"Entry {n} of the log speaks about weather and wind at sea." for n in range(120)], FACT)
    found, numbers = library(tmp_path, [long])
    whole = item(long, evidence=())
    assert [b.label for b in fitting_bins(found.entries, whole, BINS, numbers, 20)] == ["2k"]
    assert [b.label for b in fitting_bins(found.entries, item(long), BINS, numbers, 20)] == ["512", "1k", "2k"]


def test_two_documents_are_both_shown_with_others_between_them(tmp_path):
    second = paragraphs("The tower has one keeper.", "Marten Voss was born in Brill.", title="Voss")
    asked = item(question="Where was the keeper born?", gold=("Brill",))
    at = second.text.index("Marten")
    more = Stretch(second.sha256, at, len(second.text))
    asked = dataclasses.replace(
        asked,
        shown=(*asked.shown, Stretch(second.sha256, 0, len(second.text))),
        evidence=(*asked.evidence, more),
    )
    depths = []
    for slot in range(8):
        record = put(tmp_path, asked, [TARGET, second, *FILLERS], BINS[2], slot=slot)
        assert isinstance(record, Record), record
        shown = record.extra_info["doc_sha256"]
        assert abs(shown.index(TARGET.sha256) - shown.index(second.sha256)) > 1
        depths.append(shown.index(TARGET.sha256) < shown.index(second.sha256))
    assert Counter(depths) == {True: 4, False: 4}


@pytest.mark.parametrize(
    ("gold", "text", "found"),
    [("12", "112 boats", False), ("12", "12.5 boats", False), ("12", "12 boats.", True), ("voss", "vossen", False)],
)
def test_an_answer_inside_a_longer_word_does_not_stand_there(gold, text, found):
    assert stands(gold, text) is found

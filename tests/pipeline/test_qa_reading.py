"""What makes a question unusable, files of every kind, and the parts that the adapters share."""

import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from qa_rows import FERRY, LONG_ANSWER, hotpot, longbench, only, read, read_file, reason, source, squad, tatqa

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder, Span
from golongrl.pipeline.dataset.qa import ADAPTERS, rendered
from golongrl.pipeline.dataset.qa.arithmetic import agrees, evaluate, plain_number, unit_note
from golongrl.pipeline.dataset.qa.checks import occurrences, sentence
from golongrl.pipeline.dataset.qa.golongrl import context_of
from golongrl.pipeline.dataset.qa.reading import read_qa
from golongrl.pipeline.dataset.qa.wording import about, bare, split_options, unnamed
from golongrl.pipeline.dataset.readers import Refusal

GERMAN = "Die Fähre wurde im Jahre 1931 in Oskarby gebaut und fuhr lange über den großen See."


def spoken(answer, question="Who or what was it?", context=None):
    """A flat SQuAD row whose answer stands in its context."""
    text = f"{FERRY} It was {answer}." if context is None else context
    return squad(question=question, context=text, answers={"text": [answer], "answer_start": [0]})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (spoken("yes"), "guessable"),
        (spoken("No."), "guessable"),
        (spoken("没有。", "渡船有没有沉没？", "渡船没有。"), "guessable"),
        (squad(question="Was it built in Oskarby or in Ashby?"), "guessable"),
        (squad(question="Why was it built in that town?"), "open question"),
        (squad(question="Before 1950, how was it moved?"), "open question"),
        (spoken(LONG_ANSWER), "long answer"),
        (spoken("Ashby", context=FERRY), "unsupported"),
        (spoken("ask", context=f"{FERRY} They asked."), "unsupported"),
        (spoken("unanswerable"), "unanswerable"),
        (squad(question=""), "no question"),
        (squad(answers={"text": [], "answer_start": []}), "unanswerable"),
        (squad(context="   "), "no context"),
        (squad(context=GERMAN), "language"),
        (longbench("gov_report", FERRY, "", ["Short."]), "short reference"),
        (tatqa(question="Which?", answer=["Bread", "bread"], answer_type="multi-span"), "items"),
        (tatqa(question="Which?", answer=["Bread", "Ships"], answer_type="multi-span"), "unsupported"),
        (tatqa(answer="much"), "no number"),
        (tatqa(answer_type="drawing"), "no answer"),
        ({"id": 1, "pred": "Oskarby", "answers": ["Oskarby"]}, "a model's answers"),
        ({**squad(), "prediction": None}, "a model's answers"),
        ({"Question": "Where?", "Answer": "Oskarby", "wiki_links": "[]"}, "no context"),
        ({"text": FERRY, "label": 3}, "unknown form"),
        (["no object"], "unknown form"),
        (squad(answers={"text": ["Oskarby"]}), "damaged row"),
    ],
)  # fmt: skip
def test_refusals_have_names(tmp_path, row, expected):
    assert reason(read(tmp_path, row)) == expected


def test_an_unknown_form_names_its_columns(tmp_path):
    (refusal,) = read(tmp_path, {"text": FERRY, "label": 3})
    assert refusal.source == "rows.jsonl#1"
    assert "text, label" in refusal.reason


def test_how_many_is_no_open_question(tmp_path):
    answers = {"text": ["forty"], "answer_start": [FERRY.index("forty")]}
    _, item = only(read(tmp_path, squad(question="How many passengers did it carry?", answers=answers)))
    assert item.gold == ("forty",)


def test_the_wording_of_the_documents_comes_first_and_articles_do_not_matter(tmp_path):
    answers = {"text": ["Lady Brandt", "the lake"], "answer_start": [0, FERRY.index("the lake")]}
    _, item = only(read(tmp_path, squad(question="What did it cross?", answers=answers)))
    assert item.gold == ("the lake", "Lady Brandt", "lake")


def test_licences_row_before_file_before_set(tmp_path):
    assert only(read(tmp_path, hotpot()))[1].licence == "CC-BY-SA-4.0"
    documents, item = only(read(tmp_path, hotpot(), licence="CC0"))
    assert item.licence == "CC0"
    assert {d.licence for d in documents.values()} == {"CC0"}
    assert only(read(tmp_path, hotpot(license="mit"), licence="CC0"))[1].licence == "mit"


def test_keys_do_not_depend_on_the_file(tmp_path):
    first = only(read(tmp_path, hotpot(), name="a.jsonl"))[1]
    second = only(read(tmp_path, squad(), hotpot(), name="b.jsonl")[1:])[1]
    assert first.key == second.key
    assert first.source != second.source
    assert type(first).from_row(json.loads(json.dumps(first.as_row()))) == first


def test_every_item_says_a_capability_and_shows_documents_that_it_brings(tmp_path):
    rows = [squad(), hotpot(), tatqa(), longbench("qasper", FERRY, "Who bought it?", ["Ida Brandt"])]
    for documents, item in read(tmp_path, *rows):
        assert item.capability in tasks.CAPABILITIES
        assert item.form.removeprefix("qa:")
        digests = {document.sha256 for document in documents}
        assert digests == {s.doc for s in item.shown} | set(item.distractors)
        shown = {s.doc for s in item.shown}
        assert all(s.doc in shown for s in item.evidence)


def write(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps({"version": "1", "data": rows}, indent=1), encoding="utf-8")
    else:
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_files_of_every_kind_hold_the_same_items(tmp_path, suffix):
    rows = [
        squad(),
        squad(question="Who bought the Marigold?", answers={"text": ["Ida Brandt"], "answer_start": [0]}),
    ]
    found = read_file(write(tmp_path / f"rows{suffix}", rows))
    assert [item.gold[0] for _, item in found] == ["Oskarby", "Ida Brandt"]
    assert [item.source for _, item in found] == [f"rows{suffix}#1", f"rows{suffix}#2"]


def test_json_may_be_a_list_one_row_or_lines_in_disguise(tmp_path):
    path = tmp_path / "rows.json"
    for text, count in (
        (json.dumps([squad(), squad()]), 2),
        (json.dumps(squad(), indent=2), 1),
        (json.dumps(squad()) + "\n" + json.dumps(squad()) + "\n", 2),
    ):
        path.write_text(text, encoding="utf-8")
        assert [item.gold[0] for _, item in read_file(path)] == ["Oskarby"] * count


def test_a_cut_off_file_yields_what_stands_before_the_cut(tmp_path):
    path = tmp_path / "rows.json"
    whole = json.dumps({"data": [squad(), squad()]})
    path.write_text(whole[: len(whole) - 40], encoding="utf-8")
    first, second = read_file(path)
    assert first[1].gold[0] == "Oskarby"
    assert isinstance(second, Refusal)
    assert second.reason.startswith("unreadable")


def test_a_bad_line_is_refused_alone(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(squad()) + "\n{broken\n" + json.dumps(squad()), encoding="utf-8")
    first, second, third = read_file(path)
    assert second.source == "rows.jsonl#2"
    assert second.reason.startswith("not JSON")
    assert first[1].source == "rows.jsonl#1"
    assert third[1].source == "rows.jsonl#3"


def test_a_row_above_the_limit_is_refused_and_the_next_one_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(squad(context=FERRY * 2_000)) + "\n" + json.dumps(squad()), encoding="utf-8")
    first, second = read_file(path, max_row_mb=0.1)
    assert first == Refusal("rows.jsonl#1", "too large: above max_document_mb = 0.1")
    assert second[1].source == "rows.jsonl#2"


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_long_files_are_streamed(tmp_path, suffix):
    path = write(tmp_path / f"rows{suffix}", [{"text": f"Number {n}. " * 10_000} for n in range(200)])
    assert path.stat().st_size > 20_000_000
    tracemalloc.start()
    count = sum(outcome.reason.startswith("unknown form") for outcome in read_qa(source(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200
    assert peak < 10_000_000, "some blocks of a megabyte and a row, however long the file"


def test_other_suffixes_are_no_question_sets(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Some text.", encoding="utf-8")
    (refusal,) = read_file(path)
    assert refusal.reason.startswith("unreadable: rows of questions are read from .jsonl")


def test_adapters_are_named_and_in_their_order():
    assert next(iter(ADAPTERS)) == "golongrl"
    assert all(name == adapter.name for name, adapter in ADAPTERS.items())


COLUMNS = (
    *("question", "answer", "answers", "context", "paragraphs", "table", "questions", "article", "options"),
    *("qa_pairs", "input", "dataset", "supporting_facts", "meeting_transcripts", "prompt", "reward_model"),
)
INNER = st.sampled_from(["text", "title", "qas", "context", "is_supporting"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER, inner, max_size=3),
    max_leaves=6,
)


@example({"question": "?", "answer": "a", "context": {"text": None}, "supporting_facts": None})
@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES))
def test_no_row_whatever_it_holds_ends_a_run(tmp_path_factory, row):
    for outcome in read(tmp_path_factory.mktemp("rows"), row):
        assert isinstance(outcome, Refusal) or outcome[1].gold


def test_occurrences_are_whole_words_and_whole_numbers():
    text = "In 1931 and 21,931 the Lake and the lakes; Lake\nview, 1931."
    assert [text[s.start : s.end] for s in occurrences(text, "1931")] == ["1931", "1931"]
    assert occurrences(text, "931") == []
    assert [s.start for s in occurrences(text, "lake")] == [text.index("Lake"), text.index("Lake\n")]
    assert [text[s.start : s.end] for s in occurrences(text, "lake view")] == ["Lake\nview"]
    assert len(occurrences("段落2和段落27", "段落2")) == 1


def test_sentences_end_at_stops_and_table_rows_at_their_line():
    builder = DocumentBuilder()
    builder.paragraph("It rained. Was it cold? Nobody knew 3.5 degrees.")
    builder.table(["a", "b"], [["x", "1"], ["y", "2"]])
    document = builder.build(source="d")

    def around(text):
        start = document.text.index(text)
        span = sentence(document, Span(start, start + len(text)))
        return document.text[span.start : span.end]

    assert around("cold") == "Was it cold?"
    assert around("3.5") == "Nobody knew 3.5 degrees."
    assert around("rained. Was") == "It rained. Was it cold?"
    assert around("2") == "| y | 2 |"


@pytest.mark.parametrize(
    ("derivation", "value"),
    [
        ("(1,200-1,000)/1,000", 0.2),
        ("[(166+178)/2] - [(57+44)/2]", 121.5),
        ("-$3 * 2", -6.0),
        ("5 > 3", None),
        ("__import__('os')", None),
        ("2**9", None),
        ("1/0", None),
        ("", None),
    ],
)
def test_derivations_are_arithmetic_and_nothing_else(derivation, value):
    assert evaluate(derivation) == (None if value is None else pytest.approx(value))


def test_written_numbers():
    assert [str(plain_number(text)) for text in ("(1,234.5)", "14.3%", "$ 7", 0.5)] == ["-1234.5", "14.3", "7", "0.5"]
    assert plain_number("about 7") is None
    assert plain_number(True) is None
    number = plain_number("14.3")
    assert agrees(number, 14.34)
    assert not agrees(number, 14.5)
    assert unit_note("million", 1) == " (in millions, rounded to 1 decimal)"
    assert unit_note("", 0) == ""


def test_options_are_lines_in_their_order():
    assert split_options("Which?\nA. one\nB) two\n(C) three\nSay the letter.") == ("Which?", ("one", "two", "three"))
    assert split_options("Which?\n1. one\n2. two", "123456789") == ("Which?", ("one", "two"))
    assert split_options("Which?\nA. one\nC. three") is None
    assert split_options("A. lone line") is None


@given(st.text(max_size=40).map(str.strip).filter(bool), st.text(alphabet="abc 文档", min_size=1, max_size=20))
def test_a_question_comes_back_without_the_document_it_names(question, title):
    assert unnamed(about(question, title)) == question


def test_templates_go():
    assert bare("Question: Where?\nTherefore, the answer is (insert answer here).") == "Where?"
    assert bare("问题：在哪里？\n输出示例：\n[答案]\n北京") == "在哪里？"


def test_contexts_between_tags_or_beside_the_question():
    long = "The lake lay still all day. " * 20
    assert context_of(f"Read this.\n<text>\n{long}\n</text>\nWhere?", "Where?").strip() == long.strip()
    assert context_of(f"Please read.\n\n{long}\n\nQuestion: Where?", "Where?") == long.strip()
    assert context_of(f"{long * 2} Where? {long * 2}", "Where?") is None
    assert context_of("Short. Where?", "Where?") is None


def test_a_rendered_document_comes_back_as_it_was():
    builder = DocumentBuilder()
    builder.heading("Fares", 2)
    builder.paragraph("The ferry takes money and fish.")
    for text in ("one coin", "two fish"):
        builder.item(text, 1)
    builder.table(["a", "b"], [["x", "1"], ["y", "2"]])
    builder.code("line\n\n  indented")
    written = builder.build(source="d", title="Fares of the lake")
    shown = f"[Document 1] Fares of the lake\n{written.text}\n\n[Document 2] Other\nMore."
    parts = rendered.split(shown)
    assert parts is not None
    assert [title for title, _ in parts] == ["Fares of the lake", "Other"]
    again = DocumentBuilder()
    rendered.fill(again, parts[0][1])
    assert again.build(source="d", title="Fares of the lake") == written
    assert rendered.split("[Document 2] Other\nMore.") is None

"""Documents on disk, stretches of them in a prompt, and what a prompt shows read back."""

import json
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.documents import DocumentBuilder, Span
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.context import Task, render
from golongrl.pipeline.dataset.encoding import decode, encode, kind_of
from golongrl.pipeline.dataset.excerpt import Excerpt

TEXT = st.text(string.ascii_letters + "  .|:：“中文#-`\t\n", max_size=40)
BLOCK = st.one_of(
    st.tuples(st.just("heading"), TEXT, st.integers(1, 6)),
    st.tuples(st.just("paragraph"), TEXT),
    st.tuples(st.just("item"), TEXT, st.integers(1, 3)),
    st.tuples(st.just("code"), TEXT),
    st.tuples(st.just("turn"), TEXT, TEXT),
    st.tuples(
        st.just("table"), st.lists(TEXT, min_size=1, max_size=4), st.lists(st.lists(TEXT, max_size=4), max_size=4)
    ),
)


def document(blocks):
    builder = DocumentBuilder()
    for kind, *facts in blocks:
        getattr(builder, kind)(*facts)
    return builder.build(source="a.md", title="A title", licence="CC0")


@given(st.lists(BLOCK, max_size=12))
def test_a_document_survives_the_disk(blocks):
    whole = document(blocks)
    assert decode(json.loads(json.dumps(encode(whole)))) == whole


@given(st.lists(BLOCK, min_size=1, max_size=12), st.data())
def test_spans_are_found_again_in_what_is_shown(blocks, data):
    whole = document(blocks)
    if not whole.blocks:
        return
    excerpt = Excerpt(whole, whole.blocks)
    assert excerpt.text == whole.text
    start = data.draw(st.integers(0, len(excerpt.blocks) - 1))
    stretch = Excerpt(whole, whole.blocks[start:])
    for block in stretch.blocks:
        shown = stretch.locate(block.span)
        assert stretch.text[shown.start : shown.end] == whole.slice(block.span)
    for block in whole.blocks[:start]:
        assert stretch.locate(block.span) is None


def test_a_row_of_a_cut_table_is_found_behind_the_header():
    whole = document([("paragraph", "Before."), ("table", ["a", "b"], [["1", "2"], ["3", "4"]])])
    table = whole.blocks[1]
    cut = table._replace(table=replace(table.table, rows=table.table.rows[1:]))
    stretch = Excerpt(whole, [cut])
    assert stretch.text == "| a | b |\n| 3 | 4 |"
    cell = table.table.rows[1].cell_spans[1]
    shown = stretch.locate(cell)
    assert stretch.text[shown.start : shown.end] == "4"
    assert stretch.locate(table.table.rows[0].cell_spans[0]) is None


@given(st.lists(BLOCK, max_size=12))
def test_blocks_of_a_kind_are_all_of_them_in_order(blocks):
    made = document(blocks)
    assert set(made.by_kind) == {"heading", "paragraph", "item", "code", "turn", "table"}
    for kind, found in made.by_kind.items():
        assert found == [block for block in made.blocks if block.kind == kind]


@pytest.mark.parametrize(
    ("blocks", "kind"),
    [
        ([("table", ["a", "b"], [["1", "2"]] * 9), ("paragraph", "Few words.")], "table"),
        ([("turn", "Ann", "Hello there, everyone."), ("turn", "Bob", "Good morning.")], "dialogue"),
        ([("heading", "One", 2), ("heading", "Two", 2), ("heading", "Three", 2), ("paragraph", "Text.")], "sections"),
        ([("heading", "One", 1), ("paragraph", "Text. " * 50)], "prose"),
    ],
)
def test_the_kind_is_what_a_document_mostly_is(blocks, kind):
    assert kind_of(document(blocks)) == kind


def test_what_a_prompt_shows_is_read_back_from_its_text_alone():
    whole = document(
        [
            ("heading", "Report", 1),
            ("paragraph", "It opens here."),
            ("heading", "Parts", 2),
            ("item", "first part", 1),
            ("item", "second part", 1),
            ("table", ["name", "2021"], [["Ann", "1,234"], ["Bob", ""]]),
            ("code", "# no heading\n[Document 9] no document"),
            ("turn", "Ann", "Well, yes: that is so."),
        ]
    )
    other = document([("paragraph", "Nothing to see.")])
    text, span, starts = render(
        [Excerpt(whole, whole.blocks), Excerpt(other, other.blocks)], Task("Q?", "I.", "en", False)
    )
    assert text[starts[0] :].startswith("# Report\n\nIt opens here.")
    shown = view.read(text[span.start : span.end])
    first, second = shown.documents
    assert (first.title, second.title) == ("A title", "A title")
    with pytest.raises(LookupError, match="2 documents are called 'A title'"):
        shown.titled("A title")
    assert [(s.title, s.level) for s in first.sections] == [("Report", 1), ("Parts", 2)]
    assert [line.text for line in first.sections[1].lines if line.kind == "item"] == ["first part", "second part"]
    assert first.tables[0].columns == ("name", "2021")
    assert first.tables[0].rows == (("Ann", "1,234"), ("Bob", ""))
    assert first.said_by("Ann") == ("Well, yes: that is so.",)
    assert [line.text for line in first.lines if line.kind == "code"][1] == "[Document 9] no document"
    assert second.text == "Nothing to see."
    assert shown.count("NOTHING  to see") == 1


def test_the_question_stands_before_or_after_the_documents():
    whole = document([("paragraph", "Text.")])
    excerpt = Excerpt(whole, whole.blocks)
    for first in (True, False):
        text, span, _ = render([excerpt], Task("Which one?", "Say it.", "en", first))
        assert (text.index("Which one?") < span.start) == first
        assert text.endswith("Say it.")
        assert text[span.start : span.end] == "[Document 1] A title\nText."
    text, span, _ = render([excerpt], Task("哪一个？", "作答。", "zh", False))
    assert text[span.start : span.end] == "【文档1】A title\nText."


def test_a_span_outside_is_nowhere():
    whole = document([("paragraph", "One."), ("paragraph", "Two.")])
    assert Excerpt(whole, whole.blocks[1:]).locate(Span(0, 3)) is None

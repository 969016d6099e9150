"""Stretches of documents: cut, found again, and quoted."""

from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.documents import DocumentBuilder, Span
from golongrl.pipeline.dataset.questions.items import Item, Stretch, excerpt_of, locate, stretch_of


def mixed():
    builder = DocumentBuilder()
    builder.heading("Fleet", 1)
    builder.paragraph("Four boats lie in the bay.")
    builder.table(["Boat", "Length"], [["Auk", "12"], ["Bee", "9"], ["Cod", "31"], ["Dab", "7"]])
    builder.paragraph("None of them sails in winter.")
    return builder.build(source="fleet.md", title="Fleet")


DOCUMENT = mixed()


def test_a_table_is_cut_to_the_rows_touched_and_keeps_its_header():
    start, end = DOCUMENT.text.index("Bee"), DOCUMENT.text.index("31")
    assert excerpt_of(DOCUMENT, Span(start, end)).text == "| Boat | Length |\n| Bee | 9 |\n| Cod | 31 |"


def test_several_spans_give_one_excerpt_without_what_lies_between():
    spans = [Span(at, at + 3) for at in (DOCUMENT.text.index("Auk"), DOCUMENT.text.index("Dab"))]
    assert excerpt_of(DOCUMENT, *spans).text == "| Boat | Length |\n| Auk | 12 |\n| Dab | 7 |"


@given(st.integers(0, len(DOCUMENT.text) - 1), st.integers(1, 80))
def test_the_stretch_of_an_excerpt_gives_the_excerpt_again(start, size):
    found = excerpt_of(DOCUMENT, Span(start, start + size))
    if found.blocks:
        assert excerpt_of(DOCUMENT, stretch_of(found).span).text == found.text


def test_a_quotation_is_located_only_where_it_stands_once():
    assert DOCUMENT.slice(locate(DOCUMENT, "boats  lie\nin")) == "boats lie in"
    assert locate(DOCUMENT, "in") is None
    assert locate(DOCUMENT, "nowhere") is None


def test_an_item_survives_json_and_its_key_does_not_know_its_source():
    item = Item(
        track="qa", source="a#1", form="qa:x", capability="T1", language="en", question="Q?", gold=("A",),
        shown=(Stretch("d", 0, 5),), evidence=(Stretch("d", 1, 2),),
    )  # fmt: skip
    assert Item.from_row(item.as_row()) == item
    assert Item.from_row({**item.as_row(), "source": "b#2"}).key == item.key
    assert Item.from_row({**item.as_row(), "gold": ["B"]}).key != item.key

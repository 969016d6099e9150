"""Structured matching: every key goes with the value that the documents give it."""

import functools

import pytest
import scenes
from scenes import every, excerpt, only, shown

from golongrl.pipeline.dataset.construct import matching
from golongrl.pipeline.dataset.construct.form import Unfit

check = functools.partial(scenes.check, "subem")

HOMES = {"ant": "soil", "bee": "hive", "crab": "sea", "dog": "house", "eel": "sea"}


def animals(builder):
    builder.table(["animal", "home"], list(HOMES.items()))


def test_cells_of_keys():
    found = every(matching.cells_of_keys, excerpt(animals))
    assert found
    for candidate in found:
        check(candidate, excerpt(animals))
        asked = candidate.question.split("\n")[1:]
        assert list(candidate.gold) == [f"{name}: {HOMES[name]}" for name in asked]
        # Values that repeat are not worth guessing: three different ones at least.
        assert len({HOMES[name] for name in asked}) >= 3


def test_a_second_row_of_that_name_is_a_second_answer():
    candidate = only(matching.cells_of_keys, excerpt(animals))
    name = candidate.question.split("\n")[1]

    def more(builder):
        builder.table(["animal", "home"], [*HOMES.items(), (name, "moon")])

    assert f"{name}: moon" in candidate.solve(shown(excerpt(more)))


def test_columns_with_few_values_are_not_asked_for():
    def table(builder):
        builder.table(["animal", "tame"], [(name, "yes" if name == "dog" else "no") for name in HOMES])

    assert only(matching.cells_of_keys, excerpt(table)) == Unfit("no column with three different values")


SECTIONS = {
    "Feeding": "Elephants eat about two hundred kilograms of hay on every single day.",
    "Gates": "Every door is locked by two keepers once the last guest has left.",
    "Visitors": "Dogs wait in the kennel beside the river until their people come back.",
    "Office": "A drawer beside the window holds the list of lost umbrellas.",
}


def sections(builder):
    builder.heading("Zoo handbook", 1)
    for name, text in SECTIONS.items():
        builder.heading(name, 2)
        builder.paragraph(text)


def test_headings_of_sentences():
    found = every(matching.headings_of_sentences, excerpt(sections))
    assert {len(candidate.gold) for candidate in found} == {3, 4}
    for candidate in found:
        check(candidate, excerpt(sections))
        for line, gold in zip(candidate.question.split("\n")[1:], candidate.gold, strict=True):
            letter, sentence = line.split(". ", 1)
            assert gold == f"{letter}: {next(name for name, text in SECTIONS.items() if text == sentence)}"


def test_sentences_that_name_their_heading_are_not_quoted():
    def telling(builder):
        for name in ("Feeding", "Gates", "Visitors"):
            builder.heading(name, 2)
            builder.paragraph(f"This is the part of the book about {name} and about nothing else.")

    reason = "fewer than three headings with a quotable sentence"
    assert only(matching.headings_of_sentences, excerpt(telling)) == Unfit(reason)


def places(title, *texts):
    def fill(builder):
        for text in texts:
            builder.paragraph(text)

    return excerpt(fill, title)


def test_titles_of_fragments():
    scene = [places(f"Paper {name}", text) for name, text in SECTIONS.items()]
    found = every(matching.titles_of_fragments, *scene)
    assert {len(candidate.gold) for candidate in found} == {3, 4}
    for candidate in found:
        check(candidate, *scene)
        # The document that was asked for a question is quoted, and no title stands in the question.
        assert any(gold.endswith(": Paper Feeding") for gold in candidate.gold)
        assert "Paper" not in candidate.question
        assert candidate.listed == ()
    again = places("Copy", SECTIONS["Feeding"])
    assert len(found[0].solve(shown(*scene, again))) == len(found[0].gold) + 1


def test_a_sentence_of_two_documents_is_not_quoted():
    texts = [SECTIONS["Feeding"], SECTIONS["Gates"], SECTIONS["Gates"]]
    scene = [places(f"Paper {number}", text) for number, text in enumerate(texts)]
    reason = "fewer than three documents with a quotable sentence of their own"
    assert only(matching.titles_of_fragments, *scene) == Unfit(reason)


SAID = {
    "Ann": (
        "The budget of the coming spring is what we should decide on today.",
        "It rains here all the time in May.",
    ),
    "Bo": ("I think it is far too small for a second warehouse.", "My train leaves at half past seven from here."),
    "Cy": ("We could rent something in the northern harbour for two hundred coins.",),
}


def talk(builder):
    for who, texts in SAID.items():
        for text in texts:
            builder.turn(who, text)
    builder.turn("Ann", "Fine.")


def test_speakers_of_turns():
    found = every(matching.speakers_of_turns, excerpt(talk, "M"))
    assert found
    for candidate in found:
        check(candidate, excerpt(talk, "M"))
        for line, gold in zip(candidate.question.split("\n")[1:], candidate.gold, strict=True):
            letter, sentence = line.split(". ", 1)
            assert gold == f"{letter}: {next(who for who, texts in SAID.items() if sentence in texts)}"
        assert len({gold.split(": ")[1] for gold in candidate.gold}) == 3


def test_two_speakers_are_too_few():
    def two(builder):
        builder.turn("Ann", SAID["Ann"][0])
        builder.turn("Bo", SAID["Bo"][0])

    assert only(matching.speakers_of_turns, excerpt(two)) == Unfit("fewer than three speakers")


def test_chinese_sections():
    def law(builder):
        for name, text in (
            ("登记", "当事人应当在合同签订之后三十日内到房管部门办理手续。"),
            ("租金", "双方协商确定数额，承租人应当按照约定的期限支付。"),
            ("押金", "数额不得超过两个月的应付款项，由一方保管到期满之日。"),
        ):
            builder.heading(name, 2)
            builder.paragraph(text)

    for candidate in every(matching.headings_of_sentences, excerpt(law, "租赁办法")):
        check(candidate, excerpt(law, "租赁办法"))
        assert "文档《租赁办法》" in candidate.question


@pytest.mark.parametrize(
    "name", ["CELLS_OF_KEYS", "HEADINGS_OF_SENTENCES", "TITLES_OF_FRAGMENTS", "SPEAKERS_OF_TURNS"]
)
def test_three_wordings_in_both_languages(name):
    phrasings = getattr(matching, name)
    assert len(set(phrasings.en)) == len(set(phrasings.zh)) == 3

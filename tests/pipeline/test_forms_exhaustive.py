"""Exhaustive retrieval: all items that meet a condition, none that does not, and nothing doubtful."""

import functools
import random

import pytest
import scenes
from scenes import every, excerpt, only, shown

from golongrl.pipeline.dataset.construct import exhaustive
from golongrl.pipeline.dataset.construct.form import Scene, Unfit

check = functools.partial(scenes.check, "f1")


def animals(builder):
    builder.heading("Zoo handbook", 1)
    rows = [("ant", "6", "soil"), ("bee", "6", "hive"), ("crab", "10", "sea"), ("dog", "4", "house")]
    builder.table(["animal", "legs", "home"], [*rows, ("eel", "0", "sea")])


def test_rows_where_lists_all_and_only_the_rows():
    found = every(exhaustive.rows_where, excerpt(animals), tries=200)
    answers = {}
    for candidate in found:
        check(candidate, excerpt(animals))
        answers[candidate.question] = set(candidate.gold)
    assert {"crab", "eel"} in answers.values()
    for question, gold in answers.items():
        if '"legs" is greater than 4' in question and '"home"' not in question:
            assert gold == {"ant", "bee", "crab"}
        if '"home" is "sea"' in question and '"legs"' not in question:
            assert gold == {"crab", "eel"}
        assert '"animal" is' not in question
    # No condition is met by one row only, or by nearly all.
    assert all(2 <= len(gold) <= 3 for gold in answers.values())


def test_rows_where_joins_two_conditions():
    def table(builder):
        rows = [(f"r{n}", str(n % 5), "ab"[n % 2], str(n * 7 % 12)) for n in range(12)]
        builder.table(["name", "size", "kind", "age"], [(f"{name}x", *rest) for name, *rest in rows])

    joined = [c for c in every(exhaustive.rows_where, excerpt(table), tries=60) if " and " in c.question]
    assert joined
    for candidate in joined:
        check(candidate, excerpt(table))


def words_document(builder):
    builder.heading("Zoo handbook", 1)
    builder.paragraph("The handbook says how every animal is fed and who locks the tall gates.")
    builder.heading("Feeding", 2)
    builder.paragraph("Elephants eat about two hundred kilograms of hay on every single day of summer.")
    builder.heading("Meadow", 2)
    builder.paragraph("Most of the hay is cut in June and dries on the meadow beside the river.")
    builder.heading("Visitors", 2)
    builder.paragraph("Dogs wait in the kennel beside the river until their people come back.")
    builder.heading("Office", 2)
    builder.paragraph("The office keeps the list of lost umbrellas and of broken fences.")


def test_headings_with_word():
    zoo = excerpt(words_document)
    found = {c.proof[0]: set(c.gold) for c in every(exhaustive.headings_with_word, zoo, tries=80)}
    assert found["river"] == {"Meadow", "Visitors"}
    assert "visitors" not in found
    for candidate in every(exhaustive.headings_with_word, zoo, tries=12):
        check(candidate, zoo)


def test_a_heading_that_stands_twice_is_not_asked_for():
    def twice(builder):
        words_document(builder)
        builder.heading("Meadow", 2)
        builder.paragraph("Nothing else grows beside the river in winter.")

    golds = [set(c.gold) for c in every(exhaustive.headings_with_word, excerpt(twice), tries=60)]
    assert all("Meadow" not in gold for gold in golds)


@pytest.mark.parametrize("longer", ["Two falcons-in-law", "The falcons", "A file falcon.txt", "The falcon's nest"])
def test_words_inside_longer_words_are_doubtful(longer):
    def text(builder):
        builder.paragraph("The falcon sleeps on the tall tower all day long.")
        builder.paragraph("Nobody feeds the falcon when it is raining hard outside.")

    def doubtful(builder):
        text(builder)
        builder.paragraph(f"{longer} was seen by nobody in the whole large town.")

    assert any("falcon" in c.question for c in every(exhaustive.sentences_with_word, excerpt(text)))
    assert not any('"falcon"' in c.question for c in every(exhaustive.sentences_with_word, excerpt(doubtful)))


def test_sentences_with_word_are_complete():
    def text(builder):
        builder.paragraph("The falcon sleeps on the tall tower all day long. It hunts only after sunset in autumn.")
        builder.paragraph("Nobody feeds the falcon when it is raining hard outside.")

    falcon = next(c for c in every(exhaustive.sentences_with_word, excerpt(text)) if '"falcon"' in c.question)
    check(falcon, excerpt(text))
    assert set(falcon.gold) == {
        "The falcon sleeps on the tall tower all day long.",
        "Nobody feeds the falcon when it is raining hard outside.",
    }

    def fragment(builder):
        text(builder)
        builder.paragraph("falcon food, see below")

    assert not any('"falcon"' in c.question for c in every(exhaustive.sentences_with_word, excerpt(fragment)))


def test_numbered_clauses_are_no_sentences_to_quote():
    def law(builder):
        builder.paragraph("第一条 出租人应当在合同签订之后及时办理登记手续。")
        builder.paragraph("第二条 承租人应当在合同签订之后按期支付租金。")

    assert every(exhaustive.sentences_with_word, excerpt(law, "租赁办法")) == []


def test_chinese_words_are_those_of_segmentation():
    def law(builder):
        builder.paragraph("出租人和承租人应当签订书面合同，并且约定租金的数额。")
        builder.paragraph("逾期支付租金的承租人，对造成的损失承担全部责任。")
        builder.paragraph("押金由出租人保管，直到房屋交还给所有权人之日。")

    found = every(exhaustive.sentences_with_word, excerpt(law, "租赁办法"))
    assert found
    for candidate in found:
        check(candidate, excerpt(law, "租赁办法"))
        assert "文档《租赁办法》" in candidate.question
    # 承租 is never cut out of 承租人, 出租人 is found in two sentences.
    asked = {c.question.split("“")[1].split("”")[0]: c.gold for c in found}
    assert "承租" not in asked
    assert len(asked["出租人"]) == 2


def lists(builder):
    builder.heading("Gates", 2)
    for gate in ("north gate", "river gate", "staff gate"):
        builder.item(gate, 1)
    builder.heading("Keys", 2)
    builder.paragraph("The keys hang in the office.")


def test_list_items():
    (candidate, *_) = every(exhaustive.list_items, excerpt(lists))
    check(candidate, excerpt(lists))
    assert candidate.gold == ("north gate", "river gate", "staff gate")


def test_two_lists_below_a_heading_are_not_asked_for():
    def two(builder):
        builder.heading("Gates", 2)
        for number in range(3):
            builder.item(f"gate {number} of wood", 1)
        builder.paragraph("And then")
        for number in range(3):
            builder.item(f"gate {number} of iron", 2)
        builder.heading("Keys", 2)

    assert only(exhaustive.list_items, excerpt(two)) == Unfit("no short list alone below a heading")


def talk(builder):
    builder.turn("Ann", "The budget of the coming spring is what we should decide on today.")
    builder.turn("Bo", "I think it is too small for a second warehouse.")
    builder.turn("Cy", "We could rent a warehouse in the northern harbour for two hundred coins.")
    builder.turn("Ann", "Rent in the northern harbour doubled since last year, as far as I know.")
    builder.turn("Dee", "Then let us wait for the figures.")


def test_speakers_with_word():
    golds = {"warehouse": {"Bo", "Cy"}, "harbour": {"Cy", "Ann"}, "northern": {"Cy", "Ann"}, "coming": {"Ann"}}
    found = every(exhaustive.speakers_with_word, excerpt(talk, "M"))
    assert found
    for candidate in found:
        check(candidate, excerpt(talk, "M"))
        word = next(word for word in golds if f'"{word}"' in candidate.question)
        assert set(candidate.gold) == golds[word]


def test_a_word_of_a_speakers_name_is_doubtful():
    def named(builder):
        talk(builder)
        builder.turn("Warehouse Keeper", "I only listen here.")

    questions = [c.question for c in every(exhaustive.speakers_with_word, excerpt(named, "M"))]
    assert questions
    assert not any('"warehouse"' in question for question in questions)


def test_turns_with_word_are_one_speakers():
    def more(builder):
        talk(builder)
        builder.turn("Cy", "My harbour contacts say that the rent will fall again.")

    found = every(exhaustive.turns_with_word, excerpt(more, "M"))
    assert found
    for candidate in found:
        check(candidate, excerpt(more, "M"))
        assert candidate.question.count("Cy") == 1
        assert len(candidate.gold) == 2


def places(title, *texts):
    def fill(builder):
        for text in texts:
            builder.paragraph(text)

    return excerpt(fill, title)


RIVER = "The old harbour lies at the mouth of the river and freezes every winter."
HILLS = "Shepherds drive their sheep into the northern hills as soon as the snow is gone."
BRIDGE = "Nobody crosses the harbour by boat since the bridge was built of heavy granite."
MARKET = "On the market they sell sheep and granite, but neither fish nor bread."


def test_titles_with_word_and_a_second_answer_elsewhere():
    scene = [places("One", RIVER), places("Two", HILLS), places("Three", BRIDGE), places("Four", MARKET)]
    found = {c.question.split('"')[1]: c for c in every(exhaustive.titles_with_word, *scene)}
    assert set(found) == {"harbour", "sheep", "granite"}
    assert set(found["harbour"].gold) == {"One", "Three"}
    check(found["harbour"], *scene)
    # A fifth document that holds the word is a second answer, which brute force reports.
    fifth = places("Five", "A harbour master counts the ships that come in at night.")
    assert set(found["harbour"].solve(shown(*scene, fifth))) == {"One", "Three", "Five"}


def test_titles_with_both_words():
    scene = [
        places("One", RIVER, "Fresh granite is loaded there at night."),
        places("Two", HILLS, "A harbour is far away."),
        places("Three", BRIDGE),
        places("Four", MARKET),
        places("Five", "The harbour smells of tar."),
    ]
    found = every(exhaustive.titles_with_both, *scene)
    assert found
    for candidate in found:
        check(candidate, *scene)
        assert set(candidate.gold) == {"One", "Three"}
        assert set(candidate.proof) == {"harbour", "granite"}


def test_documents_of_one_title_cannot_be_told_apart():
    scene = Scene(tuple(places("Same", text) for text in (RIVER, HILLS, BRIDGE, MARKET)), 0, random.Random(0))
    assert exhaustive.titles_with_word(scene) == Unfit("two documents have the same title")


@pytest.mark.parametrize("name", ["ROWS_WHERE", "HEADINGS_WITH_WORD", "SENTENCES_WITH_WORD", "LIST_ITEMS"])
def test_three_wordings_in_both_languages(name):
    phrasings = getattr(exhaustive, name)
    assert len(set(phrasings.en)) == len(set(phrasings.zh)) == 3

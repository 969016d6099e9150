"""Sequence ordering: the document's order, or that of dates, and nothing that gives it away."""

import functools
import random
import re

import pytest
import scenes
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import every, excerpt, only, shown

from golongrl.core.documents import DocumentBuilder
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import dated, ordering
from golongrl.pipeline.dataset.construct.form import Unfit

check = functools.partial(scenes.check, "pairwise")

NAMES = ["Kennels", "Visitors", "Feeding the birds", "Lost things", "Aquarium", "Office hours", "Gates"]


def headings(builder, names=NAMES):
    builder.heading("Zoo handbook", 1)
    for name in names:
        builder.heading(name, 2)
        builder.paragraph("Some text without any names stands here.")


def lines_of(candidate):
    """letter -> listed text, in the order of the gold."""
    listed = dict(line.split(". ", 1) for line in candidate.question.split("\n")[1:])
    return [listed[letter] for letter in candidate.gold]


def test_heading_order():
    found = every(ordering.heading_order, excerpt(headings))
    assert found
    for candidate in found:
        check(candidate, excerpt(headings))
        assert list(candidate.gold) == [name for name in NAMES if name in candidate.gold]
        assert sorted(candidate.listed) == sorted(candidate.gold)
        assert candidate.question.endswith("\n" + "\n".join(candidate.listed))


def test_the_right_order_is_listed_as_often_as_any_other():
    four = excerpt(lambda builder: headings(builder, ["Kennels", "Visitors", "Aquarium", "Gates"]))
    found = every(ordering.heading_order, four, tries=480)
    # One order of 24: 20 of 480 on average.
    assert len(found) == 480
    assert 8 <= sum(candidate.listed == candidate.gold for candidate in found) <= 36


def test_numbers_of_headings_are_left_out():
    numbered = excerpt(lambda b: headings(b, [f"{n}.{n}. {name}" for n, name in enumerate(NAMES, 1)]))
    for candidate in every(ordering.heading_order, numbered):
        check(candidate, numbered)
        assert not re.search(r"\d", candidate.question)


@pytest.mark.parametrize(
    ("heading", "bare"),
    [
        ("第十二回 宴桃园豪杰三结义", "宴桃园豪杰三结义"),
        ("第三章　监护", "监护"),
        ("第一百三十三条之一 危险驾驶", "危险驾驶"),
        ("3.2. Version numbers", "Version numbers"),
        ("Chapter IV: The Knitting", "The Knitting"),
        ("(a) scope of use", "scope of use"),
        ("（二）押金", "押金"),
        ("3D printing", "3D printing"),
        ("e.g. this", "e.g. this"),
        ("Act of God", "Act of God"),
        ("一般规则", "一般规则"),
    ],
)
def test_numbering(heading, bare):
    assert ordering.NUMBERING.sub("", heading, count=1) == bare


def test_a_table_of_contents_makes_the_order_no_question():
    def contents(builder):
        for number, name in enumerate(NAMES):
            builder.item(f"{name} ..... {number}", 1)
        headings(builder)

    assert every(ordering.heading_order, excerpt(contents)) == []


def test_headings_of_known_place_and_sorted_headings_are_left_out():
    places = ["Introduction", "Getting started", "Summary", "Appendix A", "References", "Index"]
    assert every(ordering.heading_order, excerpt(lambda b: headings(b, places))) == []
    rising = ["An", "Bare", "Candle", "Dreaming", "Elephants", "Floodlight"]
    reason = "the order can be guessed from alphabet, length, numbers or shared words"
    assert only(ordering.heading_order, excerpt(lambda b: headings(b, rising))) == Unfit(reason)


def test_leaning():
    assert ordering.leaning(["a", "bb", "ccc", "dddd"], "") == 0.5
    assert ordering.leaning(["dddd", "ccc", "bb", "a"], "") == 0.5
    # b a d c: four of six pairs in alphabetical order; equal lengths, no numbers, no shared words.
    assert ordering.leaning(["b", "a", "d", "c"], "") == pytest.approx(4 / 6 - 0.5)
    assert ordering.leaning(["x 1", "x 2", "x 3", "x 4"], "") == 0.5
    # Two texts share a word with the question; three pairs put them before, one behind: (3 - 1) / 2 / 6.
    assert ordering.leaning(["ab", "cd", "ab", "cd"], "ab") == pytest.approx(1 / 6)


@given(st.lists(st.text(max_size=8), min_size=2, max_size=7), st.text(max_size=8))
def test_an_order_leans_as_far_as_its_reverse(texts, stem):
    assert 0 <= ordering.leaning(texts, stem) <= 0.5
    assert ordering.leaning(texts[::-1], stem) == ordering.leaning(texts, stem)


@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 99))
def test_spread_keeps_the_order(length, size, seed):
    taken = ordering.spread(range(length), size, random.Random(seed))
    assert taken == sorted(set(taken))
    assert len(taken) == min(length, size)


def test_spread_takes_one_from_each_stretch():
    for seed in range(50):
        taken = ordering.spread(range(100), 5, random.Random(seed))
        assert [number // 20 for number in taken] == [0, 1, 2, 3, 4]
    assert ordering.spread([1, 2], 5, random.Random(0)) == [1, 2]
    assert ordering.spread([], 5, random.Random(0)) == []


SENTENCES = [
    "Elephants eat about two hundred kilograms of hay on every single day.",
    "Every door is locked by two keepers at night.",
    "Dogs wait in the kennel beside the river until their people come back from the long walk.",
    "A drawer beside the window holds the list of lost umbrellas.",
    "Nobody knows why the old penguin sleeps under the bench in the yard.",
    "Glass is not allowed in the park, for good reasons.",
    "Keepers wear green boots when they clean the cages of the birds in rainy weather.",
    "Children under six years pay nothing at the gate.",
]


def prose(builder):
    for sentence in SENTENCES:
        builder.paragraph(sentence)


def test_sentence_order():
    found = every(ordering.sentence_order, excerpt(prose))
    assert found
    for candidate in found:
        check(candidate, excerpt(prose))
        ordered = lines_of(candidate)
        assert ordered == [sentence for sentence in SENTENCES if sentence in ordered]
        assert 4 <= len(ordered) <= 7


@pytest.mark.parametrize(
    "telling",
    [
        "First of all, the keys hang in the office beside the map.",
        "As we saw in chapter 3, the keys hang in the office.",
        "In 1987 the keys were moved to the office beside the map.",
    ],
)
def test_sentences_that_tell_their_place_are_not_listed(telling):
    def more(builder):
        prose(builder)
        builder.paragraph(telling)

    assert all(telling not in candidate.question for candidate in every(ordering.sentence_order, excerpt(more)))


def test_a_repeated_sentence_leaves_the_order_open():
    candidate = only(ordering.sentence_order, excerpt(prose))

    def again(builder):
        prose(builder)
        builder.paragraph(lines_of(candidate)[0])

    with pytest.raises(LookupError):
        candidate.solve(shown(excerpt(again)))


def talk(builder):
    for number, sentence in enumerate(SENTENCES):
        builder.turn("AB"[number % 2], sentence)


def test_turn_order():
    found = every(ordering.turn_order, excerpt(talk, "M"))
    assert found
    for candidate in found:
        check(candidate, excerpt(talk, "M"))
        said = [line.split(": ", 1) for line in lines_of(candidate)]
        assert [text for _, text in said] == [s for s in SENTENCES if s in [text for _, text in said]]
        assert all("AB"[SENTENCES.index(text) % 2] == who for who, text in said)


STEPS = [
    "Open the old lamp",
    "Wait for ten whole minutes",
    "Bend the small wire away",
    "Unscrew a broken bulb",
    "Clean its glass with some vinegar",
    "Put it back",
]


def test_step_order_of_a_list():
    def steps(builder):
        builder.heading("Bulbs", 2)
        for step in STEPS[:-1]:
            builder.item(f"{step};", 1)
        builder.item(f"{STEPS[-1]}.", 1)

    for candidate in every(ordering.step_order, excerpt(steps)):
        check(candidate, excerpt(steps))
        # How an entry ends would give the last one away.
        assert lines_of(candidate) == [step for step in STEPS if step in lines_of(candidate)]
    assert every(ordering.step_order, excerpt(steps))


def test_step_order_of_numbered_points_and_clauses():
    parts = ["未经许可擅自取水的", "造成严重污染", "拒绝接受检查", "伪造监测数据的单位", "转让排污证的人", "阻挠执法"]

    def points(builder):
        builder.paragraph("有下列情形之一的，处以罚款：")
        for number, part in zip("一二三四五六", parts, strict=True):
            builder.paragraph(f"（{number}）{part}；")

    def clauses(builder):
        for number, part in zip("一二三四五六", parts, strict=True):
            builder.paragraph(f"第{number}条 任何单位不得有{part}，违者由主管部门责令改正。")

    for fill in (points, clauses):
        found = every(ordering.step_order, excerpt(fill, "水法"))
        assert found
        for candidate in found:
            check(candidate, excerpt(fill, "水法"))
            assert not re.search(r"（[一二三四五六]）|第.条", candidate.question)
            ordered = "".join(lines_of(candidate))
            places = [ordered.index(part) for part in parts if part in ordered]
            assert places == sorted(places)


def test_points_that_do_not_count_up_are_no_steps():
    def points(builder):
        for number in (1, 3, 2, 5):
            builder.paragraph(f"{number}. Press the button number nine on the wall.")

    assert only(ordering.step_order, excerpt(points)) == Unfit("no list, steps or clauses of four or more")


EVENTS = [
    ("The old mill was sold to a baker from the valley in {}.", "1912", (1912, 0, 0)),
    ("On {} the town council closed the bridge for good.", "March 4, 1887", (1887, 3, 4)),
    ("Two hundred people left the harbour for Canada in {}.", "May 1930", (1930, 5, 0)),
    ("A fire of {} destroyed the church and eleven of the houses beside it.", "12 July 1901", (1901, 7, 12)),
    ("Nobody paid taxes in the whole county during {}.", "1946", (1946, 0, 0)),
    ("Since {}, the market takes place on the square behind the school.", "1923", (1923, 0, 0)),
]


def events(builder):
    for text, date, _ in EVENTS:
        builder.paragraph(text.format(date))
        builder.paragraph("It was a quiet place without many visitors, as people like to say.")


def test_date_order():
    found = every(dated.date_order, excerpt(events))
    assert found
    by_text = {text.format(dated.BLANK): date for text, _, date in EVENTS}
    for candidate in found:
        check(candidate, excerpt(events))
        dates = [by_text[line] for line in lines_of(candidate)]
        assert dates == sorted(dates)
        assert not re.search(r"\d{4}", candidate.question)
        # The text tells them in another order.
        in_text = [text for text in by_text if text in candidate.listed]
        assert [by_text[text] for text in in_text] != dates


def test_the_solver_reads_the_dates_that_are_shown():
    candidate = only(dated.date_order, excerpt(events))

    def changed(builder):
        for (text, _, _), year in zip(EVENTS, range(1700, 1706), strict=True):
            builder.paragraph(text.format(year))

    in_text = [text.format(dated.BLANK) for text, _, _ in EVENTS if text.format(dated.BLANK) in candidate.listed]
    found = candidate.solve(shown(excerpt(changed)))
    assert [candidate.listed["ABCDEFG".index(letter)] for letter in found] == in_text
    with pytest.raises(LookupError, match="0 dates"):
        candidate.solve(shown(excerpt(lambda builder: builder.paragraph("Nothing."))))


@pytest.mark.parametrize(
    ("sentence", "language", "written", "date"),
    [
        ("He was born in 1805 and died young.", "en", "1805", (1805, 0, 0)),
        ("On March 4, 1981, the board met.", "en", "March 4, 1981", (1981, 3, 4)),
        ("On 12th of July 1789 crowds came.", "en", "12th of July 1789", (1789, 7, 12)),
        ("It was signed on 2024-03-01 by both.", "en", "2024-03-01", (2024, 3, 1)),
        ("They met in Sept. 1999.", "en", "Sept. 1999", (1999, 9, 0)),
        ("一九七九年七月一日会议通过。", "zh", "一九七九年七月一日", (1979, 7, 1)),
        ("自2011年起施行。", "zh", "2011年", (2011, 0, 0)),
        ("二〇二〇年十二月公布。", "zh", "二〇二〇年十二月", (2020, 12, 0)),
    ],
)
def test_one_date(sentence, language, written, date):
    known = dated.dated(sentence, language)
    assert (known.written, known.date) == (written, date)
    assert known.blanked.replace(dated.BLANK, written) == sentence
    assert dated.read_date(normalise(written), language) == date


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("The 1990s were good.", "en"),
        ("It grew from 1981 to 1985.", "en"),
        ("As of December 31, 2023 and 2022, it held.", "en"),
        ("In 1500 cases it failed.", "en"),
        ("An army of 1500 men came.", "en"),
        ("It held $2,023 in March.", "en"),
        ("Since 1981, it grew; two years later it fell.", "en"),
        ("It met on 45 July 1981 and left.", "en"),
        ("They met from 24 to 26 March 2010 in the town.", "en"),
        ("1997年修订，1999年再修订。", "zh"),
        ("二十年后他回来了。", "zh"),
        ("1990年代很好。", "zh"),
        ("会议于2010年3月24日至26日在上海举行。", "zh"),
        ("会议于2010年3月24至26日在上海举行。", "zh"),
        ("会议于2010年3月至5月在上海举行。", "zh"),
    ],
)
def test_not_one_date(sentence, language):
    assert dated.dated(sentence, language) is None


def test_dates_of_unequal_precision_have_no_order():
    assert dated.comparable((1981, 0, 0), (1982, 3, 1))
    assert dated.comparable((1981, 3, 0), (1981, 4, 2))
    assert not dated.comparable((1981, 0, 0), (1981, 3, 0))
    assert not dated.comparable((1981, 3, 4), (1981, 3, 4))


def test_documents_with_dates():
    assert dated.holds_dates(excerpt(events).document) == 6
    assert dated.holds_dates(excerpt(prose).document) == 0


DATES = ["in ", "May ", "4, ", "x", " ", "19", "1999", "2001", "15", "年", " 年", "\n", "3", "of  ", "二〇〇一年"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(DATES), max_size=12).map("".join))
def test_years_that_date_something_in_plain_words(text):
    """Four digits from 1000 to 2999 behind a cue, or before the sign for a year."""
    builder = DocumentBuilder()
    builder.paragraph(f"x{text}")
    document = builder.build(source="x")
    shown = document.text
    years = {
        match[0]
        for match in re.finditer(r"[12]\d{3}(?!\d)", shown)
        if shown[match.end() :].startswith(("年", " 年"))
        or shown[max(0, match.start() - 10) : match.start()].lower().endswith(dated._CUES)
    }
    if document.language == "zh":
        years |= set(re.findall("[一二][〇○零一二三四五六七八九]{3}年", shown))
    assert dated.holds_dates(document) == len(years)


@pytest.mark.parametrize("name", ["HEADING_ORDER", "SENTENCE_ORDER", "TURN_ORDER", "STEP_ORDER", "DATE_ORDER"])
def test_three_wordings_in_both_languages(name):
    phrasings = getattr(dated if name == "DATE_ORDER" else ordering, name)
    assert len(set(phrasings.en)) == len(set(phrasings.zh)) == 3

"""T4 forms over tables and text: hand-computed golds, ambiguity, brute force, both languages."""

import random
import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import Record
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.construct import counting, distance, figures, numeric
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response


def built(builder, title):
    document = builder.build(source=f"{title}.md", title=title)
    return Excerpt(document, document.blocks)


def excerpt_of(text):
    builder = DocumentBuilder()
    builder.paragraph(text)
    return built(builder, "Numbers")


def table(title, names, rows, language="en"):
    builder = DocumentBuilder()
    builder.paragraph("这是一份关于各项数字的说明。" if language == "zh" else "These are the figures of the year.")
    builder.table(names, rows)
    return built(builder, title)


def rendered(*excerpts):
    marks = (f"【文档{i}】" if e.language == "zh" else f"[Document {i}] " for i, e in enumerate(excerpts, 1))
    return view.read("\n\n".join(f"{m}{e.document.title}\n{e.text}" for m, e in zip(marks, excerpts, strict=True)))


def every(form, excerpt, tries=40):
    """All candidates of a form, each checked: brute force, evidence, and the real reward."""
    found = [form(Scene((excerpt,), seed, random.Random(seed))) for seed in range(tries)]
    candidates = [candidate for candidate in found if isinstance(candidate, Candidate)]
    for candidate in candidates:
        assert candidate.solve(rendered(excerpt)) == list(candidate.gold)
        texts = [excerpt.document.slice(place.span) for place in candidate.evidence]
        assert all(any(proof.lower() in text.lower() for text in texts) for proof in candidate.proof)
        assert score(candidate, gold=True) == 1.0
    return candidates


def score(candidate, answer="", gold=False):
    capability = tasks.CAPABILITIES["T4"]
    record = Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": candidate.question}],
            "reward_model": {"ground_truth": {"golden_label": candidate.gold[0]}},
            "extra_info": {"metric": "math", **candidate.extra},
        }
    )
    return score_response(record, gold_response(record) if gold else f"\\boxed{{{answer}}}").value


SHOPS = [
    ["Aston", "North", "12", "1,500"],
    ["Barrow", "South", "40", "2,750"],
    ["Corby", "North", "31", "900"],
    ["Dover", "South", "55", "4,000"],
    ["Exeter", "South", "29", "1,250"],
    ["Fowey", "East", "8", "600"],
    ["Goole", "North", "77", "3,100"],
    ["Hull", "East", "64", "2,000"],
]
SALES = {row[0]: int(row[3].replace(",", "")) for row in SHOPS}
STAFF = {row[0]: int(row[2]) for row in SHOPS}
SHOP_TABLE = table("Shops", ["Shop", "Region", "Staff", "Sales"], SHOPS)
ASSETS = [
    ["Assets", "", ""],
    ["Cash", "$ 130", "$ 91"],
    ["Receivables", "128", "126"],
    ["Provisions", "(16)", "(20)"],
    ["Other", "—", "8"],
    ["Rate", "4.5%", "4.1%"],
    ["Total assets", "$ 242", "$ 205"],
]
ASSET_TABLE = table("Balance", ["", "2019", "2018"], ASSETS)


def test_difference_of_two_cells():
    candidates = every(numeric.cell_difference, SHOP_TABLE)
    assert len(candidates) == 40
    for candidate in candidates:
        # One wording names the rows in the order of the subtraction, as all do.
        one, other = re.findall(r'"Shop" is "(\w+)"', candidate.question)
        values = SALES if '"Sales"' in candidate.question else STAFF
        assert candidate.gold == (str(values[one] - values[other]),)
    assert {candidate.gold[0][0] == "-" for candidate in candidates} == {True, False}
    assert len({candidate.template for candidate in candidates}) == 3


def test_growth_between_year_columns():
    golds = set()
    for candidate in every(numeric.growth_rate, ASSET_TABLE):
        row = re.search(r'labelled "([\w ]+)"', candidate.question)[1]
        golds.add((row, *candidate.gold))
    # 39/91, 2/126, 37/205: nothing negative, missing, in percent, or without both years.
    assert golds == {("Cash", "42.9"), ("Receivables", "1.6"), ("Total assets", "18.0")}


def test_a_rounded_answer_may_have_more_decimals_but_not_be_another():
    candidate = next(c for c in every(numeric.growth_rate, ASSET_TABLE) if c.gold == ("42.9",))
    assert [score(candidate, answer) for answer in ("42.857", "42.9%", "42.86", "42.8", "43")] == [1, 1, 1, 0, 0]


def test_columns_that_differ_in_more_than_their_year_have_no_growth():
    shown = table(
        "Plan", ["Item", "2019 actual", "2020 planned"], [["a", "5", "9"], ["b", "7", "8"], ["c", "1", "2"]]
    )
    assert isinstance(numeric.growth_rate(Scene((shown,), 0, random.Random(0))), Unfit)


def test_share_of_the_total_row():
    golds = {c.gold[0] for c in every(numeric.share_of_total, ASSET_TABLE, 80)}
    # 130/242, 128/242, 91/205, 126/205, 8/205.
    assert golds == {"53.7", "52.9", "44.4", "61.5", "3.9"}


def test_share_of_the_sum_where_there_is_no_total():
    for candidate in every(numeric.share_of_total, SHOP_TABLE):
        shop = re.search(r'"Shop" is "(\w+)"', candidate.question)[1]
        values = SALES if '"Sales"' in candidate.question else STAFF
        assert Decimal(candidate.gold[0]) == round(Decimal(100 * values[shop]) / sum(values.values()), 1)


def condition_rows(question):
    """The shops that the condition of a question picks, by hand."""
    if found := re.search(r'"Region" is "(\w+)"', question):
        return [row for row in SHOPS if row[1] == found[1]]
    name, relation, bound = re.search(r'"(Staff|Sales)" is (greater|less) than ([\d,]+\d)', question).groups()
    values, limit = (STAFF if name == "Staff" else SALES), int(bound.replace(",", ""))
    return [row for row in SHOPS if (values[row[0]] > limit if relation == "greater" else values[row[0]] < limit)]


def test_sum_and_mean_over_the_rows_that_meet_a_condition():
    kinds = set()
    for candidate in every(numeric.total_where, SHOP_TABLE):
        column = re.search(r'(?:sum of|mean of|add up|average|their) "(\w+)"', candidate.question)[1]
        values = [(SALES if column == "Sales" else STAFF)[row[0]] for row in condition_rows(candidate.question)]
        mean = "mean" in candidate.question or "average" in candidate.question
        kinds.add(mean)
        expected = f"{Decimal(sum(values)) / len(values):.2f}" if mean else str(sum(values))
        assert candidate.gold == (expected,)
    assert kinds == {True, False}


def test_totals_are_never_added_up_twice():
    rows = [*SHOPS, ["Total", "", "316", "16,100"]]
    shown = table("Shops", ["Shop", "Region", "Staff", "Sales"], rows)
    for form in (numeric.total_where, numeric.rows_counted):
        assert isinstance(form(Scene((shown,), 0, random.Random(0))), Unfit)


def test_rows_are_counted_or_their_share_asked_for():
    for candidate in every(numeric.rows_counted, SHOP_TABLE):
        conditions = re.split(r" and (?=\")", candidate.question)
        if len(conditions) == 1:
            count = len(condition_rows(candidate.question))
            share = "percent" in candidate.question.lower()
            assert candidate.gold == (f"{Decimal(100 * count) / 8:.1f}" if share else str(count),)
        assert int(Decimal(candidate.gold[0])) >= 5


def test_row_numbers_give_no_condition():
    rows = [[f"name {n}", str(n), str(n * n % 17)] for n in range(1, 13)]
    shown = table("List", ["Name", "Place", "Points"], rows)
    assert not any('"Place" is' in c.question for c in every(numeric.rows_counted, shown))


def test_another_table_of_the_same_columns_leaves_the_question_open():
    candidate = every(numeric.cell_difference, SHOP_TABLE)[0]
    twice = rendered(SHOP_TABLE, SHOP_TABLE)
    with pytest.raises(LookupError):
        candidate.solve(twice)
    other = table("Fish", ["Shop", "Region", "Staff", "Sales"], [["Aston", "North", "1", "2"]] * 3)
    assert candidate.solve(rendered(other, SHOP_TABLE)) == list(candidate.gold)


def test_chinese_tables():
    rows = [["河北", "3,500", "4,200"], ["山西", "1,200", "900"], ["四川", "2,800", "3,010"]]
    shown = table("产量", ["省份", "2019年产量", "2020年产量"], rows, "zh")
    golds = {(re.search("“省份”为“(..)”", c.question)[1], c.gold[0]) for c in every(numeric.growth_rate, shown)}
    assert golds == {("河北", "20.0"), ("山西", "-25.0"), ("四川", "7.5")}
    assert len({c.template for c in every(numeric.growth_rate, shown)}) == 3


def test_numbers_as_plain_strings():
    assert figures.plain(Decimal("1E+3")) == "1000"
    assert figures.plain(Decimal("-0.50")) == "-0.5"
    assert figures.plain(Fraction(3, 8)) == "0.375"
    with pytest.raises(ValueError, match="no finite decimal"):
        figures.plain(Fraction(1, 3))
    assert figures.rounded(Fraction(-5, 2), 0) == "-3"
    assert figures.rounded(Fraction(1, 16), 1) == "0.1"
    assert figures.rounded(Fraction(-1, 100), 1) == "0.0"
    assert figures.gold_rounded(Fraction(225, 100), 1) is None
    assert figures.gold_rounded(Fraction(1, 2), 1) is None


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), st.integers(0, 3))
def test_rounding_stays_within_half_a_unit(above, below, places):
    value = Fraction(above, below)
    assert abs(Fraction(figures.rounded(value, places)) - value) <= Fraction(1, 2 * 10**places)


@given(st.integers(10, 10**7), st.integers(1, 2))
def test_the_tolerance_excludes_the_neighbours(units, places):
    gold = figures.rounded(Fraction(units, 10), places)
    share = Fraction(figures.tolerance(gold, places)["tolerance"])
    assert Fraction(1, 3 * 10**places) < share * Fraction(gold) < Fraction(1, 2 * 10**places)


TREES = ("willow", "poplar", "cedar")


def article(counts, language="en"):
    """Twelve sections; section n holds the first word in `counts[0]` of its paragraphs, and so on."""
    builder = DocumentBuilder()
    for n in range(12):
        builder.heading(f"Area {'ABCDEFGHIJKL'[n]} of the park" if language == "en" else f"园区{n}号", 2)
        for k in range(3):
            kinds = [word for word, held in zip(TREES, counts, strict=True) if 3 * n + k < held]
            text = f"Keeper number {n} {k} walks here and looks after the " + " and the ".join([*kinds, "gate"]) + "."
            builder.paragraph(text)
    return built(builder, "Park")


def test_counts_of_two_words_are_combined():
    shown = article((20, 12, 7))
    counts = {"willow": 20, "poplar": 12, "cedar": 7, "looks": 36, "keeper": 36, "number": 36, "walks": 36}
    operations = set()
    for candidate in every(counting.word_balance, shown):
        one, other = (counts[word] for word in candidate.proof)
        kind = (
            "share"
            if "percent" in candidate.question
            else "sum"
            if re.search("total|add up|plus", candidate.question)
            else "difference"
        )
        expected = {"difference": one - other, "sum": one + other, "share": Fraction(100 * one, one + other)}[kind]
        assert candidate.gold == (str(expected) if kind != "share" else figures.rounded(expected, 1),)
        operations.add(kind)
    assert operations == {"difference", "sum", "share"}


def test_shares_are_of_both_counts_and_words_of_mark_up_are_not_asked_for():
    assert all("occur together" not in wording for wording in counting.WORDS["share"].en)
    builder = DocumentBuilder()
    for n in range(8):
        builder.paragraph(f"The willow {{vocalsound}} and the poplar of area {n} <pause> stand beside the cedars.")
        builder.paragraph("See https://trees.example/poplar for the vocalsound of trees, a pause, and willow gates.")
    asked = {word for candidate in every(counting.word_balance, built(builder, "Park")) for word in candidate.proof}
    assert "willow" in asked
    assert asked.isdisjoint({"vocalsound", "pause", "poplar", "trees"})


def test_chinese_questions_say_that_parts_of_words_count():
    builder = DocumentBuilder()
    for n in range(14):
        builder.heading(f"第{n}园", 2)
        builder.paragraph("园丁修剪柳树，打扫道路。" if n < 6 else "园丁打扫道路，然后休息。")
    for form in (counting.paragraphs_with_word, counting.sections_with_word):
        found = every(form, built(builder, "公园"))
        assert found
        assert all("作为更长词语的一部分出现时也算" in candidate.question for candidate in found)


def test_nobody_has_to_go_through_too_many_lines():
    builder, dialogue = DocumentBuilder(), DocumentBuilder()
    for n in range(160):
        builder.paragraph("The willow stands here." if n < 30 else "The keeper walks here.")
        dialogue.turn("Ada" if n % 8 else "Bob", f"We should talk about plan {n}.")
    assert every(counting.paragraphs_with_word, built(builder, "Park")) == []
    assert every(counting.turns_of_speaker, built(dialogue, "Talk")) == []


def test_words_inside_longer_words_are_not_counted():
    builder = DocumentBuilder()
    for n in range(8):
        builder.paragraph(f"The willow and the willowherb of area {n} stand beside a poplar and the poplar's gate.")
        builder.paragraph("The willowherb grows beside the fence.")
    asked = {word for candidate in every(counting.word_balance, built(builder, "Park")) for word in candidate.proof}
    assert asked
    assert asked.isdisjoint({"willow", "poplar"})


def test_paragraphs_with_a_word():
    shown = article((20, 12, 7))
    held = {"willow": 20, "poplar": 12, "cedar": 7}
    for candidate in every(counting.paragraphs_with_word, shown):
        count = held[candidate.proof[0]]
        share = "percent" in candidate.question
        assert share or count >= 10
        assert candidate.gold == (figures.rounded(Fraction(100 * count, 36), 1) if share else str(count),)


def test_sections_with_a_word():
    # 20 paragraphs of three per section stand in 7 sections, 12 in 4, 7 in 3.
    golds = {(c.proof[0], c.gold[0]) for c in every(counting.sections_with_word, article((20, 12, 7)))}
    assert golds <= {("willow", "58.3"), ("poplar", "33.3"), ("cedar", "25.0")}
    assert len(golds) == 3


def test_a_paragraph_that_looks_like_a_heading_is_not_counted():
    builder = DocumentBuilder()
    for n in range(20):
        builder.paragraph(f"# Keeper {n} looks after the willow.")
    for form in (counting.paragraphs_with_word, distance.paragraphs_apart):
        assert isinstance(form(Scene((built(builder, "Park"),), 0, random.Random(0))), Unfit)


def test_paragraphs_between_two_headings():
    for candidate in every(distance.paragraphs_between, article((20, 12, 7))):
        one, other = ("ABCDEFGHIJKL".index(name[5]) for name in candidate.proof)
        assert candidate.gold == (str(3 * (other - one)),)
        assert int(candidate.gold[0]) >= 5


def test_paragraphs_between_two_paragraphs():
    words = ["apple", "birch", "cedar", "dune", "elm", "fern", "grove", "heath", "isle", "jade", "kelp", "lane"]
    builder = DocumentBuilder()
    for word in words:
        builder.paragraph(f"A {word} stands by the old road and nobody knows who put it there.")
    builder.heading("The end", 2)
    shown = built(builder, "Road")
    for candidate in every(distance.paragraphs_apart, shown):
        one, other = (words.index(text.split()[1]) for text in candidate.proof)
        assert candidate.gold == (str(other - one - 1),)
        assert candidate.once == candidate.proof


def test_a_second_paragraph_of_the_same_beginning_is_a_second_answer():
    words = ["apple", "birch", "cedar", "dune", "elm", "fern", "grove", "heath", "isle"]
    builder, again = DocumentBuilder(), DocumentBuilder()
    for word in words:
        builder.paragraph(f"A {word} stands by the old road and nobody knows who put it there.")
    candidate = every(distance.paragraphs_apart, built(builder, "Road"))[0]
    for word in (*words, words[-1], words[-2], words[-3]):
        again.paragraph(f"A {word} stands by the old road and nobody knows who put it there.")
    assert len(candidate.solve(rendered(built(again, "Road")))) > 1


def meeting(language="en"):
    builder = DocumentBuilder()
    names = ("主持人", "张工", "李经理") if language == "zh" else ("Chair", "Design", "Design Lead")
    for n in range(60):
        name = names[0] if n % 6 == 0 else names[1] if n % 2 else names[2]
        said = f"我们讨论第{n}个方案的细节。" if language == "zh" else f"We should talk about plan number {n} now."
        builder.turn(name, said)
    return built(builder, "会议" if language == "zh" else "Meeting"), dict(zip(names, (10, 30, 20), strict=True))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_turns_of_speakers(language):
    shown, turns = meeting(language)
    golds = set()
    for candidate in every(counting.turns_of_speaker, shown):
        one, *rest = (turns[name] for name in candidate.proof)
        share = not rest
        allowed = {figures.rounded(Fraction(100 * one, 60), 1)} if share else {str(one - rest[0]), str(one + rest[0])}
        assert candidate.gold[0] in allowed
        golds.add(candidate.gold[0])
    # A speaker with half of all turns is not asked about.
    assert golds == {"-20", "-10", "10", "20", "30", "40", "50", "16.7", "33.3"}


def dated_text(language="en"):
    builder = DocumentBuilder()
    if language == "zh":
        builder.paragraph("1949年，这座城市的第一座大桥在北岸动工修建。城里的老人都说河水很深。")
        builder.paragraph("市政府于1987年5月3日把图书馆迁到了南岸的新楼里面。")
    else:
        builder.paragraph("The first bridge of the town was opened by the mayor in 1904. It still stands today.")
        builder.paragraph("On 3 May 1951 the town council moved the public library to the south bank.")
    builder.paragraph("没有别的日期了。" if language == "zh" else "There is no other date in this text.")
    return built(builder, "桥" if language == "zh" else "Bridges")


def test_years_between_two_dated_sentences():
    for language, gold in (("en", "47"), ("zh", "38")):
        candidates = every(counting.years_between, dated_text(language))
        assert {candidate.gold for candidate in candidates} == {(gold,)}
        for candidate in candidates:
            assert "19" not in candidate.question
            assert len(candidate.once) == 2


def test_a_sentence_that_fits_a_blank_twice_is_a_second_answer():
    shown = dated_text()
    candidate = every(counting.years_between, shown)[0]
    more = DocumentBuilder()
    for block in shown.blocks:
        more.paragraph(shown.content(block))
    more.paragraph("The first bridge of the town was opened by the mayor in 1911. So some say.")
    assert candidate.solve(rendered(built(more, "Bridges"))) == ["40", "47"]


def test_criteria_count_what_the_forms_need():
    assert counting.holds_turns(meeting()[0].document) == 60
    assert counting.holds_turns(article((1, 1, 1)).document) == 0
    assert counting.holds_years(dated_text().document) == 2


YEARS = ["1850", "1999", "2024", "19", "20", "18", "1", "0", "²", "９", "%", ",", " ", "x", "年"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(YEARS), max_size=60).map("".join))
def test_numbers_that_read_like_years(text):
    """Four digits from 1800 to 2099, no part of a longer number and no percentage; at most twenty are counted."""
    builder = DocumentBuilder()
    builder.paragraph(f"x{text}")
    shown = builder.build(source="x").text
    places = [at for at in range(1, len(shown)) if re.match(r"(?:18|19|20)\d\d(?![\d%])", shown[at:])]
    found = sum(not shown[at - 1].isdigit() for at in places)
    assert counting.holds_years(excerpt_of(shown).document) == min(20, found)


def test_a_look_for_years_among_many_numbers_ends():
    """Two thousand numbers are looked at, those with 19 first."""
    assert counting.holds_years(excerpt_of("20.5 1999 " * 1_000).document) == 20
    assert counting.holds_years(excerpt_of("190 " * 1_998 + "2024 " * 9).document) == 2

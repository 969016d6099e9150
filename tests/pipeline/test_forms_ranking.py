"""Graded ranking: the order of counts and numbers, and no question where two of them are equal."""

import functools

import pytest
import scenes
from scenes import every, excerpt, only, shown

from golongrl.pipeline.dataset.construct import ranking
from golongrl.pipeline.dataset.construct.form import Unfit

check = functools.partial(scenes.check, "ndcg")
score = functools.partial(scenes.score, "ndcg")


def counted(texts):
    def fill(builder):
        builder.heading("T", 1)
        for name, text in texts.items():
            builder.heading(name, 2)
            builder.paragraph(text)

    return excerpt(fill)


MAPLES = {"One": "maple maple maple.", "Two": "maple oaken.", "Three": "maple maple oaken.", "Four": "elm."}


def test_headings_by_count():
    found = every(ranking.headings_by_count, counted(MAPLES))
    assert {candidate.gold for candidate in found} == {("One", "Three", "Two")}
    check(found[0], counted(MAPLES))
    assert score(found[0], "[Answer]\nTwo\nThree\nOne") < 1
    assert found[0].listed == ()


def test_equal_counts_are_no_ranking():
    tie = {**MAPLES, "Two": "maple maple oaken."}
    reason = "no word with a different count below each of three to eight headings"
    assert only(ranking.headings_by_count, counted(tie)) == Unfit(reason)
    (candidate, *_) = every(ranking.headings_by_count, counted(MAPLES))
    with pytest.raises(LookupError, match="equal counts"):
        candidate.solve(shown(counted(tie)))


def test_a_word_inside_a_longer_one_is_not_counted():
    longer = {**MAPLES, "Four": "maples."}
    assert every(ranking.headings_by_count, counted(longer)) == []


def test_a_word_of_mark_up_is_not_counted():
    marked = {**MAPLES, "Four": "{maple}"}
    assert every(ranking.headings_by_count, counted(marked)) == []


def test_ties_below_the_top_do_not_matter():
    assert ranking.top({"a": 9, "b": 7, "c": 5, "d": 2, "e": 2}) == ["a", "b", "c"]
    assert ranking.top({"a": 9, "b": 9, "c": 5, "d": 2}) is None
    assert ranking.top({"a": 3, "b": 2, "c": 1, "d": 0}) == ["a", "b", "c"]
    assert ranking.top({"a": 3, "b": 2}) is None
    assert ranking.top({str(n): n for n in range(1, 13)}) == [str(n) for n in range(12, 4, -1)]


def paper(title, text):
    return excerpt(lambda builder: builder.paragraph(text), title)


def test_titles_by_count():
    texts = ["harbour " * 3, "harbour harbour meadow.", "meadow and one harbour.", "granite only."]
    scene = [paper(f"Paper {letter}", text) for letter, text in zip("ABCD", texts, strict=True)]
    found = every(ranking.titles_by_count, *scene)
    assert {candidate.gold for candidate in found} == {("Paper A", "Paper B", "Paper C")}
    check(found[0], *scene)
    assert found[0].proof == ("harbour",)
    # One more document with the word breaks the tie-free order, or adds to it.
    with pytest.raises(LookupError, match="equal counts"):
        found[0].solve(shown(*scene, paper("Paper E", "a harbour.")))
    with pytest.raises(LookupError, match="another document"):
        found[0].solve(shown(*scene, paper("Paper E", "harbour " * 9)))


def test_a_word_of_a_title_is_not_counted():
    texts = ["harbour " * 3, "harbour harbour.", "one harbour.", "granite."]
    scene = [paper(f"Harbour {letter}", text) for letter, text in zip("ABCD", texts, strict=True)]
    assert every(ranking.titles_by_count, *scene) == []


SIZES = {"ant": 3, "bee": 9, "crab": 7, "dog": 5, "eel": 1, "fox": 6}


def table(sizes):
    return excerpt(lambda builder: builder.table(["animal", "size"], [(k, str(v)) for k, v in sizes.items()]))


def test_rows_by_number():
    found = every(ranking.rows_by_number, table(SIZES))
    order = sorted(SIZES, key=SIZES.get)
    golds = {candidate.gold for candidate in found}
    assert golds == {tuple(way[:size]) for way in (order, order[::-1]) for size in (3, 4)}
    for candidate in found:
        check(candidate, table(SIZES))
        most = "highest" if SIZES[candidate.gold[0]] == 9 else "lowest"
        assert most in candidate.question


def test_ties_and_sorted_columns_are_no_ranking():
    reason = "no column of numbers, in another order than the rows, without ties at its ends"
    assert only(ranking.rows_by_number, table({k: n // 4 for n, k in enumerate(SIZES)})) == Unfit(reason)
    assert only(ranking.rows_by_number, table({k: n for n, k in enumerate(SIZES)})) == Unfit(reason)


def test_tables_with_totals_are_not_ranked():
    total = {"ant": 300, "bee": 900, "crab": 700, "dog": 500, "Total": 2400}
    assert "totals" in only(ranking.rows_by_number, table(total)).reason


def talk(turns):
    def fill(builder):
        for number, who in enumerate(turns):
            builder.turn(who, f"This is number {number}.")

    return excerpt(fill, "M")


def test_speakers_by_turns():
    candidate = only(ranking.speakers_by_turns, talk("ABCABACAB"))
    check(candidate, talk("ABCABACAB"))
    assert candidate.gold == ("A", "B", "C")
    assert only(ranking.speakers_by_turns, talk("ABCABA")).gold == ("A", "B", "C")
    assert only(ranking.speakers_by_turns, talk("ABCAB")) == Unfit("two speakers have as many turns")
    assert only(ranking.speakers_by_turns, talk("ABAAB")) == Unfit("fewer than three speakers")


def test_headings_by_items():
    def lists(builder, sizes=(4, 2, 6, 0)):
        for name, size in zip("PQRS", sizes, strict=True):
            builder.heading(f"Part {name}", 2)
            builder.paragraph("These are the things.")
            for number in range(size):
                builder.item(f"thing {number} of {name}", ord(name))

    candidate = only(ranking.headings_by_items, excerpt(lists))
    check(candidate, excerpt(lists))
    assert candidate.gold == ("Part R", "Part P", "Part Q")
    tie = excerpt(lambda builder: lists(builder, (4, 2, 4, 0)))
    assert "different numbers" in only(ranking.headings_by_items, tie).reason


def test_chinese_counts():
    def law(builder):
        for name, times in (("登记", 3), ("租赁", 1), ("期限", 2), ("附件", 0)):
            builder.heading(name, 2)
            builder.paragraph("；".join(["合同应当写明用途"] * times) or "没有规定。")

    found = every(ranking.headings_by_count, excerpt(law, "办法"))
    assert found
    for candidate in found:
        check(candidate, excerpt(law, "办法"))
        assert candidate.gold == ("登记", "期限", "租赁")


@pytest.mark.parametrize("name", [name for name in vars(ranking) if name.isupper() and "_BY_" in name])
def test_three_wordings_in_both_languages(name):
    phrasings = getattr(ranking, name)
    assert len(set(phrasings.en)) == len(set(phrasings.zh)) == 3

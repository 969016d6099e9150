import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.errors import UsageError
from golongrl.core.text import (
    answer_area,
    final_text,
    is_chinese,
    item_forms,
    lines,
    normalise,
    normalise_item,
    unwrap,
)


@pytest.mark.parametrize(
    ("response", "think", "text", "closed"),
    [
        ("<think>a</think>Paris", "auto", "Paris", True),
        ("a</think>Paris", "auto", "Paris", True),
        ("a</think>Paris", "required", "Paris", True),
        ("<think>a</think>b</think>Paris", "required", "Paris", True),
        ("<think>a<think>b</think>Paris", "required", "Paris", True),
        ("Paris", "auto", "Paris", True),
        ("Paris", "optional", "Paris", True),
        ("Paris", "required", "", False),
        ("<think>Paris", "auto", "", False),
        ("<think>Paris", "optional", "", False),
        ("<think>a</think><think>Paris", "required", "", False),
        ("", "auto", "", True),
        ("", "required", "", False),
    ],
)
def test_final_text(response, think, text, closed):
    final = final_text(response, think)
    assert (final.text, final.closed) == (text, closed)


def test_an_unknown_think_mode_is_an_error():
    with pytest.raises(UsageError, match="required, optional, auto"):
        final_text("x", "yes")


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("Based on it:\n[Answer]\nB", "\nB"),
        ("[answer] B", " B"),
        ("[Answer]: B", " B"),
        ("[答案]：北京", "北京"),
        ("【答案】\nB", "\nB"),
        ("［Answer］B", "B"),
        ("**[Answer]** B", " B"),
        ("**[Answer]:** B", " B"),
        ("**[Answer]**: B", " B"),
        ("**Final [Answer]** B", " B"),
        ("[Answer] **Paris**", "**Paris**"),
        ("**[Answer] Paris**\nnext", "Paris\nnext"),
        ("[Answer] one\n[答案] two", " two"),
        ("[答案] one\n[Answer] two", " two"),
        ("x [Answer][Answer]", ""),
    ],
)
def test_the_answer_area_follows_the_last_marker(text, area):
    found, marked = answer_area(text)
    assert (found.strip(" "), marked) == (area.strip(" "), True)


def test_without_a_marker_the_whole_text_counts():
    assert answer_area("no answer here") == ("no answer here", False)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("**Paris**", "Paris"),
        ('"Paris."', "Paris"),
        ('"Paris".', "Paris"),
        ("`Paris`", "Paris"),
        ("“北京”。", "北京"),
        ("「北京」", "北京"),
        ("Paris...", "Paris..."),
        ('"a" and "b"', '"a" and "b"'),
        (".", "."),
        ("**", "**"),
    ],
)
def test_unwrap(raw, plain):
    assert unwrap(raw) == plain


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("- Acme Corp", "acme corp"),
        ("* Acme", "acme"),
        ("• Acme", "acme"),
        ("1. Acme", "acme"),
        ("12) Acme", "acme"),
        ("(3) Acme", "acme"),
        ("1、北京", "北京"),
        ("（２）北京。", "北京"),
        ("1.北京", "北京"),
        ("①北京", "北京"),
        ("- 1. Acme", "acme"),
        ("**1. Acme**", "acme"),
        ("**1.** Acme", "acme"),
        ("1. **Acme.**", "acme"),
        ("Ａ１", "a1"),
        ("  two   words ", "two words"),
        ("STRASSE ß", "strasse ss"),
        # Content, not numbering or bullets.
        ("3.x", "3.x"),
        ("1.5 kg", "1.5 kg"),
        ("-5", "-5"),
        ("2019. A year", "2019. a year"),
        ("4.", "4"),
        ("-", "-"),
    ],
)
def test_normalise_item(line, item):
    assert normalise_item(line) == item


def test_lines_drop_blanks_and_keep_the_first_of_duplicates():
    assert lines("- b\r\n\r\n2. A\n\n a.\nB") == ["b", "a"]


def test_only_newlines_end_a_line():
    assert lines("a\x0cb\u2028c") == ["a b c"]


def test_the_first_form_keeps_the_number():
    assert item_forms("- 2. Scope") == ["2. scope", "scope"]
    assert item_forms("Scope") == ["scope"]


def test_chinese_is_told_by_its_share_of_letters():
    assert is_chinese("今天天气不错 ok")
    assert not is_chinese("The word 北京 in an English sentence of some length")
    assert not is_chinese("123")


@given(st.text("a1 é，。あ豈更\u3400\u4dc0一鿿ꀀ\ue000\ud800\U00020000", max_size=12))
def test_a_text_is_chinese_from_a_fifth_of_han_among_its_letters(text):
    han = sum("\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" for char in text)
    assert is_chinese(text) == (han > 0 and han >= 0.2 * sum(map(str.isalpha, text)))


AWKWARD = st.text(
    "，：；？！（）％．…\u3000\xa0＝=<＞\u0338\u0301\u3099\u200d가각ᄀ\u1161か①ﬁÅ\u212ba漢", max_size=12
)


@settings(deadline=None)
@given(AWKWARD)
def test_what_is_replaced_first_leaves_the_normal_form_as_it_is(text):
    plain = unicodedata.normalize("NFKC", text).replace("\u200d", "")
    assert normalise(text) == " ".join(plain.casefold().split())


@settings(deadline=None)
@given(st.text())
def test_normalising_never_fails_and_ignores_surrounding_space(text):
    assert normalise(f"  {text}\n") == normalise(text)
    assert normalise_item(text) == item_forms(text)[-1]


@settings(deadline=None)
@given(st.text(), st.text())
def test_thinking_in_front_changes_nothing(thinking, answer):
    answer = answer.replace("<think>", "").replace("</think>", "")
    assert final_text(f"<think>{thinking}</think>{answer}", "required").text == answer

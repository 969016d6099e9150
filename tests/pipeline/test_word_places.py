"""Shortcuts in looking for many words find what plain counting finds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import excerpt

from golongrl.pipeline.dataset.construct.word_places import SHORT, Words, finder

EN = st.lists(st.sampled_from(["maple", "maples", "map", "oaken", "İ", "é", "'", "-", "3", "\n", ". "]), max_size=40)
ZH = st.lists(st.sampled_from(["长江", "大桥", "江大", "长", "桥", "。", "\n", "a"]), max_size=40)
WORDS = {
    "en": ["maple", "maples", "oaken", "aplesmaple", "elmwood"],
    "zh": ["长江", "江大", "长江大桥", "桥长", "大江"],
}


def shown(language, parts, repeats=1):
    # The first words settle the language, and that there is something to show.
    start = "这是一座城市的介绍。" if language == "zh" else "Trees of this town."
    found = excerpt(lambda builder: [builder.paragraph(start), builder.paragraph("".join(parts) * repeats)])
    assert found.language == language
    return found


@pytest.mark.parametrize(("language", "texts"), [("en", EN), ("zh", ZH)])
def test_a_finder_says_what_in_says(language, texts):
    @settings(deadline=None)
    @given(texts.map("".join))
    def check(text):
        holds = finder(text.lower(), language)
        assert [holds(word) for word in WORDS[language]] == [word in text.lower() for word in WORDS[language]]

    check()


@pytest.mark.parametrize("repeats", [1, SHORT])
@pytest.mark.parametrize(("language", "parts"), [("en", ["maples ", "oaken "]), ("zh", ["长江大桥", "。"])])
def test_frequent_words_of_short_and_long_texts(language, parts, repeats):
    words = Words(shown(language, parts, repeats))
    for low, high in ((1, 1), (2, SHORT), (SHORT, SHORT), (0, 0)):
        expected = [word for word in WORDS[language] if low <= words.text.count(word) <= high]
        assert list(words.often(WORDS[language], low, high)) == expected


@settings(deadline=None)
@given(st.sampled_from([("en", EN), ("zh", ZH)]).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1])))
def test_frequent_words_are_those_counted_one_by_one(drawn):
    language, parts = drawn
    words = Words(shown(language, parts))
    for low, high in ((1, 3), (3, 300)):
        expected = [word for word in WORDS[language] if low <= words.text.count(word) <= high]
        assert list(words.often(WORDS[language], low, high)) == expected


def test_words_are_sampled_from_places_of_a_long_text():
    """Ten pieces of a thousand characters each out of a text of 27,000 whose words differ from line to line."""
    names = ["".join(pair) for pair in zip("abcdefghijkl", ["omarine"] * 12, strict=True)]
    text = "".join(f"{name} " * 250 for name in names)
    words = Words(excerpt(lambda builder: builder.paragraph(text)))
    found = words.sample(random.Random(0), pieces=10)
    # A piece may be cut within a word, which leaves the rest of it.
    assert set(names) & set(found)
    assert all(any(word in name for name in names) for word in found)
    assert len(found) == len(set(found))

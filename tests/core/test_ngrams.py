"""Words and n-grams: what counts as the same word, and an index that finds exactly what sets of tuples find."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import ngrams, words
from golongrl.core.errors import DataError

NAMES = ["mill", "river", "stone", "gate", "clerk", "wheel", "barn", "field"]


def built(folder, texts, n, **options):
    ngrams.build(folder, list(enumerate(texts)), n, **options)
    return ngrams.load(folder)


def found(index, text):
    at, gram = index.find(index.split(text))
    return [
        (place, index.gram(int(index.first[number])))
        for place, number in zip(at.tolist(), gram.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, THE café!", "don t stop the cafe"),
        ("cafe\u0301 ﬁne straße ½ Ⅳ", "cafe fine strasse 1 2 iv"),
        ("1,000.5 x_1", "1 000 5 x 1"),
        ("磨坊abc在河边，か゛", "磨 坊 abc 在 河 边 か"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("한국어 문장", "한국어 문장"),
        (" ...\n\ud800 ", ""),
    ],
)
def test_words_are_compared_without_case_forms_and_punctuation(text, expected):
    assert words.split(text).texts() == expected.split()


def test_spans_point_into_the_text_as_it_was_written():
    text = "“Ⅳ ﬁne cafe\u0301s, 磨坊!”"
    split = words.split(text)
    assert [text[slice(*split.span(number, 1))] for number in range(len(split))] == [
        "Ⅳ",
        "ﬁne",
        "cafe\u0301s",
        "磨",
        "坊",
    ]
    assert text[slice(*split.span(1, 3))] == "ﬁne cafe\u0301s, 磨"


@given(st.text(alphabet="aB é\u0301ﬁß½磨か한-,.\n\u200b", max_size=60))
def test_hashes_depend_on_the_words_alone(text):
    split = words.split(text)
    again = words.split(" ".join(split.texts()))
    assert again.texts() == split.texts()
    assert np.array_equal(again.hashes, split.hashes)
    equal = {}
    for word, code in zip(split.texts(), split.hashes.tolist(), strict=True):
        assert equal.setdefault(word, code) == code
    assert len(set(equal.values())) == len(equal)


def test_a_text_longer_than_a_block_splits_like_its_parts():
    parts = [" ".join(random.Random(number).choices(NAMES, k=9_000)) for number in range(3)]
    whole = words.split("\n".join([*parts, "x" * 200_000, "end"]))
    assert np.array_equal(whole.hashes[:-2], np.concatenate([words.split(part).hashes for part in parts]))
    assert whole.texts()[-1] == "end"
    assert whole.hashes[-1] == words.split("end").hashes[0]


@given(st.lists(st.text(alphabet="ab é磨-\u0301½", max_size=8), min_size=1, max_size=6))
def test_several_texts_split_as_each_alone(texts):
    together, bounds = words.split_all(texts)
    own = [words.split(text).texts() for text in texts]
    assert [together.texts()[bounds[i] : bounds[i + 1]] for i in range(len(texts))] == own


@given(
    texts=st.lists(st.lists(st.sampled_from(["a", "b", "cc", "磨", "坊"]), max_size=12), max_size=6),
    asked=st.lists(st.lists(st.sampled_from(["a", "b", "cc", "磨", "x"]), max_size=10), min_size=1, max_size=4),
    n=st.integers(1, 4),
    bits=st.sampled_from([2, 4, 64]),
    run=st.sampled_from([1, 6, 1_000]),
    merged=st.sampled_from([1, 7, 1_000]),
)
@settings(max_examples=150, deadline=None)
def test_the_index_is_the_set_of_all_ngrams(tmp_path_factory, texts, asked, n, bits, run, merged):
    folder = tmp_path_factory.mktemp("index")
    index = built(folder, [" ".join(text) for text in texts], n, anchor=1, bits=bits, run=run, merged=merged)
    rows: dict[tuple[str, ...], set[int]] = {}
    for row, text in enumerate(texts):
        for start in range(len(text) - n + 1):
            rows.setdefault(tuple(text[start : start + n]), set()).add(row)
    held = {index.gram(int(first)): int(count) for first, count in zip(index.first, index.rows, strict=True)}
    assert held == {" ".join(gram): len(places) for gram, places in rows.items()}
    for text in asked:
        grams = [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]
        assert found(index, " ".join(text)) == [(i, " ".join(gram)) for i, gram in enumerate(grams) if gram in rows]
    together, bounds = words.split_all([" ".join(text) for text in asked], bits)
    at, _ = index.find(together, bounds)
    assert len(at) == sum(len(found(index, " ".join(text))) for text in asked)


@given(
    texts=st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=6), min_size=1, max_size=6),
    asked=st.lists(st.sampled_from("abx"), min_size=2, max_size=9),
    bits=st.sampled_from([3, 64]),
)
@settings(max_examples=100, deadline=None)
def test_whole_texts_are_found_within_each_other(tmp_path_factory, texts, asked, bits):
    index = built(tmp_path_factory.mktemp("index"), [" ".join(text) for text in texts], 5, anchor=2, bits=bits)
    split = index.split(" ".join(asked))
    starts = np.cumsum([0, *map(len, texts)]).tolist()
    inside = [
        start + offset
        for start, text in zip(starts, texts, strict=False)
        for offset in range(len(text) - len(asked) + 1)
        if text[offset : offset + len(asked)] == asked
    ]
    assert sorted(index.inside(split).tolist()) == inside
    whole = sorted(
        (offset, number)
        for number, text in enumerate(texts)
        if 2 <= len(text) < 5
        for offset in range(len(asked) - len(text) + 1)
        if asked[offset : offset + len(text)] == text
    )
    at, text = index.whole(split)
    assert sorted(zip(at.tolist(), text.tolist(), strict=True)) == whole


def test_a_text_that_reaches_from_one_text_into_the_next_is_not_inside(tmp_path):
    index = built(tmp_path / "index", ["mill river", "stone gate", "mill river stone"], 5, anchor=2)
    assert index.inside(index.split("mill river stone")).tolist() == [4]
    assert index.inside(index.split("river stone gate")).tolist() == []


def test_equal_hashes_of_different_words_never_count(tmp_path):
    # With 1 bit every word shares its hash with half of the others.
    known = " ".join(NAMES)
    index = built(tmp_path / "index", [known], 3, bits=1)
    assert len(index) == 6
    assert found(index, "one two three four five six seven eight") == []
    assert found(index, "the stone gate clerk wheel") == [(1, "stone gate clerk"), (2, "gate clerk wheel")]


def test_a_hash_collision_keeps_both_ngrams_and_their_rows(tmp_path):
    index = built(tmp_path / "index", ["mill river", "stone gate", "mill river", "stone gate stone gate"], 2, bits=1)
    held = {index.gram(int(first)): int(count) for first, count in zip(index.first, index.rows, strict=True)}
    assert held == {"mill river": 2, "stone gate": 2, "gate stone": 1}


def test_an_incomplete_index_is_refused(tmp_path):
    built(tmp_path / "index", ["mill river stone gate"], 2)
    file = tmp_path / "index" / "hashes.bin"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(DataError, match="cut off"):
        ngrams.load(tmp_path / "index")
    (tmp_path / "index" / "meta.json").unlink()
    with pytest.raises(DataError, match="no complete index"):
        ngrams.load(tmp_path / "index")


def test_an_index_of_nothing_finds_nothing(tmp_path):
    index = built(tmp_path / "index", ["", "..."], 2, anchor=1)
    assert len(index) == 0
    assert found(index, "mill river stone") == []
    assert len(index.inside(index.split("mill"))) == 0

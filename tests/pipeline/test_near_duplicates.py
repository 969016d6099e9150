"""Near duplicates: signatures estimate the Jaccard similarity of shingles, and groups keep the first of several."""

import random
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.near_duplicates import bands, groups, question_signature, signature, similarity

VOCABULARY = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "nrst"]
HAN = "今天气不错我们去公园散步看到了许多美丽的花朵和可爱小动物市场增长成本下降管理层预计收入继续扩大"


def jaccard(first, second, width):
    """Exact similarity of the shingles of two lists of words."""
    one, two = ({tuple(w[i : i + width]) for i in range(len(w) - width + 1)} for w in (first, second))
    return len(one & two) / len(one | two)


def edited(words, count, rng, vocabulary):
    changed = list(words)
    for place in rng.sample(range(len(words)), count):
        changed[place] = rng.choice(vocabulary)
    return changed


@pytest.mark.parametrize(("edits", "words"), [(1, 200), (6, 300), (20, 300)])
def test_estimates_agree_with_exact_similarity(edits, words):
    rng = random.Random(edits)
    scores = []
    for _ in range(60):
        one = rng.choices(VOCABULARY, k=words)
        two = edited(one, edits, rng, VOCABULARY)
        exact = jaccard(one, two, 5)
        estimate = similarity(signature(" ".join(one), "en"), signature(" ".join(two), "en"))
        scores.append((estimate - exact) / np.sqrt(exact * (1 - exact) / 128))
    # Standard normal when the estimate is unbiased and has the variance of 128 independent permutations.
    assert abs(np.mean(scores)) < 0.5
    assert 0.7 < np.std(scores) < 1.3


def test_chinese_shingles_are_characters():
    rng = random.Random(3)
    one = rng.choices(HAN, k=1_000)
    two = edited(one, 12, rng, HAN)
    exact = jaccard(one, two, 8)
    estimate = similarity(signature("".join(one), "zh"), signature("，".join(two), "zh"))
    assert estimate == pytest.approx(exact, abs=0.15)
    assert 0.7 < exact < 1


def test_the_signature_is_the_same_in_every_process():
    text = "The mill stands by the river, 河边的磨坊。" * 50
    code = (
        "from golongrl.pipeline.dataset.near_duplicates import signature;"
        f"print(signature({text!r}, 'en').tobytes().hex())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert shown == signature(text, "en").tobytes().hex()


def test_the_signature_in_plain_integers():
    words = ["the", "mill", "stands", "by", "the", "old", "river", "bank"]

    def mixed(value):
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
        return value ^ (value >> 31)

    hashes = [sum(ord(char) * pow(0x9E3779B97F4A7C15, at, 2**64) for at, char in enumerate(word)) for word in words]
    shingles = []
    for start in range(len(words) - 4):
        rolled = 0
        for value in hashes[start : start + 5]:
            rolled = (rolled * 0xD1342543DE82EF95 + value) % 2**64
        shingles.append(mixed(rolled) >> 32 | 1)
    factors = [mixed(number * 0x9E3779B97F4A7C15 % 2**64) >> 32 | 1 for number in range(1, 129)]
    wanted = [min(factor * shingle % 2**32 for shingle in shingles) for factor in factors]
    assert signature(" ".join(words), "en").tolist() == wanted


@pytest.mark.parametrize(
    "other",
    [
        "THE OFFICE IS FINE; it's by the river bank now",
        "## The office is fine\n\n- it’s by the river\n- bank now",
        "The of\xadfice is ﬁne, it's  by\tthe ri\xadver bank, now!",
        "Ｔｈｅ office is fine. It's by the river bank now.",
    ],
)
def test_case_markup_and_compatibility_forms_make_no_difference(other):
    assert similarity(signature("The office is fine. It's by the river bank now.", "en"), signature(other, "en")) == 1


def test_accents_compare_composed_and_decomposed():
    assert similarity(signature("le café près du môle", "en"), signature("le café près du môle", "en")) == 1


COMPOSING = "abeioE ,.-é\u0301\u0308ßﬁ\u00ad\u200b，中文、가\u1100\u1161\u0b47\u0b3e\U0001f600"


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from(COMPOSING), max_size=60))
def test_any_text_signs_like_its_composed_form(text):
    composed = unicodedata.normalize("NFC", text)
    assert (signature(text, "en") == signature(composed, "en")).all()


def test_a_character_that_composes_with_the_one_before_is_never_taken_as_it_is():
    table = near_duplicates._folded()
    parts = (unicodedata.decomposition(chr(code)).split() for code in range(0x110000))
    seconds = {int(two[1], 16) for two in parts if len(two) == 2 and not two[0].startswith("<")}
    combining = {code for code in range(0x110000) if unicodedata.combining(chr(code))}
    assert all(table[code] >= near_duplicates._MARKED for code in seconds | combining)


def test_signing_leaves_the_settings_of_numpy_alone():
    before = np.getbufsize()
    signature("The mill stands by the old river bank.", "en")
    assert np.getbufsize() == before


def test_short_and_empty_texts():
    assert similarity(signature("two words", "en"), signature("two words.", "en")) == 1
    assert similarity(signature("two words", "en"), signature("words two", "en")) < 0.2
    empty = signature("!!! ---", "en")
    assert (empty == 0xFFFFFFFF).all()
    assert groups(np.stack([empty, empty, signature("a", "en")])).tolist() == [-1, -1, -1]


def test_pieces_give_what_the_whole_gives(monkeypatch):
    rng = random.Random(5)
    text = " ".join(rng.choices(VOCABULARY, k=3_000)) + "".join(rng.choices(HAN, k=3_000)) + " ﬁn"
    whole = signature(text, "en")
    monkeypatch.setattr(near_duplicates, "_CHUNK", 700)
    monkeypatch.setattr(near_duplicates, "_REACH", 300)
    monkeypatch.setattr(near_duplicates, "_BLOCK", 90)
    near_duplicates._all_powers.cache_clear()
    assert (signature(text, "en") == whole).all()
    near_duplicates._all_powers.cache_clear()


def test_groups_keep_the_first_and_only_compare_with_kept_texts():
    rng = random.Random(1)
    base = rng.choices(VOCABULARY, k=2_000)
    other = rng.choices(VOCABULARY, k=2_000)
    near = edited(base, 15, rng, VOCABULARY)
    far = edited(base, 500, rng, VOCABULARY)
    texts = [base, other, near, far, other, base]
    found = groups(np.stack([signature(" ".join(text), "en") for text in texts]))
    assert found.tolist() == [-1, -1, 0, -1, 1, 0]


def test_a_chain_does_not_collapse():
    # Neighbours agree in 112 of 128 values (0.875), ends in 96 (0.75): the middle goes, the end stays.
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2**32, 128, dtype=np.uint32)
    middle, last = first.copy(), first.copy()
    middle[:16] = rng.integers(0, 2**32, 16, dtype=np.uint32)
    last[:32] = np.concatenate([middle[:16], rng.integers(0, 2**32, 16, dtype=np.uint32)])
    assert groups(np.stack([first, middle, last])).tolist() == [-1, 0, -1]
    assert groups(np.stack([middle, first, last])).tolist() == [-1, 0, 0]


def test_the_threshold_is_a_share_of_equal_values():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2**32, 128, dtype=np.uint32)
    for equal, repeats in ((103, 0), (102, -1)):
        second = first.copy()
        second[equal:] += np.uint32(1)
        assert groups(np.stack([first, second]), 0.8).tolist() == [-1, repeats]
    assert groups(np.stack([first, first]), 1.0).tolist() == [-1, 0]


def test_bands_by_hand():
    # 1 - 0.8^5 = 0.67232; 0.67232^25 = 4.9e-5, while 0.8^6 gives (1 - 0.262144)^21 = 0.0017, too many.
    assert bands(0.8) == (25, 5)
    assert bands(1.0) == (1, 128)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 5), max_size=30), st.floats(0.1, 1.0))
def test_equal_texts_repeat_their_first(numbers, threshold):
    rows = [np.random.default_rng(number).integers(0, 2**32, 128, dtype=np.uint32) for number in numbers]
    found = groups(np.stack(rows) if rows else np.empty((0, 128), np.uint32), threshold)
    first = {number: place for place, number in reversed(list(enumerate(numbers)))}
    assert found.tolist() == [-1 if first[n] == place else first[n] for place, n in enumerate(numbers)]


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=300), st.sampled_from(["en", "zh"]))
def test_any_text_has_a_signature(text, language):
    found = signature(text, language)
    assert found.shape == (128,)
    assert found.dtype == np.uint32
    assert similarity(found, signature(text + " \n", language)) == 1


def test_many_texts_are_grouped_quickly():
    rng = np.random.default_rng(2)
    table = rng.integers(0, 2**32, (20_000, 128), dtype=np.uint32)
    table[10_000:11_000] = np.where(rng.random((1_000, 128)) < 0.93, table[:1_000], table[10_000:11_000])
    found = groups(table)
    assert (found[10_000:11_000] == np.arange(1_000)).mean() > 0.99
    assert (found[:10_000] == -1).all()
    assert (found[11_000:] == -1).all()


def test_questions_that_ask_the_same_are_similar():
    one = "In which section of the handbook is the miller asked to open the sluice by hand every spring?"
    two = "In which section of the handbook is the miller asked to open the sluice by hand every winter?"
    three = "How many rows of the table have a price above 20 and a name that begins with K?"
    assert similarity(question_signature(one, "en"), question_signature(two, "en")) > 0.8
    assert similarity(question_signature(one, "en"), question_signature(three, "en")) < 0.2
    zh = "手册的哪一节要求磨坊主每年春天亲手打开水闸？"
    assert similarity(question_signature(zh, "zh"), question_signature(zh.replace("春", "冬"), "zh")) > 0.5

"""Likeness of texts: the values of scikit-learn's TF-IDF, whatever the order of the sums."""

import numpy as np
import pytest

from golongrl.pipeline.dataset import cosines
from golongrl.pipeline.dataset.cosines import cosines as alike

ENGLISH = ["the cat sat on the mat", "a cat on a mat", "dogs bark at night", "the cat sat on the mat", "bark"]
CHINESE = ["春眠不觉晓 处处闻啼鸟", "春晓 处处闻鸟", "夜来风雨声", "花落知多少"]


@pytest.mark.parametrize(
    ("texts", "language", "options"),
    [
        (ENGLISH, "en", {"token_pattern": r"\w+"}),
        (CHINESE, "zh", {"analyzer": "char", "ngram_range": (1, 2)}),
    ],
)
def test_cosines_are_those_of_scikit_learn(texts, language, options):
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(**options).fit_transform(texts)
    np.testing.assert_allclose(alike(texts, language), (vectors @ vectors.T).toarray(), atol=1e-5)


def test_terms_are_taken_some_at_a_time_without_a_change(monkeypatch):
    whole = alike(ENGLISH, "en")
    monkeypatch.setattr(cosines, "COLUMNS", 2)
    np.testing.assert_array_equal(alike(ENGLISH, "en"), whole)


def test_a_text_without_words_is_like_nothing():
    found = alike(["!!", "one two", "two"], "en")
    assert found[0].tolist() == [0, 0, 0]
    assert found[1, 1] == 1
    assert alike(["!!", "??"], "en").tolist() == [[0, 0], [0, 0]]

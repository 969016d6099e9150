"""How alike texts are: cosine of TF-IDF vectors (words; characters and pairs of them for Chinese).

Weights are those of scikit-learn's `TfidfVectorizer` (raw counts times ln((1 + n) / (1 + df)) + 1, vectors of length
one), whose import alone takes longer than the work of many builds.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
SCALE = 1 << 20
"""Weights are whole numbers of so many parts: sums of their products are exact in any order, on any machine."""
COLUMNS = 2_048
"""Terms at a time, which bounds the memory."""


def cosines(texts: Sequence[str], language: str) -> NDArray[np.float64]:
    """Cosine of every pair of normalised texts, float64[N, N], to six decimals; 0 for a text without words."""
    numbers: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        held = Counter(_terms(text, language))
        rows += [row] * len(held)
        columns += [numbers.setdefault(term, len(numbers)) for term in held]
        counts += held.values()
    row, column = np.array(rows, np.int64), np.array(columns, np.int64)
    held_by = np.bincount(column, minlength=len(numbers))
    weights = np.array(counts) * (np.log((1 + len(texts)) / (1 + held_by)) + 1)[column]
    lengths = np.sqrt(np.bincount(row, weights**2, minlength=len(texts)))
    weights = np.rint(SCALE * weights / lengths[row])
    # Terms of a single text count in its length alone.
    shared = held_by > 1
    places = np.cumsum(shared) - 1
    found = np.zeros((len(texts), len(texts)))
    total = int(shared.sum())
    for start in range(0, total, COLUMNS):
        part = shared[column] & (places[column] >= start) & (places[column] < start + COLUMNS)
        block = np.zeros((len(texts), min(COLUMNS, total - start)))
        block[row[part], places[column[part]] - start] = weights[part]
        found += block @ block.T
    found = (found / SCALE**2).round(6)
    np.fill_diagonal(found, lengths > 0)
    return found


def _terms(text: str, language: str) -> list[str]:
    if language != "zh":
        return _WORD.findall(text)
    text = _SPACE.sub(" ", text)
    return [*text, *(text[at : at + 2] for at in range(len(text) - 1))]

"""NDCG@k of a ranked list, k = number of gold items."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real

from golongrl.core.records import Record, Score
from golongrl.core.text import item_forms
from golongrl.rewards.items import Items, counts, gold_texts, read_items


def ndcg(record: Record, text: str) -> Score:
    """DCG@k / ideal DCG@k with discount log2(rank + 1) and linear gain.

    The gain of the i-th of k golds is k - i + 1, or `extra_info.relevance[i]` where the record grades its items
    (one non-negative number per gold, not all zero). Lines beyond k are ignored; details count them as `surplus`.
    """
    items = read_items(record, text)
    if not isinstance(items, Items):
        return items
    gains = _gains(record, items)
    if gains is None:
        problem = "extra_info.relevance must hold one non-negative number per gold item, not all zero"
        return Score(value=None, reason="malformed_gold", details={"problem": problem})
    k = len(items.golds)
    value = ndcg_at_k([gains.get(item, 0.0) for item in items.predictions], list(gains.values()), k)
    return Score(value=value, details=counts(items, surplus=max(0, len(items.predictions) - k)))


def ndcg_at_k(ranked: Sequence[float], gains: Sequence[float], k: int) -> float:
    """DCG of the first k gains in predicted order over the best that k of all `gains` can reach, at most 1.

    Linear gain and discount log2(rank + 1), as in trec_eval and scikit-learn. `gains` holds a positive one.
    """
    return min(1.0, _dcg(ranked[:k]) / _dcg(sorted(gains, reverse=True)[:k]))


def _gains(record: Record, items: Items) -> dict[str, float] | None:
    relevance = record.extra_info.get("relevance")
    if relevance is None:
        return {item: float(len(items.golds) - rank) for rank, item in enumerate(items.golds)}
    grades = list(relevance) if isinstance(relevance, Iterable) else []
    raw = gold_texts(record)
    if len(grades) != len(raw) or not all(
        isinstance(grade, Real) and 0 <= float(grade) < math.inf for grade in grades
    ):
        return None
    gains: dict[str, float] = {}
    for gold, grade in zip(raw, grades, strict=True):
        gains.setdefault(item_forms(gold)[0], float(grade))
    return gains if any(gains.values()) else None


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank) for rank, gain in enumerate(gains, 2) if gain)

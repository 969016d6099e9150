"""Pairwise order: the share of gold pairs that come in the right order."""

from bisect import bisect_left, insort

from golongrl.core.records import Record, Score
from golongrl.rewards.items import Items, counts, read_items


def pairwise(record: Record, text: str) -> Score:
    """Correctly ordered gold pairs / C(max(golds, predictions), 2): missing and extra items both cost.

    A single gold item scores 1 iff it is the only line.
    """
    items = read_items(record, text)
    if not isinstance(items, Items):
        return items
    if len(items.golds) == 1:
        return Score(value=float(items.predictions == items.golds), details=counts(items, correct_pairs=0))
    rank = {item: index for index, item in enumerate(items.golds)}
    correct = 0
    before: list[int] = []
    for position in (rank[item] for item in items.predictions if item in rank):
        correct += bisect_left(before, position)
        insort(before, position)
    longest = max(len(items.golds), len(items.predictions))
    return Score(value=correct / (longest * (longest - 1) // 2), details=counts(items, correct_pairs=correct))

"""Samples of two runs joined by item: the repeats of each, what is left out and why, and what changed."""

from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.pipeline.comparison.reading import BenchRun

RIGHT = 0.5
"""A mean score from here on counts as a right answer when flips are named."""
SAME = 1e-9
"""Means this close are equal: the same repeats in another order may differ by rounding."""

Change = Literal["wrong to right", "right to wrong", "higher", "lower"]
CHANGES: tuple[Change, ...] = ("wrong to right", "right to wrong", "higher", "lower")
"""The flips first; the other two do not cross RIGHT."""


@dataclass(frozen=True)
class Item:
    """One item that both runs scored: the scores of its repeats and the samples they come from."""

    id: str
    cluster: str
    buckets: dict[str, str]
    first: list[float]
    second: list[float]
    samples: tuple[list[dict[str, Any]], list[dict[str, Any]]]

    @property
    def means(self) -> tuple[float, float]:
        """Mean score of either run."""
        return sum(self.first) / len(self.first), sum(self.second) / len(self.second)

    @property
    def difference(self) -> float:
        """Second minus first."""
        before, after = self.means
        return after - before

    @property
    def change(self) -> Change | None:
        """How the item changed; None where its means are equal."""
        before, after = self.means
        if abs(after - before) < SAME:
            return None
        if before < RIGHT <= after:
            return "wrong to right"
        if after < RIGHT <= before:
            return "right to wrong"
        return "higher" if after > before else "lower"


@dataclass
class Pairs:
    """What two runs of one benchmark share."""

    items: list[Item] = field(default_factory=list)
    only_first: list[str] = field(default_factory=list)
    only_second: list[str] = field(default_factory=list)
    unscored_first: list[str] = field(default_factory=list)
    """Items of both that only the second run scored."""
    unscored_second: list[str] = field(default_factory=list)
    unscored_both: list[str] = field(default_factory=list)
    partly_scored: list[str] = field(default_factory=list)
    """Compared items some of whose repeats have no score."""
    other_clusters: list[str] = field(default_factory=list)
    """Items that come from another document in the other run: the ids do not mean the same."""
    other_buckets: int = 0
    """Compared items that the second run puts into another bucket; they count by the first run's."""

    @property
    def left_out(self) -> int:
        """Items that do not enter the comparison."""
        lists = (self.only_first, self.only_second, self.unscored_first, self.unscored_second, self.unscored_both)
        return sum(map(len, lists))

    def changed(self) -> list[Item]:
        """Items whose score changed, the largest changes first; flips before others of the same size."""
        found = [item for item in self.items if item.change is not None]

        def order(item: Item) -> tuple[float, bool, int, str]:
            # Shorter ids first, so that 9 comes before 10.
            return (-abs(item.difference), item.change in ("higher", "lower"), len(item.id), item.id)

        return sorted(found, key=order)


def pair(first: BenchRun, second: BenchRun) -> Pairs:
    """Join by id. Samples without a score never count as 0: their items are compared by what has one, or named."""
    before, after = _by_item(first), _by_item(second)
    axes = [axis for axis in first.axes if axis in second.axes] or list(first.axes)
    pairs = Pairs(only_second=[identity for identity in after if identity not in before])
    for identity, ours in before.items():
        theirs = after.get(identity)
        if theirs is None:
            pairs.only_first.append(identity)
            continue
        if ours[0]["cluster"] != theirs[0]["cluster"]:
            pairs.other_clusters.append(identity)
        first_scores, second_scores = _scores(ours), _scores(theirs)
        if not first_scores or not second_scores:
            place = pairs.unscored_both
            if first_scores or second_scores:
                place = pairs.unscored_second if first_scores else pairs.unscored_first
            place.append(identity)
            continue
        if len(first_scores) < len(ours) or len(second_scores) < len(theirs):
            pairs.partly_scored.append(identity)
        buckets = {axis: str(ours[0][axis]) for axis in axes if ours[0].get(axis) is not None}
        pairs.other_buckets += any(theirs[0].get(axis) != ours[0].get(axis) for axis in axes)
        pairs.items.append(
            Item(identity, ours[0]["cluster"], buckets, first_scores, second_scores, samples=(ours, theirs))
        )
    return pairs


def _scores(samples: list[dict[str, Any]]) -> list[float]:
    return [sample["score"] for sample in samples if sample["score"] is not None]


def _by_item(run: BenchRun) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for sample in run.samples:
        found.setdefault(sample["id"], []).append(sample)
    return found

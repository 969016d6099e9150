"""Where a model fails: scores per capability, length, depth, form and language, and the segments of a shallow
decision tree.

The tree is grown on half of the clusters (documents, records) and its segments are measured on the other half
("honest" trees, Athey and Imbens 2016, arXiv 1504.01132): a segment that was chosen because it scored low by chance
does not do so again.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golongrl.core.errors import UsageError, require
from golongrl.core.stats import cluster_bootstrap
from golongrl.core.store import content_key
from golongrl.core.tokens import parse_length
from golongrl.pipeline.dataset.diagnosis.reading import DEPTHS, UNKNOWN, Row
from golongrl.pipeline.dataset.reporting.phase_facts import CellFacts, SegmentFacts

PRIOR = 10
"""Clusters that the mean of the whole counts for in the shrunk mean of a part."""
FAILED_BELOW = 0.5
"""A score below this is a failure."""
FAILED_BELOW_OF = {"T9": 0.3}
"""The same for some capabilities: two good summaries of one text share few words in order."""
AXES = ("length", "depth", "form", "language")
LEVELS = 3
"""Depth of the tree: at most eight segments."""
LEAST = 10
"""Fewest answers of the growing half in a segment."""
LEAST_SHARE = 0.05
"""The same as a share of that half."""
LEAST_GAIN = 0.01
"""Least share of the variance of all scores that a split must explain."""
RESAMPLES = 500
"""Bootstrap resamples of an interval: there are hundreds of cells."""


def cells(rows: Sequence[Row], capabilities: Sequence[str], seed: int) -> list[CellFacts]:
    """Every capability that has scores, then its parts along each axis that varies within it."""
    scored = [row for row in rows if row.score is not None]
    of_capability = {c: [row for row in scored if row.capability == c] for c in capabilities}
    means = [_mean(own) for own in of_capability.values() if own]
    if not means:
        return []
    overall = sum(means) / len(means)
    found = []
    for capability, own in of_capability.items():
        if not own:
            continue
        whole = _cell(own, capability, "capability", capability, overall, seed)
        found.append(whole)
        for axis in AXES:
            values = sorted({getattr(row, axis) for row in own}, key=order)
            if len(values) > 1:
                found += [
                    _cell(
                        [r for r in own if getattr(r, axis) == value], capability, axis, value, whole["shrunk"], seed
                    )
                    for value in values
                ]
    return found


def prior_mean(found: Sequence[CellFacts]) -> float:
    """Mean of the capabilities' means: what is believed of a capability without scores; 0.5 without any."""
    means = [cell["mean"] for cell in found if cell["axis"] == "capability"]
    return sum(means) / len(means) if means else 0.5


def shrunk(mean: float, clusters: int, towards: float) -> float:
    """The mean of `clusters` independent observations and `PRIOR` more at `towards`."""
    return (clusters * mean + PRIOR * towards) / (clusters + PRIOR)


def order(value: str) -> tuple[int, float, str]:
    """Lengths in rising order, thirds from the first to the last, other names by the alphabet, "unknown" last."""
    if value in DEPTHS:
        return 0, DEPTHS.index(value), value
    if value == UNKNOWN:
        return 3, 0.0, value
    try:
        return 1, parse_length(value.removeprefix(">")) + (0.5 if value.startswith(">") else 0.0), value
    except UsageError:
        return 2, 0.0, value


def failed(row: Row) -> bool:
    """Whether a scored answer counts as a failure."""
    return row.score is not None and row.score < FAILED_BELOW_OF.get(row.capability, FAILED_BELOW)


def _mean(rows: Sequence[Row]) -> float:
    return math.fsum(row.score or 0.0 for row in rows) / len(rows)


def _interval(rows: Sequence[Row], seed: int) -> tuple[float | None, float | None]:
    values, clusters = [row.score or 0.0 for row in rows], [row.cluster for row in rows]
    _, low, high = cluster_bootstrap(values, clusters, n=RESAMPLES, seed=seed)
    return (None, None) if math.isnan(low) else (round(low, 4), round(high, 4))


def _reasons(rows: Sequence[Row]) -> dict[str, int]:
    counts = Counter("wrong answer" if row.reason == "ok" else row.reason for row in rows if failed(row))
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _cell(rows: Sequence[Row], capability: str, axis: str, value: str, towards: float, seed: int) -> CellFacts:
    clusters = len({row.cluster for row in rows})
    mean = _mean(rows)
    low, high = _interval(rows, seed)
    return {
        "capability": capability,
        "axis": axis,
        "value": value,
        "n": len(rows),
        "clusters": clusters,
        "mean": round(mean, 4),
        "low": low,
        "high": high,
        "shrunk": round(shrunk(mean, clusters, towards), 4),
        "failed": round(sum(map(failed, rows)) / len(rows), 4),
        "reasons": _reasons(rows),
    }


def segments(rows: Sequence[Row], seed: int) -> list[SegmentFacts]:
    """Segments of answers that score alike, the weakest first: "everything" where nothing tells them apart, none
    where the answers are too few to tell."""
    scored = sorted(
        (row for row in rows if row.score is not None),
        key=lambda row: (
            row.cluster,
            row.capability,
            row.length,
            row.depth,
            row.form,
            row.language,
            row.score or 0.0,
        ),
    )
    growing = np.array([int(content_key("half", seed, row.cluster)[0], 16) < 8 for row in scored], dtype=bool)
    least = max(LEAST, math.ceil(LEAST_SHARE * int(growing.sum())))
    if int(growing.sum()) < 2 * least:
        return []
    features = _Features(scored)
    trees = require("sklearn.tree")
    scores = np.array([row.score for row in scored])
    gain = LEAST_GAIN * float(scores[growing].var())
    tree = trees.DecisionTreeRegressor(
        max_depth=LEVELS, min_samples_leaf=least, min_impurity_decrease=gain, random_state=seed % 2**32
    )
    tree.fit(features.matrix[growing], scores[growing])
    leaves = tree.apply(features.matrix)
    failures = sum(map(failed, scored))
    found = [
        _segment(scored, leaves == leaf, growing, features.asked(tree.tree_, int(leaf)), failures, seed)
        for leaf in sorted(set(leaves.tolist()))
    ]
    return sorted(found, key=lambda one: (one["mean"] is None, one["mean"] or 0.0, one["where"]))


def _segment(
    rows: Sequence[Row],
    inside: NDArray[np.bool_],
    growing: NDArray[np.bool_],
    axes: Sequence[str],
    failures: int,
    seed: int,
) -> SegmentFacts:
    own = [rows[number] for number in np.flatnonzero(inside).tolist()]
    measured = [rows[number] for number in np.flatnonzero(inside & ~growing).tolist()]
    low, high = _interval(measured, seed) if measured else (None, None)
    lost = sum(map(failed, own))
    return {
        "where": "; ".join(_words(axis, own) for axis in axes) or "everything",
        "n": len(own),
        "share": round(len(own) / len(rows), 4),
        "mean": round(_mean(measured), 4) if measured else None,
        "low": low,
        "high": high,
        "failed": round(lost / len(own), 4),
        "failures": round(lost / failures, 4) if failures else 0.0,
        "reasons": _reasons(own),
    }


def _words(axis: str, rows: Sequence[Row]) -> str:
    values = sorted({str(getattr(row, axis)) for row in rows}, key=order)
    shown = ", ".join(values[:-1]) + " or " + values[-1] if len(values) > 1 else values[0]
    return f"{axis} {shown}"


class _Features:
    """Answers as numbers: lengths and depths by their rank, names one column each."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.axes: list[str] = []
        columns: list[list[float]] = []
        for axis in ("capability", *AXES):
            values = sorted({getattr(row, axis) for row in rows}, key=order)
            for name, column in _columns(axis, values, rows):
                self.axes.append(name)
                columns.append(column)
        self.matrix: NDArray[np.float64] = np.array(columns, dtype=np.float64).T

    def asked(self, tree: Any, leaf: int) -> list[str]:
        """The axes that the way to a leaf asks about, in their order."""
        parent = {}
        for node in range(tree.node_count):
            for child in (tree.children_left[node], tree.children_right[node]):
                if child >= 0:
                    parent[int(child)] = node
        seen = set()
        while leaf in parent:
            leaf = parent[leaf]
            seen.add(self.axes[tree.feature[leaf]])
        return [axis for axis in ("capability", *AXES) if axis in seen]


def _columns(axis: str, values: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[str, list[float]]]:
    known = [value for value in values if value != UNKNOWN]
    if axis in ("length", "depth"):
        rank = {value: float(number) for number, value in enumerate(known)}
        yield axis, [rank.get(getattr(row, axis), -1.0) for row in rows]
        return
    for value in values:
        yield axis, [float(getattr(row, axis) == value) for row in rows]

"""Means with intervals over samples: of all, per bucket, and over length and depth."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from golongrl.core import stats
from golongrl.core.report.viewer import facet_order
from golongrl.core.stats.bounded import bounded_interval
from golongrl.pipeline.evaluation.samples import SCORED, STATUSES, Sample

DENOMINATOR = f"samples with status {', '.join(SCORED[:-1])} or {SCORED[-1]}"
"""What a score is the mean of; all other samples are counted beside it."""
FEW_CLUSTERS = 10
"""With fewer clusters an interval rests on too little to be relied on."""
NEARLY_RIGHT = 0.9
"""When every score is at least this, or at most 1 minus it, no failure or no success was seen, only how much the rest
varies: a bootstrap of that is too narrow, as it is of scores that do not vary at all."""
BOOTSTRAP = "bootstrap over clusters"
BOUND = "bootstrap over clusters, no narrower than their number allows"
PAIR = " x "
"""Stands between the names of two axes, and between their values."""
RESAMPLES = 10_000
MANY_CLUSTERS = 500
"""From here on the expanded percentiles are the plain ones, and a fifth of the resamples tells them as well."""


def aggregate(samples: Sequence[Sample], seed: int) -> dict[str, Any]:
    """Counts per status, mean of what was scored with its 95% interval, and that with the rest as 0.

    `interval` says how `low` and `high` were found: by resampling clusters, and where these are few, all have the
    same mean, or all scores are nearly right or nearly wrong, so that resampling tells too little, no narrower than
    their number alone allows. Both are None with one cluster, which has no spread.
    """
    scored = [sample for sample in samples if sample["score"] is not None]
    status = Counter(sample["status"] for sample in samples)
    entry: dict[str, Any] = {
        "n": len(samples),
        "n_scored": len(scored),
        "n_clusters": len({sample["cluster"] for sample in scored}),
        "counts": {name: status[name] for name in STATUSES},
    }
    if not scored:
        nothing = dict.fromkeys(("score", "low", "high", "interval", "score_unscored_as_zero"))
        return {**entry, **nothing}
    values = [sample["score"] for sample in scored]
    low, high, how = _interval(values, [sample["cluster"] for sample in scored], seed)
    return {
        **entry,
        "score": round(sum(values) / len(values), 6),
        "low": low,
        "high": high,
        "interval": how,
        "score_unscored_as_zero": round(sum(values) / len(samples), 6),
    }


def _interval(
    values: Sequence[float], clusters: Sequence[str], seed: int
) -> tuple[float | None, float | None, str | None]:
    count = len(set(clusters))
    resamples = RESAMPLES if count < MANY_CLUSTERS else RESAMPLES // 5
    found = stats.cluster_bootstrap(values, clusters, resamples, seed, expanded=True)
    if math.isnan(found.low):
        return None, None, None
    one_sided = min(values) >= NEARLY_RIGHT or max(values) <= 1 - NEARLY_RIGHT
    if count >= FEW_CLUSTERS and found.high - found.low > 1e-9 and not one_sided:
        return round(found.low, 6), round(found.high, 6), BOOTSTRAP
    low, high = bounded_interval(min(1.0, max(0.0, found.mean)), count)
    return round(min(low, found.low), 6), round(max(high, found.high), 6), BOUND


def by_bucket(samples: Sequence[Sample], axes: Sequence[str], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Aggregates per value of each axis, and per pair of values when there are two axes that both vary.

    Tokens by another tokenizer (o200k) make no pair with those of the model, and depth has a map of its own.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for axis in axes:
        tables[axis] = [
            {"value": value, **aggregate([s for s in samples if s.get(axis) == value], seed)}
            for value in values_of(samples, axis)
        ]
    own = [axis for axis in axes if axis not in ("o200k", "depth")]
    if len(own) == 2 and all(len(tables[axis]) > 1 for axis in own):
        first, second = own
        tables[f"{first}{PAIR}{second}"] = [
            {"value": f"{a}{PAIR}{b}", **aggregate(found, seed)}
            for a in values_of(samples, first)
            for b in values_of(samples, second)
            if (found := [s for s in samples if s.get(first) == a and s.get(second) == b])
        ]
    return tables


def heat_map(samples: Sequence[Sample], seed: int) -> dict[str, Any] | None:
    """Aggregates over length buckets (columns) and evidence depth (rows); None where no depth is known.

    `cells[row][column]` is None where no sample falls.
    """
    known = [sample for sample in samples if sample.get("depth") is not None and sample.get("length") is not None]
    if not known:
        return None
    columns, rows = values_of(known, "length"), values_of(known, "depth")
    cells = [
        [
            aggregate(found, seed) if (found := [s for s in known if (s["length"], s["depth"]) == (a, b)]) else None
            for a in columns
        ]
        for b in rows
    ]
    return {"columns": columns, "rows": rows, "cells": cells, "n_without_depth": len(samples) - len(known)}


def values_of(samples: Sequence[Sample], axis: str) -> list[str]:
    """The values of a bucket axis that occur, lengths and numbers by size."""
    return sorted({sample[axis] for sample in samples if sample.get(axis) is not None}, key=facet_order)

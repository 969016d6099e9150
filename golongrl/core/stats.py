"""Uncertainty of benchmark scores: cluster bootstrap intervals.

Long-context items share documents, so their scores are not independent. Resampling whole clusters (documents,
conversations) instead of items keeps that dependence in the interval.
"""

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from golongrl.core.errors import UsageError

_CELLS = 4_000_000


class Interval(NamedTuple):
    """A mean with its percentile interval; `low` and `high` are NaN when fewer than two clusters exist."""

    mean: float
    low: float
    high: float


def cluster_bootstrap(
    values: Sequence[float], clusters: Sequence[Hashable], n: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of `values` and the percentile interval over `n` resamples of whole clusters with replacement.

    values, clusters: length N. A resample's mean is the mean over the items of the drawn clusters, so clusters of
    unequal size weigh as their items do. One cluster says nothing about spread, hence NaN bounds rather than a
    width of zero. Deterministic in `seed`.

    Raises UsageError on empty input, unequal lengths, values that are not finite, or a level outside (0, 1).
    """
    scores_N = np.asarray(values, dtype=np.float64)
    if scores_N.ndim != 1 or scores_N.size == 0:
        raise UsageError("cluster_bootstrap needs at least one value")
    if len(clusters) != scores_N.size:
        raise UsageError(f"cluster_bootstrap got {scores_N.size} values and {len(clusters)} clusters")
    if not np.isfinite(scores_N).all():
        raise UsageError("cluster_bootstrap needs finite values; leave out what could not be scored")
    if not 0 < level < 1 or n < 1:
        raise UsageError("cluster_bootstrap needs a level between 0 and 1 and at least one resample")
    ids: dict[Hashable, int] = {}
    index_N = np.array([ids.setdefault(cluster, len(ids)) for cluster in clusters])
    mean = float(scores_N.mean())
    count = len(ids)
    if count < 2:
        return Interval(mean, math.nan, math.nan)
    sums_C = np.bincount(index_N, weights=scores_N, minlength=count)
    sizes_C = np.bincount(index_N, minlength=count).astype(np.float64)
    rng = np.random.default_rng(seed)
    share_C = np.full(count, 1.0 / count)
    means = []
    # How often each cluster is drawn is multinomial; blocks bound the memory for very many clusters.
    block = max(1, _CELLS // count)
    for start in range(0, n, block):
        draws_BC = rng.multinomial(count, share_C, size=min(block, n - start)).astype(np.float64)
        means.append((draws_BC @ sums_C) / (draws_BC @ sizes_C))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Interval(mean, float(low), float(high))

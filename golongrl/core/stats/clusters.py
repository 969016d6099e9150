"""Sums per cluster, which every interval and test here is made of, and the standard error that follows from them."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golongrl.core.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterSums:
    """Values added up per cluster: `sums_C` and `sizes_C`, in order of first occurrence."""

    sums_C: Floats
    sizes_C: Floats

    @property
    def count(self) -> int:
        """Number of clusters."""
        return len(self.sums_C)

    @property
    def mean(self) -> float:
        """Mean over the items; clusters weigh as their items do."""
        return float(self.sums_C.sum() / self.sizes_C.sum())

    @property
    def standard_error(self) -> float:
        """Cluster-robust standard error of `mean` (the ratio estimator's, with C / (C - 1)); NaN for one cluster.

        Clusters of one item each: the sample standard deviation over sqrt(N).
        """
        if self.count < 2:
            return float("nan")
        residuals_C = self.sums_C - self.mean * self.sizes_C
        return float(np.sqrt(self.count / (self.count - 1) * (residuals_C**2).sum()) / self.sizes_C.sum())


def cluster_sums(values: Sequence[float] | Floats, clusters: Sequence[Hashable], what: str) -> ClusterSums:
    """Add up `values` (length N) per cluster.

    Raises UsageError, in the name of `what`, on empty input, unequal lengths or values that are not finite.
    """
    scores_N = np.asarray(values, dtype=np.float64)
    if scores_N.ndim != 1 or scores_N.size == 0:
        raise UsageError(f"{what} needs at least one value")
    if len(clusters) != scores_N.size:
        raise UsageError(f"{what} got {scores_N.size} values and {len(clusters)} clusters")
    if not np.isfinite(scores_N).all():
        raise UsageError(f"{what} needs finite values; leave out what could not be scored")
    ids: dict[Hashable, int] = {}
    index_N = np.array([ids.setdefault(cluster, len(ids)) for cluster in clusters])
    sums_C = np.bincount(index_N, weights=scores_N, minlength=len(ids)).astype(np.float64)
    return ClusterSums(sums_C, np.bincount(index_N, minlength=len(ids)).astype(np.float64))


def check_level(what: str, level: float, n: int) -> None:
    """UsageError for a level outside (0, 1) or no draws."""
    if not 0 < level < 1 or n < 1:
        raise UsageError(f"{what} needs a level between 0 and 1 and at least one resample")

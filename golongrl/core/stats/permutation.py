"""Permutation tests of differences: the labels of the two runs are swapped, whole clusters at a time."""

from collections.abc import Hashable, Sequence

import numpy as np

from golongrl.core.errors import UsageError
from golongrl.core.stats.clusters import Floats, cluster_sums

EXACT_CLUSTERS = 14
"""Up to so many clusters with a difference, all sign flips are tried."""
_CELLS = 4_000_000
_SLACK = 1e-9
"""Sums this close (relative to the largest possible) count as equal, so that rounding never decides a tie."""


def sign_flip_test(
    differences: Sequence[float] | Floats, clusters: Sequence[Hashable], n: int = 20_000, seed: int = 0
) -> float:
    """Two-sided p-value of a mean paired difference (length N) under random sign flips of whole clusters.

    If it makes no difference which run an answer came from, the sums of the clusters are as likely with either sign.
    All flips are tried where at most EXACT_CLUSTERS clusters differ at all, else `n` random ones and the observed one
    (Phipson and Smyth 2010), so p is never 0. For items of score 0 or 1 that are each a cluster this is McNemar's
    exact test. Differences that are all 0 give 1.
    """
    return _flipped([(differences, clusters)], n, seed)


def mean_sign_flip_test(
    samples: Sequence[tuple[Sequence[float] | Floats, Sequence[Hashable]]], n: int = 20_000, seed: int = 0
) -> float:
    """The same for the mean over benchmarks of their mean differences; `samples` holds (differences, clusters)."""
    return _flipped(samples, n, seed)


def _flipped(samples: Sequence[tuple[Sequence[float] | Floats, Sequence[Hashable]]], n: int, seed: int) -> float:
    if n < 1:
        raise UsageError("sign_flip_test needs at least one flip")
    parts = [cluster_sums(values, clusters, "sign_flip_test") for values, clusters in samples]
    weights_C = np.concatenate([part.sums_C / part.sizes_C.sum() for part in parts])
    weights_C = weights_C[np.abs(weights_C) > _SLACK * np.abs(weights_C).max()]
    if weights_C.size == 0:
        return 1.0
    reached = abs(float(weights_C.sum())) - _SLACK * float(np.abs(weights_C).sum())
    if weights_C.size <= EXACT_CLUSTERS:
        patterns_PC = np.arange(2**weights_C.size)[:, None] >> np.arange(weights_C.size)
        sums_P = (1.0 - 2.0 * (patterns_PC & 1)) @ weights_C
        return float((np.abs(sums_P) >= reached).mean())
    rng, beyond = np.random.default_rng(seed), 0
    block = max(1, _CELLS // weights_C.size)
    for start in range(0, n, block):
        signs_BC = rng.integers(0, 2, size=(min(block, n - start), weights_C.size), dtype=np.int8)
        beyond += int((np.abs((1.0 - 2.0 * signs_BC) @ weights_C) >= reached).sum())
    return (beyond + 1) / (n + 1)


def smallest_p(clusters: int) -> float:
    """The smallest p-value that sign flips of so many clusters can give."""
    return min(1.0, 2.0 ** (1 - clusters))


def label_swap_test(
    values: tuple[Sequence[float], Sequence[float]],
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]],
    n: int = 20_000,
    seed: int = 0,
) -> float:
    """Two-sided p-value of the difference of two independent means: clusters are dealt to the two samples anew.

    The clusters of the two samples are different ones, even where their names are equal.
    """
    first, second = (cluster_sums(v, c, "label_swap_test") for v, c in zip(values, clusters, strict=True))
    sums_C = np.concatenate([first.sums_C, second.sums_C])
    sizes_C = np.concatenate([first.sizes_C, second.sizes_C])
    reached = abs(second.mean - first.mean) - _SLACK * float(np.abs(sums_C).max())
    if reached <= 0:
        return 1.0
    rng, beyond = np.random.default_rng(seed), 0
    block = max(1, _CELLS // sums_C.size)
    for start in range(0, n, block):
        order_BC = rng.random((min(block, n - start), sums_C.size)).argsort(axis=1)
        dealt = order_BC[:, : first.count]
        here, size = sums_C[dealt].sum(axis=1), sizes_C[dealt].sum(axis=1)
        gaps = (sums_C.sum() - here) / (sizes_C.sum() - size) - here / size
        beyond += int((np.abs(gaps) >= reached).sum())
    return (beyond + 1) / (n + 1)

"""The difference of two runs over the same items: how large, how sure, and what could have been seen."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from golongrl.core.errors import UsageError
from golongrl.core.stats.bounded import bounded_interval
from golongrl.core.stats.clusters import Floats, cluster_sums
from golongrl.core.stats.intervals import cluster_bootstrap
from golongrl.core.stats.permutation import sign_flip_test, smallest_p
from golongrl.core.stats.power import NO_SPREAD, clusters_needed, minimum_detectable_effect

RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """Second run minus first run over the items that both scored; all in the unit of the scores."""

    n_items: int
    n_clusters: int
    first: float
    """Mean of the first run over these items."""
    second: float
    mean: float
    low: float | None
    """Lower end of the interval; None with fewer than two clusters."""
    high: float | None
    p: float
    standard_error: float | None
    freedom: float
    """Degrees of freedom of the t-test that `detectable` is of; 0 with one cluster, which allows no test."""
    detectable: float | None
    """Minimum detectable effect at the present size, 80% power."""
    noise_share: float | None
    """Share of the squared standard error that comes from the answers to one item differing from repeat to repeat."""
    detectable_with_many_repeats: float | None
    """What the minimum detectable effect tends to when the same items are answered ever more often."""


def paired_difference(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    clusters: Sequence[Hashable],
    *,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Difference:
    """Compare two runs item by item.

    first, second: per item the scores of its repeats, at least one each; clusters: per item what it shares with
    others. An item's difference is that of its means over the repeats. The interval is that of
    `difference_interval`, p the sign-flip test by cluster.

    Raises UsageError on empty input or unequal lengths.
    """
    if not len(first) == len(second) == len(clusters) or not all(map(len, first)) or not all(map(len, second)):
        raise UsageError("paired_difference needs for every item scores of both runs and a cluster")
    means = np.array([[np.mean(a), np.mean(b)] for a, b in zip(first, second, strict=True)]).reshape(-1, 2)
    differences_N = means[:, 1] - means[:, 0]
    sums = cluster_sums(differences_N, clusters, "paired_difference")
    error = None if math.isnan(sums.standard_error) else sums.standard_error
    low, high = difference_interval(differences_N, clusters, resamples, seed, level) or (None, None)
    noise = _noise_variance(first, second)
    share = rest = None
    if noise is not None and error is not None and error > NO_SPREAD:
        share = min(1.0, noise / error**2)
        rest = 0.0 if share == 1 else minimum_detectable_effect(error * math.sqrt(1 - share), sums.count, level)
    return Difference(
        n_items=len(differences_N),
        n_clusters=sums.count,
        first=float(means[:, 0].mean()),
        second=float(means[:, 1].mean()),
        mean=float(differences_N.mean()),
        low=low,
        high=high,
        p=sign_flip_test(differences_N, clusters, seed=seed),
        standard_error=error,
        freedom=sums.count - 1,
        detectable=minimum_detectable_effect(error or 0.0, sums.count, level),
        noise_share=share,
        detectable_with_many_repeats=rest,
    )


def difference_interval(
    differences: Sequence[float] | Floats,
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """The interval of a mean paired difference of scores from 0 to 1; None with fewer than two clusters.

    The expanded percentile cluster bootstrap. Where all clusters differ by the same amount, by nothing as a rule, no
    resample shows any spread, and the interval is what the share of others that they do not rule out could change.
    Where at most half differ, and fewer than let any test reach the level, too little was seen of how often others
    do and how far: the interval is then no narrower than the number of clusters allows.
    """
    sums = cluster_sums(differences, clusters, "difference_interval")
    if sums.count < 2:
        return None
    if sums.standard_error <= NO_SPREAD:
        _, others = bounded_interval(0.0, sums.count, level)
        return sums.mean - others * (1 + sums.mean), sums.mean + others * (1 - sums.mean)
    _, low, high = cluster_bootstrap(differences, clusters, resamples, seed, level, expanded=True)
    changed = int((cluster_sums(np.abs(differences), clusters, "difference_interval").sums_C > NO_SPREAD).sum())
    if smallest_p(changed) <= 1 - level or 2 * changed > sums.count:
        return low, high
    least, most = _gains_minus_losses(np.asarray(differences), clusters, level)
    return min(low, least), max(high, most)


def _gains_minus_losses(differences_N: Floats, clusters: Sequence[Hashable], level: float) -> tuple[float, float]:
    """The interval of a mean difference from those of the mean gain and the mean loss, both between 0 and 1.

    Their distances to the means are added as squares (Newcombe 1998; Zou and Donner 2008).
    """
    gains, losses = (
        cluster_sums(np.maximum(sign * differences_N, 0), clusters, "difference_interval") for sign in (1, -1)
    )
    gain, loss = gains.mean, losses.mean
    gain_low, gain_high = bounded_interval(min(1.0, gain), gains.count, level)
    loss_low, loss_high = bounded_interval(min(1.0, loss), losses.count, level)
    mean = gain - loss
    return mean - math.hypot(gain - gain_low, loss_high - loss), mean + math.hypot(gain_high - gain, loss - loss_low)


def _noise_variance(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> float | None:
    """Variance of the mean difference through chance in the answers alone; None without repeats in both runs.

    Items without repeats are taken to vary as the others do.
    """
    total = 0.0
    for run in (first, second):
        variances = [float(np.var(scores, ddof=1)) for scores in run if len(scores) > 1]
        if not variances:
            return None
        typical = sum(variances) / len(variances)
        total += sum((float(np.var(scores, ddof=1)) if len(scores) > 1 else typical) / len(scores) for scores in run)
    return total / len(first) ** 2


@dataclass(frozen=True)
class Needed:
    """How many items let a difference of `effect` be seen with 80% power."""

    effect: float
    at_present_clusters: int | None
    """With as many items per cluster as now."""
    one_per_cluster: int | None
    """If every new item had a document of its own."""


def items_needed(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    clusters: Sequence[Hashable],
    effect: float = 0.01,
    level: float = 0.95,
) -> Needed:
    """Items needed to see `effect` with differences that spread as the present ones do."""
    differences_N = np.array([np.mean(b) - np.mean(a) for a, b in zip(first, second, strict=True)])
    clustered = cluster_sums(differences_N, clusters, "items_needed")
    alone = cluster_sums(differences_N, range(len(differences_N)), "items_needed")
    groups = clusters_needed(effect, clustered.standard_error, clustered.count, level)
    per_cluster = len(differences_N) / clustered.count
    return Needed(
        effect,
        None if groups is None else math.ceil(groups * per_cluster),
        clusters_needed(effect, alone.standard_error, alone.count, level),
    )

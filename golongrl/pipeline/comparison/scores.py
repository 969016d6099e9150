"""Evaluations compared: per benchmark the paired difference of every run to the baseline, and their average."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from golongrl.core import stats
from golongrl.core.report.viewer import facet_order
from golongrl.core.stats import Difference, Needed
from golongrl.pipeline.comparison.pairing import Item, Pairs, pair
from golongrl.pipeline.comparison.reading import Run
from golongrl.pipeline.comparison.verdict import Outcome, detectable_alone, outcome_of, verdict

ONE_POINT = 0.01


@dataclass(frozen=True)
class BucketDifference:
    """The difference over the items of one bucket, without a test: many are looked at, none was asked for."""

    axis: str
    value: str
    n_items: int
    n_clusters: int
    first: float
    second: float
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BenchComparison:
    """One benchmark, one run against the baseline. All differences are the run's score minus the baseline's."""

    bench: str
    metric: str
    baseline: str
    run: str
    pairs: Pairs
    found: Difference
    needed: Needed
    buckets: list[BucketDifference]
    detectable_alone: float | None = None
    """See `verdict.detectable_alone`."""
    p_holm: float = 1.0
    outcome: Outcome = "too few"
    verdict: str = ""


@dataclass(frozen=True)
class Average:
    """The mean over benchmarks of the differences of one run: what a headline number claims."""

    baseline: str
    run: str
    benches: list[str]
    found: Difference
    """`first`, `second` and `mean` weigh benchmarks alike; items and clusters are those of all."""
    detectable_alone: float | None = None
    p_holm: float = 1.0
    outcome: Outcome = "too few"
    verdict: str = ""


def mean_of(average: Average) -> str:
    """What the average is of, in words."""
    return f"mean of {len(average.benches)} benchmarks"


@dataclass
class ScoreComparison:
    """Everything that compared evaluations say."""

    level: float
    tests: int = 0
    benches: list[BenchComparison] = field(default_factory=list)
    averages: list[Average] = field(default_factory=list)
    nothing_shared: list[tuple[str, str, str]] = field(default_factory=list)
    """(run, benchmark, why) of benchmarks without an item to compare."""


def compare_scores(
    baseline: Run,
    others: Sequence[Run],
    *,
    seed: int = 0,
    level: float = 0.95,
    on_bench: Callable[[], None] = lambda: None,
) -> ScoreComparison:
    """Compare every other run with the baseline; p-values are adjusted (Holm) over all benchmarks and runs."""
    result = ScoreComparison(level)
    for other in others:
        for bench, ours in baseline.benches.items():
            theirs = other.benches.get(bench)
            if theirs is None:
                result.nothing_shared.append((other.label, bench, f"only {baseline.label} has it"))
                continue
            pairs = pair(ours, theirs)
            if not pairs.items:
                result.nothing_shared.append((other.label, bench, "no item that both scored"))
                continue
            metric = str((ours.results or {}).get("metric") or "score")
            result.benches.append(_compare(bench, metric, baseline.label, other.label, pairs, seed, level))
            on_bench()
        missing = (bench for bench in other.benches if bench not in baseline.benches)
        result.nothing_shared += [(other.label, bench, f"only {other.label} has it") for bench in missing]
    adjusted = stats.holm([one.found.p for one in result.benches])
    result.tests = len(adjusted)
    result.benches = [_judged(one, p, result.tests, level) for one, p in zip(result.benches, adjusted, strict=True)]
    result.averages = _averages(result.benches, [other.label for other in others], seed, level)
    return result


def _judged(one: BenchComparison, p_holm: float, tests: int, level: float) -> BenchComparison:
    whole = len(one.pairs.items) + one.pairs.left_out
    what = f"of {whole} items" if one.pairs.left_out else "items"
    words = verdict(one.run, one.baseline, one.found, p_holm, tests, level, what)
    alone = detectable_alone(one.found, tests, level)
    outcome = outcome_of(one.found, p_holm, level)
    return replace(one, detectable_alone=alone, p_holm=p_holm, outcome=outcome, verdict=words)


def _arrays(items: Sequence[Item]) -> tuple[list[list[float]], list[list[float]], list[str]]:
    return [item.first for item in items], [item.second for item in items], [item.cluster for item in items]


def _compare(
    bench: str, metric: str, baseline: str, run: str, pairs: Pairs, seed: int, level: float
) -> BenchComparison:
    first, second, clusters = _arrays(pairs.items)
    return BenchComparison(
        bench,
        metric,
        baseline,
        run,
        pairs,
        stats.paired_difference(first, second, clusters, seed=seed, level=level),
        stats.items_needed(first, second, clusters, ONE_POINT, level),
        _by_bucket(pairs.items, seed, level),
    )


def _by_bucket(items: Sequence[Item], seed: int, level: float) -> list[BucketDifference]:
    """Per axis that varies, the buckets in their order."""
    rows = []
    for axis in dict.fromkeys(axis for item in items for axis in item.buckets):
        groups: dict[str, list[Item]] = {}
        for item in items:
            if axis in item.buckets:
                groups.setdefault(item.buckets[axis], []).append(item)
        if len(groups) < 2:
            continue
        for value in sorted(groups, key=facet_order):
            members = groups[value]
            differences = [item.difference for item in members]
            clusters = [item.cluster for item in members]
            means = np.mean([item.means for item in members], axis=0)
            low, high = stats.difference_interval(differences, clusters, seed=seed, level=level) or (None, None)
            rows.append(
                BucketDifference(
                    axis,
                    value,
                    len(members),
                    len(set(clusters)),
                    float(means[0]),
                    float(means[1]),
                    float(np.mean(differences)),
                    low,
                    high,
                )
            )
    return rows


def _averages(benches: Sequence[BenchComparison], runs: Sequence[str], seed: int, level: float) -> list[Average]:
    """Every run with several benchmarks; adjusted among each other, as each is one question of its own."""
    found = []
    for run in runs:
        own = [one for one in benches if one.run == run]
        if len(own) > 1:
            found.append(Average(own[0].baseline, run, [one.bench for one in own], _average(own, seed, level)))
    adjusted = stats.holm([average.found.p for average in found])
    return [
        replace(
            one,
            detectable_alone=detectable_alone(one.found, len(found), level),
            p_holm=p,
            outcome=outcome_of(one.found, p, level),
            verdict=verdict(one.run, one.baseline, one.found, p, len(found), level),
        )
        for one, p in zip(found, adjusted, strict=True)
    ]


def _average(own: Sequence[BenchComparison], seed: int, level: float) -> Difference:
    samples = [
        (np.array([item.difference for item in one.pairs.items]), [item.cluster for item in one.pairs.items])
        for one in own
    ]
    sums = [stats.cluster_sums(differences, clusters, "compare") for differences, clusters in samples]
    freedom = stats.welch_freedom(sums)
    low, high = stats.mean_interval([(one.found.mean, one.found.low, one.found.high) for one in own]) or (None, None)
    error = None if low is None else math.hypot(*(part.standard_error for part in sums)) / len(sums)
    return Difference(
        n_items=sum(one.found.n_items for one in own),
        n_clusters=sum(one.found.n_clusters for one in own),
        first=float(np.mean([one.found.first for one in own])),
        second=float(np.mean([one.found.second for one in own])),
        mean=float(np.mean([one.found.mean for one in own])),
        low=low,
        high=high,
        p=stats.mean_sign_flip_test(samples, seed=seed),
        standard_error=error,
        freedom=freedom,
        detectable=stats.minimum_detectable_effect(error or 0.0, freedom + 1, level),
        noise_share=None,
        detectable_with_many_repeats=None,
    )

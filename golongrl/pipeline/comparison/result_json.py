"""Results as JSON types: what compare.json holds. Scores, rewards and differences are shares, not points."""

from typing import Any

from golongrl.pipeline.comparison.pairing import CHANGES
from golongrl.pipeline.comparison.scores import Average, BenchComparison, ScoreComparison
from golongrl.pipeline.comparison.training import TrainingComparison


def score_json(result: ScoreComparison) -> dict[str, Any]:
    """Compared evaluations."""
    return {
        "tests": result.tests,
        "comparisons": [_bench_json(one) for one in result.benches],
        "averages": [_average_json(average) for average in result.averages],
        "not_compared": [{"run": run, "bench": bench, "why": why} for run, bench, why in result.nothing_shared],
    }


def _average_json(one: Average) -> dict[str, Any]:
    return {
        "run": one.run,
        "baseline": one.baseline,
        "benches": one.benches,
        "outcome": one.outcome,
        "verdict": one.verdict,
        **vars(one.found),
        "detectable_alone": one.detectable_alone,
        "p_holm": one.p_holm,
    }


def _bench_json(one: BenchComparison) -> dict[str, Any]:
    changed = one.pairs.changed()
    counts = {change: sum(item.change == change for item in changed) for change in CHANGES}
    return {
        "bench": one.bench,
        "metric": one.metric,
        "baseline": one.baseline,
        "run": one.run,
        "outcome": one.outcome,
        "verdict": one.verdict,
        **vars(one.found),
        "detectable_alone": one.detectable_alone,
        "p_holm": one.p_holm,
        "items_to_see_one_point": {
            "at_present_clusters": one.needed.at_present_clusters,
            "one_per_cluster": one.needed.one_per_cluster,
        },
        "left_out": {
            "only_baseline": one.pairs.only_first,
            "only_run": one.pairs.only_second,
            "unscored_baseline": one.pairs.unscored_first,
            "unscored_run": one.pairs.unscored_second,
            "unscored_both": one.pairs.unscored_both,
        },
        "partly_scored": one.pairs.partly_scored,
        "other_buckets": one.pairs.other_buckets,
        "buckets": [vars(bucket) for bucket in one.buckets],
        "changes": {"counts": counts, "unchanged": len(one.pairs.items) - len(changed)},
        "changed_items": [
            {
                "id": item.id,
                "change": item.change,
                "first": item.means[0],
                "second": item.means[1],
                "difference": item.difference,
                "cluster": item.cluster,
                "buckets": item.buckets,
            }
            for item in changed
        ],
    }


def training_json(result: TrainingComparison) -> dict[str, Any]:
    """Compared training runs."""
    return {
        "tests": result.tests,
        "window": result.window,
        "last_steps": result.last_steps,
        "unscorable": result.unscorable,
        "filtered": result.filtered,
        "validation": result.validation,
        "ends": [
            {
                "task": end.task,
                "baseline": end.baseline,
                "run": end.run,
                "steps": list(end.steps),
                "paired": end.paired,
                "left_out": end.left_out,
                "outcome": end.outcome,
                "verdict": end.verdict,
                **vars(end.found),
                "detectable_alone": end.detectable_alone,
                "p_holm": end.p_holm,
            }
            for end in result.ends
        ],
        "curves": [
            {"task": curve.task, "run": curve.run, "points": [vars(point) for point in curve.points]}
            for curve in result.curves
        ],
    }

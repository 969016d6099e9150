"""What the intervals and tests promise, held against a thousand simulated comparisons with known truth."""

import numpy as np
import pytest

from golongrl.core.stats import (
    cluster_bootstrap,
    cluster_sums,
    difference_interval,
    minimum_detectable_effect,
    sign_flip_test,
)

RUNS, CLUSTERS = 1000, 30


def simulated(kind, effect, seed):
    """Paired differences of RUNS comparisons with `effect` as true mean: (values, clusters) each.

    Clusters hold 1 to about 12 items and have an effect of their own, so that items of one are alike. Graded scores
    differ by normal noise, right and wrong ones by -1, 0 or 1.
    """
    rng = np.random.default_rng(seed)
    for _ in range(RUNS):
        sizes = 1 + rng.geometric(0.3, size=CLUSTERS)
        clusters = np.repeat(np.arange(CLUSTERS), sizes)
        shared = rng.uniform(-0.2, 0.2, size=CLUSTERS)[clusters]
        if kind == "graded":
            yield effect + shared + rng.normal(0, 0.3, size=len(clusters)), clusters.tolist()
        else:
            draws = rng.random(len(clusters))
            better, worse = 0.25 + (effect + shared) / 2, 0.25 - (effect + shared) / 2
            yield (draws < better) * 1.0 - (draws > 1 - worse) * 1.0, clusters.tolist()


@pytest.mark.parametrize("kind", ["graded", "right or wrong"])
def test_the_interval_covers_the_truth_in_95_of_100_comparisons(kind):
    covered = 0
    for values, clusters in simulated(kind, 0.04, seed=11):
        low, high = difference_interval(values, clusters, resamples=1000)
        covered += low <= 0.04 <= high
    assert 0.93 <= covered / RUNS <= 0.97


def test_rare_changes_do_not_make_the_interval_too_narrow():
    # One item in twenty moves, by anything between half a point down and a whole up: most runs see one or two.
    rng, covered, resampled = np.random.default_rng(15), 0, 0
    for _ in range(300):
        values = np.where(rng.random(CLUSTERS) < 0.05, rng.uniform(-0.5, 1, CLUSTERS), 0.0)
        low, high = difference_interval(values, range(CLUSTERS), resamples=500)
        covered += low <= 0.05 * 0.25 <= high
        _, low, high = cluster_bootstrap(values, range(CLUSTERS), 500, expanded=True)
        resampled += low <= 0.05 * 0.25 <= high
    assert covered / 300 >= 0.95
    assert resampled / 300 < 0.7  # without any change, too, an interval of no width


@pytest.mark.parametrize("kind", ["graded", "right or wrong"])
def test_without_a_difference_the_test_sees_one_in_at_most_6_of_100(kind):
    seen = sum(sign_flip_test(values, clusters, n=999) <= 0.05 for values, clusters in simulated(kind, 0.0, seed=12))
    assert 0.03 <= seen / RUNS <= 0.06


def test_the_minimum_detectable_effect_is_seen_in_80_of_100():
    errors = [cluster_sums(values, clusters, "t").standard_error for values, clusters in simulated("graded", 0, 13)]
    effect = minimum_detectable_effect(float(np.mean(errors)), CLUSTERS)
    seen = sum(sign_flip_test(v, clusters, n=999) <= 0.05 for v, clusters in simulated("graded", effect, 14))
    assert 0.75 <= seen / RUNS <= 0.85

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.errors import UsageError
from golongrl.core.stats import cluster_bootstrap, paired_difference


def test_two_clusters_give_the_whole_range():
    # Two clusters: a resample has mean 0, 1/2 or 1 with probability 1/4, 1/2, 1/4.
    assert cluster_bootstrap([0.0, 1.0], ["a", "b"], n=4000) == (0.5, 0.0, 1.0)


def test_inner_level_cuts_the_tails():
    # Each tail of a 40% interval holds 30%, more than the 25% at either end, so both bounds are 1/2.
    assert cluster_bootstrap([0.0, 1.0], ["a", "b"], n=4000, level=0.4) == (0.5, 0.5, 0.5)


def test_clusters_weigh_by_their_items():
    # Clusters a = {0, 0, 0} and b = {1}: the mean of one of each is 1/4, not 1/2.
    mean, low, high = cluster_bootstrap([0, 0, 0, 1], ["a", "a", "a", "b"], n=4000, level=0.4)
    assert (mean, low, high) == (0.25, 0.25, 0.25)


def test_one_cluster_has_no_interval():
    mean, low, high = cluster_bootstrap([0.2, 0.4], ["a", "a"])
    assert mean == pytest.approx(0.3)
    assert math.isnan(low)
    assert math.isnan(high)


def test_matches_the_normal_interval_of_independent_items():
    # 400 coin flips: standard error sqrt(0.25 / 400) = 0.025, so the interval is about 0.5 +- 0.049.
    values = [0.0, 1.0] * 200
    mean, low, high = cluster_bootstrap(values, range(400), n=4000)
    assert mean == 0.5
    assert low == pytest.approx(0.451, abs=0.006)
    assert high == pytest.approx(0.549, abs=0.006)


def test_duplicated_items_in_one_cluster_do_not_narrow_the_interval():
    single = cluster_bootstrap([0, 1, 1, 0, 1], range(5), seed=3)
    fivefold = cluster_bootstrap(np.repeat([0, 1, 1, 0, 1], 5), list(np.repeat(range(5), 5)), seed=3)
    assert fivefold == pytest.approx(single)


def test_large_inputs_run_in_blocks():
    interval = cluster_bootstrap(np.tile([0.0, 1.0], 5000), range(10000), n=1000)
    assert 0.48 < interval.low < 0.5 < interval.high < 0.52


@pytest.mark.parametrize(
    ("values", "clusters", "options"),
    [
        ([], [], {}),
        ([1.0], ["a", "b"], {}),
        ([float("nan")], ["a"], {}),
        ([1.0], ["a"], {"level": 1.0}),
        ([1.0], ["a"], {"n": 0}),
    ],
)
def test_bad_input_is_refused(values, clusters, options):
    with pytest.raises(UsageError):
        cluster_bootstrap(values, clusters, **options)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40), st.integers(0, 9))
def test_interval_is_ordered_bounded_and_ignores_cluster_names(pairs, seed):
    values = [value for value, _ in pairs]
    clusters = [cluster for _, cluster in pairs]
    mean, low, high = cluster_bootstrap(values, clusters, n=200, seed=seed)
    assert mean == pytest.approx(float(np.mean(values)))
    again = cluster_bootstrap(values, [f"doc {cluster}" for cluster in clusters], n=200, seed=seed)
    if len(set(clusters)) == 1:
        assert math.isnan(low)
        assert math.isnan(again.low)
    else:
        assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
        assert again == (mean, low, high)


pairs = st.lists(
    st.tuples(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=3),
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=3),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=40)
@given(pairs)
def test_exchanging_the_runs_turns_the_sign_and_nothing_else(items):
    first, second, clusters = map(list, zip(*items, strict=True))
    there = paired_difference(first, second, clusters, resamples=300)
    back = paired_difference(second, first, clusters, resamples=300)
    assert back.mean == pytest.approx(-there.mean)
    assert back.p == pytest.approx(there.p)
    assert back.detectable == pytest.approx(there.detectable)
    if there.low is not None:
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)
        assert -1 - 1e-9 <= there.low <= there.high <= 1 + 1e-9

"""The interval of scores that do not vary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.errors import UsageError
from golongrl.core.stats.bounded import bounded_interval


def test_all_right_and_all_wrong_by_hand():
    # 0.025 ** (1 / 1) and 0.025 ** (1 / 2); the rule of three says about 3.7 / n for two-sided 95%.
    assert bounded_interval(1.0, 1) == (pytest.approx(0.025), 1.0)
    assert bounded_interval(1.0, 2) == (pytest.approx(0.158114, abs=1e-6), 1.0)
    assert bounded_interval(0.0, 100) == (0.0, pytest.approx(0.036217, abs=1e-6))
    assert bounded_interval(1.0, 10, level=0.9) == (pytest.approx(0.05**0.1), 1.0)


def test_the_ends_are_those_of_clopper_and_pearson_and_the_middle_is_wilsons():
    from scipy.stats import binomtest

    for count in (3, 17, 250):
        exact = binomtest(count, count).proportion_ci(0.95, "exact")
        assert bounded_interval(1.0, count) == (pytest.approx(exact.low), 1.0)
        for right in range(1, count, 5):
            wilson = binomtest(right, count).proportion_ci(0.95, "wilson")
            assert bounded_interval(right / count, count) == pytest.approx((wilson.low, wilson.high))


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_it_holds_the_mean_lies_within_0_and_1_and_mirrors(thousandths, count):
    mean = thousandths / 1000
    low, high = bounded_interval(mean, count)
    assert 0 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1
    assert bounded_interval(1 - mean, count) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_a_sample_of_ones_seldom_lies_about_graded_scores():
    # Scores that are mostly 1 and sometimes 0.4: the chance that ten are all 1 although the mean is below the bound.
    low, _ = bounded_interval(1.0, 10)
    rng = np.random.default_rng(0)
    share = 0.4
    scores = np.where(rng.random((20_000, 10)) < share, 1.0, 0.4)
    expectation = share + 0.4 * (1 - share)
    assert expectation < low
    assert np.mean((scores == 1.0).all(axis=1)) <= 0.025


@pytest.mark.parametrize(("mean", "count", "level"), [(1.1, 3, 0.95), (-0.1, 3, 0.95), (0.5, 0, 0.95), (0.5, 3, 1.0)])
def test_what_is_no_mean_of_scores_is_refused(mean, count, level):
    with pytest.raises(UsageError, match="bounded_interval needs"):
        bounded_interval(mean, count, level)

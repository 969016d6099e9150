"""Paired tests, Holm, power and the paired difference: by hand, and against scipy and statsmodels."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats as scipy_stats

from golongrl.core.errors import UsageError
from golongrl.core.stats import (
    cluster_bootstrap,
    cluster_sums,
    clusters_needed,
    difference_bootstrap,
    holm,
    items_needed,
    label_swap_test,
    mean_interval,
    mean_sign_flip_test,
    minimum_detectable_effect,
    paired_difference,
    power_of,
    sign_flip_test,
    smallest_p,
)

with warnings.catch_warnings():
    # Its decorators use what pandas 3 is about to drop.
    warnings.simplefilter("ignore")
    from statsmodels.regression.linear_model import OLS
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.power import TTestPower


def noise(seed, size):
    return np.random.default_rng(seed).normal(size=size)


def test_standard_error_by_hand_and_as_statsmodels_has_it():
    # Clusters a = {1, 0} and b = {0}: mean 1/3, residual sums 1 - 2/3 and 0 - 1/3, so sqrt(2 * 2/9) / 3.
    assert cluster_sums([1, 0, 0], ["a", "a", "b"], "t").standard_error == pytest.approx(math.sqrt(4 / 9) / 3)
    values, clusters = noise(0, 60), np.repeat(np.arange(12), [1, 9, *[5] * 10])
    fit = OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": True})
    assert cluster_sums(values, list(clusters), "t").standard_error == pytest.approx(fit.bse[0], rel=1e-9)


def test_with_an_item_per_cluster_the_error_is_the_usual_one():
    values = noise(1, 30)
    assert cluster_sums(values, range(30), "t").standard_error == pytest.approx(scipy_stats.sem(values))


def test_one_cluster_has_no_standard_error():
    assert math.isnan(cluster_sums([0.2, 0.4], ["a", "a"], "t").standard_error)


def test_sign_flips_by_hand():
    # Sums 1, 1, 1: of 8 flips two reach |3|. Sums 2 and 1: |3| is reached by 2 of 4, |1| by all.
    assert sign_flip_test([1, 1, 1], "abc") == 0.25
    assert sign_flip_test([1, 1, 1], "aab") == 0.5
    assert sign_flip_test([1, 1, -1], "aab") == 1.0
    assert sign_flip_test([0.0, 0.0], "ab") == 1.0


def test_items_of_equal_score_do_not_count():
    assert sign_flip_test([1, 1, 1, 0, 0, 0, 0], "abcdefg") == 0.25


@pytest.mark.parametrize(("better", "worse"), [(9, 3), (21, 10), (40, 20)])
def test_sign_flips_of_right_and_wrong_are_mcnemars_exact_test(better, worse):
    differences = [1.0] * better + [-1.0] * worse + [0.0] * 50
    exact = scipy_stats.binomtest(better, better + worse).pvalue
    assert sign_flip_test(differences, range(len(differences)), n=200_000) == pytest.approx(exact, abs=0.003)


def test_sign_flips_are_scipys_permutation_test_of_paired_samples():
    first, second = noise(2, 11), noise(3, 11) + 0.7
    theirs = scipy_stats.permutation_test(
        (first, second), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_test(second - first, range(11)) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_random_flips_agree_with_all_flips():
    differences = noise(4, 14) + 0.4
    exact = sign_flip_test(differences, range(14))
    doubled = sign_flip_test(np.repeat(differences, 2) / 2, list(np.repeat(range(14), 2)))
    assert doubled == pytest.approx(exact)
    more = np.append(differences, [1e-7, 1e-7])  # 16 clusters that differ are drawn, and change nothing
    assert sign_flip_test(more, range(16), n=100_000) == pytest.approx(exact, abs=0.005)


def test_no_random_flip_gives_a_p_value_of_zero():
    assert sign_flip_test([1.0] * 200, range(200), n=99) == 0.01


def test_smallest_p_values_of_few_clusters():
    assert [smallest_p(count) for count in (1, 2, 5, 6)] == [1.0, 0.5, 0.0625, 0.03125]
    assert sign_flip_test([1.0] * 5, range(5)) == smallest_p(5)


def test_the_mean_over_benchmarks_weighs_benchmarks_not_items():
    # Means 1 and -1/2 of one cluster each: every flip reaches |1/4|. With +1/2 two of four reach |3/4|.
    assert mean_sign_flip_test([([1.0], ["a"]), ([-0.5] * 4, ["d"] * 4)]) == 1.0
    assert mean_sign_flip_test([([1.0], ["a"]), ([0.5] * 4, ["d"] * 4)]) == 0.5


def test_the_interval_of_a_mean_over_benchmarks_by_hand():
    # Below 0.3 and 0.4 together 0.5, above 0 and 0.2 together 0.2, each over two benchmarks.
    assert mean_interval([(1.0, 0.7, 1.0), (0.5, 0.1, 0.7)]) == pytest.approx((0.75 - 0.25, 0.75 + 0.1))
    assert mean_interval([(0.4, 0.1, 0.6)]) == pytest.approx((0.1, 0.6))
    assert mean_interval([(1.0, 0.7, 1.0), (0.5, None, None)]) is None


def test_the_interval_of_a_mean_over_benchmarks_is_students():
    values = [noise(21, 80), 2 * noise(22, 80) + 1]
    parts = [cluster_bootstrap(own, range(80), n=20_000, expanded=True) for own in values]
    theirs = scipy_stats.ttest_ind(values[1], -values[0], equal_var=False).confidence_interval()
    assert mean_interval(parts) == pytest.approx((theirs.low / 2, theirs.high / 2), abs=0.03)


def test_swapped_labels_by_hand_and_as_scipy_has_it():
    # Of the 6 ways to deal 0, 0, 1, 1 to two pairs, 2 reach a difference of 1.
    assert label_swap_test(([0, 0], [1, 1]), ("ab", "ab"), n=30_000) == pytest.approx(1 / 3, abs=0.01)
    first, second = noise(5, 20), noise(6, 25) + 0.6
    theirs = scipy_stats.permutation_test((first, second), lambda x, y: np.mean(y) - np.mean(x), n_resamples=20_000)
    assert label_swap_test((first, second), (range(20), range(25))) == pytest.approx(theirs.pvalue, abs=0.006)


def test_swapped_labels_move_whole_clusters():
    values = ([0.0] * 10, [1.0] * 10)
    assert label_swap_test(values, (["a"] * 10, ["b"] * 10), n=2_000) == 1.0


def test_two_samples_get_the_interval_of_welch():
    first, second = noise(7, 40), 3 * noise(8, 60) + 1
    theirs = scipy_stats.ttest_ind(second, first, equal_var=False).confidence_interval()
    mean, low, high = difference_bootstrap((first, second), (range(40), range(60)))
    assert mean == pytest.approx(second.mean() - first.mean())
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.06)
    assert math.isnan(difference_bootstrap(([1.0, 2.0], [1.0]), ("ab", "a")).low)


def test_two_samples_without_spread_leave_open_what_was_not_drawn():
    # Ten prompts that all earn 0 leave 1 - 0.025 ** (1 / 10) open; twenty on the other side leave less.
    ten, twenty = 1 - 0.025 ** (1 / 10), 1 - 0.025 ** (1 / 20)
    found = difference_bootstrap(([0.0] * 10, [0.0] * 20), (range(10), range(20)))
    assert found == pytest.approx((0.0, -ten, twenty))
    # One side alone: what the other's resamples show, and what these ten leave open.
    half = [0.0, 1.0] * 20
    alone = cluster_bootstrap(half, range(40), n=10_000, expanded=True)
    found = difference_bootstrap(([0.0] * 10, half), (range(10), range(40)))
    assert found == pytest.approx((0.5, 0.5 - math.hypot(0.5 - alone.low, ten), alone.high))


@pytest.mark.parametrize("size", [12, 30])
def test_expanded_intervals_are_as_wide_as_students(size):
    values = noise(9, size)
    student = scipy_stats.t.interval(0.95, size - 1, values.mean(), scipy_stats.sem(values))
    plain = cluster_bootstrap(values, range(size), n=20_000)
    expanded = cluster_bootstrap(values, range(size), n=20_000, expanded=True)
    assert expanded.high - expanded.low == pytest.approx(student[1] - student[0], rel=0.06)
    assert expanded.low < plain.low
    assert plain.high < expanded.high


def test_holm_by_hand():
    # 0.01 x 3, then 0.03 x 2, then 0.04 x 1, which may not be below the one before.
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_holm_is_statsmodels_holm(size):
    for seed in range(2):  # every call of theirs collects garbage
        p_values = np.random.default_rng(seed).random(size) ** 3
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize("clusters", [2, 3, 5, 10, 30, 120, 1000])
def test_minimum_detectable_effects_are_statsmodels_paired_power(clusters):
    theirs = np.squeeze(TTestPower().solve_power(nobs=clusters, alpha=0.05, power=0.8))
    ours = minimum_detectable_effect(1 / math.sqrt(clusters), clusters)
    assert ours == pytest.approx(float(theirs), rel=1e-4)


def test_power_and_clusters_needed_are_statsmodels():
    assert power_of(0.5, 1 / math.sqrt(20), 20) == pytest.approx(TTestPower().power(0.5, 20, 0.05), abs=1e-9)
    for effect in (0.01, 0.05, 0.2, 0.5, 1.0):
        theirs = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert clusters_needed(effect, 1 / math.sqrt(50), 50) == math.ceil(float(np.squeeze(theirs)))


def test_what_says_nothing_about_spread_says_nothing_about_power():
    assert minimum_detectable_effect(0.0, 50) is None
    assert minimum_detectable_effect(float("nan"), 1) is None
    assert clusters_needed(0.01, 0.0, 50) is None


def test_a_paired_difference_by_hand():
    # Four items of two answers each; differences 1, 1/2, 0, 0 and their usual standard error.
    first = [[0, 0], [0, 1], [1, 1], [0, 0]]
    second = [[1, 1], [1, 1], [1, 1], [0, 0]]
    found = paired_difference(first, second, "abcd")
    assert (found.n_items, found.n_clusters, found.first, found.second) == (4, 4, 0.375, 0.75)
    assert found.mean == 0.375
    assert found.standard_error == pytest.approx(scipy_stats.sem([1, 0.5, 0, 0]))
    assert found.p == 0.5  # sums 1 and 1/2: two of four flips reach 3/2
    assert found.low <= 0.375 <= found.high
    # Only item b varies within: variance 1/2 of one answer, 1/4 of their mean, over 4^2.
    assert found.noise_share == pytest.approx(0.25 / 16 / found.standard_error**2)
    assert found.detectable_with_many_repeats == pytest.approx(
        found.detectable * math.sqrt(1 - found.noise_share), rel=1e-9
    )


def test_without_repeats_chance_and_items_cannot_be_told_apart():
    found = paired_difference([[0], [1]], [[1], [1]], "ab")
    assert found.noise_share is None
    assert found.detectable_with_many_repeats is None


def test_when_no_item_differs_the_interval_says_what_that_rules_out():
    # Were more than a share q of all documents different, three would all be equal less than 2.5% of the time.
    found = paired_difference([[1], [0], [1]], [[1], [0], [1]], "abc")
    others = 1 - 0.025 ** (1 / 3)
    assert (found.mean, found.p, found.detectable) == (0.0, 1.0, None)
    assert (found.low, found.high) == pytest.approx((-others, others))


def test_when_all_items_differ_alike_others_may_not():
    found = paired_difference([[0]] * 20, [[1]] * 20, range(20))
    assert (found.low, found.high) == pytest.approx((1 - 2 * (1 - 0.025 ** (1 / 20)), 1.0))


def test_one_small_change_does_not_undo_what_equal_items_leave_open():
    # Of 100 equal documents 3.6% may differ either way. That one of them moves by 0.01 does not tell more.
    found = paired_difference([[0.5]] * 100, [[0.51], *[[0.5]] * 99], range(100))
    others = 1 - 0.025 ** (1 / 100)
    assert found.low == pytest.approx(-others, abs=1e-3)
    assert found.high >= others
    # One right answer more: Wilson's interval of 1 in 100 above, and again 3.6% of losses that were not seen.
    one = paired_difference([[0]] * 100, [[1], *[[0]] * 99], range(100))
    wilson = scipy_stats.binomtest(1, 100).proportion_ci(method="wilson")
    assert one.high == pytest.approx(wilson.high)
    assert one.low == pytest.approx(0.01 - math.hypot(0.01 - wilson.low, others))


def test_changes_that_a_test_can_see_are_left_to_the_bootstrap():
    many = [1.0] * 6 + [0.0] * 44
    found = paired_difference([[0.0]] * 50, [[value] for value in many], range(50))
    plain = cluster_bootstrap(many, range(50), n=10_000, expanded=True)
    assert (found.low, found.high) == (plain.low, plain.high)


def test_one_document_says_nothing_about_others():
    found = paired_difference([[0], [0]], [[1], [1]], "aa")
    assert (found.mean, found.low, found.standard_error, found.p) == (1.0, None, None, 1.0)


def test_items_needed_for_a_point():
    first, second = [[0.0]] * 8, [[1.0], [0.0]] * 4
    # Clusters of two like items: half as many clusters as items, each with the spread of one item.
    one = items_needed(first, second, range(8), effect=0.1)
    pairs = items_needed(first * 2, second * 2, [*range(8), *range(8)], effect=0.1)
    assert one.at_present_clusters == one.one_per_cluster
    assert pairs.at_present_clusters == 2 * one.at_present_clusters
    assert pairs.one_per_cluster < one.one_per_cluster  # the sample variance of 16 values is a little smaller
    theirs = TTestPower().solve_power(effect_size=0.1 / np.std([1, 0] * 4, ddof=1), alpha=0.05, power=0.8)
    assert one.at_present_clusters == math.ceil(float(np.squeeze(theirs)))


@pytest.mark.parametrize("scores", [([], []), ([[1]], []), ([[1]], [[]])])
def test_bad_pairs_are_refused(scores):
    with pytest.raises(UsageError):
        paired_difference(*scores, ["a"] * len(scores[0]))

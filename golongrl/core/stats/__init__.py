"""Uncertainty of benchmark scores and of their differences.

Long-context items share documents, so their scores are not independent. Resampling, flipping and counting whole
clusters (documents, conversations) instead of items keeps that dependence in every interval and test.
"""

from golongrl.core.stats.clusters import ClusterSums, cluster_sums
from golongrl.core.stats.intervals import (
    Interval,
    cluster_bootstrap,
    difference_bootstrap,
    mean_interval,
    welch_freedom,
)
from golongrl.core.stats.multiplicity import holm
from golongrl.core.stats.paired import Difference, Needed, difference_interval, items_needed, paired_difference
from golongrl.core.stats.permutation import label_swap_test, mean_sign_flip_test, sign_flip_test, smallest_p
from golongrl.core.stats.power import clusters_needed, minimum_detectable_effect, power_of

__all__ = [
    "ClusterSums",
    "Difference",
    "Interval",
    "Needed",
    "cluster_bootstrap",
    "cluster_sums",
    "clusters_needed",
    "difference_bootstrap",
    "difference_interval",
    "holm",
    "items_needed",
    "label_swap_test",
    "mean_interval",
    "mean_sign_flip_test",
    "minimum_detectable_effect",
    "paired_difference",
    "power_of",
    "sign_flip_test",
    "smallest_p",
    "welch_freedom",
]

"""What a comparison of this size can see: minimum detectable effect, and the clusters that an effect needs.

Both are those of a two-sided t-test over clusters with the cluster-robust standard error, which the permutation test
follows closely; Student's noncentral distribution gives the power.
"""

import math

NO_SPREAD = 1e-12
"""Standard errors up to this are rounding: nothing differs from anything."""
LARGEST = 10**8
"""No more clusters than this are asked for."""


def power_of(effect: float, standard_error: float, clusters: float, level: float = 0.95) -> float:
    """Chance that a true difference of `effect` is seen at `level`, with C - 1 degrees of freedom."""
    from scipy.stats import nct, t

    freedom = clusters - 1
    cut = float(t.ppf(1 - (1 - level) / 2, freedom))
    shift = effect / standard_error
    upper = float(nct.sf(cut, freedom, shift))
    # The other tail is nil there, where scipy's sum for it loses its digits.
    lower = float(nct.cdf(-cut, freedom, shift)) if shift < 5 else 0.0
    return upper + lower


def minimum_detectable_effect(
    standard_error: float, clusters: float, level: float = 0.95, power: float = 0.8
) -> float | None:
    """The smallest true difference that is seen with the given power; None with fewer than two clusters or no spread.

    In the unit of `standard_error`, which is that of the mean difference (see ClusterSums.standard_error).
    """
    from scipy.optimize import brentq
    from scipy.stats import t

    if clusters < 2 or not standard_error > NO_SPREAD:
        return None
    # Generous for 1 degree of freedom, too: the quantile of the test, and as much again for the power.
    most = 4 * (float(t.ppf(1 - (1 - level) / 2, clusters - 1)) + float(t.ppf(power, clusters - 1)))
    root = brentq(lambda shift: power_of(shift, 1.0, clusters, level) - power, 0.0, most)
    return float(root) * standard_error


def clusters_needed(
    effect: float, standard_error: float, clusters: int, level: float = 0.95, power: float = 0.8
) -> int | None:
    """How many clusters like the present ones let `effect` be seen; None where the present ones say nothing.

    The standard error falls with the square root of the number of clusters. Capped at LARGEST.
    """
    if clusters < 2 or not standard_error > NO_SPREAD:
        return None
    spread = standard_error * math.sqrt(clusters)

    def enough(count: int) -> bool:
        return power_of(effect, spread / math.sqrt(count), count, level) >= power

    high = 2
    while not enough(high):
        if high >= LARGEST:
            return LARGEST
        high *= 2
    low = max(2, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high

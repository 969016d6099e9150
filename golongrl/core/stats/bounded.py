"""An interval for scores between 0 and 1 that does not rest on their spread, for when there is none.

Where every cluster has the same mean, as when all answers are right, each resample equals the sample and a bootstrap
interval has no width, whatever the number of clusters.
"""

import math
from statistics import NormalDist

from golongrl.core.errors import UsageError


def bounded_interval(mean: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """(low, high) for the expectation behind `mean`, the mean of `count` independent values between 0 and 1.

    At 1 and 0 the bounds are exact: all values are 1 with a chance of at most expectation ** count, so the low end
    is ((1 - level) / 2) ** (1 / count), that of Clopper and Pearson; graded scores are covered, too. 0.69 for 10
    values, 0.96 for 100. In between Wilson's interval, whose variance mean * (1 - mean) is the largest that values
    between 0 and 1 can have.

    Raises UsageError for a mean outside [0, 1], no values, or a level outside (0, 1).
    """
    if not 0 <= mean <= 1 or count < 1 or not 0 < level < 1:
        raise UsageError("bounded_interval needs a mean and a level between 0 and 1, and at least one value")
    tail = (1 - level) / 2
    if mean in (0.0, 1.0):
        exact = tail ** (1 / count)
        return (exact, 1.0) if mean == 1.0 else (0.0, 1 - exact)
    z2 = NormalDist().inv_cdf(1 - tail) ** 2
    middle = (mean + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (mean * (1 - mean) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)

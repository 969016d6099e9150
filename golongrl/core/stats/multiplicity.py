"""Many comparisons at once: the more are made, the likelier one of them looks like a difference by chance."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): below a level all together, whatever the dependence between the tests.

    The i-th smallest of m is multiplied by m - i + 1, made no smaller than the ones before it, and capped at 1.
    """
    p_M = np.asarray(p_values, dtype=np.float64)
    order_M = np.argsort(p_M, kind="stable")
    steps_M = np.maximum.accumulate((len(p_M) - np.arange(len(p_M))) * p_M[order_M])
    adjusted_M = np.empty(len(p_M))
    adjusted_M[order_M] = np.minimum(steps_M, 1.0)
    return adjusted_M.tolist()

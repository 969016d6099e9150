"""An advantage of your own: the rank of a reward within its group, so that no outlier carries the gradient.

export GOLONGRL_PLUGINS=examples/plugins/add_an_algorithm.py
golongrl simulate --algo rank --algo tmn-reweight
golongrl train --algo rank ...
"""

import numpy as np

from golongrl.core.advantages import ALGORITHMS, Options
from golongrl.core.advantages.groups import Floats, Groups


def rank(groups: Groups, options: Options) -> Floats:
    """(rollouts of its group below it - those above it) / (G - 1), from -1 to 1. Shape [N]."""
    values_N = np.zeros_like(groups.rewards_N)
    for number, size in enumerate(groups.size_G):
        member_N = groups.group_N == number
        signs = np.sign(np.subtract.outer(groups.rewards_N[member_N], groups.rewards_N[member_N]))
        values_N[member_N] = signs.sum(axis=1) / max(1, size - 1)
    return values_N


ALGORITHMS["rank"] = rank

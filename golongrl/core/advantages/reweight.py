"""TMN-Reweight (arXiv 2605.19577): TMN times a difficulty weight.

m_u = alpha mu_u + (1 - alpha) mu_t                smoothed bar; mu_t is the mean of mu_u over the task's groups
p_u = share of the group's rewards above m_u       pass rate
w_u = exp(gamma (0.5 - p_u))                       above 1 for hard prompts, below 1 for easy ones
A_i = w_u A_tmn if r_i > mu_u, else A_tmn / w_u

For binary rewards r > m_u iff r = 1, so alpha has no effect there. The weighted advantages of a group do not sum
to zero. `max_weight` clamps w_u to [1 / max_weight, max_weight].
"""

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups

TIE = 1e-6
"""Rewards travel as float32, so a reward equal to the bar may land on either side of it by rounding."""


def pass_rates(groups: Groups, mean_T: Floats, alpha: float) -> Floats:
    """p_u of shape [G]; `mean_T` is mu_t per task, from the batch or a running mean."""
    # A task without counted groups has no mean of its own; its groups' advantages are 0 whatever the bar.
    task_mean_G = np.nan_to_num(mean_T)[groups.task_G]
    bar_G = alpha * groups.mean_G + (1 - alpha) * task_mean_G
    passed_N = groups.rewards_N - bar_G[groups.group_N] > TIE
    return np.bincount(groups.group_N, weights=passed_N, minlength=len(groups.size_G)) / groups.size_G


def difficulty_weights(pass_G: Floats, gamma: float, max_weight: float | None = None) -> Floats:
    """w_u of shape [G]."""
    weight_G = np.exp(gamma * (0.5 - pass_G))
    return weight_G if max_weight is None else np.clip(weight_G, 1 / max_weight, max_weight)


def reweight(
    groups: Groups, scaled_N: Floats, pass_G: Floats, *, gamma: float = 1.0, max_weight: float | None = None
) -> Floats:
    """Weighted advantages of shape [N] from TMN's."""
    weight_N = difficulty_weights(pass_G, gamma, max_weight)[groups.group_N]
    return np.where(groups.centred_N > 0, scaled_N * weight_N, scaled_N / weight_N)

"""Advantages from rewards: five algorithms in float64 numpy, one file each.

To add one: write a file with its formula and source, then add a row to ALGORITHMS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golongrl.core.advantages.dr_grpo import dr_grpo
from golongrl.core.advantages.groups import Floats, Groups, group
from golongrl.core.advantages.grpo import grpo
from golongrl.core.advantages.qwenlong import qwenlong
from golongrl.core.advantages.reweight import pass_rates, reweight
from golongrl.core.advantages.task_stats import TaskStats
from golongrl.core.advantages.tmn import tmn
from golongrl.core.errors import UsageError

__all__ = ["ALGORITHMS", "Advantages", "TaskStats", "compute"]


@dataclass(frozen=True)
class Options:
    """Everything an algorithm may be told; each reads what it needs."""

    eps: float = 1e-6
    alpha: float = 0.8
    gamma: float = 1.0
    max_weight: float | None = None
    stats: TaskStats | None = None
    """Running task statistics, updated in place; None takes the batch's own."""

    def task_moments(self, groups: Groups) -> tuple[Floats, Floats]:
        """(S_t^2, mu_t) of shape [T]."""
        if self.stats is not None:
            return self.stats.update(groups)
        return groups.task_mean(groups.var_G), groups.task_mean(groups.mean_G)


@dataclass(frozen=True)
class Advantages:
    """Advantages of shape [N] in float64, and numbers worth logging."""

    values: Floats
    metrics: dict[str, float] = field(default_factory=dict)


def _tmn_reweight(groups: Groups, options: Options) -> Floats:
    var_T, mean_T = options.task_moments(groups)
    scaled_N = tmn(groups, var_T, eps=options.eps)
    pass_G = pass_rates(groups, mean_T, options.alpha)
    return reweight(groups, scaled_N, pass_G, gamma=options.gamma, max_weight=options.max_weight)


ALGORITHMS: dict[str, Callable[[Groups, Options], Floats]] = {
    "grpo": lambda groups, options: grpo(groups, eps=options.eps),
    "dr-grpo": lambda groups, options: dr_grpo(groups),
    "tmn": lambda groups, options: tmn(groups, options.task_moments(groups)[0], eps=options.eps),
    "tmn-reweight": _tmn_reweight,
    "qwenlong": lambda groups, options: qwenlong(groups, eps=options.eps),
}


def compute(
    algo: str,
    rewards: Sequence[float],
    prompt_ids: Sequence[object],
    task_ids: Sequence[object],
    **options: Any,
) -> Advantages:
    """Advantages of N rollouts.

    `rewards`, `prompt_ids` and `task_ids` have length N and may come in any order; rollouts of one prompt form a
    group. Options: eps, alpha, gamma, max_weight, stats (a TaskStats for running task statistics). A group of one
    rollout and a constant group get exactly 0. Raises UsageError for an unknown algorithm, DataError for bad input.
    """
    if algo not in ALGORITHMS:
        raise UsageError(f"unknown algorithm {algo!r}; choose one of {', '.join(ALGORITHMS)}")
    groups = group(rewards, prompt_ids, task_ids)
    values = ALGORITHMS[algo](groups, Options(**options))
    return Advantages(values, _metrics(groups, values))


def _metrics(groups: Groups, values: Floats) -> dict[str, float]:
    """Per task: mean reward, share of rollouts, share of absolute advantage, share of groups without signal."""
    metrics: dict[str, float] = {}
    total = float(np.abs(values).sum())
    for index, task in enumerate(groups.tasks):
        of_task_N, of_task_G = groups.task_N == index, groups.task_G == index
        mass = float(np.abs(values[of_task_N]).sum())
        flat_G = ~(np.nan_to_num(groups.var_G[of_task_G]) > 0)
        metrics[f"task/{task}/reward"] = float(groups.rewards_N[of_task_N].mean())
        metrics[f"task/{task}/rollouts"] = int(of_task_N.sum())
        metrics[f"task/{task}/rollout_share"] = float(of_task_N.mean())
        metrics[f"task/{task}/advantage_share"] = mass / total if total > 0 else 0.0
        metrics[f"task/{task}/mean_abs_advantage"] = float(np.abs(values[of_task_N]).mean())
        metrics[f"task/{task}/no_signal_groups"] = float(flat_G.mean())
    return metrics

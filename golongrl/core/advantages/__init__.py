"""Advantages from rewards: five algorithms in float64 numpy, one file each.

To add one: write a file with its formula and source, then add a row to ALGORITHMS; or do so in a plugin
(`golongrl.core.plugins`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from golongrl.core.advantages.dr_grpo import dr_grpo
from golongrl.core.advantages.groups import Floats, Groups, group
from golongrl.core.advantages.grpo import grpo
from golongrl.core.advantages.metrics import task_metrics
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

    def task_means(self, groups: Groups) -> Floats:
        """mu_t of shape [T] as the algorithm saw them; leaves running statistics as they are."""
        return groups.task_mean(groups.mean_G) if self.stats is None else self.stats.means(groups)


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
    told = Options(**options)
    values = ALGORITHMS[algo](groups, told)
    metrics = task_metrics(
        groups, values, told.task_means(groups), alpha=told.alpha, gamma=told.gamma, max_weight=told.max_weight
    )
    return Advantages(values, metrics)

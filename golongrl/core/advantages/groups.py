"""Prompt groups and their statistics: what every advantage is made of.

Suffixes: `_N` one value per rollout, `_G` per prompt group, `_T` per task.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golongrl.core.errors import DataError

CONSTANT_RANGE = 1e-9

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Groups:
    """Rollouts of a batch sorted into prompt groups and tasks, with two-pass float64 statistics."""

    rewards_N: Floats
    group_N: Ints
    """Index of each rollout's group."""
    size_G: Ints
    mean_G: Floats
    var_G: Floats
    """Bessel-corrected variance; exactly 0 for constant groups, NaN for groups of one rollout."""
    task_G: Ints
    """Index of each group's task into `tasks`."""
    tasks: tuple[str, ...]
    centred_N: Floats
    """r - mu_u; exactly 0 in constant groups and in groups of one rollout."""

    @property
    def counted_G(self) -> NDArray[np.bool_]:
        """Groups that enter task statistics: those of at least two rollouts."""
        return self.size_G >= 2

    @property
    def task_N(self) -> Ints:
        """Task index of each rollout."""
        return self.task_G[self.group_N]

    def task_mean(self, values_G: Floats) -> Floats:
        """Mean of a group statistic over the counted groups of each task; NaN for a task without any."""
        counted = self.counted_G
        count_T = np.bincount(self.task_G[counted], minlength=len(self.tasks))
        sum_T = np.bincount(self.task_G[counted], weights=values_G[counted], minlength=len(self.tasks))
        return np.divide(sum_T, count_T, out=np.full(len(self.tasks), np.nan), where=count_T > 0)


def group(rewards: Sequence[float], prompt_ids: Sequence[object], task_ids: Sequence[object]) -> Groups:
    """Sort rollouts into groups.

    All three have length N. DataError when lengths differ, a reward is not finite, or a prompt has two tasks.
    """
    rewards_N = np.array(rewards, dtype=np.float64)
    if rewards_N.ndim != 1 or not len(rewards_N) == len(prompt_ids) == len(task_ids):
        raise DataError(
            f"rewards, prompt_ids and task_ids must be flat and of one length, got shape {rewards_N.shape}, "
            f"{len(prompt_ids)} and {len(task_ids)}"
        )
    if not np.isfinite(rewards_N).all():
        raise DataError("a reward is not finite; leave rollouts that could not be scored out of the batch")
    index_of: dict[object, int] = {}
    group_N = np.array([index_of.setdefault(prompt, len(index_of)) for prompt in prompt_ids], dtype=np.intp)
    task_of: dict[object, str] = {}
    for prompt, task in zip(prompt_ids, task_ids, strict=True):
        if task_of.setdefault(prompt, str(task)) != str(task):
            raise DataError(f"prompt {prompt!r} has two tasks, {task_of[prompt]!r} and {str(task)!r}")
    tasks = tuple(sorted(set(task_of.values())))
    task_index = {task: index for index, task in enumerate(tasks)}
    task_G = np.array([task_index[task_of[prompt]] for prompt in index_of], dtype=np.intp)

    size_G = np.bincount(group_N, minlength=len(index_of))
    mean_G = np.bincount(group_N, weights=rewards_N, minlength=len(index_of)) / np.maximum(size_G, 1)
    low_G, high_G = np.full(len(index_of), np.inf), np.full(len(index_of), -np.inf)
    np.minimum.at(low_G, group_N, rewards_N)
    np.maximum.at(high_G, group_N, rewards_N)
    flat_G = high_G - low_G <= CONSTANT_RANGE
    centred_N = np.where(flat_G[group_N], 0.0, rewards_N - mean_G[group_N])
    square_G = np.bincount(group_N, weights=centred_N**2, minlength=len(index_of))
    var_G = np.divide(square_G, size_G - 1, out=np.full(len(index_of), np.nan), where=size_G > 1)
    return Groups(rewards_N, group_N, size_G, mean_G, var_G, task_G, tasks, centred_N)

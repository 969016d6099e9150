"""Running task statistics: S_t^2 and mu_t as bias-corrected exponential means over batches.

A rare task often appears in a batch with a single prompt, where the batch's own S_t is that prompt's s_u and TMN
collapses to GRPO. A running mean keeps the task's scale from earlier batches.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups


@dataclass
class TaskAverage:
    """Exponential sums of one task; dividing by `weight` corrects the bias towards 0 of the first batches."""

    weight: float = 0.0
    var: float = 0.0
    mean: float = 0.0


@dataclass
class TaskStats:
    """Running statistics of every task seen so far; `decay` is the share that stays per batch."""

    decay: float = 0.9
    averages: dict[str, TaskAverage] = field(default_factory=dict)

    def update(self, groups: Groups) -> tuple[Floats, Floats]:
        """Fold a batch in; returns (S_t^2, mu_t) of shape [T] after it. Tasks without counted groups stay."""
        var_T, mean_T = groups.task_mean(groups.var_G), groups.task_mean(groups.mean_G)
        for index, task in enumerate(groups.tasks):
            average = self.averages.setdefault(task, TaskAverage())
            if not np.isnan(var_T[index]):
                keep = self.decay
                average.weight = keep * average.weight + (1 - keep)
                average.var = keep * average.var + (1 - keep) * float(var_T[index])
                average.mean = keep * average.mean + (1 - keep) * float(mean_T[index])
            if average.weight > 0:
                var_T[index] = average.var / average.weight
                mean_T[index] = average.mean / average.weight
        return var_T, mean_T

    def means(self, groups: Groups) -> Floats:
        """Running mu_t of shape [T] of the batch's tasks; their batch means for tasks never folded in."""
        mean_T = groups.task_mean(groups.mean_G)
        for index, task in enumerate(groups.tasks):
            average = self.averages.get(task)
            if average is not None and average.weight > 0:
                mean_T[index] = average.mean / average.weight
        return mean_T

    def to_json(self) -> dict:
        """JSON form, for the run's checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> "TaskStats":
        """The inverse of `to_json`."""
        return cls(value["decay"], {task: TaskAverage(**sums) for task, sums in value["averages"].items()})

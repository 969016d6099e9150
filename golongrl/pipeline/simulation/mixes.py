"""Synthetic rollouts in the recipe's task proportions: what rewards of nine capabilities may look like.

A prompt has a mean reward drawn from a Beta distribution; its rollouts are drawn around it. Binary tasks pay 0 or 1;
graded tasks pay a Beta-distributed share whose spread differs between tasks, as F1, IoU, NDCG and ROUGE-L differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from golongrl.core import tasks
from golongrl.core.errors import UsageError
from golongrl.pipeline.simulation.rollouts import Batch

PROPORTIONS = {"T1": 7908, "T2": 6808, "T3": 3478, "T4": 3054, "T5": 937, "T6": 360, "T7": 120, "T8": 180, "T9": 120}
"""Rows of each capability in the recipe's 22,965 (arXiv 2605.19577)."""

BINARY = ("T1", "T2", "T4")
CONCENTRATION = {"T3": 3.0, "T5": 2.0, "T6": 4.0, "T7": 15.0, "T8": 6.0, "T9": 60.0}
"""How closely the rollouts of a graded prompt lie around its mean: ROUGE-L hardly varies, IoU does."""


UNEVEN = {
    "T1": (0.25, 0.15),
    "T2": (1.5, 0.6),
    "T3": (2.0, 2.0),
    "T4": (0.3, 0.5),
    "T5": (1.0, 3.0),
    "T6": (1.0, 2.0),
    "T7": (5.0, 2.0),
    "T8": (1.0, 1.0),
    "T9": (6.0, 14.0),
}
"""Beta(a, b) of the prompt means where tasks differ: retrieval and arithmetic are mostly solved or mostly not."""


@dataclass(frozen=True)
class Mix:
    """Shape of one synthetic mix: Beta(a, b) of the prompt means, and whether all tasks are binary."""

    what: str
    a: float = 1.0
    b: float = 1.0
    binary: bool = False
    shapes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Task -> its own (a, b)."""

    def shape(self, task: str) -> tuple[float, float]:
        """(a, b) of a task's prompt means."""
        return self.shapes.get(task, (self.a, self.b))


MIXES: dict[str, Mix] = {
    "paper": Mix("binary and graded tasks, prompts of every difficulty", 0.8, 0.8),
    "easy": Mix("binary and graded tasks, most prompts nearly solved", 4.0, 1.0),
    "hard": Mix("binary and graded tasks, most prompts nearly failed", 1.0, 4.0),
    "uneven": Mix("binary and graded tasks, each with a difficulty of its own", shapes=UNEVEN),
    "binary": Mix("every task binary, prompts of every difficulty", 0.8, 0.8, binary=True),
}


def draw(
    name: str, batches: int, prompts: int, rollouts: int, *, seed: int = 0, filtered: bool = False
) -> Iterator[Batch]:
    """Batches of `prompts` x `rollouts`; `filtered` draws constant groups anew, as dynamic sampling does."""
    if name not in MIXES:
        raise UsageError(f"unknown mix {name!r}; choose one of {', '.join(MIXES)}")
    mix, rng = MIXES[name], np.random.default_rng(seed)
    ids = list(PROPORTIONS)
    shares = np.array(list(PROPORTIONS.values()), dtype=np.float64)
    for _ in range(batches):
        drawn = rng.choice(len(ids), size=prompts, p=shares / shares.sum())
        batch = Batch()
        for place, task in enumerate(drawn):
            rewards = _group(mix, ids[task], rollouts, rng)
            while filtered and np.ptp(rewards) <= 1e-9:
                rewards = _group(mix, ids[task], rollouts, rng)
            batch.rewards.extend(rewards.tolist())
            batch.prompts.extend([str(place)] * rollouts)
            batch.tasks.extend([tasks.CAPABILITIES[ids[task]].metric] * rollouts)
        yield batch


def _group(mix: Mix, task: str, rollouts: int, rng: np.random.Generator) -> np.ndarray:
    mean = float(np.clip(rng.beta(*mix.shape(task)), 1e-3, 1 - 1e-3))
    if mix.binary or task in BINARY:
        return (rng.random(rollouts) < mean).astype(np.float64)
    spread = CONCENTRATION[task]
    return np.round(rng.beta(mean * spread, (1 - mean) * spread, rollouts), 3)

"""Rollouts through every algorithm: who gets the gradient, and what a setting changes."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from golongrl.core.advantages import ALGORITHMS, Options, TaskStats
from golongrl.core.advantages.groups import Groups, group
from golongrl.core.advantages.metrics import variation
from golongrl.core.errors import UsageError
from golongrl.pipeline.simulation.rollouts import Batch

REFERENCE = "grpo"
"""Algorithm that sign flips are counted against."""


@dataclass
class TaskShare:
    """One task under one setting."""

    rollout_share: float
    """Its share of the rollouts."""
    advantage_share: float
    """Its share of the absolute advantage."""
    mean_abs_advantage: float


@dataclass
class Outcome:
    """All batches under one setting."""

    setting: str
    algo: str
    rollouts: int
    no_signal: float
    """Share of groups whose advantages are all 0."""
    sign_flips: float
    """Share of rollouts whose sign differs from grpo's on the same groups."""
    unevenness: float
    """Coefficient of variation across tasks of mean |A|: the recipe's proxy for balance between tasks."""
    tasks: dict[str, TaskShare] = field(default_factory=dict)


def grouped(batches: Sequence[Batch]) -> list[Groups]:
    """Group statistics of each batch, computed once for all algorithms."""
    return [group(batch.rewards, batch.prompts, batch.tasks) for batch in batches]


def replay(
    batches: Sequence[Groups],
    algo: str,
    setting: str,
    *,
    task_stats: str = "batch",
    decay: float = 0.9,
    **options: Any,
) -> Outcome:
    """Run batches in order through one algorithm; `task_stats` "ema" carries task statistics from batch to batch."""
    if algo not in ALGORITHMS:
        raise UsageError(f"unknown algorithm {algo!r}; choose one of {', '.join(ALGORITHMS)}")
    if task_stats not in ("batch", "ema"):
        raise UsageError(f"--task-stats {task_stats!r}: expected batch or ema")
    told = Options(stats=TaskStats(decay) if task_stats == "ema" else None, **options)
    mass: dict[str, float] = {}
    count: dict[str, int] = {}
    flips = rollouts = flat = groups_seen = 0
    for groups in batches:
        values = ALGORITHMS[algo](groups, told)
        reference = values if algo == REFERENCE else ALGORITHMS[REFERENCE](groups, Options())
        mass_T = np.bincount(groups.task_N, weights=np.abs(values), minlength=len(groups.tasks))
        count_T = np.bincount(groups.task_N, minlength=len(groups.tasks))
        for index, task in enumerate(groups.tasks):
            mass[task] = mass.get(task, 0.0) + float(mass_T[index])
            count[task] = count.get(task, 0) + int(count_T[index])
        flips += int((np.sign(values) != np.sign(reference)).sum())
        rollouts += len(values)
        signal_G = np.bincount(groups.group_N, weights=np.abs(values), minlength=len(groups.size_G)) > 0
        flat += int((~signal_G).sum())
        groups_seen += len(signal_G)
    total = sum(mass.values())
    shares = {
        task: TaskShare(count[task] / rollouts, mass[task] / total if total else 0.0, mass[task] / count[task])
        for task in sorted(mass)
    }
    unevenness = variation(np.array([share.mean_abs_advantage for share in shares.values()]))
    return Outcome(setting, algo, rollouts, flat / groups_seen, flips / rollouts, unevenness, shares)


def resized(batches: Sequence[Batch], prompts: int | None = None, rollouts: int | None = None) -> list[Batch]:
    """The same rollouts in batches of another number of prompts, or with the first `rollouts` of each group."""
    groups: list[tuple[str, str, list[float]]] = []
    for step, batch in enumerate(batches):
        of_prompt: dict[str, tuple[str, str, list[float]]] = {}
        for reward, prompt, task in zip(batch.rewards, batch.prompts, batch.tasks, strict=True):
            of_prompt.setdefault(prompt, (f"{step}/{prompt}", task, []))[2].append(reward)
        groups.extend(of_prompt.values())
    size = prompts or max(1, len(groups) // len(batches))
    cut = []
    for start in range(0, len(groups), size):
        batch = Batch()
        for prompt, task, rewards in groups[start : start + size]:
            for reward in rewards[:rollouts]:
                batch.add(reward, prompt, task)
        cut.append(batch)
    return cut


def sweep(
    batches: Sequence[Batch],
    algos: Sequence[str],
    options: dict[str, Any],
    on_setting: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Every algorithm as asked for, then the effect of alpha, gamma, running statistics, group and batch size."""
    whole = grouped(batches)
    outcomes: list[Outcome] = []

    def run(groups: Sequence[Groups], algo: str, setting: str, **changes: Any) -> None:
        outcomes.append(replay(groups, algo, setting, **{**options, **changes}))
        if on_setting:
            on_setting(setting)

    for algo in algos:
        run(whole, algo, algo)
    if "tmn-reweight" in algos:
        for alpha in (0.0, 0.5, 1.0):
            run(whole, "tmn-reweight", f"tmn-reweight, alpha {alpha:g}", alpha=alpha)
        for gamma in (0.0, 0.5, 2.0):
            run(whole, "tmn-reweight", f"tmn-reweight, gamma {gamma:g}", gamma=gamma)
    scaled = [algo for algo in ("tmn", "tmn-reweight") if algo in algos]
    for algo in scaled:
        other = "batch" if options.get("task_stats") == "ema" else "ema"
        run(whole, algo, f"{algo}, task statistics {other}", task_stats=other)
    largest = max(int(groups.size_G.max()) for groups in whole)
    for rollouts in (size for size in (4, 8) if size < largest):
        fewer = grouped(resized(batches, rollouts=rollouts))
        for algo in algos:
            run(fewer, algo, f"{algo}, {rollouts} rollouts per prompt")
    prompts = max(1, sum(len(groups.size_G) for groups in whole) // len(whole))
    for size in (prompts // 4, prompts * 4):
        if size >= 1 and size != prompts:
            other_size = grouped(resized(batches, prompts=size))
            for algo in scaled:
                run(other_size, algo, f"{algo}, {size} prompts per batch")
    return outcomes


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as JSON types."""
    return [asdict(outcome) for outcome in outcomes]

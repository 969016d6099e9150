"""The curves of a training report: what a run's numbers did over its steps."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from golongrl.core.errors import require
from golongrl.core.report import Bars, Grid, Line, Lines
from golongrl.core.report.lines import Point
from golongrl.pipeline.training.metrics import Step
from golongrl.pipeline.training.rollout_log import Group

OPTIMISATION = {
    "actor/ppo_kl": "KL to the policy that sampled",
    "rollout_corr/kl": "KL between rollout engine and trainer",
    "actor/kl_loss": "KL to the reference",
    "actor/entropy": "entropy (nats per token)",
    "actor/grad_norm": "gradient norm",
    "actor/pg_loss": "policy loss",
    "actor/pg_clipfrac": "share of tokens clipped",
    "actor/lr": "learning rate",
}
PHASES = {
    "timing_s/gen": "rollouts",
    "timing_s/old_log_prob": "log-probs",
    "timing_s/adv": "advantages",
    "timing_s/update_actor": "update",
    "timing_s/update_weights": "weights to the rollout engine",
    "timing_s/save_checkpoint": "checkpoint",
    "timing_s/testing": "validation",
}

MOST_DOTS = 400
"""Steps of a run whose single rewards are drawn; more would only be a smear."""


def smoothing(steps: int, prompts: float) -> int:
    """Steps that a reward curve averages over, at most 20: a twentieth of the run, or what makes 8 prompts of a task.

    `prompts` is how many prompts of a task a step holds on average.
    """
    enough = math.ceil(8 / prompts) if prompts else 1
    return max(1, min(20, steps, max(steps // 20, enough)))


def values(steps: Sequence[Step], metric: str) -> list[Point]:
    """(step, value) where the metric was recorded."""
    return [(step.step, step.metrics[metric]) for step in steps if metric in step.metrics]


def reward_lines(steps: Sequence[Step], groups: Sequence[Group], tasks: Sequence[str]) -> Grid:
    """Mean reward per task over the steps, each with the 95% band that the prompts of a window leave."""
    means: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for group in groups:
        if group.mean is not None:
            means[group.task, group.step].append(group.mean)
    window = smoothing(len(steps), sum(map(len, means.values())) / max(1, len(means)))
    dotted = window > 1 and len(steps) <= MOST_DOTS
    figures = []
    for task in tasks:
        points = values(steps, f"task/{task}/reward")
        smooth, band = [], []
        for at, (x, _) in enumerate(points):
            near = points[max(0, at - window + 1) : at + 1]
            mean = statistics.fmean(y for _, y in near)
            smooth.append((x, mean))
            half = _half_width([value for step, _ in near for value in means[task, int(step)]])
            if half is not None:
                band.append((x, max(0.0, mean - half), min(1.0, mean + half)))
        figures.append(
            Lines(
                [Line(task, smooth, band, points if dotted else ())],
                task,
                x="step",
                x_range=(steps[0].step, steps[-1].step),
                y_range=(0, 1),
                small=True,
                numbers=False,
            )
        )
    over = f"mean of {window} steps{', dots: single steps' if dotted else ''}" if window > 1 else "every step"
    return Grid(figures, f"Mean reward of the rollouts; line: {over}; band: 95 % interval over the prompts drawn")


def _half_width(means: Sequence[float]) -> float | None:
    """Half of Student's 95% interval of the mean; None for fewer than two values."""
    if len(means) < 2:
        return None
    quantile = float(require("scipy.special").stdtrit(len(means) - 1, 0.975))
    return quantile * statistics.stdev(means) / math.sqrt(len(means))


def validation(steps: Sequence[Step]) -> Lines | Bars | None:
    """Mean reward per task on the validation records, at step 0 before training; None without validation."""
    curves: defaultdict[str, list[Point]] = defaultdict(list)
    for step in steps:
        for task, reward in step.validation.items():
            curves[task].append((step.step, reward))
    if not curves:
        return None
    named = sorted(curves.items())
    if len({x for _, points in named for x, _ in points}) == 1:
        caption = f"Mean reward on the validation records after step {named[0][1][0][0]}"
        return Bars([(task, points[0][1], None, None) for task, points in named], caption, top=1.0)
    return Lines(named, "Mean reward on the validation records", x="step", y="mean reward", y_range=(0, 1))


def per_task(
    steps: Sequence[Step], tasks: Iterable[str], metric: str, caption: str, y: str, share: bool = False
) -> Lines | None:
    """One curve per task of `task/<task>/<metric>`; None where nothing was recorded."""
    curves = [(task, values(steps, f"task/{task}/{metric}")) for task in tasks]
    kept = [(task, points) for task, points in curves if points]
    return Lines(kept, caption, x="step", y=y, y_range=(0, 1) if share else None, from_zero=True) if kept else None


def small(steps: Sequence[Step], named: Mapping[str, str]) -> Grid | None:
    """A small figure for each metric that was recorded."""
    figures = [
        Lines([(name, points)], name, x="step", small=True, numbers=False)
        for metric, name in named.items()
        if (points := values(steps, metric))
    ]
    return Grid(figures) if figures else None


def phases(steps: Sequence[Step]) -> Lines | None:
    """Seconds of a step by what they went to; what took less than a fiftieth of the time is left out."""
    whole = values(steps, "timing_s/step")
    spent = sum(seconds for _, seconds in whole)
    curves = [(name, values(steps, metric)) for metric, name in PHASES.items()]
    kept = [(name, points) for name, points in curves if sum(seconds for _, seconds in points) > spent / 50]
    lines = [("whole step", whole), *kept]
    return Lines(lines, "Seconds per step", x="step", y="seconds", from_zero=True) if whole else None

"""Training runs compared: reward curves per task with bands, and the difference at the end with its interval."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from golongrl.core import stats
from golongrl.core.stats import Difference
from golongrl.pipeline.comparison.reading import Run, read_object
from golongrl.pipeline.comparison.rollouts import ALL, Group, Journal, read_journal, read_validation
from golongrl.pipeline.comparison.verdict import Outcome, detectable_alone, outcome_of, verdict

WINDOW = 5
"""Steps that a point of a curve covers, where none is given."""
MOST_POINTS = 100
"""Points of a curve; longer runs show every second, third ... step."""
BAND_RESAMPLES = 1_000
PAIRED_FROM = 0.8
"""Share of the prompts at the end that both runs must have answered for a paired comparison."""


@dataclass(frozen=True)
class Point:
    """Mean reward over the prompt groups of the `window` steps up to `step`, and its band."""

    step: int
    mean: float
    low: float | None
    high: float | None
    groups: int


@dataclass(frozen=True)
class Curve:
    """One task of one run."""

    task: str
    run: str
    points: list[Point]


@dataclass(frozen=True)
class EndComparison:
    """One task at the end of one run against the baseline's, over the same steps."""

    task: str
    baseline: str
    run: str
    steps: tuple[int, int]
    paired: bool
    """Whether the same prompts are compared one by one; else the runs saw different ones."""
    left_out: int
    """Prompts of either run that the other did not have in these steps."""
    found: Difference
    detectable_alone: float | None = None
    p_holm: float = 1.0
    outcome: Outcome = "too few"
    verdict: str = ""


@dataclass
class TrainingComparison:
    """Everything that compared training runs say."""

    level: float
    window: int
    last_steps: dict[str, int]
    unscorable: dict[str, int]
    filtered: bool
    """Whether groups of equal rewards were left out of the journals."""
    validation: dict[str, dict[str, list[tuple[float, float]]]]
    """Per run and task (step, mean reward) on the validation records."""
    tests: int = 0
    curves: list[Curve] = field(default_factory=list)
    ends: list[EndComparison] = field(default_factory=list)


def compare_training(
    baseline: Run,
    others: Sequence[Run],
    *,
    seed: int = 0,
    level: float = 0.95,
    window: int | None = None,
    on_task: Callable[[], None] = lambda: None,
) -> TrainingComparison:
    """Curves of every task of every run, and each run against the baseline over the last `window` common steps."""
    journals = {run.label: read_journal(run.path) for run in (baseline, *others)}
    last = min(journal.last_step for journal in journals.values())
    size = window or max(1, min(WINDOW, last // 2))
    result = TrainingComparison(
        level,
        size,
        {label: journal.last_step for label, journal in journals.items()},
        {label: journal.unscorable for label, journal in journals.items()},
        any((read_object(run.path / "config.json") or {}).get("filter_groups") for run in (baseline, *others)),
        {run.label: found for run in (baseline, *others) if (found := read_validation(run.path))},
    )
    for label, journal in journals.items():
        for task, groups in _tasks(journal).items():
            result.curves.append(Curve(task, label, _points(groups, size, seed, level)))
            on_task()
    steps = (max(1, last - size + 1), last)
    before = _tasks(journals[baseline.label])
    for other in others:
        after = _tasks(journals[other.label])
        for task in (name for name in before if name in after):
            ends = [_between(groups[task], *steps) for groups in (before, after)]
            if ends[0] and ends[1]:
                result.ends.append(_end(task, baseline.label, other.label, steps, ends[0], ends[1], seed, level))
    adjusted = stats.holm([end.found.p for end in result.ends])
    result.tests = len(adjusted)
    result.ends = [_judged(end, p, len(adjusted), level) for end, p in zip(result.ends, adjusted, strict=True)]
    return result


def _tasks(journal: Journal) -> dict[str, list[Group]]:
    """The tasks, and all of them together where there are several."""
    if len(journal.tasks) == 1:
        return journal.tasks
    everything = sorted((group for groups in journal.tasks.values() for group in groups), key=lambda g: g.step)
    return {**journal.tasks, ALL: everything}


def _between(groups: Sequence[Group], first: int, last: int) -> list[Group]:
    return [group for group in groups if first <= group.step <= last]


def _points(groups: Sequence[Group], window: int, seed: int, level: float) -> list[Point]:
    steps = sorted({group.step for group in groups})
    every = math.ceil(len(steps) / MOST_POINTS)
    # Counted from the end, so that the last step is always there.
    shown = steps[::-1][::every][::-1]
    points = []
    for step in shown:
        near = _between(groups, step - window + 1, step)
        rewards = [reward for group in near for reward in group.rewards]
        places = [place for place, group in enumerate(near) for _ in group.rewards]
        interval = stats.cluster_bootstrap(rewards, places, BAND_RESAMPLES, seed, level, expanded=True)
        known = not math.isnan(interval.low)
        points.append(
            Point(
                step,
                interval.mean,
                interval.low if known else None,
                interval.high if known else None,
                len(near),
            )
        )
    return points


def _end(
    task: str,
    baseline: str,
    run: str,
    steps: tuple[int, int],
    before: Sequence[Group],
    after: Sequence[Group],
    seed: int,
    level: float,
) -> EndComparison:
    first, second = _by_prompt(before), _by_prompt(after)
    shared = [index for index in first if index in second]
    paired = len(shared) >= PAIRED_FROM * max(len(first), len(second))
    if paired:
        found = stats.paired_difference(
            [first[index] for index in shared], [second[index] for index in shared], shared, seed=seed, level=level
        )
    else:
        found = _unpaired(first, second, seed, level)
    left_out = len(first) + len(second) - 2 * len(shared) if paired else 0
    return EndComparison(task, baseline, run, steps, paired, left_out, found)


def _by_prompt(groups: Sequence[Group]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for group in groups:
        found.setdefault(group.index, []).extend(group.rewards)
    return found


def _unpaired(first: dict[str, list[float]], second: dict[str, list[float]], seed: int, level: float) -> Difference:
    """Two samples of prompts; a prompt counts once, by its mean reward."""
    values = _means(first), _means(second)
    clusters = list(first), list(second)
    interval = stats.difference_bootstrap(values, clusters, seed=seed, level=level)
    sums = [stats.cluster_sums(v, c, "compare") for v, c in zip(values, clusters, strict=True)]
    known = not math.isnan(interval.low)
    error = math.hypot(*(part.standard_error for part in sums)) if known else None
    freedom = stats.welch_freedom(sums)
    return Difference(
        n_items=len(first) + len(second),
        n_clusters=len(first) + len(second),
        first=sums[0].mean,
        second=sums[1].mean,
        mean=interval.mean,
        low=interval.low if known else None,
        high=interval.high if known else None,
        p=stats.label_swap_test(values, clusters, seed=seed),
        standard_error=error,
        freedom=freedom,
        detectable=stats.minimum_detectable_effect(error or 0.0, freedom + 1, level),
        noise_share=None,
        detectable_with_many_repeats=None,
    )


def _means(prompts: dict[str, list[float]]) -> list[float]:
    return [sum(rewards) / len(rewards) for rewards in prompts.values()]


def _judged(end: EndComparison, p_holm: float, tests: int, level: float) -> EndComparison:
    what = "shared prompts" if end.paired else "prompts"
    words = verdict(end.run, end.baseline, end.found, p_holm, tests, level, what)
    alone = detectable_alone(end.found, tests, level)
    outcome = outcome_of(end.found, p_holm, level)
    return replace(end, detectable_alone=alone, p_holm=p_holm, outcome=outcome, verdict=words)

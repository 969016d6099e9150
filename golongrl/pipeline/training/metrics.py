"""Reading a run's metrics.jsonl: one row per step, the newest row of a step counts; step 0 is before training."""

from dataclasses import dataclass
from pathlib import Path

from golongrl.core.errors import DataError
from golongrl.core.store import parse_line

SHOWN = (
    ("reward", "reward", ".3f"),
    ("reward_std", "+-", ".3f"),
    ("prompt_std", "in a prompt", ".3f"),
    ("no_signal_groups", "no signal", ".0%"),
    ("advantage_share", "of |A|", ".0%"),
    ("pass_rate", "pass", ".0%"),
    ("response_tokens", "tokens", ".0f"),
    ("truncated", "cut", ".0%"),
    ("unscorable", "unscorable", ".0%"),
    ("clip_share", "clipped", ".1%"),
    ("icepop_share", "masked", ".1%"),
)
"""What the console shows of a task: (metric, words, format). metrics.jsonl and tensorboard hold all of them."""

WINDOW = 5
"""Steps that are averaged at each end of a run, so that one lucky batch is not a result."""

ONLY_WHEN_MET = ("truncated", "unscorable", "clip_share", "icepop_share")
"""Not shown while they are 0."""


@dataclass(frozen=True)
class Step:
    """One training step's numbers."""

    step: int
    metrics: dict[str, float]

    @property
    def rewards(self) -> dict[str, float]:
        """Mean reward per task of the step's rollouts."""
        return self._rewards("task/")

    @property
    def validation(self) -> dict[str, float]:
        """Mean reward per task on the validation records; empty for steps without validation."""
        return self._rewards("val/")

    def _rewards(self, prefix: str) -> dict[str, float]:
        return {
            name.split("/")[1]: value
            for name, value in self.metrics.items()
            if name.startswith(prefix) and name.endswith("/reward")
        }

    @property
    def tasks(self) -> list[str]:
        """Tasks of the step's rollouts."""
        return list(self.rewards)

    def shown(self, task: str) -> list[tuple[str, str, float]]:
        """(words, number format, value) of what a person wants to see of a task after each step."""
        found = [(name, words, form, self.metrics.get(f"task/{task}/{name}")) for name, words, form in SHOWN]
        return [
            (words, form, value)
            for name, words, form, value in found
            if value is not None and (value > 0 or name not in ONLY_WHEN_MET)
        ]

    @property
    def seconds(self) -> float:
        """Wall time of the step."""
        return self.metrics.get("timing_s/step", float("nan"))


def read_steps(folder: Path, first_byte: int = 0, *, finished: bool = False) -> list[Step]:
    """Steps in order, from the rows at or after `first_byte`; a torn last line is left out. DataError for a row
    of another form.

    A checkpoint comes before the rest of its step, so what was known by then has a row of its own, which counts where
    a crash kept the whole one from being written. `finished` leaves such rows out.
    """
    rows = _rows(folder, first_byte, finished=finished)
    return [Step(step, rows[step]) for step in sorted(rows) if step > 0]


def read_baseline(folder: Path) -> Step | None:
    """What validation found before the first step, as step 0; None without validation."""
    metrics = _rows(folder).get(0)
    return None if metrics is None else Step(0, metrics)


def _rows(folder: Path, first_byte: int = 0, *, finished: bool = False) -> dict[int, dict[str, float]]:
    path = folder / "metrics.jsonl"
    if not path.exists():
        return {}
    rows: dict[int, dict[str, float]] = {}
    for number, line in enumerate(path.read_bytes()[first_byte:].split(b"\n")[:-1], 1):
        row = parse_line(line, number, path)
        step, metrics = row.get("step"), row.get("metrics")
        if not isinstance(step, int) or not isinstance(metrics, dict):
            raise DataError(f"{path} line {number} holds no step with its metrics; it was edited by hand, mend it")
        if not (finished and row.get("partial")):
            rows[step] = metrics
    return rows


def first_and_last(steps: list[Step], window: int) -> dict[str, tuple[float, float]]:
    """Per task the mean reward over the first and the last `window` steps in which the task occurred.

    A run too short for two such windows is split in halves, so that no step counts at both ends.
    """
    of_task: dict[str, list[float]] = {}
    for step in steps:
        for task, reward in step.rewards.items():
            of_task.setdefault(task, []).append(reward)
    ends = {}
    for task, values in sorted(of_task.items()):
        size = max(1, min(window, len(values) // 2))
        ends[task] = (sum(values[:size]) / size, sum(values[-size:]) / size)
    return ends

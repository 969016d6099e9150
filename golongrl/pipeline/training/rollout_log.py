"""Reading what a run's rollouts earned: rollouts.jsonl by prompt, and the texts that verl dumped, where it did."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core.store import read_journal


@dataclass
class Group:
    """The rollouts of one prompt in one step; a reward that could not be given is None."""

    step: int
    prompt: str
    task: str
    index: Any
    rewards: list[float | None] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def scored(self) -> list[float]:
        """The rewards that there are."""
        return [reward for reward in self.rewards if reward is not None]

    @property
    def mean(self) -> float | None:
        """Mean reward; None where nothing could be scored."""
        return sum(self.scored) / len(self.scored) if self.scored else None

    @property
    def has_signal(self) -> bool:
        """Whether the rewards differ, so that an advantage can come of them."""
        return bool(self.scored) and max(self.scored) - min(self.scored) > 1e-9


def read_groups(folder: Path) -> list[Group]:
    """Groups in the order of the steps; a step that was repeated after a crash counts as it was last."""
    steps: dict[int, dict[str, Group]] = {}
    for row in read_journal(folder / "rollouts.jsonl"):
        step = row["step"]
        if row["key"] == f"{step}/0":
            steps[step] = {}
        groups = steps.setdefault(step, {})
        group = groups.setdefault(row["prompt"], Group(step, row["prompt"], row["task"], row.get("index")))
        group.rewards.append(row["reward"])
        group.reasons[row.get("reason") or "-"] += 1
    return [group for step in sorted(steps) for group in steps[step].values()]


def dumped(folder: Path, most: int) -> list[dict[str, Any]]:
    """Rollouts with their texts from `rollouts/STEP.jsonl`, `most` at most, evenly over the steps."""
    files = sorted((folder / "rollouts").glob("[0-9]*.jsonl"), key=lambda file: int(file.stem))
    each = max(1, most // max(1, len(files)))
    return [row for file in files[-most:] for row in _every(list(read_journal(file)), each)]


def _every(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return rows if len(rows) <= count else [rows[place * len(rows) // count] for place in range(count)]

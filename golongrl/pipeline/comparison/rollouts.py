"""The journal of a training run: which prompt earned which rewards in which step."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from golongrl.core.errors import DataError
from golongrl.core.store import read_jsonl

ALL = "all tasks"


@dataclass
class Group:
    """The rewards of one prompt's rollouts in one step; `index` names the record, also across runs."""

    step: int
    index: str
    rewards: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Journal:
    """Prompt groups per task in order of their steps, and what has no reward."""

    tasks: dict[str, list[Group]]
    last_step: int
    unscorable: int


def read_journal(folder: Path) -> Journal:
    """Groups of rollouts.jsonl; of a step that was run twice the later rows count.

    Rollouts without a reward are counted and left out. Raises DataError naming line and field.
    """
    path = folder / "rollouts.jsonl"
    rows: dict[str, tuple[int, str, str, str, float | None]] = {}
    for number, row in read_jsonl(path):
        where = f"{path} line {number}"
        step, reward = row.get("step"), row.get("reward")
        if isinstance(step, bool) or not isinstance(step, int):
            raise DataError(f"{where}, field step: expected a whole number, got {step!r}")
        if isinstance(reward, bool) or not (reward is None or isinstance(reward, (int, float))):
            raise DataError(f"{where}, field reward: expected a number or null, got {reward!r}")
        prompt = str(row.get("prompt", row.get("index", number)))
        index = str(row["index"]) if row.get("index") is not None else prompt
        rows[str(row.get("key", number))] = (step, prompt, index, str(row.get("task") or "unknown"), reward)
    groups: dict[str, dict[tuple[int, str], Group]] = defaultdict(dict)
    unscorable = 0
    for step, prompt, index, task, reward in rows.values():
        if reward is None:
            unscorable += 1
            continue
        groups[task].setdefault((step, prompt), Group(step, index)).rewards.append(float(reward))
    if not groups:
        raise DataError(f"{path} holds no rollout with a reward; train at least one step")
    tasks = {task: sorted(found.values(), key=lambda g: g.step) for task, found in sorted(groups.items())}
    return Journal(tasks, max(step for step, *_ in rows.values()), unscorable)


def read_validation(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Per task the (step, mean reward) on the validation records, from metrics.jsonl; empty without validation."""
    path = folder / "metrics.jsonl"
    steps: dict[int, dict[str, float]] = {}
    for _, row in read_jsonl(path) if path.exists() else ():
        steps[row["step"]] = row["metrics"]
    found: dict[str, list[tuple[float, float]]] = {}
    for step in sorted(steps):
        for name, value in steps[step].items():
            if name.startswith("val/") and name.endswith("/reward"):
                found.setdefault(name.split("/")[1], []).append((float(step), value))
    return found

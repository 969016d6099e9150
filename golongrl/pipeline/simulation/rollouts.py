"""Logged rollouts as batches: rewards with their prompts and tasks, step by step."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.records import existing_file
from golongrl.core.store import read_jsonl

ALL = "all"
"""Task of rollouts whose log names none."""


@dataclass
class Batch:
    """The rollouts of one step; the three lists have length N."""

    rewards: list[float] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    def add(self, reward: float, prompt: str, task: str) -> None:
        """Append one rollout."""
        self.rewards.append(reward)
        self.prompts.append(prompt)
        self.tasks.append(task)


def read_batches(path: str | Path) -> list[Batch]:
    """Batches in order of their steps.

    `path` is a training run's folder or its rollouts.jsonl ({step, prompt, task, reward}), a folder of verl's rollout
    dumps (STEP.jsonl of {input, score, step} and, with golongrl's reward, task), or one such file. Rollouts without a
    reward are left out; of a step that was run twice, the later rows count. DataError names file, line and field.
    """
    steps: dict[int, dict[str, tuple[float, str, str]]] = defaultdict(dict)
    for file in _files(Path(path)):
        for number, row in read_jsonl(file):
            where = f"{file} line {number}"
            reward = row.get("reward", row.get("score"))
            if "reward" not in row and "score" not in row:
                raise DataError(
                    f"{where}: no field reward (golongrl's log) or score (verl's dump); pass "
                    "rollouts.jsonl of a training run, or a file that verl dumped"
                )
            key = str(row.get("key", f"{file}:{number}"))
            step = _step(row, file, where)
            steps[step].pop(key, None)
            if reward is None:
                continue
            if isinstance(reward, bool) or not isinstance(reward, (int, float)):
                raise DataError(f"{where}, field reward: expected a number, got {reward!r}")
            prompt = row.get("prompt", row.get("input"))
            if prompt is None:
                raise DataError(f"{where}: no field prompt (golongrl's log) or input (verl's dump)")
            steps[step][key] = (float(reward), str(prompt), str(row.get("task") or row.get("data_source") or ALL))
    batches = []
    for step in sorted(steps):
        batch = Batch()
        for rollout in steps[step].values():
            batch.add(*rollout)
        if batch.rewards:
            batches.append(batch)
    if not batches:
        raise DataError(f"{path} holds no rollout with a reward")
    return batches


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield existing_file(path, "rollout log")
        return
    if (path / "rollouts.jsonl").exists():
        yield path / "rollouts.jsonl"
        return
    dumps = sorted((file for file in path.glob("*.jsonl") if file.stem.isdigit()), key=lambda file: int(file.stem))
    if not dumps:
        raise DataError(f"{path} holds neither rollouts.jsonl (a training run) nor STEP.jsonl files (verl's dumps)")
    yield from dumps


def _step(row: dict[str, Any], file: Path, where: str) -> int:
    step = row.get("step", int(file.stem) if file.stem.isdigit() else 0)
    if isinstance(step, bool) or not isinstance(step, int):
        raise DataError(f"{where}, field step: expected a whole number, got {step!r}")
    return step

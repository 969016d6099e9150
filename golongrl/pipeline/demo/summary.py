"""What a finished demo shows: the numbers of each stage in short tables, and where everything is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.store import read_jsonl
from golongrl.core.tasks import CAPABILITIES
from golongrl.pipeline.demo.stages import StageResult, duration


@dataclass(frozen=True)
class Table:
    """A titled table of plain values."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Any]]

    def as_dicts(self) -> list[dict[str, Any]]:
        """One object per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def tables(folder: Path, checkpoint: str, stages: Sequence[StageResult]) -> list[Table]:
    """Dataset, training, scores, times and places of a finished demo."""
    return [
        dataset_table(folder / "dataset"),
        training_table(folder / "train/metrics.jsonl"),
        score_table(folder),
        stage_table(stages),
        place_table(folder, checkpoint),
    ]


def dataset_table(folder: Path) -> Table:
    """Records per capability in the two splits."""
    import pyarrow.parquet as pq

    counts = {}
    for split in ("train", "val"):
        infos = pq.read_table(folder / f"{split}.parquet", columns=["extra_info"])["extra_info"].to_pylist()
        counts[split] = Counter(info["capability"] for info in infos)
    rows: list[list[Any]] = [
        [f"{c.id} {c.name}", c.metric, counts["train"][c.id], counts["val"][c.id]]
        for c in CAPABILITIES.values()
        if counts["train"][c.id] or counts["val"][c.id]
    ]
    rows.append(["all", "", counts["train"].total(), counts["val"].total()])
    return Table("Dataset", ("capability", "metric", "train", "val"), rows)


def training_table(metrics: Path) -> Table:
    """Mean reward per task and step, and the task's share of the absolute advantage over the run.

    A task that no prompt of a step belonged to has no number there.
    """
    steps = {row["step"]: row["metrics"] for _, row in read_jsonl(metrics)}
    if not steps:
        raise DataError(f"{metrics} holds no training step; remove its folder and run the demo again")
    names = {name for numbers in steps.values() for name in numbers if name.startswith("task/")}
    tasks = sorted({name.split("/")[1] for name in names})
    rows: list[list[Any]] = []
    for task in tasks:
        present = [numbers for numbers in steps.values() if f"task/{task}/reward" in numbers]
        rollouts = sum(int(numbers[f"task/{task}/rollouts"]) for numbers in present)
        share = sum(numbers[f"task/{task}/advantage_share"] for numbers in present) / len(steps)
        rewards = [steps[step].get(f"task/{task}/reward") for step in sorted(steps)]
        rows.append([task, rollouts, *rewards, share])
    columns = ("task", "rollouts", *(f"reward, step {step}" for step in sorted(steps)), "share of advantage")
    return Table("Training: mean reward per task", columns, rows)


def score_table(folder: Path) -> Table:
    """Score of both models with 95 % intervals, and their difference over the same items as `compare` found it."""
    rows: list[list[Any]] = []
    for label in ("base", "trained"):
        results = _read_json(folder / f"eval-{label}" / "results.json")
        rows.append([label, results["n_scored"], results["score"], results["low"], results["high"]])
    (found,) = _read_json(folder / "compare" / "compare.json")["comparisons"]
    rows.append(["difference", found["n_items"], found["mean"], found["low"], found["high"]])
    return Table("mrcr-mini", ("model", "samples", "score", "low 95%", "high 95%"), rows)


def stage_table(stages: Sequence[StageResult]) -> Table:
    """How long each stage took; a reused stage counts nothing towards the total."""
    rows: list[list[Any]] = [[s.name, duration(s.seconds), "reused" if s.reused else "ran"] for s in stages]
    rows.append(["all", duration(sum(s.seconds for s in stages if not s.reused)), ""])
    return Table("Time", ("stage", "took", "now"), rows)


def place_table(folder: Path, checkpoint: str) -> Table:
    """Where the outputs are; only what is there is listed."""
    places = {
        "dataset": "dataset/train.parquet",
        "dataset card": "dataset/README.md",
        "dataset report": "dataset/report.html",
        "audit report": "audit/report.html",
        "training metrics per task": "train/metrics.jsonl",
        "checkpoint": checkpoint,
        "scorecard, base": "eval-base/report.html",
        "scorecard, trained": "eval-trained/report.html",
        "comparison": "compare/report.html",
    }
    rows: list[list[Any]] = [[what, str(folder / path)] for what, path in places.items() if (folder / path).exists()]
    return Table("Where it is", ("what", "path"), rows)


def _read_json(path: Path) -> dict[str, Any]:
    return json_text.read_object(path, "remove its folder and run the demo again")

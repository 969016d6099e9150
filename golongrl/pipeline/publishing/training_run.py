"""What `golongrl train` left in a run folder, as far as a model's card tells of it."""

import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError, require
from golongrl.core.stats import Interval, cluster_bootstrap
from golongrl.pipeline.publishing.remote import REPO_ID
from golongrl.pipeline.publishing.settings_file import portable, settings_toml

MODEL = "model"
"""The trained model's folder in the run's."""
NOT_SETTINGS = ("command", "inputs")


@dataclass(frozen=True)
class TrainingRun:
    """A finished run."""

    folder: Path
    config: dict[str, Any]
    manifest: dict[str, Any]
    results: dict[str, Any]

    @property
    def base_model(self) -> str | None:
        """The hub id that the run started from; None where it was a folder."""
        named = str(self.config.get("model") or "")
        return named if REPO_ID.fullmatch(named) and not Path(named).exists() else None

    @property
    def data_sha256(self) -> str | None:
        """The training records' sha256."""
        return self.manifest.get("inputs", {}).get(self.config.get("data"))

    def settings(self, base_model: str | None) -> str:
        """The run's settings as a TOML file: data by their files' names, the model by its hub id if known."""
        kept = {key: value for key, value in portable(self.config).items() if key not in NOT_SETTINGS}
        kept |= {key: PurePath(kept[key]).name for key in ("data", "val_data") if kept.get(key)}
        return settings_toml("train", kept | ({"model": base_model} if base_model else {}))

    def report(self) -> bytes:
        """The run's page with the names of its folders and files in place of their paths; empty without a page."""
        path = self.folder / "report.html"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        values = [value for value in self.config.values() if isinstance(value, str)]
        paths = [value for value in values if os.path.isabs(value) and PurePath(value).name]
        # As the page's templates escape.
        escape = require("markupsafe").escape
        # The longest first: a folder may begin the path of another.
        for found in sorted(paths, key=len, reverse=True):
            text = text.replace(str(escape(found)), str(escape(PurePath(found).name)))
        return text.encode()

    def rewards(self) -> dict[str, tuple[float, Interval]]:
        """Per task the mean reward over the first steps, and over the last ones with a 95% interval over steps."""
        window, found = int(self.results.get("window", 1)), {}
        of_task = self._by_step()
        for task, ends in self.results.get("rewards", {}).items():
            values = of_task.get(task, [])
            size = max(1, min(window, len(values) // 2))
            last = values[-size:]
            interval = Interval(ends["last"], math.nan, math.nan)
            if len(last) > 1:
                interval = cluster_bootstrap(last, range(len(last)), 10_000, expanded=True)
            found[task] = (ends["first"], interval)
        return found

    def _by_step(self) -> dict[str, list[float]]:
        path = self.folder / "metrics.jsonl"
        rows: dict[int, dict[str, float]] = {}
        for line in path.read_bytes().split(b"\n")[:-1] if path.is_file() else []:
            row = json_text.loads(line)
            if row["step"] <= self.results["steps"]:
                rows[row["step"]] = row["metrics"]
        found: dict[str, list[float]] = {}
        for _, metrics in sorted(rows.items()):
            for name, value in metrics.items():
                if name.startswith("task/") and name.endswith("/reward"):
                    found.setdefault(name.split("/")[1], []).append(value)
        return found


def find_run(folder: Path) -> tuple[TrainingRun | None, Path]:
    """(the run, the model's folder) of a run folder, of the model folder in one, or of a model folder alone.

    DataError when a run is not finished, or when there is no model.
    """
    if (folder / MODEL / "config.json").is_file() and (folder / "manifest.json").is_file():
        return _read(folder), folder / MODEL
    if folder.name == MODEL and (folder.parent / "manifest.json").is_file():
        return _read(folder.parent), folder
    if (folder / "manifest.json").is_file() and (folder / "checkpoints").is_dir():
        raise DataError(f"{folder} holds no model yet; run the same `golongrl train` again, which finishes it")
    if not (folder / "config.json").is_file():
        raise DataError(
            f"{folder} holds no config.json; give the --out folder of `golongrl train`, or a model folder"
        )
    return None, folder


def _read(folder: Path) -> TrainingRun | None:
    parts = []
    for name in ("config.json", "manifest.json", "results.json"):
        try:
            parts.append(json_text.read_object(folder / name, "run the same command again"))
        except FileNotFoundError as error:
            raise DataError(
                f"{folder} holds no {name}; the training is not finished: run the same command again"
            ) from error
    run = TrainingRun(folder, *parts)
    return run if run.manifest.get("command") == "train" else None

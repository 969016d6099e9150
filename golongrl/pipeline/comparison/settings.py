"""Which settings of two runs differ, and whether that makes their numbers incomparable."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.pipeline.comparison.reading import BenchRun, read_object

OF_THE_MODEL = ("tokenizer", "max_model_len", "repeats")
"""Settings of an evaluation that follow from the model or are made up for, and are only noted."""
SCORING_PACKAGES = ("golongrl", "math-verify")
"""Versions of these may change a score."""
OTHER_BY_NATURE = ("model", "responses")
"""Inputs of an evaluation that are what is compared; all others (items, documents, plugins) must be the same."""
SAME_IN_TRAINING = (
    *("data sha256", "val_data sha256", "golongrl", "math-verify", "max_prompt_tokens", "max_response_tokens"),
    *("temperature", "top_p", "think", "sampling", "sampling_temperature"),
    *("filter_groups", "filter_metric", "filter_tolerance"),
)
"""What decides which rollouts a training run's rewards are the mean of; for all else such runs are compared."""
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class SettingDifference:
    """One setting that two runs do not share; `where` is the benchmark, or empty."""

    where: str
    name: str
    first: Any
    second: Any
    forbids: bool
    """Whether the scores are not comparable because of it."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.name} {json_text(self.first)} against {json_text(self.second)}"


def json_text(value: Any) -> str:
    """A value as JSON, a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def evaluation_differences(first: BenchRun, second: BenchRun) -> list[SettingDifference]:
    """Differing settings of one benchmark; empty where a run is a bare samples.jsonl that tells none."""
    if first.results is None or second.results is None:
        return []
    before, after = _evaluation_settings(first), _evaluation_settings(second)
    return _differences(first.bench, before, after, lambda name: name not in OF_THE_MODEL)


def _evaluation_settings(run: BenchRun) -> dict[str, Any]:
    results, inputs = run.results or {}, (run.config or {}).get("inputs", {})
    found = dict(results.get("settings") or {})
    found["metric"] = results.get("metric")
    dataset = results.get("dataset") or {}
    found["dataset"] = f"{dataset.get('id')}, {dataset.get('split')}"
    for name, value in (results.get("judge") or {"model": None}).items():
        found[f"judge {name}"] = value
    found |= {f"{name} sha256": digest for name, digest in inputs.items() if name not in OTHER_BY_NATURE}
    found |= _versions(run.manifest)
    return {name: value for name, value in found.items() if value is not None}


def _versions(manifest: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: (manifest or {}).get("versions", {}).get(name) for name in SCORING_PACKAGES}


def training_differences(first: Path, second: Path) -> list[SettingDifference]:
    """Differing settings of two training runs; only those that decide what a reward is the mean of forbid."""

    def forbids(name: str) -> bool:
        return name in SAME_IN_TRAINING or name.startswith("plugin ")

    return _differences("", _training_settings(first), _training_settings(second), forbids)


def _training_settings(folder: Path) -> dict[str, Any]:
    config = read_object(folder / "config.json") or {}
    inputs = config.pop("inputs", {})
    found = {name: value for name, value in config.items() if name not in ("data", "val_data", "command")}
    # The hash says what the path only names.
    found |= {f"{name} sha256": inputs.get(config.get(name)) for name in ("data", "val_data")}
    found |= {name: digest for name, digest in inputs.items() if name.startswith("plugin ")}
    found |= _versions(read_object(folder / "manifest.json"))
    return {name: value for name, value in found.items() if value is not None}


def _differences(
    where: str, first: Mapping[str, Any], second: Mapping[str, Any], forbids: Callable[[str], bool]
) -> list[SettingDifference]:
    return [
        SettingDifference(where, name, first.get(name, NOT_RECORDED), second.get(name, NOT_RECORDED), forbids(name))
        for name in [*first, *(name for name in second if name not in first)]
        if first.get(name) != second.get(name)
    ]

"""What `golongrl eval` left in a folder: results per benchmark, checked against their own samples."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.store import read_jsonl
from golongrl.pipeline.publishing.remote import REPO_ID
from golongrl.pipeline.publishing.settings_file import portable, settings_toml

RESULTS = "results.json"
SAMPLES = "samples.jsonl"
NEEDED = {"bench", "model", "score", "settings", "n", "n_scored", "counts"}
NOT_SETTINGS = ("command", "inputs")
TOLERANCE = 1e-5
"""Scores are written with six digits."""


@dataclass(frozen=True)
class Evaluation:
    """One benchmark's run folder."""

    folder: Path
    results: dict[str, Any]
    config: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def bench(self) -> str:
        """The benchmark."""
        return str(self.results["bench"])

    @property
    def model(self) -> str:
        """The model's name; a folder's is its last part."""
        return str(portable(self.results["model"]))

    @property
    def revision(self) -> str | None:
        """The commit of the hub's data set that the items are from."""
        origin = str(self.manifest.get("inputs", {}).get("data", ""))
        return origin.rpartition("@")[2] if "@" in origin else None

    @property
    def built(self) -> bool:
        """Whether the items were built from documents."""
        return "documents" in self.manifest.get("inputs", {})

    @property
    def local_data(self) -> str | None:
        """Content hash of the rows or documents that were read from a disk; None for those of the hub."""
        inputs = self.manifest.get("inputs", {})
        found = str(inputs.get("documents") or inputs.get("data") or "")
        return found if found and "@" not in found else None

    @property
    def model_folder(self) -> str | None:
        """Content hash of the folder that the model was read from; None for an endpoint's or the hub's."""
        found = str(self.manifest.get("inputs", {}).get("model", ""))
        return found if found.startswith("folder:") else None

    @property
    def from_responses(self) -> bool:
        """Whether answers made elsewhere were scored."""
        return "responses" in self.manifest.get("inputs", {})

    def settings(self) -> str:
        """The run's settings as a TOML file."""
        kept = {key: value for key, value in portable(self.config).items() if key not in NOT_SETTINGS}
        if self.from_responses or self.model_folder:
            # The command gives the model: a name alone leads to no folder.
            kept.pop("model", None)
        return settings_toml("eval", kept)


def find_evaluations(folder: Path) -> list[Evaluation]:
    """The run in the folder itself, else those in folders directly below it; DataError where there is none."""
    places = [folder] if (folder / RESULTS).is_file() else sorted(path.parent for path in folder.glob(f"*/{RESULTS}"))
    found = [_read(place) for place in places]
    if not found:
        raise DataError(f"{folder} holds no {RESULTS}; give the --out folder of `golongrl eval`")
    return found


def _read(folder: Path) -> Evaluation:
    parts = []
    for name in (RESULTS, "config.json", "manifest.json"):
        path = folder / name
        try:
            parts.append(json_text.read_object(path, "run the evaluation again"))
        except FileNotFoundError as error:
            raise DataError(f"{folder} holds no {name}; give the --out folder of `golongrl eval`") from error
    results, config, manifest = parts
    if manifest.get("command") != "eval" or not set(results) >= NEEDED:
        raise DataError(f"{folder} is no evaluation; give the --out folder of `golongrl eval`")
    return Evaluation(folder, results, config, manifest)


def problems_of(evaluation: Evaluation) -> Iterator[str]:
    """Why these results should not be published: unfinished, without a score, or not what the samples say."""
    results, where = evaluation.results, evaluation.folder / RESULTS
    if evaluation.manifest.get("finished") is None:
        yield f"{where}: the run is not finished; run the same command again"
    if results.get("n_incomplete"):
        yield f"{where}: {results['n_incomplete']} of {results['n']} samples are owed; {results.get('go_on')}"
    if not results["settings"]:
        yield f"{where} has no settings, so nobody could repeat it; run the evaluation again"
    if results["score"] is None:
        yield f"{where}: no sample has a score; run the evaluation again"
        return
    samples = evaluation.folder / SAMPLES
    if not samples.is_file():
        yield f"{samples} is missing, so nobody could check the score; run the evaluation again"
        return
    rows = [row for _, row in read_jsonl(samples)]
    scores = [row["score"] for row in rows if row.get("score") is not None]
    mean = math.fsum(scores) / len(scores) if scores else math.nan
    if len(rows) != results["n"] or len(scores) != results["n_scored"]:
        yield (
            f"{samples} holds {len(rows)} samples, {len(scores)} of them scored, and {RESULTS} says {results['n']} "
            f"and {results['n_scored']}; run the evaluation again with --rescore"
        )
    elif not abs(mean - results["score"]) <= TOLERANCE:
        yield (
            f"{samples}: the scores' mean is {mean:.6f}, and {RESULTS} says {results['score']}; run the evaluation "
            "again with --rescore"
        )


def model_index(model: str, evaluations: list[Evaluation]) -> list[dict[str, Any]]:
    """The hub's form of evaluation results, with interval, number of samples and settings."""
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    return _without_none(eval_results_to_model_index(model, [_result(EvalResult, one) for one in evaluations]))


def _result(make: Any, evaluation: Evaluation) -> Any:
    results = evaluation.results
    origin = str((results.get("dataset") or {}).get("id") or "")
    return make(
        task_type="text-generation",
        task_name="Long-context tasks",
        dataset_type=origin if REPO_ID.fullmatch(origin) else evaluation.bench,
        dataset_name=evaluation.bench,
        dataset_config=evaluation.bench,
        dataset_revision=evaluation.revision,
        dataset_args=portable({key: value for key, value in results["settings"].items() if value not in (None, [])}),
        metric_type="score",
        metric_name=results.get("metric"),
        metric_value=results["score"],
        metric_args={
            "interval": f"95%, {results.get('interval') or 'bootstrap over clusters'}",
            "low": results.get("low"),
            "high": results.get("high"),
            "n_scored": results["n_scored"],
            "n": results["n"],
        },
    )


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value

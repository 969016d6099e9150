"""What a run left behind, as far as comparing needs it: scored samples per benchmark and the settings behind them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from golongrl.core import json_text
from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import read_jsonl

BARE = "samples"
"""Benchmark of samples that nothing names one for."""
_NO_BUCKETS = frozenset(
    {
        *("id", "repeat", "status", "score", "reason", "details", "n_input_tokens", "n_cut_tokens", "cluster"),
        *("finish_reason", "prompt_tokens", "completion_tokens", "answer", "evidence_depth"),
    }
)
_LONGEST_LABEL = 40
_MOST_LABELS = 24
"""Of a bare samples.jsonl, a field with short texts of at most so many values is taken for buckets."""


@dataclass(frozen=True)
class BenchRun:
    """One benchmark of one evaluation. What its folder does not hold beside samples.jsonl is None."""

    bench: str
    folder: Path
    samples: list[dict[str, Any]]
    axes: tuple[str, ...]
    """Names of the fields that put samples into buckets."""
    results: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    manifest: dict[str, Any] | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        return str((self.results or {}).get("model") or "unknown")

    def asked(self) -> dict[str, dict[str, Any]]:
        """What was asked, by item; empty where the run keeps no asked.jsonl."""
        path = self.folder / "asked.jsonl"
        return {str(row.get("id")): row for _, row in read_jsonl(path)} if path.exists() else {}


@dataclass
class Run:
    """A run as it was named on the command line; `benches` is empty for a training run."""

    label: str
    path: Path
    kind: Literal["eval", "train"]
    benches: dict[str, BenchRun] = field(default_factory=dict)


def read_runs(paths: Sequence[str | Path]) -> list[Run]:
    """The runs in order, with labels that tell them apart.

    A path is an evaluation (its folder, a folder of such folders, its results.json or samples.jsonl) or a training
    run (its folder or rollouts.jsonl). Raises UsageError for fewer than two runs or a mixture, DataError for what
    cannot be read.
    """
    if len(paths) < 2:
        raise UsageError("compare needs two runs or more: golongrl compare A B")
    runs = [_read_run(Path(path)) for path in paths]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise UsageError("compare got the same run twice; name each once")
    kinds = {run.kind for run in runs}
    if len(kinds) > 1:
        which = ", ".join(f"{run.path}: {run.kind}" for run in runs)
        raise UsageError(f"evaluations and training runs cannot be compared with each other ({which})")
    _name_bare_files(runs)
    names = [_name(run.path) for run in runs]
    for run, name in zip(runs, names, strict=True):
        run.label = name if names.count(name) == 1 else str(run.path)
    return runs


def _name_bare_files(runs: Sequence[Run]) -> None:
    """A file of samples alone does not say which benchmark it is of: that of the others, where they are of one."""
    known = {bench for run in runs for bench in run.benches if bench != BARE}
    if len(known) == 1:
        (name,) = known
        for run in runs:
            if BARE in run.benches:
                run.benches = {name: replace(run.benches[BARE], bench=name)}


def _name(path: Path) -> str:
    """Folder name of a run; the file's, where it is not called like every run's file."""
    path = path.absolute()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name in ("results.json", "samples.jsonl") else path.stem


def _read_run(path: Path) -> Run:
    if path.name == "rollouts.jsonl":
        path = path.parent
    if path.is_file():
        bench = _read_bench(path if path.suffix == ".jsonl" else path.with_name("samples.jsonl"))
        return Run("", path, "eval", {bench.bench: bench})
    if not path.is_dir():
        raise DataError(f"no such run: {path}; pass the folder of an evaluation or of a training run")
    if (path / "rollouts.jsonl").exists():
        return Run("", path, "train")
    files = [path / "samples.jsonl"] if (path / "samples.jsonl").exists() else sorted(path.glob("*/samples.jsonl"))
    if not files:
        raise DataError(
            f"{path} holds neither samples.jsonl (an evaluation, also one folder below) nor rollouts.jsonl "
            "(a training run); pass another folder"
        )
    benches: dict[str, BenchRun] = {}
    for file in files:
        bench = _read_bench(file)
        if bench.bench in benches:
            raise DataError(
                f"{path} holds {bench.bench} twice ({benches[bench.bench].folder.name}, {file.parent.name}); "
                "pass the folder of one of them"
            )
        benches[bench.bench] = bench
    return Run("", path, "eval", benches)


def _read_bench(file: Path) -> BenchRun:
    if not file.exists():
        raise DataError(f"{file} is missing; run golongrl eval again with --rescore, which writes it")
    samples, seen = [], set()
    for number, row in read_jsonl(file):
        sample = _checked(row, f"{file} line {number}")
        key = (sample["id"], sample["repeat"])
        if key in seen:
            raise DataError(f"{file} line {number}: id {key[0]!r}, repeat {key[1]} occurs twice; rescore the run")
        seen.add(key)
        samples.append(sample)
    if not samples:
        raise DataError(f"{file} holds no sample; run the evaluation to its end")
    results, config, manifest = (
        read_object(file.with_name(name)) for name in ("results.json", "config.json", "manifest.json")
    )
    bench = str((results or {}).get("bench", BARE))
    return BenchRun(bench, file.parent, samples, _axes(samples, results), results, config, manifest)


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(row.get("id"), (str, int)):
        raise DataError(f"{where}: no field id; expected the samples.jsonl of an evaluation")
    score = row.get("score", math.nan)
    if isinstance(score, bool) or not (score is None or (isinstance(score, (int, float)) and math.isfinite(score))):
        raise DataError(f"{where}, field score: expected a number or null, got {row.get('score')!r}")
    if not isinstance(row.get("repeat", 0), int):
        raise DataError(f"{where}, field repeat: expected a whole number, got {row['repeat']!r}")
    identity, cluster = str(row["id"]), row.get("cluster")
    own = cluster is None or cluster == ""
    return {**row, "id": identity, "repeat": row.get("repeat", 0), "cluster": identity if own else str(cluster)}


def _axes(samples: list[dict[str, Any]], results: dict[str, Any] | None) -> tuple[str, ...]:
    present = {name for sample in samples for name in sample}
    if results is not None:
        return tuple(name for name in results.get("buckets", {}) if name in present)
    found = []
    for name in sorted(present - _NO_BUCKETS):
        values = [sample[name] for sample in samples if sample.get(name) is not None]
        short = all(isinstance(value, str) and len(value) <= _LONGEST_LABEL for value in values)
        if short and 1 <= len(set(values)) <= _MOST_LABELS:
            found.append(name)
    return tuple(found)


def read_object(path: Path) -> dict[str, Any] | None:
    """A JSON object of a run folder; None where there is no such file, DataError where it is none."""
    return json_text.read_object(path, "run the command that wrote it again") if path.exists() else None

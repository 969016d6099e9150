"""`golongrl compare`: read the runs, refuse what is not comparable, compare, write compare.json and report.html."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, UsageError
from golongrl.core.report import Page
from golongrl.core.runs import now, record_run, refuse_other_run
from golongrl.core.store import write_json
from golongrl.pipeline.comparison import page, remarks, scores
from golongrl.pipeline.comparison.pairing import pair
from golongrl.pipeline.comparison.reading import Run, read_object, read_runs
from golongrl.pipeline.comparison.result_json import score_json, training_json
from golongrl.pipeline.comparison.settings import SettingDifference, evaluation_differences, training_differences
from golongrl.pipeline.comparison.training import TrainingComparison, compare_training


@dataclass(frozen=True)
class Comparison:
    """A finished comparison and the folder that holds compare.json and report.html."""

    folder: Path
    runs: list[Run]
    """The baseline comes first."""
    differences: dict[str, list[SettingDifference]]
    """Per run, the settings in which it differs from the baseline."""
    result: scores.ScoreComparison | TrainingComparison
    seed: int

    def as_json(self) -> dict[str, Any]:
        """One object for `--json` and compare.json."""
        result = self.result
        return {
            "kind": self.runs[0].kind,
            "baseline": self.runs[0].label,
            "runs": [_run_json(run) for run in self.runs],
            "level": result.level,
            "seed": self.seed,
            "settings": [
                {"run": run, "bench": d.where or None, "name": d.name, "baseline": d.first, "value": d.second}
                | {"forbids": d.forbids}
                for run, found in self.differences.items()
                for d in found
            ],
            "remarks": self.remarks(),
            **(training_json(result) if isinstance(result, TrainingComparison) else score_json(result)),
        }

    def verdicts(self) -> list[str]:
        """One sentence per benchmark or task and run."""
        if isinstance(self.result, TrainingComparison):
            return [f"{end.task}: {end.verdict}" for end in self.result.ends]
        benches = [f"{one.bench}: {one.verdict}" for one in self.result.benches]
        return benches + [f"{scores.mean_of(one)}: {one.verdict}" for one in self.result.averages]

    def remarks(self) -> list[str]:
        """What a reader must know beside the numbers."""
        return remarks.remarks(self.runs, self.differences, self.result)

    def page(self) -> Page:
        """The report page."""
        return page.page(self.runs, self.differences, self.result, self.remarks(), self.seed)


def _run_json(run: Run) -> dict[str, Any]:
    models = {bench.model for bench in run.benches.values()}
    return {"label": run.label, "path": str(run.path), "models": sorted(models), "benches": list(run.benches)}


def compare(
    paths: Sequence[str | Path],
    *,
    baseline: str | Path | None = None,
    out: str | Path | None = None,
    allow_different: bool = False,
    seed: int = 0,
    level: float = 0.95,
    window: int | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare runs with the baseline (default: the first) and write compare.json, report.html and manifest.json.

    `out` defaults to runs/compare/A-vs-B. `window` is how many training steps a point of a curve covers. Raises
    UsageError when settings that decide the scores differ, unless `allow_different`, and names them with both values.
    """
    started = now()
    if not 0 < level < 1:
        raise UsageError(f"--level {level}: expected a number between 0 and 1, such as 0.95")
    runs = _baseline_first(read_runs(paths), baseline)
    default = Path("runs/compare") / "-vs-".join(run.label.replace("/", "-").strip("-.") for run in runs)
    folder = Path(out) if out is not None else default
    refuse_other_run(folder, "compare")
    done = _compared(runs, folder, allow_different, seed, level, window, on_step)
    write_json(folder / "compare.json", done.as_json())
    done.page().write(folder / "report.html")
    record_run(folder, "compare", started)
    return done


def page_of(folder: str | Path) -> Page:
    """The page of a comparison, made anew from the runs that its compare.json names."""
    found = read_object(Path(folder) / "compare.json")
    if found is None:
        raise DataError(f"{folder} holds no compare.json; run golongrl compare again")
    runs = read_runs([run["path"] for run in found["runs"]])
    return _compared(runs, Path(folder), True, found["seed"], found["level"], found.get("window")).page()


def _compared(
    runs: list[Run],
    folder: Path,
    allow_different: bool,
    seed: int,
    level: float,
    window: int | None,
    on_step: Callable[[], None] = lambda: None,
) -> Comparison:
    """Compare the first run with all others; `folder` is where it will be written."""
    first, others = runs[0], runs[1:]
    differences = {run.label: _settings_of(first, run) for run in others}
    if not allow_different:
        _refuse(differences, first)
    if first.kind == "train":
        trained = compare_training(first, others, seed=seed, level=level, window=window, on_task=on_step)
        return Comparison(folder, runs, differences, trained, seed)
    scored = scores.compare_scores(first, others, seed=seed, level=level, on_bench=on_step)
    if not scored.benches:
        why = "; ".join(f"{bench}, {run}: {reason}" for run, bench, reason in scored.nothing_shared)
        raise UsageError(f"these runs have nothing to compare ({why}); name runs of the same benchmark")
    return Comparison(folder, runs, differences, scored, seed)


def _baseline_first(runs: list[Run], baseline: str | Path | None) -> list[Run]:
    first = runs[0] if baseline is None else _pick(runs, baseline)
    return [first, *(run for run in runs if run is not first)]


def _pick(runs: Sequence[Run], baseline: str | Path) -> Run:
    wanted = Path(baseline)
    for run in runs:
        if run.label == str(baseline) or run.path == wanted or run.path.resolve() == wanted.resolve():
            return run
    raise UsageError(f"--baseline {baseline} is none of the runs: {', '.join(str(run.path) for run in runs)}")


def _settings_of(first: Run, other: Run) -> list[SettingDifference]:
    if first.kind == "train":
        return training_differences(first.path, other.path)
    found = []
    for bench, ours in first.benches.items():
        theirs = other.benches.get(bench)
        if theirs is None:
            continue
        found += evaluation_differences(ours, theirs)
        moved = pair(ours, theirs).other_clusters
        if moved:
            says = f"{len(moved)} ids stand for items of other documents ({', '.join(moved[:3])})"
            found.append(SettingDifference(bench, "items", "as they are", says, forbids=True))
    return found


def _refuse(differences: dict[str, list[SettingDifference]], first: Run) -> None:
    lines = []
    for run, found in differences.items():
        # The same setting of several benchmarks is told once.
        told = itertools.groupby(sorted((d for d in found if d.forbids), key=_told_once), key=_told_once)
        lines += [f"  {first.label} against {run}: {_together(list(group))}" for _, group in told]
    if lines:
        raise UsageError(
            "these runs were made with different settings, so their scores are not comparable:\n"
            + "\n".join(lines)
            + "\nrun one of them again with the other's settings, or pass --allow-different to compare all the same"
        )


def _told_once(found: SettingDifference) -> tuple[str, str]:
    return (found.name, str(found).removeprefix(f"{found.where}: "))


def _together(found: Sequence[SettingDifference]) -> str:
    places = [difference.where for difference in found if difference.where]
    return _told_once(found[0])[1] + (f" ({', '.join(places)})" if places else "")

"""The page over several benchmarks of one evaluation: how each did, each capability, and a link to each page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golongrl.core import runs, stats
from golongrl.core.errors import DataError
from golongrl.core.report import Bars, Block, Header, Links, Note, Page, Section, Table, Tiles, show
from golongrl.core.report.cells import show_time
from golongrl.pipeline.evaluation import run_facts, sample_viewer, scorecard_page
from golongrl.pipeline.evaluation.samples import Sample
from golongrl.pipeline.evaluation.scorecard import few_clusters, not_ok

Run = tuple[Path, dict[str, Any], list[Sample], bool]
"""Folder, results, samples and whether it is complete."""


def runs_in(folder: str | Path) -> list[Path]:
    """The subfolders that hold the run of a benchmark, in the order of their names."""
    manifests = sorted(Path(folder).glob("*/manifest.json"))
    return [path.parent for path in manifests if runs.read_manifest(path.parent).get("command") == "eval"]


def page_of(folder: str | Path) -> Page:
    """The page of the benchmarks in the subfolders; DataError where there is none."""
    folders = runs_in(folder)
    if not folders:
        raise DataError(f"{folder} holds no run of golongrl eval, nor a folder with one; name what its --out named")
    found = [(one, *scorecard_page.load(one)) for one in folders]
    done = all(complete for *_, complete in found)
    models = sorted({results["model"] for _, results, _, _ in found})
    started = min(str(runs.read_manifest(one)["started"]) for one in folders)
    facts = {"started": show_time(started), "golongrl": found[0][1]["versions"].get("golongrl")}
    header = Header("Evaluation", "finished" if done else "unfinished", {**facts, "model": ", ".join(models)})
    sections: list[Section] = [
        ("Benchmarks", _benchmarks(found, done)),
        ("Capabilities", _capabilities(found)),
        ("Samples", _viewer(found)),
    ]
    return Page(f"{len(found)} benchmarks: {', '.join(models)}", sections, header)


def _benchmarks(found: Sequence[Run], done: bool) -> list[Block]:
    rows, bars, few = [], [], []
    for _, results, _, _ in found:
        name, capability = results["bench"], results["capability"]
        numbers = [results[key] for key in ("n", "n_scored", "score", "low", "high")]
        rows.append([name, capability["id"] if capability else None, *numbers, not_ok(results)])
        if results["score"] is not None:
            bars.append((name, results["score"], results["low"], results["high"]))
        if few_clusters(results):
            few.append(name)
    columns = ["benchmark", "capability", "samples", "scored", "score", "low 95%", "high 95%", "not ok"]
    blocks: list[Block] = [Tiles(_tiles(found))]
    if not done:
        blocks.append(Note("The run is not complete; the pages of the benchmarks say what is missing.", "warning"))
    if bars:
        blocks.append(Bars(bars, caption="Mean and its 95% interval", top=1.0))
    blocks.append(Table(columns, rows, caption=scorecard_page.NUMBERS))
    blocks += scorecard_page.unreliable(few)
    links = [(results["bench"], f"{folder.name}/report.html", results["metric"]) for folder, results, _, _ in found]
    return [*blocks, Links(links)]


def _tiles(found: Sequence[Run]) -> list[tuple[str, str, str]]:
    n = sum(results["n"] for _, results, _, _ in found)
    scored = sum(results["n_scored"] for _, results, _, _ in found)
    costs = [cost for _, results, _, _ in found if (cost := results["cost"]["total"]) is not None]
    written = [count for _, results, _, _ in found if (count := results["tokens"]["completion"]) is not None]
    return [
        ("benchmarks", f"{len(found):,}", ""),
        ("scored", f"{scored:,}", f"of {n:,} samples"),
        ("answer tokens", show(sum(written) if written else None), _but(len(found) - len(written))),
        ("cost", run_facts.money(sum(costs) if costs else None), _but(len(found) - len(costs))),
    ]


def _but(missing: int) -> str:
    return f"not known of {missing} of the benchmarks" if missing else ""


def _capabilities(found: Sequence[Run]) -> list[Block]:
    """The mean over the benchmarks of each capability; every benchmark counts once, whatever its size."""
    groups: dict[str, list[Run]] = {}
    for run in found:
        if run[1]["capability"] and run[1]["score"] is not None:
            groups.setdefault(" ".join(run[1]["capability"].values()), []).append(run)
    if not groups:
        return []
    rows = []
    for name, several in sorted(groups.items()):
        own = [results for _, results, _, _ in several]
        low, high = stats.mean_interval([(one["score"], one["low"], one["high"]) for one in own]) or (None, None)
        mean = sum(one["score"] for one in own) / len(own)
        rows.append([name, ", ".join(one["bench"] for one in own), mean, low, high])
    caption = "Mean of its benchmarks' scores, each counting once"
    return [Table(["capability", "benchmarks", "score", "low 95%", "high 95%"], rows, caption=caption)]


def _viewer(found: Sequence[Run]) -> list[Block]:
    shown = [
        sample
        for folder, results, samples, _ in found
        for sample in scorecard_page.viewer_samples(folder, results, samples)
    ]
    total = sum(len(samples) for _, _, samples, _ in found)
    return [sample_viewer.viewer(shown, total)] if shown else []

"""The report page of an evaluation, from its run folder alone; also while the run goes on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.report import (
    Bars,
    Block,
    Cell,
    HeatMap,
    KeyValues,
    Note,
    Page,
    Paragraph,
    Section,
    Table,
    Tiles,
    header_of,
    show,
)
from golongrl.core.store import read_jsonl
from golongrl.pipeline.evaluation import asked, run_facts, sample_viewer, unfinished
from golongrl.pipeline.evaluation.aggregates import FEW_CLUSTERS, PAIR
from golongrl.pipeline.evaluation.samples import SCORED, STATUSES, Sample
from golongrl.pipeline.evaluation.scorecard import few_clusters, lines_of, not_ok

NUMBERS = "The same in numbers; not ok: samples that ended otherwise than with a whole answer and its score"


def page_of(folder: str | Path) -> Page:
    """The page of one benchmark's run folder: of results.json, or of the journals where the run has not come so far.

    Raises DataError for a folder that holds no evaluation.
    """
    root = Path(folder)
    results, samples, done = load(root)
    capability = results["capability"]
    header = header_of(
        root,
        "Evaluation",
        model=results["model"],
        **({"capability": f"{capability['id']} {capability['name']}"} if capability else {}),
    )
    sections: list[Section] = [
        ("Score", [Tiles(_tiles(results)), *_notes(results, done), Paragraph(_meaning(results))]),
        ("Buckets", _buckets(results)),
        ("Length and depth", _maps(results)),
        ("What became of the samples", _outcomes(results)),
        ("Repeats", _repeats(results["repeats"]) if results["repeats"] else []),
        ("Samples", _viewer(root, results, samples)),
        ("Tokens, time and cost", KeyValues(run_facts.spent(results))),
        ("Judge", [KeyValues(results["judge"])] if results["judge"] else []),
        ("Settings", Table(["setting", "value", "meaning"], run_facts.settings_of(results["settings"]))),
        ("Model, data and versions", KeyValues(run_facts.origin(results))),
    ]
    return Page(f"{results['bench']}: {results['model']}", sections, header)


def load(folder: Path) -> tuple[dict[str, Any], list[Sample], bool]:
    """Results, samples, and whether nothing is owed any more; DataError without an evaluation."""
    path = folder / "results.json"
    if unfinished.goes_on(folder):
        results, samples = unfinished.results_of(folder)
        return results, samples, not results["n_open"] and results["n_incomplete"] == 0
    results = json_text.read_object(path, "run golongrl eval again with --rescore")
    if "heat_map" not in results:
        raise DataError(f"{path} is of another version; run golongrl eval again with --rescore")
    return results, [row for _, row in read_jsonl(folder / "samples.jsonl")], results["n_incomplete"] == 0


def _tiles(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    counts, tokens, seconds, cost = (results[name] for name in ("counts", "tokens", "seconds", "cost"))
    low, high = results["low"], results["high"]
    interval = f"95% interval {show(low)} to {show(high)}" if low is not None else "no interval"
    n_out = results["n"] - results["n_scored"]
    out = ", ".join(f"{counts[name]:,} {name}" for name in STATUSES if counts[name] and name not in SCORED)
    cut = ", ".join(f"{counts[name]:,} {name}" for name in SCORED if counts[name] and name != "ok")
    speed = seconds["output_tokens_per_second"]
    return [
        ("score", show(results["score"]), interval),
        ("scored", f"{results['n_scored']:,}", f"of {results['n']:,} samples{f'; {cut}' if cut else ''}"),
        ("not in the score", f"{n_out:,}", out or "none left out"),
        ("documents", f"{results['n_clusters']:,}", "or conversations, which the interval resamples"),
        ("answer tokens", show(tokens["completion"]), f"{show(speed)} per second" if speed else ""),
        ("cost", run_facts.money(cost["total"]), run_facts.about_cost(results)),
    ]


def _notes(results: Mapping[str, Any], done: bool) -> list[Block]:
    notes: list[Block] = []
    if results.get("n_open"):
        what = "no answer or no verdict" if results["judge"] else "no answer"
        notes.append(Note(f"Unfinished: {results['n_open']:,} samples have {what} yet.", "warning"))
    elif not done:
        owed = f"Owed because of errors: {results['n_incomplete']:,} of {results['n']:,} samples"
        notes.append(Note(f"{owed}; {results['go_on']}." if results["go_on"] else f"{owed}.", "warning"))
    if results["rule"]:
        notes.append(Note(f"No judge was asked; the score is the {results['rule']}."))
    if few := few_clusters(results):
        notes.append(Note(f"{few[0].upper()}{few[1:]}.", "warning"))
    if results["n_cut"]:
        notes.append(Note(f"Samples whose document was cut to fit: {results['n_cut']:,}."))
    return notes


def _meaning(results: Mapping[str, Any]) -> str:
    text = (
        f"Score: {results['metric']}, from 0 to 1. It is the mean over {results['denominator']}; all others are "
        "counted beside it and never enter it."
    )
    if 0 < results["n_scored"] < results["n"]:
        text += f" If they counted as 0, it would be {show(results['score_unscored_as_zero'])}."
    return text


def _buckets(results: Mapping[str, Any]) -> list[Block]:
    lines = lines_of(results)
    bars = [(name, e["score"], e["low"], e["high"]) for name, e in lines if e["score"] is not None]
    blocks: list[Block] = []
    if bars:
        blocks.append(Bars(bars, caption="Mean and its 95% interval", top=1.0))
    rows = [[name, *(e[key] for key in ("n", "n_scored", "score", "low", "high")), not_ok(e)] for name, e in lines]
    columns = ["bucket", "samples", "scored", "score", "low 95%", "high 95%", "not ok"]
    blocks.append(Table(columns, rows, caption=NUMBERS))
    if told := [f"{axis}: {run_facts.AXES[axis]}" for axis in results["buckets"] if axis in run_facts.AXES]:
        blocks.append(Paragraph(f"Buckets by {'; '.join(told)}."))
    few = [name for name, entry in lines[1:] if few_clusters(entry)]
    blocks += unreliable(few)
    shown = {axis: entries for axis, entries in results["buckets"].items() if len(entries) > 1 and PAIR not in axis}
    outside = {axis: results["n"] - sum(entry["n"] for entry in entries) for axis, entries in shown.items()}
    if any(outside.values()):
        counts = ", ".join(f"{number:,} without {axis}" for axis, number in outside.items() if number)
        blocks.append(Paragraph(f"Samples in no bucket of an axis: {counts}."))
    return blocks


def unreliable(names: Sequence[str]) -> list[Block]:
    """A line about the intervals that rest on too little; nothing where there are none."""
    if not names:
        return []
    few = f"fewer than {FEW_CLUSTERS} documents or conversations"
    return [Paragraph(f"From {few}, with unreliable intervals: {', '.join(names)}.")]


def _maps(results: Mapping[str, Any]) -> list[Block]:
    """Score by length and depth of the evidence, and by the two other axes where there are two."""
    blocks: list[Block] = []
    if found := results["heat_map"]:
        cells = [[_cell(entry) for entry in row] for row in found["cells"]]
        caption = (
            "Mean score, and how many samples were scored, by length and by how much of the prompt stands before "
            "the evidence"
        )
        blocks.append(HeatMap(found["columns"], found["rows"], cells, "length in tokens", "evidence after", caption))
        if found["n_without_depth"]:
            blocks.append(Paragraph(f"Samples without a known place of evidence: {found['n_without_depth']:,}."))
    for axis, entries in results["buckets"].items():
        if PAIR in axis:
            down, across = axis.rsplit(PAIR, 1)
            by_place = {tuple(entry["value"].rsplit(PAIR, 1)): entry for entry in entries}
            rows, columns = ([entry["value"] for entry in results["buckets"][name]] for name in (down, across))
            cells = [[_cell(by_place.get((a, b))) for b in columns] for a in rows]
            blocks.append(HeatMap(columns, rows, cells, across, down, f"Mean score by {down} and {across}"))
    return blocks


def _repeats(found: Mapping[str, Any]) -> list[Block]:
    return [KeyValues(run_facts.repeats_of(found)), Paragraph(run_facts.REPEATS)]


def _cell(entry: Mapping[str, Any] | None) -> Cell | None:
    return Cell(entry["score"], f"{entry['n_scored']} of {entry['n']}") if entry else None


def _outcomes(results: Mapping[str, Any]) -> list[Block]:
    rows = [[name, results["counts"][name], meaning] for name, meaning in STATUSES.items()]
    return [
        Table(["status", "samples", "meaning"], rows),
        Table(["reason", "samples"], [list(pair) for pair in results["reasons"].items()], caption="Reasons"),
    ]


def _viewer(folder: Path, results: Mapping[str, Any], samples: list[Sample]) -> list[Block]:
    axes = [axis for axis in results["buckets"] if PAIR not in axis and axis not in sample_viewer.FACETS]
    shown = viewer_samples(folder, results, samples, axes)
    return [sample_viewer.viewer(shown, len(samples), axes)] if shown else []


def viewer_samples(
    folder: Path, results: Mapping[str, Any], samples: list[Sample], axes: Sequence[str] = ()
) -> list[sample_viewer.Sample]:
    """The samples of a run as the viewer shows them; none where what was asked is not recorded."""
    rows = sample_viewer.by_item(asked.read(folder))
    capability = results["capability"]
    label = f"{capability['id']} {capability['name']}" if capability else "none"
    return [
        sample_viewer.as_sample(results["bench"], label, sample, rows[sample["id"]], axes)
        for sample in samples
        if sample["id"] in rows
    ]

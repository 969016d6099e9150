"""Sections of the report page about evaluations."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from golongrl.core import report
from golongrl.core.report import Forest
from golongrl.pipeline.comparison.figures import UNIT, forest_row
from golongrl.pipeline.comparison.pairing import CHANGES, Item
from golongrl.pipeline.comparison.reading import Run
from golongrl.pipeline.comparison.scores import BenchComparison, ScoreComparison, mean_of
from golongrl.pipeline.comparison.settings import json_text
from golongrl.pipeline.comparison.verdict import difference_text, p_text, points, visible_text

MOST_CHANGED = 2_000
"""Changed items that the page shows, the same number of every comparison; compare.json names all."""


def score_sections(runs: Sequence[Run], result: ScoreComparison) -> list[report.Section]:
    """Verdicts, numbers, buckets and changed items; `runs` starts with the baseline."""
    several = len(runs) > 2
    largest = max((one.found.n_items for one in result.benches), default=1)

    def label(one: BenchComparison) -> str:
        return f"{one.bench}: {one.run}" if several else one.bench

    rows = [
        forest_row(label(one), one.found, one.p_holm, one.outcome, one.found.n_items / largest)
        for one in result.benches
    ]
    told = [[label(one), f"{one.verdict}."] for one in result.benches]
    for average in result.averages:
        name = f"{mean_of(average)}: {average.run}" if several else mean_of(average)
        rows.append(forest_row(name, average.found, average.p_holm, average.outcome))
        told.append([name, f"{average.verdict}."])
    buckets = [
        Forest(
            [forest_row(f"{b.axis} {b.value} ({b.n_items})", b) for b in one.buckets], f"{label(one)} (items)", UNIT
        )
        for one in result.benches
        if one.buckets
    ]
    return [
        ("Verdict", [Forest(rows, unit=UNIT), report.Table(["benchmark", "verdict"], told)]),
        ("Numbers", [_numbers(result), _needed(result)]),
        ("Buckets", buckets),
        ("Changed items", _changed(runs, result.benches)),
    ]


def _numbers(result: ScoreComparison) -> report.Table:
    rows = [
        [
            *(one.bench, one.run, one.found.n_items, one.found.n_clusters, one.pairs.left_out),
            *(one.found.first, one.found.second, difference_text(one.found)),
            *(p_text(one.found.p), p_text(one.p_holm)),
        ]
        for one in result.benches
    ]
    columns = [
        "benchmark",
        "run",
        "items",
        "clusters",
        "left out",
        "baseline",
        "score",
        "difference",
        "p",
        "p (Holm)",
    ]
    return report.Table(columns, rows, "Means over the items that both runs scored")


def _needed(result: ScoreComparison) -> report.Table:
    """What could be seen, and, where items were answered several times, what more repeats would change."""
    repeated = any(one.found.noise_share is not None for one in result.benches)
    columns = ["benchmark", "run", "smallest visible", "items for 1 point", "items for 1 point, a cluster each"]
    rows = []
    for one in result.benches:
        found = one.found
        needed = (one.needed.at_present_clusters, one.needed.one_per_cluster)
        row: list[Any] = [one.bench, one.run, visible_text(found.detectable, one.detectable_alone), *needed]
        if repeated:
            share = None if found.noise_share is None else f"{found.noise_share:.0%}"
            row += [share, _points(found.detectable_with_many_repeats)]
        rows.append(row)
    if repeated:
        columns += ["uncertainty through chance in answers", "smallest visible with ever more repeats"]
    about = "What could be seen, in points at 80% power, and what it takes to see one point"
    if result.tests > 1:
        about += (
            ". Of two smallest visible ones the first holds where all other tests see a difference, the second where "
            "none does (Holm); items are told for one test"
        )
    return report.Table(columns, rows, about)


def _points(value: float | None) -> str | None:
    return None if value is None else points(value)


def _changed(runs: Sequence[Run], benches: Sequence[BenchComparison]) -> list[report.Block]:
    """What changed, counted, and the items of all comparisons in one list."""
    rows, samples = [], []
    axes = list(dict.fromkeys(axis for one in benches for item in one.pairs.items for axis in item.buckets))
    most = max(1, MOST_CHANGED // len(benches))
    folders = {run.label: run.benches for run in runs}
    for one in benches:
        changed = one.pairs.changed()
        counts = [sum(item.change == kind for item in changed) for kind in CHANGES]
        rows.append([one.bench, one.run, *counts, len(one.pairs.items) - len(changed), min(most, len(changed))])
        asked = folders[one.run][one.bench].asked() or folders[one.baseline][one.bench].asked()
        samples += [_sample(item, one, axes, asked.get(item.id, {})) for item in changed[:most]]
    counted = report.Table(
        ["benchmark", "run", *CHANGES, "as before", "shown here"],
        rows,
        "Items by what became of their mean score; right is a score from 0.5 on",
    )
    if not samples:
        return [counted]
    # What all comparisons share is no filter.
    shown = [len({one.bench for one in benches}) > 1, len(runs) > 2, True, *(True for _ in axes)]
    facets = tuple(itertools.compress(("benchmark", "run", "change", *axes), shown))
    kept = [replace(sample, facets=tuple(itertools.compress(sample.facets, shown))) for sample in samples]
    return [counted, report.Viewer(facets, kept)]


def _sample(item: Item, one: BenchComparison, axes: Sequence[str], asked: Mapping[str, Any]) -> report.Sample:
    before, after = item.means
    question = str(asked.get("question") or "")
    line = f"{before:.2f} to {after:.2f}: {item.id}" + (f", {question}" if question else "")
    parts: list[tuple[str, Any]] = [("item", item.id + ("" if item.cluster == item.id else f", of {item.cluster}"))]
    if question:
        parts.append(("question", question))
    if asked.get("gold"):
        parts.append(("gold", json_text(asked["gold"])))
    for run, samples in zip((one.baseline, one.run), item.samples, strict=True):
        parts += [(f"{run}, {_scored(sample, len(samples))}", _said(sample)) for sample in samples]
    facets = (one.bench, one.run, item.change or "", *(item.buckets.get(axis, "-") for axis in axes))
    return report.Sample(facets, line[:200], tuple(parts))


def _scored(sample: Mapping[str, Any], repeats: int) -> str:
    score = "no score" if sample["score"] is None else f"score {sample['score']:.3f}"
    told = [f"repeat {sample['repeat']}"] if repeats > 1 else []
    return ", ".join([*told, score, *dict.fromkeys(str(sample[k]) for k in ("status", "reason") if sample.get(k))])


def _said(sample: Mapping[str, Any]) -> str:
    details = json.dumps(sample.get("details") or {}, ensure_ascii=False)
    return f"{sample['answer']}\n\ndetails: {details}" if sample.get("answer") else f"details: {details}"

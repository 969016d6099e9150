"""What a terminal shows of a comparison."""

from collections.abc import Sequence
from typing import Any

from golongrl.pipeline.comparison.scores import Average, BenchComparison, ScoreComparison, mean_of
from golongrl.pipeline.comparison.training import TrainingComparison
from golongrl.pipeline.comparison.verdict import difference_text, p_text, percent, points, visible_text

Table = tuple[str, Sequence[str], list[list[Any]]]

SHOWN = 5
"""Changed items of each comparison; compare.json and the report have all."""


def tables(result: ScoreComparison | TrainingComparison) -> list[Table]:
    """(title, columns, rows) of what there is to show; differences in points."""
    found = [_ends(result)] if isinstance(result, TrainingComparison) else _evaluation(result)
    return [_without_single_run(table) for table in found if table[2]]


def _without_single_run(table: Table) -> Table:
    """The column that names the run tells nothing where there is one."""
    title, columns, rows = table
    at = columns.index("run")
    if len({row[at] for row in rows}) > 1:
        return table
    shown = [[cell for place, cell in enumerate(row) if place != at] for row in rows]
    return f"{title}: {rows[0][at]}", [name for name in columns if name != "run"], shown


def _evaluation(result: ScoreComparison) -> list[Table]:
    return [_scores(result), _buckets(result), _changes(result.benches)]


def _scores(result: ScoreComparison) -> Table:
    lines: list[tuple[str, BenchComparison | Average, int | None]] = [
        (one.bench, one, one.needed.at_present_clusters) for one in result.benches
    ]
    lines += [(mean_of(one), one, None) for one in result.averages]
    rows = [
        [
            *(name, one.run, one.found.n_items, points(one.found.first), points(one.found.second)),
            *(difference_text(one.found), p_text(one.p_holm)),
            visible_text(one.found.detectable, one.detectable_alone),
            needed,
        ]
        for name, one, needed in lines
    ]
    columns = ("benchmark", "run", "items", "baseline", "score", f"difference, {percent(result.level)}", "p (Holm)")
    return "Difference to the baseline in points", (*columns, "smallest visible", "items for 1"), rows


def _buckets(result: ScoreComparison) -> Table:
    rows = [
        [
            *(one.bench, one.run, f"{b.axis} {b.value}", b.n_items, points(b.first), points(b.second)),
            difference_text(b),
        ]
        for one in result.benches
        for b in one.buckets
    ]
    columns = ("benchmark", "run", "bucket", "items", "baseline", "score", f"difference, {percent(result.level)}")
    return "Per bucket (looked at, not tested)", columns, rows


def _changes(benches: Sequence[BenchComparison]) -> Table:
    rows = []
    for one in benches:
        changed = one.pairs.changed()
        rows += [[one.bench, one.run, item.id, item.change, *item.means] for item in changed[:SHOWN]]
        if len(changed) > SHOWN:
            rows.append([one.bench, one.run, f"and {len(changed) - SHOWN} more", "", None, None])
    return "Changed items, the largest changes first", ("benchmark", "run", "item", "change", "before", "after"), rows


def _ends(result: TrainingComparison) -> Table:
    rows = [
        [
            *(end.task, end.run, end.found.n_items, "yes" if end.paired else "no"),
            *(points(end.found.first), points(end.found.second), difference_text(end.found), p_text(end.p_holm)),
            visible_text(end.found.detectable, end.detectable_alone),
        ]
        for end in result.ends
    ]
    first, last = result.ends[0].steps if result.ends else (0, 0)
    columns = ("task", "run", "prompts", "paired", "baseline", "reward", f"difference, {percent(result.level)}")
    return f"Reward in points, steps {first} to {last}", (*columns, "p (Holm)", "smallest visible"), rows

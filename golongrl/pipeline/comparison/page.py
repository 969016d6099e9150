"""The report page of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

from golongrl.core import report
from golongrl.pipeline.comparison.reading import Run
from golongrl.pipeline.comparison.score_page import score_sections
from golongrl.pipeline.comparison.scores import ScoreComparison
from golongrl.pipeline.comparison.settings import SettingDifference, json_text
from golongrl.pipeline.comparison.training import TrainingComparison
from golongrl.pipeline.comparison.training_page import training_sections
from golongrl.pipeline.comparison.verdict import percent


def page(
    runs: Sequence[Run],
    differences: Mapping[str, Sequence[SettingDifference]],
    result: ScoreComparison | TrainingComparison,
    remarks: Sequence[str],
    seed: int,
) -> report.Page:
    """The whole page; `runs` starts with the baseline."""
    baseline, others = runs[0], runs[1:]
    sections = training_sections(result) if isinstance(result, TrainingComparison) else score_sections(runs, result)
    title = f"{', '.join(run.label for run in others)} against {baseline.label}"
    facts = {"baseline": baseline.label, "level": percent(result.level), "seed": seed}
    return report.Page(
        title,
        [
            *sections,
            ("Remarks", [report.Note(line, "warning" if "although" in line else "note") for line in remarks]),
            ("Settings that differ", _settings(differences)),
            ("Runs", report.Table(["run", "path", "models", "benchmarks"], [_run(run) for run in runs])),
            ("How it was computed", report.Paragraph(_method(result))),
        ],
        report.Header("Comparison", "finished", {**report.Header("").facts, **facts}),
    )


def _run(run: Run) -> list[Any]:
    models = sorted({bench.model for bench in run.benches.values()})
    return [run.label, str(run.path), ", ".join(models) or None, ", ".join(run.benches) or None]


def _method(result: ScoreComparison | TrainingComparison) -> str:
    shared = (
        "Differences are the run's minus the baseline's, in points (hundredths of a score). Intervals: "
        f"{percent(result.level)} bootstrap over clusters with expanded percentiles, 10,000 resamples; where hardly "
        "any cluster differs, no narrower than their number allows. p: how often chance alone would show as much, by "
        "flips of the signs of whole clusters. "
        f"Holm: adjusted over all {result.tests} tests of this page. Smallest visible: the true difference that a "
        "comparison of this size sees four times in five (80% power)."
    )
    if isinstance(result, TrainingComparison):
        return (
            f"A point of a curve is the mean reward over the prompt groups of the {result.window} steps up to it, "
            f"its band a {percent(result.level)} bootstrap over these groups. {shared}"
        )
    return (
        f"{shared} Clusters are documents or conversations. Repeats of an item are averaged first. A score from 0.5 "
        "on counts as right where flips are named. Buckets are looked at, not tested."
    )


def _settings(differences: Mapping[str, Sequence[SettingDifference]]) -> report.Block:
    rows = [
        [
            d.name,
            run,
            d.where or "-",
            json_text(d.first),
            json_text(d.second),
            "changes what a score means" if d.forbids else "-",
        ]
        for run, found in differences.items()
        for d in found
    ]
    if not rows:
        return report.Paragraph("None of those that are known.")
    return report.Table(["setting", "run", "benchmark", "baseline", "run's value", "why it matters"], rows)

"""Sections of the report page about training runs."""

from golongrl.core import report
from golongrl.core.report import Forest
from golongrl.pipeline.comparison.figures import UNIT, forest_row
from golongrl.pipeline.comparison.training import Curve, TrainingComparison
from golongrl.pipeline.comparison.verdict import difference_text, p_text


def training_sections(result: TrainingComparison) -> list[report.Section]:
    """Verdicts, numbers and curves per task."""
    tasks = list(dict.fromkeys(curve.task for curve in result.curves))
    labels = [end.task if len(result.last_steps) == 2 else f"{end.task}: {end.run}" for end in result.ends]
    rows = [
        forest_row(label, end.found, end.p_holm, end.outcome) for label, end in zip(labels, result.ends, strict=True)
    ]
    told = [[label, f"{end.verdict}."] for label, end in zip(labels, result.ends, strict=True)]
    columns = ["task", "run", "prompts", "paired", "baseline", "reward", "difference", "p", "p (Holm)", "verdict"]
    table = [
        [
            *(end.task, end.run, end.found.n_items, end.paired, end.found.first, end.found.second),
            difference_text(end.found),
            *(p_text(end.found.p), p_text(end.p_holm), end.outcome),
        ]
        for end in result.ends
    ]
    first, last = result.ends[0].steps if result.ends else (0, 0)
    curves = [
        report.Lines([_line(curve) for curve in result.curves if curve.task == task], task, "step", "reward")
        for task in tasks
    ]
    sections: list[report.Section] = [
        ("Verdict", [Forest(rows, unit=UNIT), report.Table(["task", "verdict"], told)]),
        ("Numbers", report.Table(columns, table, f"Mean reward over steps {first} to {last}")),
        ("Reward per task", curves),
    ]
    if result.validation:
        names = list(dict.fromkeys(task for found in result.validation.values() for task in found))
        shown = [
            report.Lines(
                [(run, found[task]) for run, found in result.validation.items() if task in found],
                task,
                "step",
                "reward",
            )
            for task in names
        ]
        sections.append(("Validation", [report.Paragraph("Only means are recorded, so there is no band."), *shown]))
    return sections


def _line(curve: Curve) -> report.Line:
    band = [(p.step, p.low, p.high) for p in curve.points if p.low is not None and p.high is not None]
    return report.Line(curve.run, [(p.step, p.mean) for p in curve.points], band)

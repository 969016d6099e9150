"""The audit as a report page: tables, sensitivity curves, reward distributions, and every failure and response."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from golongrl.core import report as html
from golongrl.core.errors import DataError
from golongrl.core.store import read_journal
from golongrl.rewards.audit_report import BINS, AuditReport, from_json
from golongrl.rewards.corruption import SHARES
from golongrl.rewards.probes import PROBES
from golongrl.rewards.variants import VARIANTS

ATTACK = (
    "An attack is a response that does not know the answer, or tries to talk the check into a score. It pays where "
    "it earns more than its bound, which is what an honest partial answer would earn."
)
DRESS = (
    "A dress is another way to write a right answer: bullets, bold, full width, other markers. It loses where it "
    "scores less than the answer as it was."
)
SHOWN = 5_000
"""Failures, and given responses, that the page holds at most."""


def page_of(folder: str | Path) -> html.Page:
    """The page of an audit from its folder alone; DataError where audit.json is missing."""
    folder = Path(folder)
    path = folder / "audit.json"
    if not path.exists():
        raise DataError(f"{path} is missing; run golongrl verify-rewards with this --out again")
    report = from_json(json.loads(path.read_text(encoding="utf-8")), read_journal(folder / "failures.jsonl"))
    header = html.header_of(folder, "Reward audit", "passed" if report.passed else "failed")
    return html.Page(Path(report.data).name, sections(report, read_journal(folder / "samples.jsonl")), header)


def sections(report: AuditReport, samples: Iterable[dict[str, Any]] = ()) -> list[html.Section]:
    """The audit as sections of a report page; `samples` are the rows of samples.jsonl."""
    summary: dict[str, Any] = {
        "data": report.data,
        "sha256": report.sha256,
        "rows": report.rows,
        "rows checked": report.checked,
        "gold answers that fail": report.gold_failures,
        "bad rows": report.bad_rows,
        "attacks that pay": len(report.exploited),
        "dresses of right answers that lose": len(report.false_negatives),
        "mathematical comparisons in processes of their own": report.workers.jobs,
        "of these timed out": report.workers.timeouts,
        "of these failed": report.workers.errors,
        "such processes started": report.workers.started,
    }
    metrics = html.Table(
        ["metric", "rows", "gold answers at 1", "scores", "seconds per 1,000 scores"],
        [[name, c.rows, c.gold_ok, c.scores, c.seconds_per_1000] for name, c in report.metrics.items()],
        caption="Rows per metric, gold answers that score 1 under their own reward, and the time of all scores",
    )
    why = [html.Note(problem, "failure") for problem in report.problems]
    tried = ", no attack pays and no right answer loses in another dress" if report.probes else ""
    said = why or [html.Note(f"Every gold answer scores 1{tried}.")]
    parts: list[html.Section] = [("Summary", [*said, html.KeyValues(summary)]), ("Metrics", metrics)]
    parts += _responses(report)
    if report.probes:
        parts.append(("Exploits", [html.Paragraph(ATTACK), *(_attacks(report, exploited=e) for e in (True, False))]))
    if report.variants:
        parts.append(("False negatives", [html.Paragraph(DRESS), *_dresses(report)]))
    if report.curves:
        lines = html.Lines(
            [(curve.metric, list(zip(SHARES, curve.means, strict=True))) for curve in report.curves],
            caption="Mean score against the share of the answer that is corrupted",
            x="share of the answer that is corrupted",
            y="mean score",
            x_range=(0, 1),
            y_range=(0, 1),
            numbers=False,
        )
        table = html.Table(
            ["metric", "rows", *(f"{share:.0%}" for share in SHARES)],
            [[curve.metric, curve.rows, *curve.means] for curve in report.curves],
        )
        parts.append(("Sensitivity", [lines, table]))
    if report.failures:
        parts.append(("Failures", _failures(report.failures)))
    if shown := list(_samples(samples)):
        what = f"The first {SHOWN:,} scored responses." if len(shown) == SHOWN else "Every scored response."
        parts.append(("Scored responses", html.Viewer(("metric", "score", "reason"), shown, what)))
    return parts


def _responses(report: AuditReport) -> list[html.Section]:
    if not report.capabilities:
        return []
    means = html.Bars(
        [
            (name, part.mean, part.low, part.high)
            for name, part in report.capabilities.items()
            if part.mean is not None
        ],
        caption="Mean reward of the given responses with 95% intervals (bootstrap over rows)",
        top=1.0,
    )
    reasons = sorted({reason for part in report.capabilities.values() for reason in part.reasons})
    table = html.Table(
        ["capability", "responses", "mean", "low", "high", *reasons],
        [
            [name, part.responses, part.mean, part.low, part.high, *(part.reasons.get(r, 0) for r in reasons)]
            for name, part in report.capabilities.items()
        ],
        caption="Scored responses, and how many ended for which reason",
    )
    spreads = [
        html.Bars(
            [
                (f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}", count / part.responses, None, None)
                for place, count in enumerate(part.histogram)
            ],
            caption=f"{name}: share of responses by reward",
            top=1.0,
            small=True,
        )
        for name, part in report.capabilities.items()
        if part.responses
    ]
    return [("Given responses", [means, table]), ("Reward distribution", html.Grid(spreads))]


def _attacks(report: AuditReport, exploited: bool) -> html.Block:
    rows = [p for p in report.probes if (p.verdict != "ok") == exploited]
    if exploited and not rows:
        return html.Paragraph("No attack earned more than an honest partial answer.")
    return html.Table(
        ["attack", "what it is", "metric", "rows", "max", "mean", "bound"],
        [[p.probe, PROBES[p.probe].what, p.metric, p.rows, p.max, p.mean, p.bound] for p in rows],
        caption="Attacks that pay" if exploited else "What every other attack earned, and what it may earn at most",
    )


def _dresses(report: AuditReport) -> list[html.Block]:
    lost = report.false_negatives
    blocks: list[html.Block] = [
        html.Table(
            ["dress", "what it is", "metric", "rows", "lost", "lowest"],
            [[v.variant, VARIANTS[v.variant].what, v.metric, v.rows, v.lost, v.lowest] for v in lost],
            caption="Right answers that lose in another dress",
        )
        if lost
        else html.Paragraph("Every right answer kept its score in every dress.")
    ]
    tried: dict[str, list[int]] = {}
    for result in report.variants:
        counts = tried.setdefault(result.metric, [0, 0])
        counts[0] += 1
        counts[1] += result.rows
    rows = [[metric, *counts] for metric, counts in tried.items()]
    blocks.append(html.Table(["metric", "dresses", "responses"], rows, caption="Dresses tried"))
    return blocks


def _failures(failures: list[dict[str, Any]]) -> html.Viewer:
    samples = []
    for failure in failures[:SHOWN]:
        problem = str(failure.get("problem") or failure.get("probe") or failure["check"])
        where = f"row {failure['row']}: " if failure.get("row") is not None else ""
        parts = tuple((name, html.show(value)) for name, value in failure.items() if value is not None)
        samples.append(
            html.Sample((failure["check"], failure.get("metric") or "-"), where + " ".join(problem.split()), parts)
        )
    more = len(failures) - len(samples)
    caption = f"The first {SHOWN:,} of {len(failures):,}; failures.jsonl has all." if more else "All failures."
    return html.Viewer(("check", "metric"), samples, caption)


def _samples(rows: Iterable[dict[str, Any]]) -> Iterator[html.Sample]:
    for _, row in zip(range(SHOWN), rows, strict=False):
        score, reason = row["score"], row["reason"] or "-"
        line = f"{row['id']}, answer {row['repeat'] + 1}: {html.show(score)}"
        details = tuple((name, html.show(value)) for name, value in (row["details"] or {}).items())
        yield html.Sample((row["metric"], html.score_band(score), reason), line, (("reason", reason), *details))

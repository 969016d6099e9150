"""The audit as a report page: tables, sensitivity curves, reward distributions."""

from typing import Any

from golongrl.core import report as html
from golongrl.rewards.audit_report import BINS, AuditReport
from golongrl.rewards.corruption import SHARES
from golongrl.rewards.probes import PROBES
from golongrl.rewards.variants import VARIANTS

SHOWN = 200


def sections(report: AuditReport) -> list[html.Section]:
    """The audit as sections of a report page."""
    summary: dict[str, Any] = {
        "verdict": "passed" if report.passed else "failed: " + "; ".join(report.problems),
        "data": report.data,
        "sha256": report.sha256,
        "rows": report.rows,
        "rows checked": report.checked,
        "gold answers that fail": report.gold_failures,
        "bad rows": report.bad_rows,
        "attacks that pay": len(report.exploited),
        "dresses of right answers that lose": len(report.false_negatives),
        "mathematical comparisons in workers": report.workers.jobs,
        "of these timed out": report.workers.timeouts,
        "of these failed": report.workers.errors,
        "workers started": report.workers.started,
    }
    metrics = html.Table(
        ["metric", "rows", "gold = 1", "scores", "seconds per 1,000"],
        [[name, c.rows, c.gold_ok, c.scores, c.seconds_per_1000] for name, c in report.metrics.items()],
        caption="Rows per metric, gold answers that score 1, and the time of all scores",
    )
    parts: list[html.Section] = [("Summary", html.KeyValues(summary)), ("Metrics", metrics)]
    parts += _responses(report)
    if report.probes:
        parts.append(("Exploits", [_attacks(report, exploited=True), _attacks(report, exploited=False)]))
    if report.variants:
        parts.append(("False negatives", _dresses(report)))
    if report.curves:
        lines = html.Lines(
            [(curve.metric, list(zip(SHARES, curve.means, strict=True))) for curve in report.curves],
            caption="Mean score against the share of the answer that is corrupted",
        )
        table = html.Table(
            ["metric", "rows", *(f"{share:.0%}" for share in SHARES)],
            [[curve.metric, curve.rows, *curve.means] for curve in report.curves],
        )
        parts.append(("Sensitivity", [lines, table]))
    if report.failures:
        parts.append(("Failures", _failures(report)))
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
        )
        for name, part in report.capabilities.items()
        if part.responses
    ]
    return [("Given responses", [means, table]), ("Reward distribution", spreads)]


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


def _failures(report: AuditReport) -> html.Table:
    rows = [
        [f["check"], f.get("row"), f.get("metric"), f.get("field"), f.get("problem") or f.get("probe")]
        for f in report.failures
    ]
    caption = f"The first {SHOWN} of {len(rows)}; failures.jsonl has all" if len(rows) > SHOWN else "All failures"
    return html.Table(["check", "row", "metric", "field", "problem"], rows[:SHOWN], caption=caption)

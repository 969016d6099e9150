"""`golongrl verify-rewards`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Json, Out, Seed

SHOWN = 5
"""Bad rows and gold answers that are named on the screen; failures.jsonl has all."""


def verify_rewards(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="Dataset to check (.parquet or .jsonl).", show_default=False)
    ] = None,
    responses: Annotated[
        Path | None,
        typer.Option("--responses", help="JSONL of {id, response} to score as well; id is extra_info.index."),
    ] = None,
    think: Annotated[
        str,
        typer.Option(
            "--think",
            metavar="required|optional|auto",
            help="Whether a response needs a closed thinking block; auto: only one that opens a block.",
        ),
    ] = "optional",
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Check only this many rows.")] = None,
    probes: Annotated[
        bool,
        typer.Option("--audit/--no-audit", help="Try attacks, dresses and corruption besides the gold check."),
    ] = True,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Audit the metrics themselves on a built-in set; needs no DATA.")
    ] = False,
    max_error_rate: Annotated[
        float, typer.Option("--max-error-rate", help="Share of rows and responses that may have no score.")
    ] = 0.0,
    out: Out = None,
    seed: Seed = None,
    json_: Json = False,
) -> None:
    """Prove the rewards of a dataset: right answers earn everything in any dress, attacks stay below their bounds.

    Writes audit.json, failures.jsonl and report.html (and samples.jsonl with --responses) to --out (default:
    DATA.audit beside the data). Exit code 1 when a gold answer fails, an attack pays, a right answer loses in another
    dress, corruption does not lower a score, or more than --max-error-rate of rows or responses have no score.
    """
    from golongrl.cli import console
    from golongrl.core.errors import UsageError
    from golongrl.rewards.audit import audit
    from golongrl.rewards.self_test import self_test as run_self_test

    if self_test:
        if data or responses or sample:
            raise UsageError("--self-test brings its own data; leave out DATA, --responses and --sample")
        with console.Progress("rows checked") as progress:
            report = run_self_test(out=out, progress=progress.advance)
    elif data is None:
        raise UsageError("name the dataset to check (.parquet or .jsonl), or pass --self-test")
    else:
        with console.Progress("rows checked", sample) as progress:
            report = audit(
                data,
                responses=responses,
                think=think,
                sample=sample,
                probes=probes,
                max_error_rate=max_error_rate,
                out=out or data.with_name(f"{data.stem}.audit"),
                progress=progress.advance,
                seed=seed or 0,
            )
    if json_:
        console.print_json(report.as_json())
    else:
        show(report)
    if not report.passed:
        raise typer.Exit(1)


def show(report) -> None:
    """The report as tables and one closing line."""
    from golongrl.cli import console
    from golongrl.rewards.corruption import SHARES

    def of(results, metric):
        return sum(result.metric == metric for result in results)

    console.table(
        f"Rewards of {report.data}",
        ["metric", "rows", "gold = 1", "attacks", "that pay", "dresses", "that lose", "s/1,000 scores"],
        [
            [
                name,
                count.rows,
                count.gold_ok,
                of(report.probes, name),
                of(report.exploited, name),
                of(report.variants, name),
                of(report.false_negatives, name),
                count.seconds_per_1000,
            ]
            for name, count in report.metrics.items()
        ],
    )
    if report.exploited:
        console.table(
            "Attacks that pay",
            ["probe", "metric", "rows", "max", "mean", "bound"],
            [[p.probe, p.metric, p.rows, p.max, p.mean, p.bound] for p in report.exploited],
        )
    if report.false_negatives:
        console.table(
            "Right answers that lose in another dress",
            ["dress", "metric", "rows", "lost", "lowest"],
            [[v.variant, v.metric, v.rows, v.lost, v.lowest] for v in report.false_negatives],
        )
    if report.curves:
        console.table(
            "Mean score against the corrupted share of the answer",
            ["metric", *(f"{share:.0%}" for share in SHARES)],
            [[curve.metric, *curve.means] for curve in report.curves],
        )
    if report.capabilities:
        console.table(
            "Given responses",
            ["capability", "responses", "mean", "low", "high", "no score"],
            [[name, p.responses, p.mean, p.low, p.high, p.unscorable] for name, p in report.capabilities.items()],
        )
        scored, unscorable = report.response_counts
        console.say(
            f"responses: {scored} scored, {unscorable} without a score; {report.rows_without_response} rows without "
            f"a response, {report.unmatched_responses} ids without a row"
        )
    failures = [failure for failure in report.failures if failure["check"] in ("row", "gold")]
    for failure in failures[:SHOWN]:
        where = "" if failure["check"] == "row" else f"{report.data} row {failure['row']}, gold answer: "
        console.say(where + failure["problem"])
    if len(failures) > SHOWN:
        where = f" in {report.out}/failures.jsonl" if report.out else ""
        console.say(f"and {len(failures) - SHOWN:,} more{where}")
    if report.workers.jobs:
        workers = report.workers
        console.say(
            f"mathematical comparisons in workers: {workers.jobs}, {workers.timeouts} timed out, "
            f"{workers.errors} failed, {workers.started} workers started"
        )
    verdict = "passed" if report.passed else "failed"
    console.say(
        f"{verdict}: {report.checked} of {report.rows} rows checked, {report.gold_failures} gold answers below 1, "
        f"{report.bad_rows} bad rows, {len(report.exploited)} attacks pay, "
        f"{len(report.false_negatives)} dresses lose" + (f"; report: {report.out}/report.html" if report.out else "")
    )

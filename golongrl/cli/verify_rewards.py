"""`golongrl verify-rewards`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Json, Out, Seed


def verify_rewards(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Dataset to check (.parquet or .jsonl).", show_default=False)
    ],
    responses: Annotated[
        Path | None, typer.Option("--responses", help="JSONL of {id, response} to score as well.")
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
        bool, typer.Option("--audit/--no-audit", help="Run the attack catalogue besides the gold check.")
    ] = True,
    out: Out = None,
    seed: Seed = None,
    json_: Json = False,
) -> None:
    """Prove the rewards of a dataset: every gold answer scores 1, every attack stays below its bound.

    Writes audit.json, failures.jsonl and report.html to --out (default: DATA.audit beside the data). Exit code 1 when
    a gold answer fails, a row is bad or an attack pays.
    """
    from golongrl.cli import console
    from golongrl.rewards.audit import audit

    folder = out or data.with_name(f"{data.stem}.audit")
    with console.Progress("rows checked", sample) as progress:
        report = audit(
            data,
            responses=responses,
            think=think,
            sample=sample,
            probes=probes,
            out=folder,
            progress=progress.advance,
            seed=seed or 0,
        )
    if json_:
        console.print_json({name: value for name, value in report.as_json().items() if name != "failures"})
    else:
        show(report)
    if not report.passed:
        raise typer.Exit(1)


def show(report) -> None:
    """The report as tables and one closing line."""
    from golongrl.cli import console

    exploits = {name: sum(p.metric == name for p in report.exploited) for name in report.metrics}
    attacks = {name: sum(p.metric == name for p in report.probes) for name in report.metrics}
    console.table(
        f"Rewards of {report.data}",
        ["metric", "rows", "gold = 1", "attacks", "exploited", "responses", "mean"],
        [
            [name, c.rows, c.gold_ok, attacks[name], exploits[name], c.responses, c.mean]
            for name, c in report.metrics.items()
        ],
    )
    if report.exploited:
        console.table(
            "Attacks that pay",
            ["probe", "metric", "rows", "max", "mean", "bound"],
            [[p.probe, p.metric, p.rows, p.max, p.mean, p.bound] for p in report.exploited],
        )
    for reason, count in report.unscorable.items():
        console.say(f"unscorable: {count} rows, {reason}")
    for failure in [f for f in report.failures if f["check"] != "probe"][:5]:
        console.say(f"{failure['check']}, row {failure['row']}: {failure['problem']}")
    scored, unscorable = report.response_counts
    if scored or unscorable:
        console.say(
            f"responses: {scored} scored, {unscorable} unscorable; "
            f"{report.rows_without_response} rows without a response, {report.unmatched_responses} ids without a row"
        )
    verdict = "passed" if report.passed else "failed"
    console.say(
        f"{verdict}: {report.checked} of {report.rows} rows, {report.gold_failures} gold answers below 1, "
        f"{report.bad_rows} bad rows, {len(report.exploited)} attacks pay; report: {report.out}/report.html"
    )

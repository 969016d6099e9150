"""`golongrl compare`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Json, Out, Seed


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Two or more evaluations (folder, results.json or samples.jsonl), or training runs (folder).",
            show_default=False,
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="RUN", help="The run that all others are compared with; default: the first."
        ),
    ] = None,
    allow_different: Annotated[
        bool, typer.Option("--allow-different", help="Compare runs whose settings differ all the same.")
    ] = False,
    level: Annotated[
        float, typer.Option("--level", help="Coverage of the intervals; tests are at 1 minus it.")
    ] = 0.95,
    window: Annotated[
        int | None,
        typer.Option("--window", min=1, help="Training runs: steps that a point of a curve, and the end, cover."),
    ] = None,
    seed: Seed = None,
    out: Out = None,
    json_: Json = False,
) -> None:
    """Say whether one run is better than another: paired differences with intervals, or what could not be seen.

    Evaluations are compared item by item, training runs by their reward per task. Exit code 2 when settings differ
    that decide what a score means.
    """
    from golongrl.cli import console
    from golongrl.pipeline.comparison.run import compare as run
    from golongrl.pipeline.comparison.table import tables

    with console.Progress("benchmarks and tasks compared") as progress:
        done = run(
            runs,
            baseline=baseline,
            out=out,
            allow_different=allow_different,
            seed=seed or 0,
            level=level,
            window=window,
            on_step=progress.advance,
        )
    if json_:
        console.print_json(done.as_json())
    else:
        for title, columns, rows in tables(done.result):
            console.table(title, columns, rows)
    for line in [*done.verdicts(), *done.remarks()]:
        console.say(line)
    console.say(f"report: {done.folder / 'report.html'}")

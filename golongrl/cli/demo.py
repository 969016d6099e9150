"""`golongrl demo`: the whole path on real documents and a small model, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Fresh, Json


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for everything the demo writes.")] = Path("demo-out"),
    resume: Fresh = True,
    as_json: Json = False,
) -> None:
    """Build a dataset, audit its rewards, train and evaluate: about ten minutes on two CPU cores, no network.

    Runs the other subcommands one after the other and prints each exact command. A second run reuses what is
    finished.
    """
    from golongrl.cli import console
    from golongrl.pipeline.demo.run import run_demo

    report = run_demo(out, fresh=not resume, say=console.say)
    for table in report.tables:
        console.table(table.title, table.columns, table.rows)
    if as_json:
        console.print_json(report.as_json())

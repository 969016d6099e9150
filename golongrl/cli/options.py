"""Options that several subcommands share, so that one name means one thing everywhere."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option("--out", help="Folder for everything this command writes.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file; default: the command's table in ./golongrl.toml, if there is one."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one configuration key; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; everything else on stderr.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of every random choice.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, then stop.")]
Fresh = Annotated[
    bool,
    typer.Option("--resume/--fresh", help="Go on with the run in --out (default), or set it aside and start over."),
]

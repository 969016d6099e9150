"""`golongrl report`."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golongrl.cli.options import Json
from golongrl.core.errors import UsageError

if TYPE_CHECKING:
    from golongrl.core.report import Page

PAGES = {
    "build-dataset": "golongrl.pipeline.dataset.reporting.report_page",
    "verify-rewards": "golongrl.rewards.audit_page",
    "simulate": "golongrl.pipeline.simulation.page",
    "train": "golongrl.pipeline.training.report",
    "eval": "golongrl.pipeline.evaluation.scorecard_page",
    "several evals": "golongrl.pipeline.evaluation.overview_page",
    "compare": "golongrl.pipeline.comparison.run",
}
"""Kind of run -> the module whose `page_of(folder)` makes its page."""


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder that --out of another command named; of several evals, also the folder they lie in.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; default: report.html in the run folder.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Show the page in the web browser.")] = False,
    json_: Json = False,
) -> None:
    """Write the report page of a run anew, also while the run goes on: one HTML file that needs no network.

    What is there so far is shown as unfinished, as of now.
    """
    from golongrl.cli import console

    kind = kind_of(run)
    page = page_of(run, kind)
    path = out or run / "report.html"
    page.write(path)
    verdict = page.header.verdict if page.header else None
    if json_:
        sections = [heading for heading, _ in page.sections]
        console.print_json({"kind": kind, "verdict": verdict, "out": str(path), "sections": sections})
    console.say(f"{kind}, {verdict}: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if open_:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            console.say("no web browser was found; open the file by hand")


def kind_of(run: Path) -> str:
    """What kind of run a folder holds; UsageError where it holds none."""
    from golongrl.core.runs import read_manifest

    if not run.is_dir():
        raise UsageError(
            f"{run} is {'a file' if run.exists() else 'missing'}; name a run folder, the --out of a command"
        )
    if (run / "manifest.json").exists():
        kind = str(read_manifest(run).get("command"))
        if kind not in PAGES:
            raise UsageError(f"{run} holds a run of {kind}, which has no report page; there are pages for {_kinds()}")
        return kind
    within = [path.parent for path in sorted(run.glob("*/manifest.json"))]
    if within and all(read_manifest(folder).get("command") == "eval" for folder in within):
        return "several evals"
    there = f"; runs in it: {', '.join(map(str, within))}" if within else ""
    raise UsageError(
        f"{run} is no run folder (it holds no manifest.json){there}; name a folder that --out of {_kinds()} named"
    )


def _kinds() -> str:
    *names, last = [name for name in PAGES if " " not in name]
    return f"{', '.join(names)} or {last}"


def page_of(run: Path, kind: str) -> "Page":
    """The page of a run of that kind."""
    page: Page = importlib.import_module(PAGES[kind]).page_of(run)
    return page

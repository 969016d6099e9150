"""`golongrl push-to-hub`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli import options


def push_to_hub(
    kind: Annotated[
        str, typer.Argument(metavar="dataset|model|results", help="What PATH holds.", show_default=False)
    ],
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="Folder of a dataset, of a training run or model, of an evaluation.",
            show_default=False,
        ),
    ],
    repo: Annotated[
        str, typer.Argument(metavar="ORG/NAME", help="Repository; made where there is none.", show_default=False)
    ],
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public", help="Who may read a new repository; default: private.", show_default=False
        ),
    ] = None,
    revision: Annotated[
        str, typer.Option("--revision", metavar="BRANCH", help="Branch; made from main where there is none.")
    ] = "main",
    message: Annotated[str | None, typer.Option("--message", help="Message of the commit.")] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open a pull request instead of changing main.")
    ] = False,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="NAME", help="The hub's name of the licence, as in cc-by-4.0.")
    ] = None,
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", metavar="ORG/NAME", help="model: what was trained, where the run has a folder."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="ORG/NAME[@REV]", help="model: where the training data are; repeatable."),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="DIR", help="model: evaluation for its card; repeatable."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    json_: options.Json = False,
) -> None:
    """Publish a dataset, a model or results on the hub, as what it is: checked, compared, asked, verified.

    The repository becomes what the folder is: files are created, changed and deleted as listed before. Exit code 1:
    a check failed, or the repository changed in between. An interrupted push goes on with the same command.
    """
    from golongrl.cli import console
    from golongrl.core.errors import UsageError
    from golongrl.pipeline.publishing import push as publishing
    from golongrl.pipeline.publishing.checks import require_passed
    from golongrl.pipeline.publishing.parcel import Facts

    asking = not (yes or dry_run)
    if asking and not sys.stdin.isatty():
        raise UsageError("nobody is there to ask; pass --yes to publish, or --dry-run to see what would be published")
    if not sys.stderr.isatty():
        from huggingface_hub.utils import disable_progress_bars

        disable_progress_bars()
    facts = Facts(licence, base_model, tuple(dataset or ()), tuple(results or ()))
    request = publishing.Request(kind, path, repo, private, revision, message, create_pr, facts)  # type: ignore[arg-type]
    planned = publishing.plan(request, console.Progress)
    show(planned)
    outcome, declined = planned.as_json(), False
    if planned.passed and not dry_run:
        if not planned.changes and not planned.new:
            console.say(f"{repo} already holds exactly this; there is nothing to do")
        elif declined := asking and not typer.confirm("Publish this?", err=True):
            console.say("nothing was published")
        else:
            done = publishing.carry_out(planned, console.Progress)
            outcome |= {"url": done.url, "commit": done.commit, "pull_request": done.pull_request}
            console.say(f"published and verified: {done.pull_request or done.url} at {done.commit[:12]}")
    if json_:
        console.print_json(outcome)
    require_passed(planned.checks)
    if declined:
        raise typer.Exit(1)


def show(planned) -> None:
    """The checks, what would change, and what stays here."""
    from golongrl.cli import console

    console.table(
        "Checks",
        ["check", "", "looked at"],
        [[check.name, "ok" if check.passed else "FAILED", check.found] for check in planned.checks],
    )
    if planned.remote is None:
        return
    if planned.changes:
        console.table(
            f"{planned.target.repo} at {planned.target.revision}",
            ["what", "file", "bytes", "bytes before", "sha256"],
            [
                [change.action, change.path, change.size, change.old_size, (change.sha256 or "")[:16] or None]
                for change in planned.changes
            ],
        )
    for what in planned.new:
        console.say(f"new: {what}")
    counts = [
        f"{sum(change.action == action for change in planned.changes)} to {action}"
        for action in ("create", "change", "delete")
    ]
    console.say(f"{', '.join(counts)}, {planned.unchanged} unchanged; {planned.bytes:,} bytes to write")
    if planned.parcel.left_out:
        console.say(f"stays here: {', '.join(planned.parcel.left_out)}")
    for remark in planned.remarks:
        console.say(f"the hub remarks: {remark}")

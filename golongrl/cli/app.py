"""The `golongrl` command: subcommands, the error boundary, `--version`.

Command modules import only the standard library, typer and golongrl.core.errors at the top, so that `--help`
stays fast; each imports what it runs inside its function.
"""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from golongrl import __version__
from golongrl.core.errors import GolongrlError

app = typer.Typer(
    name="golongrl",
    help="Reinforcement learning with verifiable rewards on long contexts, made auditable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def error_boundary(command: Callable[..., Any]) -> Callable[..., Any]:
    """Run a command; errors become one message and their exit code, Ctrl-C becomes 130.

    GOLONGRL_DEBUG=1 keeps the traceback.
    """

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except GolongrlError as error:
            if os.environ.get("GOLONGRL_DEBUG"):
                raise
            print(f"golongrl: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            from golongrl.core.store import NO_SPACE

            if error.errno in NO_SPACE and not os.environ.get("GOLONGRL_DEBUG"):
                print(
                    f"golongrl: no space left while writing {error.filename or 'the output'}; free some space and "
                    "run the same command again, finished work is kept",
                    file=sys.stderr,
                )
                raise typer.Exit(3) from error
            # Only what names a file is something a person can mend; anything else keeps its traceback.
            if os.environ.get("GOLONGRL_DEBUG") or not error.filename:
                raise
            print(
                f"golongrl: {error.filename}: {error.strerror}; check the path and its permissions "
                "(GOLONGRL_DEBUG=1 shows where it happened)",
                file=sys.stderr,
            )
            raise typer.Exit(3) from error
        except KeyboardInterrupt as stop:
            print(
                "golongrl: interrupted; finished work is kept, run the same command again to go on", file=sys.stderr
            )
            raise typer.Exit(130) from stop

    return guarded


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"golongrl {__version__}{_commit()}")
        raise typer.Exit


def _commit() -> str:
    """ " (commit 1a2b3c4)" where this package is a checkout of its own repository, else nothing."""
    from golongrl.core.runs import git_sha

    root = Path(__file__).parents[2]
    # Installed into an environment that lies in somebody's repository, that one's commit would say nothing.
    sha = git_sha(root) if (root / ".git").exists() and (root / "mkdocs.yml").exists() else None
    return f" (commit {sha[:7]})" if sha else ""


@app.callback()
@error_boundary
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # Looked at here, so that --help stays fast where there are none.
    if os.environ.get("GOLONGRL_PLUGINS"):
        from golongrl.core import plugins

        plugins.load()


def _register() -> None:
    from golongrl.cli import (
        build_dataset,
        compare,
        demo,
        doctor,
        eval,
        plan,
        push_to_hub,
        report,
        simulate,
        train,
        verify_rewards,
    )

    for name, command in {
        "build-dataset": build_dataset.build_dataset,
        "verify-rewards": verify_rewards.verify_rewards,
        "simulate": simulate.simulate,
        "train": train.train,
        "eval": eval.evaluate,
        "compare": compare.compare,
        "plan": plan.plan,
        "report": report.report,
        "doctor": doctor.doctor,
        "demo": demo.demo,
        "push-to-hub": push_to_hub.push_to_hub,
    }.items():
        app.command(name)(error_boundary(command))


_register()


def main() -> None:
    """Entry point of the `golongrl` script."""
    app(prog_name="golongrl")


if __name__ == "__main__":
    main()

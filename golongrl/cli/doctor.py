"""`golongrl doctor`."""

from dataclasses import asdict
from typing import Annotated

import typer

from golongrl.cli.options import ConfigFile, Json, Set


def doctor(
    purpose: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="train|eval|build",
            help="The planned work; repeatable. Default: all.",
            show_default=False,
        ),
    ] = None,
    rollout: Annotated[
        str | None,
        typer.Option(
            "--rollout",
            metavar="transformers|sglang|vllm",
            help="Engine that training generates with; default: the GPU engine that is installed, else transformers.",
        ),
    ] = None,
    server_python: Annotated[
        str | None, typer.Option("--server-python", metavar="PYTHON", help="Interpreter of a model server.")
    ] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="Endpoint to try, ending in /v1.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Name of the model at the endpoint; default: the first it serves.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="FILE", help="Records whose longest prompt must fit the endpoint.")
    ] = None,
    max_output: Annotated[
        str | None, typer.Option("--max-output", metavar="TOKENS", help="Tokens of an answer; default 51200.")
    ] = None,
    hub: Annotated[bool, typer.Option("--hub", help="Try the hub login against the hub.")] = False,
    config: ConfigFile = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """Examine this machine: what the planned work needs, what is missing, and the line that mends it.

    Exit code 3 when something needed is missing. Asks nothing beyond this machine but --base-url and, with --hub, the
    hub.
    """
    from golongrl.cli import console
    from golongrl.core.config import build, command_table, parse_set
    from golongrl.core.tokens import parse_length
    from golongrl.pipeline.doctor.config import DoctorConfig
    from golongrl.pipeline.doctor.run import examine, healthy

    table, where = command_table("doctor", config)
    flags = {
        "purposes": purpose,
        "rollout": rollout,
        "server_python": server_python,
        "base_url": base_url,
        "model": model,
        "data": data,
        "max_output": parse_length(max_output) if max_output else None,
        "hub": hub or None,
    }
    found = examine(build(DoctorConfig, table, parse_set(set_ or []), flags, where))
    if json_:
        console.print_json({"healthy": healthy(found), "findings": [asdict(finding) for finding in found]})
    else:
        columns = ["group", "what", "found", "status", "what to do"]
        console.table("Doctor", columns, [[f.group, f.name, f.value, f.status, f.fix] for f in found])
        for finding in found:
            if finding.status == "missing":
                console.say(f"missing: {finding.name}: {finding.value}; {finding.fix}")
    if not healthy(found):
        raise typer.Exit(3)

"""`golongrl build-dataset`: documents in, records with proven answers out."""

from typing import Annotated

import typer

from golongrl.cli.options import ConfigFile, DryRun, Fresh, Json, Out, Seed, Set


def build_dataset(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or patterns: txt, md, rst, html, csv, tsv, jsonl.")
    ] = None,
    out: Out = None,
    config: ConfigFile = None,
    capabilities: Annotated[
        str | None, typer.Option("--capabilities", help="Such as T1,T2,T8; default: all.")
    ] = None,
    target: Annotated[int | None, typer.Option("--target", help="Number of records, validation included.")] = None,
    length_bins: Annotated[
        str | None, typer.Option("--length-bins", help="Upper bounds of the prompt lengths, such as 1k,4k,32k.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Model folder, hub id, or 'approx' (bytes / 4).")
    ] = None,
    val_share: Annotated[float | None, typer.Option("--val-share", help="Share held out for validation.")] = None,
    seed: Seed = None,
    set_: Set = None,
    dry_run: DryRun = False,
    resume: Fresh = True,
    json_: Json = False,
) -> None:
    """Build a dataset of long-context tasks with verifiable answers from documents, by rules, without any model."""
    from pathlib import Path

    from golongrl.cli import console
    from golongrl.core.config import build as resolve
    from golongrl.core.config import command_table, parse_set
    from golongrl.pipeline.dataset.build import build, plan
    from golongrl.pipeline.dataset.settings import BuildConfig

    table, where = command_table("build-dataset", config)
    folder = Path(out or table.pop("out", None) or "dataset")
    table.pop("out", None)
    flags = {
        "sources": sources or None,
        "capabilities": capabilities,
        "target": target,
        "length_bins": length_bins,
        "tokenizer": tokenizer,
        "val_share": val_share,
        "seed": seed,
    }
    settings = resolve(BuildConfig, table, parse_set(set_ or ()), flags, where)
    if dry_run:
        _render_plan(plan(settings, progress=console.Progress), json_)
        return
    result = build(settings, folder, fresh=not resume, progress=console.Progress)
    if json_:
        console.print_json({"out": str(result.out), "notes": result.notes, **result.facts})
    _render(result)


def _render_plan(found: dict, as_json: bool) -> None:
    from golongrl.cli import console

    if as_json:
        console.print_json(found)
        return
    rows = [[name, found["eligible"][name], found["quota"][name]] for name in found["eligible"]]
    console.table(
        f"{found['documents']} documents of {found['files']} files",
        ["capability", "documents", "records wanted"],
        rows,
    )
    for refusal in found["refusals"]:
        console.say(f"refused {refusal['source']}: {refusal['reason']}")


def _render(result) -> None:
    from golongrl.cli import console

    facts = result.facts
    labels = list(dict.fromkeys(label for cells in facts["cells"].values() for label in cells))
    rows = [
        [name, *(cells.get(label, 0) for label in labels), facts["built"][name], facts["shortfall"].get(name, 0)]
        for name, cells in facts["cells"].items()
    ]
    console.table("Records per capability and prompt length", ["capability", *labels, "all", "missing"], rows)
    if result.already_finished:
        console.say(f"{result.out} was built before from the same documents and settings; nothing to do")
    for refusal in facts["refusals"][:10]:
        console.say(f"refused {refusal['source']}: {refusal['reason']}")
    if len(facts["refusals"]) > 10:
        console.say(f"... and {len(facts['refusals']) - 10} more, see {result.out / 'refused.jsonl'}")
    for name, missing in facts["shortfall"].items():
        console.say(f"{name}: {missing} records fewer than wanted; {result.out / 'report.html'} says why")
    for note in result.notes:
        console.say(note)
    console.say(f"{facts['train']} training and {facts['val']} validation records in {result.out}")

"""`golongrl build-dataset`: documents and question sets in, records with proven answers out."""

from typing import Annotated, Any

import typer

from golongrl.cli.options import ConfigFile, DryRun, Fresh, Json, Out, Seed, Set


def build_dataset(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, archives, patterns, hf://datasets/ORG/NAME."),
    ] = None,
    out: Out = None,
    config: ConfigFile = None,
    qa: Annotated[
        list[str] | None,
        typer.Option("--qa", help="Existing question sets (SQuAD, HotpotQA, TAT-QA ... rows), named like sources."),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator", help="How questions are made: rules (no model is needed), llm, both, or none (--qa alone)."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="OpenAI-compatible endpoint of the generator, up to /v1.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The generator: the name that --base-url serves, or a folder.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help="Serve the --model folder here: transformers, vllm or sglang.")
    ] = None,
    server_python: Annotated[
        str | None, typer.Option("--server-python", help="Interpreter that has the engine; default: this one.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", help="Stop before the models' calls cost more than this.")
    ] = None,
    decontaminate: Annotated[
        list[str] | None,
        typer.Option(
            "--decontaminate",
            help="Benchmark name, NAME=PATH of its published rows, or file of rows to keep out of the data.",
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="An earlier version of the dataset: its records stay if they pass.")
    ] = None,
    diagnose: Annotated[
        str | None,
        typer.Option("--diagnose", help="Scored eval or training run; its weak spots set the mix of this build."),
    ] = None,
    capabilities: Annotated[
        str | None, typer.Option("--capabilities", help="Such as T1,T2,T8; default: all nine.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="Number of records, validation included, or a mix such as T1=500,T4=200."),
    ] = None,
    length_bins: Annotated[
        str | None, typer.Option("--length-bins", help="Upper bounds of the prompt lengths, such as 4k,32k,128k.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Model folder, tokenizer.json, hub id, or 'approx' (bytes / 4).")
    ] = None,
    val_share: Annotated[float | None, typer.Option("--val-share", help="Share held out for validation.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="Processes on this machine; default: what cores, memory and the text are worth.",
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", help="Work on a Ray cluster instead: auto, HOST:PORT, or local to start one."),
    ] = None,
    seed: Seed = None,
    set_: Set = None,
    dry_run: DryRun = False,
    resume: Fresh = True,
    json_: Json = False,
) -> None:
    """Build a dataset of long-context tasks with verifiable answers: by rules from documents, from existing question
    sets, and by a model whose questions other models verify."""
    from pathlib import Path

    from golongrl.cli import console
    from golongrl.core.config import build as resolve
    from golongrl.core.config import command_table, parse_set
    from golongrl.pipeline.dataset.build import build
    from golongrl.pipeline.dataset.estimate import estimate
    from golongrl.pipeline.dataset.settings import BuildConfig, generator_table, parse_target
    from golongrl.pipeline.evaluation.contents import benchmark_rows

    table, where = command_table("build-dataset", config)
    folder = Path(out or table.pop("out", None) or "dataset")
    table.pop("out", None)
    if target:
        # A number and a mix take each other's place.
        table = {key: value for key, value in table.items() if key not in ("target", "mix")}
    flags = {
        "sources": sources or None,
        "qa": qa or None,
        "generator": generator,
        "engine": engine,
        "server_python": server_python,
        "max_cost": max_cost,
        "base": base,
        "diagnose": diagnose,
        "decontaminate.against": decontaminate or None,
        **generator_table(base_url, model, engine),
        "capabilities": capabilities,
        "length_bins": length_bins,
        "tokenizer": tokenizer,
        "val_share": val_share,
        "workers": workers,
        "ray_address": ray_address,
        "seed": seed,
        **(parse_target(target) if target else {}),
    }
    settings = resolve(BuildConfig, table, parse_set(set_ or ()), flags, where)
    if dry_run:
        expected = estimate(settings, folder, console.Progress)
        console.print_json(expected) if json_ else _render_estimate(expected)
        return
    result = build(settings, folder, fresh=not resume, progress=console.Progress, load_benchmark=benchmark_rows)
    if json_:
        notes = list(dict.fromkeys([*result.facts.get("notes", []), *result.notes]))
        console.print_json({**result.facts, "out": str(result.out), "notes": notes})
    _render(result)


def _render_estimate(expected: dict[str, Any]) -> None:
    from golongrl.cli import console

    console.table(
        f"{expected['documents']} documents of {expected['files']} files, {expected['tokens']:,} tokens"
        + ("" if expected["whole"] else f" (estimated from {expected['sampled_mb']:.1f} MB)"),
        ["capability", "documents", "questions of sets", "records wanted", "records expected"],
        [
            [row["capability"], row["documents"], row["questions"], row["wanted"], row["expected"]]
            for row in expected["capabilities"]
        ],
    )
    if expected["calls"]:
        console.table("Calls, at most", ["phase", "calls"], [list(c) for c in expected["calls"].items()])
    console.table(
        f"Time with {expected['workers']} worker(s)",
        ["stage", "tokens", "seconds"],
        [[row["stage"], f"{row['tokens']:,}", round(row["seconds"], 1)] for row in expected["stages"]],
    )
    _refusals(expected["refusals"], "the build lists all of them in rejects.jsonl")


def _refusals(refusals: list[dict[str, Any]], where: str) -> None:
    from golongrl.cli import console

    for refusal in refusals[:10]:
        console.say(f"refused {refusal['source']}: {refusal['reason']}")
    if len(refusals) > 10:
        console.say(f"... and {len(refusals) - 10} more, {where}")


def _render(result: Any) -> None:
    from golongrl.cli import console

    facts = result.facts
    labels = facts["source"]["length_bins"]
    counts: dict[tuple[str, str], int] = {}
    for cell in facts["records"]["cells"]:
        key = (cell["capability"], cell["length_bin"])
        counts[key] = counts.get(key, 0) + cell["records"]
    rows = []
    missing = {}
    for name, wanted in facts["source"]["wanted"].items():
        built = sum(counts.get((name, label), 0) for label in labels)
        rows.append([name, *(counts.get((name, label), 0) for label in labels), built, wanted - built])
        if built < wanted:
            missing[name] = wanted - built
    console.table("Records per capability and prompt length", ["capability", *labels, "all", "missing"], rows)
    if result.already_finished:
        console.say(f"{result.out} was built before from the same documents and settings; nothing to do")
    _refusals(facts["collect"]["refusals"], f"see {result.out / 'rejects.jsonl'}")
    for name, count in missing.items():
        console.say(f"{name}: {count} records fewer than wanted; {result.out / 'report.html'} says why")
    for note in result.notes:
        console.say(note)
    splits = facts["records"]["splits"]
    console.say(
        f"{splits.get('train', 0)} training and {splits.get('validation', 0)} validation records in {result.out}"
    )

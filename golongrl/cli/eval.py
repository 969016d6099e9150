"""`golongrl eval`: options in, scorecard out."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli import options


def evaluate(
    bench: Annotated[
        list[str] | None,
        typer.Option(
            "--bench",
            metavar="NAME[,NAME]",
            help="Benchmarks, or groups of them: long-context, general, memory, all. A wrong name lists them.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Model folder, or the name that the endpoint serves.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="OpenAI-compatible endpoint, ending in /v1.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="transformers|vllm|sglang",
            help="Start a server with this engine; default for a local folder: transformers.",
        ),
    ] = None,
    server_python: Annotated[
        str | None, typer.Option("--server-python", metavar="PYTHON", help="Interpreter that has the engine.")
    ] = None,
    server_arg: Annotated[
        list[str] | None, typer.Option("--server-arg", help="One more argument for the engine; repeatable.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port of the started server; default: a free one.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="FILE|DIR",
            help="The benchmark's rows, or documents for mrcr-mini; for several a folder with one entry by each's "
            "name. Default: the hub.",
        ),
    ] = None,
    max_length: Annotated[
        str | None, typer.Option("--max-length", metavar="LENGTHS", help="Item lengths in tokens, as in 1k,2k.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="How many items.")] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", help="Generations per item; default 1, 32 for AIME.")
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option("--concurrency", metavar="N|auto", help="Requests at once.")
    ] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Default 0.7; 0 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Default 0.95.")] = None,
    max_input: Annotated[
        str | None, typer.Option("--max-input", metavar="TOKENS", help="Largest prompt; default 131072.")
    ] = None,
    max_output: Annotated[
        str | None, typer.Option("--max-output", metavar="TOKENS", help="Largest answer; default 51200.")
    ] = None,
    max_model_len: Annotated[
        str | None,
        typer.Option("--max-model-len", metavar="TOKENS", help="Prompt and answer; default: what the model says."),
    ] = None,
    yarn: Annotated[
        str | None,
        typer.Option(
            "--yarn",
            metavar="auto|off|FACTOR",
            help="Prompts longer than the model: scale it by the smallest factor per length (auto, the default), "
            "leave them out, or run all with this factor.",
        ),
    ] = None,
    overlong: Annotated[
        str | None,
        typer.Option(
            "--overlong",
            metavar="error|skip|middle-document",
            help="Prompts that do not fit: stop, leave them out (default), or cut the document's middle.",
        ),
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option("--judge-model", metavar="NAME", help="Model that judges free answers.")
    ] = None,
    judge_base_url: Annotated[
        str | None, typer.Option("--judge-base-url", metavar="URL", help="The judge's endpoint, ending in /v1.")
    ] = None,
    bfcl_python: Annotated[
        str | None,
        typer.Option("--bfcl-python", metavar="PYTHON", help="Interpreter that has bfcl-eval, for bfcl-memory."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            help='Folder, hub id or "approx"; default: the model folder\'s. With --base-url a folder also gives the '
            "chat template.",
        ),
    ] = None,
    think: Annotated[
        str | None,
        typer.Option(
            "--think",
            metavar="auto|required|optional",
            help="Whether an answer needs a closed thinking block; auto reads the model's chat template.",
        ),
    ] = None,
    responses: Annotated[
        str | None, typer.Option("--responses", metavar="FILE", help="Score JSONL rows of {id, response} instead.")
    ] = None,
    price_input: Annotated[
        float | None,
        typer.Option("--price-input", help="Price of a million prompt tokens; with --price-output the run's cost."),
    ] = None,
    price_output: Annotated[
        float | None, typer.Option("--price-output", help="Price of a million answer tokens, thinking included.")
    ] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Grade the answers of an earlier run again; only a judge is asked.")
    ] = False,
    seed: options.Seed = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
    out: options.Out = None,
    resume: options.Fresh = True,
    dry_run: options.DryRun = False,
    json_: options.Json = False,
) -> None:
    """Score a model on long-context benchmarks, with an interval for every number.

    Re-running the same command goes on where it stopped. Exit code 1: errors left samples without answer or
    verdict, or a benchmark has no score at all.
    """
    from golongrl.cli import console
    from golongrl.core.config import build, command_table, parse_set
    from golongrl.core.tokens import parse_length
    from golongrl.pipeline.evaluation import runner
    from golongrl.pipeline.evaluation.config import EvalConfig
    from golongrl.pipeline.evaluation.scorecard import COLUMNS

    table, where = command_table("eval", config)
    flags = {
        "bench": bench,
        "model": model,
        "base_url": base_url,
        "engine": engine,
        "server_python": server_python,
        "server_args": server_arg,
        "port": port,
        "data": data,
        "max_length": max_length,
        "limit": limit,
        "repeats": repeats,
        "concurrency": int(concurrency) if concurrency and concurrency.isdigit() else concurrency,
        "temperature": temperature,
        "top_p": top_p,
        "max_input": parse_length(max_input) if max_input else None,
        "max_output": parse_length(max_output) if max_output else None,
        "max_model_len": parse_length(max_model_len) if max_model_len else None,
        "yarn": yarn,
        "overlong": overlong,
        "judge_model": judge_model,
        "judge_base_url": judge_base_url,
        "bfcl_python": bfcl_python,
        "tokenizer": tokenizer,
        "think": think,
        "responses": responses,
        "price_input": price_input,
        "price_output": price_output,
        "rescore": rescore or None,
        "seed": seed,
        "out": str(Path(out)) if out else None,
        "fresh": None if resume else True,
        "dry_run": dry_run or None,
    }
    settings = build(EvalConfig, table, parse_set(set_ or []), flags, where)
    if settings.dry_run:
        plans = runner.describe(settings, console.Progress, console.say)
        if json_:
            console.print_json({"plan": plans})
        else:
            for entry in plans:
                console.table(f"{entry['bench']}: nothing was started", ["what", "value"], entry.items())
        return
    stopped = None
    try:
        card = runner.evaluate(settings, console.Progress, console.say)
    except runner.StoppedError as error:
        card, stopped = error.card, error
    if json_:
        console.print_json(card.as_json())
    else:
        console.table("Scorecard", COLUMNS, card.rows())
    for line in card.remarks():
        console.say(line)
    if stopped is not None:
        raise stopped
    if not (card.complete and card.scored):
        raise typer.Exit(1)

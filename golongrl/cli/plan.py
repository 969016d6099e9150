"""`golongrl plan`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Json


def plan(
    model: Annotated[
        str | None, typer.Option("--model", help="Folder, config.json or hub id.", show_default=False)
    ] = None,
    length: Annotated[
        str | None, typer.Option("--length", help="Tokens of a sequence, prompt and response: 131072, 128k, 1m.")
    ] = None,
    gpus: Annotated[
        str | None, typer.Option("--gpus", help="8xH100, 16x8xH100 (machines x GPUs); H100 is one, or --config's.")
    ] = None,
    purpose: Annotated[str, typer.Option("--for", help="serve or train.")] = "serve",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Serve: sequences of full length that must fit at once; without it 1."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights-dtype", help="Serve: bf16, fp8, int8 or int4; without it as the checkpoint has them."
        ),
    ] = None,
    cache: Annotated[str | None, typer.Option("--kv-dtype", help="Serve: bf16 or fp8; without it bf16.")] = None,
    response: Annotated[
        str | None, typer.Option("--response-length", help="Train: tokens of a response; without it 16k.")
    ] = None,
    prompts: Annotated[
        int | None, typer.Option("--prompts", min=1, help="Train: prompts of a step; without it 128.")
    ] = None,
    rollouts: Annotated[
        int | None, typer.Option("--rollouts", min=1, help="Train: rollouts of a prompt; without it 16.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Train: records, whose prompt lengths make an epoch.")
    ] = None,
    tokens_per_epoch: Annotated[
        int | None, typer.Option("--tokens-per-epoch", min=1, help="Train: prompt tokens of an epoch.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Train: TOML of `golongrl train`, whose layout is judged.")
    ] = None,
    price: Annotated[float | None, typer.Option("--price-per-gpu-hour", min=0, help="Also show the cost.")] = None,
    gpu_memory: Annotated[float | None, typer.Option("--gpu-memory", help="GiB of a GPU not in the table.")] = None,
    gpu_flops: Annotated[float | None, typer.Option("--gpu-flops", help="Its dense bf16 TFLOP/s.")] = None,
    gpu_bandwidth: Annotated[float | None, typer.Option("--gpu-bandwidth", help="Its memory's GB/s.")] = None,
    mfu: Annotated[
        float | None,
        typer.Option(
            "--mfu", min=0.01, max=1, help="Share of the FLOP/s to count on; without it 0.45, in the update 0.35."
        ),
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            "--bandwidth-share", min=0.01, max=1, help="Share of the bandwidth in decoding; without it 0.6."
        ),
    ] = None,
    memory_share: Annotated[
        float | None,
        typer.Option(
            "--memory-share", min=0.05, max=1, help="Serve: share of a card the server may take; without it 0.9."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Work out from config.json alone what a model takes: memory, batch, parallelism, time, YaRN.

    With --for train the [train] table of the layout is printed on stdout. Exit code 1 when it does not fit.
    Example: golongrl plan --model Qwen/Qwen3-4B --length 1m --gpus 8xH100
    """
    from golongrl.cli import console
    from golongrl.pipeline.planning.output import as_json, as_toml
    from golongrl.pipeline.planning.plan import plan as work_out
    from golongrl.pipeline.planning.settings import settle
    from golongrl.pipeline.planning.summary import verdict
    from golongrl.pipeline.planning.tables import sections

    run, layout = None, None
    if config is not None:
        from golongrl.core.config import command_table
        from golongrl.pipeline.training.layout import layout as layout_of
        from golongrl.pipeline.training.resolve import resolve

        table, where = command_table("train", config)
        flags = {"model": model, "data": str(data) if data else None, "device": "cuda"}
        run = resolve(table, {}, flags, where)
        layout = layout_of(run)
    settled = settle(
        model=model,
        length=length,
        gpus=gpus,
        purpose="train" if run else purpose,
        options={
            "batch": batch,
            "weights": weights,
            "cache": cache,
            "memory_share": memory_share,
            "response": response,
            "prompts": prompts,
            "rollouts": rollouts,
            "data": str(data) if data else None,
            "tokens_per_epoch": tokens_per_epoch,
        },
        gpu=(gpu_memory, gpu_flops, gpu_bandwidth),
        mfu=mfu,
        bandwidth=bandwidth,
        price=price,
        run=run,
    )
    found = work_out(
        settled.model,
        settled.request,
        layout=layout,
        data=settled.data,
        tokens_per_epoch=tokens_per_epoch,
    )
    if json_:
        console.print_json(as_json(found))
    else:
        for section in sections(found):
            console.table(section.title, section.columns, section.rows)
        if layout is None and found.training is not None:
            print(as_toml(found, settled.model))
    for warning in found.warnings:
        console.say(f"WARNING: {warning}")
    console.say(f"verdict: {verdict(found)}")
    raise typer.Exit(0 if found.fits else 1)

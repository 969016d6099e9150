"""`golongrl train`."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import ConfigFile, DryRun, Fresh, Json, Out, Seed, Set


def train(
    algo: Annotated[
        str | None, typer.Option("--algo", help="grpo, dr-grpo, tmn, tmn-reweight or qwenlong.", show_default=False)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", help="cpu-smoke (needs nothing else), cpu-smollm2, gpu-1x, qwen3-4b or qwen3-30b-a3b."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model folder or hub id.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Training records (.parquet).")] = None,
    val_data: Annotated[str | None, typer.Option("--val-data", help="Validation records (.parquet).")] = None,
    rollout: Annotated[
        str | None, typer.Option("--rollout", help="sglang, vllm or transformers (the one for CPUs).")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps.")] = None,
    nodes: Annotated[int | None, typer.Option("--nodes", help="Machines.")] = None,
    gpus_per_node: Annotated[int | None, typer.Option("--gpus-per-node", help="GPUs per machine.")] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Ray cluster to join: auto, or HOST:PORT.", show_default=False)
    ] = None,
    out: Out = None,
    config: ConfigFile = None,
    set_: Set = None,
    seed: Seed = None,
    resume: Fresh = True,
    skip_gate: Annotated[
        bool, typer.Option("--skip-gate", help="Train although the rewards of the data were not audited.")
    ] = False,
    dry_run: DryRun = False,
    json_: Json = False,
) -> None:
    """Train with GRPO, TMN-Reweight and relatives on verl.

    Reads the table "train" of ./golongrl.toml, which build-dataset and demo write; options win over it. Does training
    work on this machine: golongrl train --preset cpu-smoke
    """
    from golongrl.cli import console
    from golongrl.core.config import command_table, parse_set
    from golongrl.pipeline.training.launch import train as run
    from golongrl.pipeline.training.plan import plan, start_command, submit_command
    from golongrl.pipeline.training.resolve import resolve

    table, where = command_table("train", config)
    flags = {
        "preset": preset,
        "algo": algo,
        "model": model,
        "data": data,
        "val_data": val_data,
        "rollout": rollout,
        "steps": steps,
        "nodes": nodes,
        "gpus_per_node": gpus_per_node,
        "ray_address": ray_address,
        "seed": seed,
    }
    resolved = resolve(table, parse_set(set_ or []), flags, where)
    if skip_gate:
        console.say(
            f"WARNING: the rewards of {resolved.data} are not audited (--skip-gate); one that can be gamed will be"
        )
    folder = out or Path("runs") / "train" / resolved.algo
    if dry_run:
        planned = plan(resolved, folder, skip_gate=skip_gate, elsewhere=True)
        start, submit = start_command(sys.argv[2:]), submit_command(sys.argv[2:])
        if json_:
            console.print_json(
                {
                    "config": resolved.model_dump(),
                    "batch": dict(planned.batch),
                    "memory": asdict(planned.facts.memory) if planned.facts.memory else None,
                    "warnings": planned.facts.warnings,
                    "verl": planned.verl,
                    "differences": [asdict(difference) for difference in planned.differences],
                    "command": start,
                    "submit": submit,
                }
            )
            return
        show_plan(planned, shlex.join(start), submit)
        return

    def on_step(step) -> None:
        of = f"/{resolved.steps}" if resolved.steps else ""
        console.say(f"step {step.step}{of}  {step.seconds:.1f} s")
        for task in step.tasks:
            shown = "  ".join(f"{words} {value:{form}}" for words, form, value in step.shown(task))
            console.say(f"  {task:<10} {shown}")
        if step.validation:
            listed = "  ".join(f"{task} {reward:.3f}" for task, reward in step.validation.items())
            console.say(f"  validation reward: {listed}")

    def on_wait(phase: str, seconds: float) -> None:
        if seconds >= 10 and int(seconds) % 10 == 0:
            console.say(f"{phase}, {seconds:.0f} s (log: {folder / 'train.log'})")

    def on_plan(planned) -> None:
        for warning in planned.facts.warnings:
            console.say(f"WARNING: {warning}")

    result = run(
        resolved,
        folder,
        fresh=not resume,
        skip_gate=skip_gate,
        on_plan=on_plan,
        on_step=on_step,
        on_wait=on_wait,
    )
    if json_:
        console.print_json(
            {
                "out": str(folder),
                "checkpoint": str(result.checkpoint),
                "model": str(result.model),
                "proof": asdict(result.proof) if result.proof else None,
                "steps": result.steps,
                "resumed_from": result.resumed_from,
                "seconds": round(result.seconds, 1),
                "rewards": {task: {"first": a, "last": b} for task, (a, b) in result.rewards.items()},
            }
        )
        return
    console.table(
        f"Reward per task after {result.steps} steps",
        ["task", "first steps", "last steps", "change"],
        [[task, first, last, last - first] for task, (first, last) in result.rewards.items()],
    )
    console.say(f"metrics:    {folder / 'metrics.jsonl'}")
    console.say(f"report:     {folder / 'report.html'}")
    console.say(f"checkpoint: {result.checkpoint}")
    console.say(f"model:      {result.model}")
    if result.proof is not None:
        console.say(f"proof:      {proven(result.proof)}")
        for warning in result.proof.warnings:
            console.say(f"WARNING: {warning}")


def proven(proof) -> str:
    """One line of what was checked of the trained model."""
    text = f"{proof.tensors} tensors as in the base model, {proof.changed} changed, all finite"
    return f"{text}; loads, and answers {proof.text!r}" if proof.loaded else text


def show_plan(planned, start: str, submit: str) -> None:
    """Batch algebra, data and what changes against verl's defaults for people; verl's overrides on stdout."""
    from golongrl.cli import console
    from golongrl.pipeline.training.verl_overrides import overrides

    console.table("Batch", ["quantity", "value"], planned.batch)
    console.table("Records per metric", ["metric", "records"], list(planned.facts.tasks.items()))
    memory = planned.facts.memory
    if memory is not None:
        console.table("Memory per process, estimated", ["phase", "item", "size", "arithmetic"], memory.table())
        for verdict in memory.verdicts:
            console.say(f"  {verdict}")
    console.say(f"{len(planned.differences)} settings of verl differ from its defaults:")
    for difference in planned.differences:
        console.say(f"  {difference.path}: {shown(difference.default)} -> {shown(difference.value)}")
    for line in overrides(planned.verl):
        print(line)
    for warning in planned.facts.warnings:
        console.say(f"WARNING: {warning}")
    console.say("start it: " + start)
    console.say("on a Ray cluster, from outside: " + submit)


def shown(value: object) -> str:
    """A setting as it stands in a table."""
    return value if isinstance(value, str) else json.dumps(value, default=str)

"""`golongrl train`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import ConfigFile, DryRun, Fresh, Json, Out, Seed, Set


def train(
    algo: Annotated[
        str | None, typer.Option("--algo", help="grpo, dr-grpo, tmn, tmn-reweight or qwenlong.", show_default=False)
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

    Reads the table "train" of ./golongrl.toml, which build-dataset and demo write; options win over it.
    """
    from golongrl.cli import console
    from golongrl.core.config import command_table, parse_set
    from golongrl.pipeline.training.config import resolve
    from golongrl.pipeline.training.launch import plan
    from golongrl.pipeline.training.launch import train as run

    table, where = command_table("train", config)
    flags = {
        "algo": algo,
        "model": model,
        "data": data,
        "val_data": val_data,
        "rollout": rollout,
        "steps": steps,
        "nodes": nodes,
        "gpus_per_node": gpus_per_node,
        "seed": seed,
    }
    resolved = resolve(table, parse_set(set_ or []), flags, where)
    if skip_gate:
        console.say(
            f"WARNING: the rewards of {resolved.data} are not audited (--skip-gate); one that can be gamed will be"
        )
    folder = out or Path("runs") / "train" / resolved.algo
    if dry_run:
        planned = plan(resolved, folder, skip_gate=skip_gate)
        if json_:
            console.print_json({"config": resolved.model_dump(), "verl": planned.verl, "command": planned.command})
            return
        show_plan(planned)
        return

    def on_step(step) -> None:
        def listed(rewards):
            return "  ".join(f"{task} {reward:.3f}" for task, reward in rewards.items())

        of = f"/{resolved.steps}" if resolved.steps else ""
        console.say(f"step {step.step}{of}  {step.seconds:.1f} s  reward: {listed(step.rewards)}")
        if step.validation:
            console.say(f"  validation reward: {listed(step.validation)}")

    def on_wait(phase: str, seconds: float) -> None:
        if seconds >= 10 and int(seconds) % 10 == 0:
            console.say(f"{phase}, {seconds:.0f} s (log: {folder / 'train.log'})")

    result = run(resolved, folder, fresh=not resume, skip_gate=skip_gate, on_step=on_step, on_wait=on_wait)
    if json_:
        console.print_json(
            {
                "out": str(folder),
                "checkpoint": str(result.checkpoint),
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


def show_plan(planned) -> None:
    """The derived batch arithmetic, data, and every verl setting that golongrl sets."""
    import shlex

    from golongrl.cli import console
    from golongrl.pipeline.training.verl_overrides import overrides

    c, facts = planned.config, planned.facts
    rollouts = c.prompts_per_batch * c.rollouts_per_prompt
    console.table(
        "Batch",
        ["quantity", "value"],
        [
            ["prompts per step", c.prompts_per_batch],
            ["rollouts per step", f"{c.prompts_per_batch} x {c.rollouts_per_prompt} = {rollouts}"],
            ["policy updates per step", 1],
            ["prompts in the data", facts.prompts],
            ["left out as too long", facts.too_long],
            ["steps per epoch", facts.prompts // c.prompts_per_batch],
            ["answers must close thinking", facts.think],
        ],
    )
    console.table("Records per metric", ["metric", "records"], list(facts.tasks.items()))
    for line in overrides(planned.verl):
        print(line)
    console.say("command: " + shlex.join(planned.command))

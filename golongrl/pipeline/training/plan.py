"""What a run will do, worked out before anything starts: checks, batch algebra, verl's settings, commands."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.memory.rows import gib
from golongrl.core.model_config import model_config
from golongrl.core.rope import yarn
from golongrl.core.runs import other_settings, read_config
from golongrl.pipeline.training import known_limits, verl_overrides, verl_tree
from golongrl.pipeline.training.config import TrainConfig, may_differ
from golongrl.pipeline.training.layout import layout
from golongrl.pipeline.training.model.base_model import model_folder
from golongrl.pipeline.training.preflight import checks as preflight
from golongrl.pipeline.training.smoke import smoke_inputs
from golongrl.pipeline.training.verl_tree import Difference

RAY_DASHBOARD = "http://127.0.0.1:8265"
"""Where `ray job submit` finds the cluster when it is called on its head."""


@dataclass(frozen=True)
class Plan:
    """A checked run."""

    config: TrainConfig
    """With absolute paths."""
    facts: preflight.Facts
    verl: dict[str, Any]
    """Every verl setting that golongrl sets."""
    differences: list[Difference]
    """What the composed configuration changes against verl's defaults."""
    batch: list[tuple[str, str]]
    """The batch algebra: (quantity, value with its arithmetic)."""
    command: list[str]
    """What starts the training process."""


def plan(config: TrainConfig, out: Path, *, skip_gate: bool = False, elsewhere: bool = False) -> Plan:
    """Run the checks, the audit of the rewards among them, and derive verl's settings; starts nothing.

    `elsewhere` is for a run that another machine will start: what this one lacks becomes a warning.
    """
    given = config
    config = config.model_copy(update=smoke_inputs(config.model, config.data))
    name = verl_overrides.config_name(config)
    verl_tree.check_paths(config.verl, name, "configuration")
    known_limits.check_own_keys(config.verl, "configuration")
    facts = preflight.check(config, out, planning=elsewhere)
    if not skip_gate:
        preflight.gate(config)
    absolute = config.model_copy(
        update={
            "data": os.path.abspath(config.data),
            "val_data": os.path.abspath(config.val_data) if config.val_data else None,
            "model": os.path.abspath(config.model) if os.path.isdir(config.model) else config.model,
        }
    )
    if elsewhere:
        before = read_config(out) if (out / "config.json").exists() else {}
        changed = other_settings(out, given.model_dump(), free=may_differ(given, before))
        if changed:
            facts.warnings.append(
                f"{out} holds a run with other settings ({'; '.join(changed)}), so this one would be refused there; "
                "choose another --out, or pass --fresh"
            )
    if config.yarn_factor is not None:
        yarn(model_config(model_folder(config.model)), config.yarn_factor)  # an error now rather than after training
    out = out.absolute()
    values = verl_overrides.settings(absolute, out, facts.think)
    overrides = verl_overrides.overrides(values)
    tree = verl_tree.leaves(verl_tree.plain(verl_tree.compose(name, overrides)))
    known_limits.check_limits(tree, "configuration")
    return Plan(
        config=absolute,
        facts=facts,
        verl=values,
        differences=verl_tree.differences(name, overrides),
        batch=batch_algebra(absolute, facts, tree),
        command=[sys.executable, "-P", "-m", "golongrl.pipeline.training.worker", str(out / "job.json")],
    )


def batch_algebra(config: TrainConfig, facts: preflight.Facts, tree: dict[str, Any]) -> list[tuple[str, str]]:
    """How prompts become policy updates; `tree` is the composed verl configuration by dotted path."""
    cut = layout(config)
    world, copies, per_gpu = cut.world, cut.data, cut.tokens
    prompts, rollouts = config.prompts_per_batch, config.prompts_per_batch * config.rollouts_per_prompt
    per_copy = per_gpu * cut.context
    mini = tree["actor_rollout_ref.actor.ppo_mini_batch_size"]
    updates = prompts // mini * tree["actor_rollout_ref.actor.ppo_epochs"]
    share = mini * config.rollouts_per_prompt // copies
    micro = share if config.one_at_a_time else -(-share // max(1, per_copy // config.longest))
    epoch = facts.prompts // prompts
    steps = f"{facts.steps:,}" if config.steps else f"{config.epochs} x {epoch:,} = {facts.steps:,}"
    size = "of unknown size" if facts.checkpoint_bytes is None else gib(facts.checkpoint_bytes)
    size += f", every {config.save_every} steps and at the end"
    processes = "processes" if config.device == "cpu" else "GPUs"
    rows = [
        (processes, f"{world // cut.per_node} x {cut.per_node} = {world}"),
        (
            "training",
            f"{copies} data-parallel copies of {world // copies} (tensor {cut.tensor} x pipeline "
            f"{cut.pipeline} x context {cut.context}), experts over {cut.expert}",
        ),
        (
            "rollout servers",
            f"{world // cut.rollout_tensor} of {cut.rollout_tensor} ({config.rollout})",
        ),
        ("prompts per step", f"{prompts} ({config.sampling})"),
        ("rollouts per step", f"{prompts} x {config.rollouts_per_prompt} = {rollouts}"),
        ("policy updates per step", f"{prompts} / {mini} prompts x {updates * mini // prompts} epochs = {updates}"),
        ("rollouts per copy and update", f"{mini} x {config.rollouts_per_prompt} / {copies} = {share}"),
        (
            "longest sequence",
            f"{config.max_prompt_tokens:,} + {config.max_response_tokens:,} = {config.longest:,} tokens"
            + ("" if facts.context is None else f"; the model takes {facts.context:,}"),
        ),
        (
            "micro batch",
            "one sequence, because rows are padded to the longest"
            if config.one_at_a_time
            else f"{per_gpu:,} tokens per GPU x {cut.context} = {per_copy:,} per copy",
        ),
        ("micro batches per update", f"at most {micro}, when every sequence is of full length"),
        ("prompts in the data", f"{facts.prompts:,}, and {facts.too_long:,} left out as too long"),
        ("steps per epoch", f"{facts.prompts:,} / {prompts} = {epoch:,}"),
        ("steps", steps),
        ("checkpoint", size),
        ("answers must close thinking", facts.think),
    ]
    if config.filter_groups:
        at_once = config.inflight_batches * prompts
        rows.insert(5, ("prompts in generation", f"at most {config.inflight_batches} x {prompts} = {at_once}"))
    return rows


def start_command(arguments: Sequence[str]) -> list[str]:
    """`golongrl train` with these arguments, without those that only show something."""
    return ["golongrl", "train", *(argument for argument in arguments if argument not in ("--dry-run", "--json"))]


def submit_command(arguments: Sequence[str]) -> str:
    """The `ray job submit` line that runs `golongrl train` with these arguments on a cluster's head, from here.

    The working folder, and golongrl with its extras, must be the same on every node.
    """
    inner = ["env", "-C", os.getcwd(), *start_command(arguments)]
    if not any(argument.startswith("--ray-address") for argument in arguments):
        inner += ["--ray-address", "auto"]
    return shlex.join(["ray", "job", "submit", "--address", RAY_DASHBOARD, "--", *inner])

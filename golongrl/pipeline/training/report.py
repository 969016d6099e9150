"""The training run's report page, from the run folder alone: also of a run that is still going on."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golongrl.core.report import KeyValues, Note, Page, Paragraph, Section, Table, header_of
from golongrl.core.report.document import Block
from golongrl.core.runs import read_config
from golongrl.pipeline.training import report_curves as curves
from golongrl.pipeline.training.metrics import WINDOW, Step, first_and_last, read_baseline, read_steps
from golongrl.pipeline.training.report_rollouts import reasons, rollouts
from golongrl.pipeline.training.rollout_log import Group, read_groups


def page_of(folder: str | Path, *, complete: bool = False) -> Page:
    """The page of a training run; `complete` when all is written but the manifest's end."""
    folder = Path(folder)
    header = header_of(folder, "Training", complete=complete)
    config, steps, groups = read_config(folder), read_steps(folder), read_groups(folder)
    tasks = sorted({task for step in steps for task in step.tasks})
    sections: list[Section] = [("Run", _run(folder, config, steps))]
    if steps:
        sections += [
            ("Reward per task", _rewards(steps, groups, tasks, read_baseline(folder))),
            ("Who gets the gradient", _gradient(steps, tasks)),
            ("Responses", _responses(steps, groups, tasks)),
            ("Optimisation", _there(curves.small(steps, curves.OPTIMISATION))),
            ("Speed", _there(curves.phases(steps), curves.small(steps, {"perf/throughput": "tokens per second"}))),
            *rollouts(folder, groups),
            ("Every step", _every_step(steps, tasks)),
        ]
    sections.append(
        ("Settings", KeyValues({k: v for k, v in config.items() if v is not None and v != {}}, exact=True))
    )
    return Page(folder.name, sections, header)


def write_report(folder: Path) -> None:
    """Write report.html of a run that is complete but for its manifest's end."""
    page_of(folder, complete=True).write(folder / "report.html")


def _there(*blocks: Block | None) -> list[Block]:
    return [block for block in blocks if block is not None]


def _run(folder: Path, config: dict[str, Any], steps: Sequence[Step]) -> list[Block]:
    seconds = [step.seconds for step in steps if "timing_s/step" in step.metrics]
    throughput = [value for _, value in curves.values(steps, "perf/throughput")]
    named = [path.name.removeprefix("global_step_") for path in folder.glob("checkpoints/global_step_*")]
    facts = {
        "model": config.get("model"),
        "algorithm": config.get("algo"),
        "data": config.get("data"),
        "steps": f"{steps[-1].step if steps else 0:,}" + (f" of {config['steps']:,}" if config.get("steps") else ""),
        "batch": f"{config.get('prompts_per_batch')} prompts with {config.get('rollouts_per_prompt')} rollouts each",
        "median seconds per step": statistics.median(seconds) if seconds else None,
        "median tokens per second": statistics.median(throughput) if throughput else None,
        "checkpoints at steps": sorted(int(name) for name in named if name.isdigit()),
    }
    blocks: list[Block] = [KeyValues({name: value for name, value in facts.items() if value is not None})]
    results = _results(folder)
    if proof := results.get("proof"):
        asked = "was loaded and answered a prompt" if proof["loaded"] else f"was not loaded ({proof['skipped']})"
        changed = f"{proof['changed']:,} of {proof['tensors']:,} tensors differ from the base model's"
        blocks.append(Note(f"The trained model, {results['model']} in the run folder, {asked}; {changed}."))
        blocks += [Note(warning, "warning") for warning in proof["warnings"]]
    if not steps:
        blocks.append(Note("No step is finished yet; train.log says what the run is doing."))
    return blocks


def _results(folder: Path) -> dict[str, Any]:
    path = folder / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _rewards(steps: list[Step], groups: Sequence[Group], tasks: Sequence[str], baseline: Step | None) -> list[Block]:
    ends = first_and_last(steps, WINDOW)
    table = Table(
        ["task", "first steps", "last steps", "change"],
        [[task, first, last, last - first] for task, (first, last) in ends.items()],
        caption=f"Mean reward over up to {WINDOW} steps at each end in which the task occurred",
    )
    validated = [baseline, *steps] if baseline else steps
    return _there(curves.reward_lines(steps, groups, tasks), table, curves.validation(validated))


def _gradient(steps: Sequence[Step], tasks: Sequence[str]) -> list[Block]:
    def over_run(task: str, metric: str) -> float | None:
        found = [value for _, value in curves.values(steps, f"task/{task}/{metric}")]
        return statistics.fmean(found) if found else None

    rows = []
    for task in tasks:
        # A step without the task gave it no share.
        share = sum(value for _, value in curves.values(steps, f"task/{task}/advantage_share")) / len(steps)
        drawn = sum(value for _, value in curves.values(steps, f"task/{task}/rollout_share")) / len(steps)
        rows.append([task, drawn, share, share / drawn if drawn else None, over_run(task, "no_signal_groups")])
    table = Table(
        ["task", "share of rollouts", "share of |A|", "ratio", "groups without signal"],
        rows,
        caption="Over the whole run; |A| is the absolute advantage",
    )
    return _there(
        table,
        curves.per_task(
            steps, tasks, "advantage_share", "Share of the absolute advantage per task", "share", share=True
        ),
        curves.per_task(
            steps,
            tasks,
            "no_signal_groups",
            "Share of groups whose rollouts all earned the same",
            "share",
            share=True,
        ),
    )


def _responses(steps: Sequence[Step], groups: Sequence[Group], tasks: Sequence[str]) -> list[Block]:
    lengths = {
        "response_length/mean": "response tokens, mean",
        "response_length/max": "response tokens, longest",
        "prompt_length/mean": "prompt tokens, mean",
        "prompt_length/max": "prompt tokens, longest",
    }
    cut: Block | None = curves.per_task(
        steps, tasks, "truncated", "Share of responses cut at their limit", "share", share=True
    )
    if cut and not any(value for task in tasks for _, value in curves.values(steps, f"task/{task}/truncated")):
        cut = Paragraph("No response was cut at its limit.")
    return _there(
        curves.per_task(steps, tasks, "response_tokens", "Mean tokens of a response per task", "tokens"),
        cut,
        curves.small(steps, lengths),
        reasons(groups, tasks) if groups else None,
    )


def _every_step(steps: Sequence[Step], tasks: Sequence[str]) -> Table:
    return Table(
        ["step", "seconds", *tasks],
        [[step.step, step.seconds, *(step.rewards.get(task) for task in tasks)] for step in steps],
        caption="Mean reward per task; - where the batch held none of it",
    )

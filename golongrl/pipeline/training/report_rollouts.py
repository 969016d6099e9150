"""Rollouts to look through in a training report: prompts with what they earned, or the texts that verl dumped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golongrl.core.report import Sample, Section, Table, Viewer, score_band
from golongrl.core.report.excerpts import middle_cut
from golongrl.pipeline.training.rollout_log import Group, dumped

MOST = 2_000
"""Prompts or rollouts that the page holds at most."""
PARTS = 4
"""Stretches of the run that the filter of steps offers."""
CUT = 4_000
"""Characters of a prompt or response that are kept, half from each end."""


def reasons(groups: Sequence[Group], tasks: Sequence[str]) -> Table:
    """How often a rollout ended for which reason, per task."""
    names = sorted({reason for group in groups for reason in group.reasons})
    rows: list[list[Any]] = []
    for task in tasks:
        own = [group for group in groups if group.task == task]
        rollouts = sum(len(group.rewards) for group in own)
        rows.append([task, len(own), rollouts, *(sum(group.reasons[name] for group in own) for name in names)])
    return Table(["task", "prompts", "rollouts", *names], rows, "Rollouts by the reason of their reward")


def rollouts(folder: Path, groups: Sequence[Group]) -> list[Section]:
    """The viewer: of texts where the run dumped them, else of prompts and their rewards."""
    texts = dumped(folder, MOST)
    last = max([group.step for group in groups], default=1)
    if texts:
        samples = [_text(row, last) for row in texts]
        caption = f"{len(samples):,} rollouts, evenly over the steps whose texts were dumped."
        return [("Rollouts", Viewer(("task", "score", "reason", "steps"), samples, caption))]
    if not groups:
        return []
    shown = groups[-MOST:]
    what = f"The last {len(shown):,} of {len(groups):,} prompts" if len(shown) < len(groups) else "All prompts"
    caption = f"{what} with what their rollouts earned. The texts are kept with dump_rollouts = true."
    samples = [_prompt(group, last) for group in shown]
    return [("Prompts", Viewer(("task", "mean reward", "signal", "steps"), samples, caption))]


def _stretch(step: int, last: int) -> str:
    size = max(1, -(-last // PARTS))
    first = (step - 1) // size * size + 1
    end = min(last, first + size - 1)
    return f"{first} to {end}" if end > first else str(first)


def _prompt(group: Group, last: int) -> Sample:
    mean = group.mean
    line = f"step {group.step}, record {group.index}: mean {'-' if mean is None else f'{mean:.3f}'}"
    parts = (
        ("rewards", "  ".join("-" if reward is None else f"{reward:.3f}" for reward in group.rewards)),
        ("reasons", ", ".join(f"{name} {count}" for name, count in group.reasons.items())),
        ("prompt", f"record {group.index} of the training data, {group.task}, drawn as {group.prompt}"),
    )
    signal = "differing rewards" if group.has_signal else "no signal"
    return Sample((group.task, score_band(mean), signal, _stretch(group.step, last)), line, parts)


def _gold(truth: Any) -> str:
    """The answers of a ground truth, one a line."""
    if not isinstance(truth, dict):
        return str(truth)
    answers = [truth.get("golden_label"), *(truth.get("doc_ids") or ())]
    return "\n".join(str(answer) for answer in answers if answer)


def _text(row: dict[str, Any], last: int) -> Sample:
    score, step = row.get("score"), int(row.get("step", 1))
    answer, prompt = str(row.get("output", "")), str(row.get("input", ""))
    parts = [("response", middle_cut(answer, CUT)), ("prompt", middle_cut(prompt, CUT))]
    if row.get("gts") is not None:
        parts.append(("gold answer", _gold(row["gts"])))
    parts.append(("reward", f"{score}, {row.get('reason') or '-'}, step {step}, record {row.get('index')}"))
    facets = (str(row.get("task") or "-"), score_band(score), str(row.get("reason") or "-"), _stretch(step, last))
    return Sample(facets, " ".join(answer[:600].split())[:160] or "(empty response)", tuple(parts))

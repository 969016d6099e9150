"""One simulation: rollouts in, a report of who gets the gradient out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golongrl.core import report as html
from golongrl.core.advantages import ALGORITHMS
from golongrl.core.errors import UsageError
from golongrl.core.store import write_json
from golongrl.pipeline.simulation.mixes import MIXES, draw
from golongrl.pipeline.simulation.replay import Outcome, as_json, sweep
from golongrl.pipeline.simulation.rollouts import Batch, read_batches


def simulate(
    logs: Sequence[str | Path],
    *,
    mix: str = "paper",
    algos: Sequence[str] = tuple(ALGORITHMS),
    batches: int = 300,
    prompts: int = 128,
    rollouts: int = 16,
    filtered: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    on_setting: Callable[[str], None] | None = None,
    **options: Any,
) -> list[Outcome]:
    """Replay logged rollouts, or `batches` of a synthetic mix where `logs` is empty, through the algorithms.

    `options` are those of the advantages (alpha, gamma, max_weight, task_stats, decay). With `out`, writes
    results.json and report.html there.
    """
    for name, number in (("--batches", batches), ("--prompts", prompts), ("--rollouts", rollouts)):
        if number < 1:
            raise UsageError(f"{name} {number}: expected at least 1")
    if logs:
        found: list[Batch] = [batch for log in logs for batch in read_batches(log)]
        source = ", ".join(map(str, logs))
    else:
        found = list(draw(mix, batches, prompts, rollouts, seed=seed, filtered=filtered))
        source = f"mix {mix}: {MIXES[mix].what}" + (", constant groups drawn anew" if filtered else "")
    outcomes = sweep(found, algos, options, on_setting)
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"source": source, "batches": len(found), "seed": seed, "options": options}
        write_json(folder / "results.json", {**settings, "outcomes": as_json(outcomes)})
        html.write_page(folder / "report.html", "Simulated advantages", sections(source, len(found), algos, outcomes))
    return outcomes


def sections(source: str, batches: int, algos: Sequence[str], outcomes: Sequence[Outcome]) -> list[html.Section]:
    """The outcomes as sections of a report page."""
    plain = [outcome for outcome in outcomes if outcome.setting in algos]
    facts = {"rollouts from": source, "batches": batches, "rollouts": outcomes[0].rollouts}
    settings = html.Table(
        ["setting", "rollouts", "no-signal groups", "sign flips against grpo", "unevenness"],
        [[o.setting, o.rollouts, o.no_signal, o.sign_flips, o.unevenness] for o in outcomes],
        caption="Unevenness: coefficient of variation across tasks of mean |A|",
    )
    parts: list[html.Section] = [("Rollouts", html.KeyValues(facts)), ("Settings", settings)]
    for outcome in plain:
        bars = html.Bars(
            [(task, share.advantage_share, None, None) for task, share in outcome.tasks.items()],
            caption="Share of the absolute advantage",
            top=1.0,
        )
        table = html.Table(
            ["task", "share of rollouts", "share of |A|", "ratio", "mean |A|"],
            [
                [t, s.rollout_share, s.advantage_share, s.advantage_share / s.rollout_share, s.mean_abs_advantage]
                for t, s in outcome.tasks.items()
            ],
        )
        parts.append((outcome.setting, [bars, table]))
    return parts

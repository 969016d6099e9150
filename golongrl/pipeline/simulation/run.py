"""One simulation: rollouts in, a report of who gets the gradient out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.advantages import ALGORITHMS
from golongrl.core.errors import UsageError
from golongrl.core.runs import now, record_run, refuse_other_run
from golongrl.core.store import write_json
from golongrl.pipeline.simulation.mixes import MIXES, draw
from golongrl.pipeline.simulation.page import page_of
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
    results.json, report.html and manifest.json there.
    """
    started = now()
    if out is not None:
        refuse_other_run(out, "simulate")
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
        settings = {"source": source, "batches": len(found), "seed": seed, "algos": list(algos), "options": options}
        write_json(folder / "results.json", {**settings, "outcomes": as_json(outcomes)})
        record_run(folder, "simulate", started)
        page_of(folder).write(folder / "report.html")
    return outcomes

"""The report page of a simulation, from its folder alone."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.report import Bars, Grid, KeyValues, Page, Paragraph, Section, Table, header_of

ADVANTAGE = (
    "A rollout's advantage says how strongly, and in which direction, it moves the model. The absolute advantages "
    "|A| of a task's rollouts together are its share of the gradient."
)
SETTINGS = (
    "Groups without signal: the share of prompts whose rollouts all have the advantage 0, as a rule because all "
    "earned the same. Sign flips: the share of rollouts that grpo would move the other way. tmn-reweight gives hard"
    " prompts more weight, by the share of their rollouts that earn more than a bar: alpha is the weight of the "
    "prompt's own mean in that bar, beside its task's, and gamma how strongly the share counts. Task statistics are"
    " those of the batch, or (ema) running means over batches."
)

Outcome = dict[str, Any]
"""An outcome (`replay.Outcome`) as results.json holds it."""


def page_of(folder: str | Path) -> Page:
    """The page of a simulation; DataError where its results are missing."""
    path = Path(folder) / "results.json"
    if not path.exists():
        raise DataError(f"{path} is missing; run golongrl simulate with this --out again")
    results = json.loads(path.read_text(encoding="utf-8"))
    outcomes: list[Outcome] = results["outcomes"]
    plain = [outcome for outcome in outcomes if outcome["setting"] in results["algos"]]
    facts = {
        "rollouts from": results["source"],
        "batches": results["batches"],
        "rollouts": outcomes[0]["rollouts"],
        "seed": results["seed"],
        **results["options"],
    }
    sections: list[Section] = [
        ("Rollouts", KeyValues({name: value for name, value in facts.items() if value is not None}, exact=True)),
        ("Who gets the gradient", _gradient(plain)),
        ("Settings", _settings(outcomes)),
    ]
    return Page("Simulated advantages", sections, header_of(folder, "Simulation"))


def _gradient(plain: Sequence[Outcome]) -> list[Paragraph | Table | Grid]:
    ratio = _table(plain, "Ratio of the two shares: 1 is neither favoured nor starved", _ratio)
    mean = _table(plain, "Mean absolute advantage", lambda share: share["mean_abs_advantage"])
    caption = "Share of the absolute advantage per task and algorithm, beside the share of the rollouts"
    shares = _table(plain, caption, lambda share: share["advantage_share"])
    return [Paragraph(ADVANTAGE), shares, _figures(plain), ratio, mean]


def _ratio(share: dict[str, float]) -> float:
    return share["advantage_share"] / share["rollout_share"]


def _table(plain: Sequence[Outcome], caption: str, value: Callable[[dict[str, float]], float]) -> Table:
    return Table(
        ["task", "share of rollouts", *(outcome["setting"] for outcome in plain)],
        [
            [task, share["rollout_share"], *(value(outcome["tasks"][task]) for outcome in plain)]
            for task, share in plain[0]["tasks"].items()
        ],
        caption,
    )


def _figures(plain: Sequence[Outcome]) -> Grid:
    """One figure per algorithm, all on the same axis."""
    top = max(share["advantage_share"] for outcome in plain for share in outcome["tasks"].values())
    return Grid(
        [
            Bars(
                [(task, share["advantage_share"], None, None) for task, share in outcome["tasks"].items()],
                caption=outcome["setting"],
                top=top,
                small=True,
            )
            for outcome in plain
        ],
        "Share of the absolute advantage",
    )


def _settings(outcomes: Sequence[Outcome]) -> list[Bars | Table | Paragraph]:
    bars = Bars(
        [(outcome["setting"], outcome["unevenness"], None, None) for outcome in outcomes],
        "Unevenness: coefficient of variation across tasks of mean |A|; 0 is even",
    )
    table = Table(
        ["setting", "rollouts", "groups without signal", "sign flips against grpo", "unevenness"],
        [[o["setting"], o["rollouts"], o["no_signal"], o["sign_flips"], o["unevenness"]] for o in outcomes],
    )
    return [bars, table, Paragraph(SETTINGS)]

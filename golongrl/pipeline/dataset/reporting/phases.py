"""Sections about phases beyond the rules track, the same for card and report page; what did not run has none."""

from collections.abc import Callable
from typing import Any

from golongrl.pipeline.dataset.reporting import finding_tables, phase_tables
from golongrl.pipeline.dataset.reporting.facts import BuildFacts
from golongrl.pipeline.dataset.reporting.phase import Phase

SECTIONS: dict[str, Callable[[Any], Phase]] = {
    "versions": finding_tables.versions,
    "diagnosis": finding_tables.diagnosis,
    "funnel": phase_tables.funnel,
    "qa": phase_tables.qa,
    "synthesis": phase_tables.synthesis,
    "verify": phase_tables.verify,
    "difficulty": phase_tables.difficulty,
    "contamination": phase_tables.contamination,
    "calls": phase_tables.calls,
    "shortcuts": finding_tables.shortcuts,
    "learned": finding_tables.learned,
    "probes": finding_tables.probes,
}
"""Key of build.json -> its section, in the order of the page."""


def phases(facts: BuildFacts) -> list[Phase]:
    """The sections in order."""
    return [make(facts[key]) for key, make in SECTIONS.items() if facts.get(key)]  # type: ignore[literal-required]


def warnings(facts: BuildFacts) -> list[str]:
    """What a reader must know before training on the data or citing scores."""
    found = []
    diagnosis = facts.get("diagnosis")
    if diagnosis:
        held = ", ".join(diagnosis["held_out"])
        found.append(
            f"Scores of {', '.join(diagnosis['used'])} shaped this dataset. What a model trained on it scores there "
            "says less about how it does elsewhere: do not report it as a held-out result. "
            + (f"Held out from diagnosis: {held}." if held else "No benchmark was held out from diagnosis.")
        )
    below = [one["metric"] for one in facts.get("probes", []) if one["exploited"]]
    if below:
        found.append(f"Attacks on the reward pay under {', '.join(below)}; see the reward audit.")
    above = [one["capability"] for one in facts.get("learned", []) if one["verdict"] == "above"]
    if above:
        found.append(f"A classifier finds right options without the documents in {', '.join(above)}.")
    return found

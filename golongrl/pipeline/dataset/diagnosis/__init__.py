"""From the scores of a run to the next round's quotas: read, find where it fails, share out.

A benchmark that shapes the training data no longer measures anything by itself, so the facts list what was used and
what is held out, and a run over a held-out benchmark is refused.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from golongrl.core.errors import UsageError
from golongrl.core.store import write_json, write_text
from golongrl.pipeline.dataset.diagnosis.clusters import cells, segments
from golongrl.pipeline.dataset.diagnosis.quotas import quota_facts
from golongrl.pipeline.dataset.diagnosis.reading import read_run
from golongrl.pipeline.dataset.reporting.phase_facts import DiagnosisFacts

__all__ = ["Diagnosis", "diagnose", "write_diagnosis"]

OTHER = "of a capability that is not asked for"


@dataclass(frozen=True)
class Diagnosis:
    """The next round's `mix` (capability -> records), and all that led to it."""

    mix: dict[str, int]
    facts: DiagnosisFacts


def diagnose(
    run: Path,
    *,
    target: int,
    capabilities: Sequence[str],
    seed: int,
    held_out: Sequence[str] = (),
    data: Sequence[Path] = (),
) -> Diagnosis:
    """Read the scored run (`reading.read_run`) and share `target` records out over the capabilities.

    Raises UsageError when the run is over a held-out benchmark or the target is smaller than the number of
    capabilities, DataError when the run cannot be read.
    """
    if target < len(capabilities):
        raise UsageError(f"--target {target} is too small for {len(capabilities)} capabilities; raise it")
    reading = read_run(run, held_out, data)
    rows = [row for row in reading.rows if row.capability in capabilities]
    left_out = reading.left_out + Counter({OTHER: len(reading.rows) - len(rows)})
    found = cells(rows, capabilities, seed)
    shares = quota_facts(found, capabilities, target)
    unseen = sorted(set(capabilities) - {cell["capability"] for cell in found})
    notes = list(reading.notes)
    if unseen:
        notes.append(f"no scores of {', '.join(unseen)}: taken for as hard as the others are on average")
    facts: DiagnosisFacts = {
        "used": reading.used,
        "held_out": list(held_out),
        "answers": sum(row.score is not None for row in rows),
        "unscored": dict(sorted(Counter(row.reason for row in rows if row.score is None).items())),
        "left_out": dict(sorted(left_out.items())),
        "notes": notes,
        "cells": found,
        "segments": segments(rows, seed),
        "quotas": shares,
    }
    return Diagnosis({share["capability"]: share["records"] for share in shares}, facts)


def write_diagnosis(folder: Path, diagnosis: Diagnosis) -> None:
    """Write quotas.toml, which `golongrl build-dataset --config` reads, and diagnosis.json into the folder."""
    lines = ["# The next round's records per capability; diagnosis.json says why.", "[build-dataset.mix]"]
    lines += [f"{capability} = {records}" for capability, records in diagnosis.mix.items()]
    write_text(folder / "quotas.toml", "\n".join(lines) + "\n")
    write_json(folder / "diagnosis.json", diagnosis.facts)

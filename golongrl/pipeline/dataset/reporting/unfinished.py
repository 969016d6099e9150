"""What can be told of a build that is still going on, from what it has put down so far."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from golongrl.core.records import parse_record
from golongrl.core.report import Bars, KeyValues, Note, Sample, Section, Viewer
from golongrl.core.report.document import Block
from golongrl.core.runs import read_config
from golongrl.core.store import read_journal
from golongrl.pipeline.dataset.reporting.card_tables import name
from golongrl.pipeline.dataset.reporting.samples_viewer import FACETS, as_sample

SHOWN = 1_000
"""Candidates that the page holds at most."""


def sections_of(folder: Path) -> list[Section]:
    """Documents, candidates and calls so far; all counts are of what the journals hold at this moment."""
    assigned = list(read_journal(folder / "assigned.jsonl"))
    calls = sum(1 for _ in read_journal(folder / "work" / "calls.jsonl"))
    made: Counter[str] = Counter()
    samples: list[Sample] = []
    for row in _candidates(folder):
        made[row["extra_info"]["capability"]] += 1
        if len(samples) < SHOWN:
            samples.append(as_sample(parse_record(row, "candidate"), "candidate"))
    facts = {
        "documents kept": len(assigned) or None,
        "documents, by language": dict(Counter(row["language"] for row in assigned)) or None,
        "candidates": made.total(),
        "calls to models": calls,
    }
    note = Note(
        "The build is not finished: candidates are still to be checked, chosen among and written. The same command "
        "goes on with it.",
        "warning",
    )
    blocks: list[Block] = [note, KeyValues({key: value for key, value in facts.items() if value is not None})]
    if made:
        counts: list[tuple[str, float, float | None, float | None]] = [
            (name(capability), count, None, None) for capability, count in sorted(made.items())
        ]
        blocks.append(Bars(counts, "Candidates per capability"))
    sections: list[Section] = [("So far", blocks)]
    if samples:
        what = (
            f"{len(samples):,} of {made.total():,} candidates." if len(samples) < made.total() else "All candidates."
        )
        sections.append(("Candidates", Viewer(FACETS, samples, what)))
    config = {key: value for key, value in read_config(folder).items() if value not in (None, [], {})}
    return [*sections, ("Settings", KeyValues(config, exact=True))]


def _candidates(folder: Path, most: int = 100_000) -> Iterator[dict[str, Any]]:
    files = sorted((folder / "work" / "construct").glob("[!.]*.jsonl"))
    return islice((row for file in files for row in read_journal(file)), most)

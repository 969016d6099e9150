"""Records on their way through the phases of a build, and the funnel: what each phase removed, and why."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from golongrl.core.records import Record
from golongrl.pipeline.dataset.cells import Cell
from golongrl.pipeline.dataset.produce import read_records
from golongrl.pipeline.dataset.reporting.phase_facts import FunnelStep
from golongrl.pipeline.dataset.request import Made


@dataclass(frozen=True)
class Draft:
    """A record on disk, the track it comes from ("rules", "qa" or "llm"), the source of the document it asks about,
    and what later phases add to its `extra_info`."""

    made: Made
    track: str
    capability: str
    source: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """Where it counts."""
        return self.made.request.held_out, self.capability, self.made.request.bin.label

    def with_fields(self, fields: Mapping[str, Any]) -> "Draft":
        """The draft with more for its `extra_info`."""
        return replace(self, fields={**self.fields, **fields})


@dataclass
class Funnel:
    """Per track the phases in order, and a line of rejects.jsonl for everything they removed."""

    steps: dict[str, list[FunnelStep]] = field(default_factory=lambda: defaultdict(list))
    rejects: list[dict[str, Any]] = field(default_factory=list)
    round: str = ""
    """Added to the names of the phases while they run again."""

    def step(self, track: str, stage: str, unit: str, removed: Mapping[str, int], left: int) -> None:
        """Enter a phase of a track."""
        tally = {reason: count for reason, count in sorted(removed.items()) if count}
        self.steps[track].append({"stage": stage + self.round, "unit": unit, "removed": tally, "left": left})

    def reject(self, phase: str, source: str, reason: str, **more: Any) -> None:
        """Enter something that was removed."""
        self.rejects.append({"phase": phase, "source": source, "reason": reason, **more})

    def sift(
        self,
        drafts: Sequence[Draft],
        reasons: Sequence[str | None],
        stage: str,
        details: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> list[Draft]:
        """The drafts without a reason to go; the others are entered, with details by their number."""
        kept = [draft for draft, reason in zip(drafts, reasons, strict=True) if reason is None]
        for track in dict.fromkeys(draft.track for draft in drafts):
            own = [(d, r) for d, r in zip(drafts, reasons, strict=True) if d.track == track]
            removed = Counter(reason for _, reason in own if reason is not None)
            self.step(track, stage, "records", removed, sum(reason is None for _, reason in own))
        for number, (draft, reason) in enumerate(zip(drafts, reasons, strict=True)):
            if reason is not None:
                request = draft.made.request
                self.reject(
                    stage,
                    draft.source,
                    reason,
                    track=draft.track,
                    capability=draft.capability,
                    step=request.form,
                    length_bin=request.bin.label,
                    question=draft.made.question,
                    **((details or {}).get(number, {})),
                )
        return kept


def read_drafts(folder: Path, drafts: Sequence[Draft], start: int = 0) -> Iterator[Record]:
    """The records of drafts in the order given, numbered from `start`, with what the phases added."""
    made = read_records(folder, [draft.made for draft in drafts], start)
    for record, draft in zip(made, drafts, strict=True):
        record.extra_info.update(draft.fields)
        yield record

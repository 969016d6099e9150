"""Phase 2, assign: which documents hold what a capability's questions are made of, and which side they go to."""

import random
from collections.abc import Callable, Sequence

from golongrl.core.documents import Document
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.construct import TASK_FORMS, summary
from golongrl.pipeline.dataset.construct.form import TaskForm

MIN_PROSE = 400
"""Characters of running text below which a document has no prose to ask about (half of it for Chinese)."""


def _has_table(document: Document) -> bool:
    return any(b.table is not None and b.table.regular and len(b.table.rows) >= 3 for b in document.blocks)


def _has_sections(document: Document) -> bool:
    return sum(block.kind == "heading" for block in document.blocks) >= 3


def _has_lists(document: Document) -> bool:
    items = sum(block.kind == "item" for block in document.blocks)
    return items >= 3 and sum(block.kind == "heading" for block in document.blocks) >= 2


def _has_prose(document: Document) -> bool:
    least = MIN_PROSE // 2 if document.language == "zh" else MIN_PROSE
    running = sum(b.span.end - b.span.start for b in document.blocks if b.kind in ("paragraph", "turn"))
    return running >= least


def _has_dialogue(document: Document) -> bool:
    return len({block.speaker for block in document.blocks if block.kind == "turn"}) >= 3


def _has_abstract(document: Document) -> bool:
    return any(b.kind == "heading" and summary.is_summary(document.slice(b.content)) for b in document.blocks)


def _has_opening(document: Document) -> bool:
    first = summary.first_paragraph(document)
    return first is not None and summary.names_subject(
        document.title, document.slice(first.content), document.language
    )


STRUCTURES: dict[str, Callable[[Document], bool]] = {
    "table": _has_table,
    "sections": _has_sections,
    "lists": _has_lists,
    "prose": _has_prose,
    "dialogue": _has_dialogue,
    "abstract": _has_abstract,
    "opening": _has_opening,
}
"""What a task form can need of a document."""

Assignment = dict[str, dict[int, list[TaskForm]]]
"""Capability id -> document number -> the forms this document can serve."""


def assign(documents: Sequence[Document], capabilities: Sequence[str]) -> Assignment:
    """The forms each document can serve, per capability."""
    assignment: Assignment = {capability: {} for capability in capabilities}
    for number, document in enumerate(documents):
        held = {name for name, holds in STRUCTURES.items() if holds(document)}
        for form in TASK_FORMS.values():
            if form.capability in assignment and form.needs in held:
                assignment[form.capability].setdefault(number, []).append(form)
    return assignment


def split(documents: Sequence[Document], assignment: Assignment, val_share: float, seed: int) -> list[int]:
    """Numbers of the documents kept for validation: about `val_share` of them, at least one of two or more, chosen
    so that as many capabilities as possible can be built from them."""
    usable = sorted({number for served in assignment.values() for number in served})
    if val_share == 0 or len(usable) < 2:
        return []
    wanted = min(len(usable) - 1, max(1, round(val_share * len(usable))))
    order = sorted(usable, key=lambda number: documents[number].sha256)
    random.Random(content_key("split", seed)).shuffle(order)
    chosen: list[int] = []
    covered: set[str] = set()
    while len(chosen) < wanted:
        gain = {number: {c for c, served in assignment.items() if number in served} - covered for number in order}
        best = max(order, key=lambda number: len(gain[number]))
        covered |= gain[best]
        chosen.append(best)
        order.remove(best)
        if not any(gain.values()):
            chosen += order[: wanted - len(chosen)]
    return sorted(chosen)

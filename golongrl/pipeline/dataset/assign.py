"""Phase 2, assign: which documents hold what a capability's questions are made of, why, and which are held out."""

import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.documents import Document
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.construct import (
    TASK_FORMS,
    counting,
    dated,
    definitions,
    outline,
    references,
    sheet,
    summary,
    tally,
)
from golongrl.pipeline.dataset.construct.form import TaskForm
from golongrl.pipeline.dataset.encoding import Amounts, Entry


@dataclass(frozen=True)
class Criterion:
    """Something a document can hold: how it is said, how much of it is needed, how it is counted."""

    sentence: str
    least: int
    amount: Callable[[Document], int]


def _longest_table(document: Document) -> int:
    tables = (block.table for block in document.by_kind["table"])
    return max((len(table.rows) for table in tables if table is not None and table.regular), default=0)


def _headings(document: Document) -> int:
    return len(document.by_kind["heading"])


def _items_below_headings(document: Document) -> int:
    return len(document.by_kind["item"]) if _headings(document) >= 2 else 0


def _prose(document: Document) -> int:
    blocks = itertools.chain(document.by_kind["paragraph"], document.by_kind["turn"])
    running = sum(block.span.end - block.span.start for block in blocks)
    # A Chinese character says about as much as two or three Latin letters.
    return running * 2 if document.language == "zh" else running


def _speakers(document: Document) -> int:
    return len({block.speaker for block in document.by_kind["turn"]})


def _opening(document: Document) -> int:
    first = references.first_paragraph(document)
    return int(
        first is not None
        and references.names_subject(document.title, document.slice(first.content), document.language)
    )


CRITERIA: dict[str, Criterion] = {
    "table": Criterion("a table with distinct column names and 3 rows or more", 3, _longest_table),
    "numeric_table": Criterion("a table with a column of numbers and 3 rows or more", 3, sheet.holds_numeric_table),
    "sections": Criterion("3 headings or more", 3, _headings),
    "lists": Criterion("3 list items or more, and 2 headings", 3, _items_below_headings),
    "prose": Criterion("400 characters of running text (200 of Chinese)", 400, _prose),
    "paragraphs": Criterion("10 paragraphs or more, and no dialogue", 10, tally.holds_paragraphs),
    "outline": Criterion("3 headings or more, with paragraphs", 3, outline.holds_headings_and_paragraphs),
    "years": Criterion("2 numbers or more that read like years", 2, counting.holds_years),
    "dates": Criterion("4 different years that date something", 4, dated.holds_dates),
    "turns": Criterion("10 turns or more, of two speakers", 10, counting.holds_turns),
    "dialogue": Criterion("3 speakers or more", 3, _speakers),
    "abstract": Criterion("a section that the document calls its abstract or summary", 1, summary.count_abstracts),
    "chapters": Criterion("a chapter that sums up its sections", 1, summary.count_chapters),
    "couplets": Criterion("chapters headed by a couplet", 1, summary.count_couplets),
    "definitions": Criterion("a definition of a term", 1, definitions.count_definitions),
    "entries": Criterion("3 entries of a name and a value", 3, definitions.count_entries),
    "opening": Criterion("an opening paragraph that names the subject of the title", 1, _opening),
}
"""What a task form can need of a document: the one table of assignment criteria."""

Assignment = dict[str, dict[int, list[TaskForm]]]
"""Capability id -> document number -> the forms this document can serve."""


CRITERION_NAMES = tuple(CRITERIA)


def amounts(document: Document) -> Amounts:
    """How much of each criterion a document holds."""
    return Amounts(CRITERION_NAMES, (criterion.amount(document) for criterion in CRITERIA.values()))


def meets(entry: Entry, name: str) -> bool:
    """Whether a document holds enough of a criterion."""
    return entry.amounts[name] >= CRITERIA[name].least


def assign(entries: Sequence[Entry], capabilities: Sequence[str]) -> Assignment:
    """The forms each document can serve, per capability."""
    assignment: Assignment = {capability: {} for capability in capabilities}
    # Few kinds of documents are different in what they can serve, so that their lists are shared.
    known: dict[tuple[Any, ...], dict[str, list[TaskForm]]] = {}
    for number, entry in enumerate(entries):
        met = tuple(entry.amounts[name] >= criterion.least for name, criterion in CRITERIA.items())
        served = known.get((entry.language, met))
        if served is None:
            served = known[entry.language, met] = _served(entry, capabilities)
        for capability, forms in served.items():
            assignment[capability][number] = forms
    return assignment


def _served(entry: Entry, capabilities: Sequence[str]) -> dict[str, list[TaskForm]]:
    served: dict[str, list[TaskForm]] = {}
    for form in TASK_FORMS.values():
        if form.capability in capabilities and entry.language in form.languages and meets(entry, form.needs):
            served.setdefault(form.capability, []).append(form)
    return served


@functools.cache
def _needs(capability: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form.needs for form in TASK_FORMS.values() if form.capability == capability))


def lacks(capability: str, entry: Entry) -> str:
    """What a document would have to hold to carry a capability."""
    needs = _needs(capability)
    if all(meets(entry, name) for name in needs):
        return "no form of it reads this language"
    return "lacks " + ", or ".join(CRITERIA[name].sentence for name in needs)


def why(capability: str, entry: Entry) -> str:
    """Why a document can, or cannot, carry a capability, with what it holds."""
    held = ", ".join(f"{name} {entry.amounts[name]}" for name in _needs(capability) if meets(entry, name))
    return f"holds {held}" if held else lacks(capability, entry)


def split(entries: Sequence[Entry], assignment: Assignment, val_share: float, seed: int) -> list[int]:
    """Numbers of the documents kept for validation: about `val_share` of them, at least one of two or more, chosen
    so that as many forms as possible can be built from them in each language."""
    usable = sorted({number for served in assignment.values() for number in served})
    if val_share == 0 or len(usable) < 2:
        return []
    wanted = min(len(usable) - 1, max(1, round(val_share * len(usable))))
    order = sorted(usable, key=lambda number: entries[number].sha256)
    random.Random(content_key("split", seed)).shuffle(order)
    pairs_of: dict[int, frozenset[tuple[str, str]]] = {}
    known: dict[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] = {}
    for number in order:
        forms = itertools.chain.from_iterable(served.get(number, ()) for served in assignment.values())
        pairs = frozenset((form.name, entries[number].language) for form in forms)
        pairs_of[number] = known.setdefault(pairs, pairs)
    # What only one document carries stays where training sees it.
    counts: Counter[tuple[str, str]] = Counter()
    for pairs, documents in Counter(pairs_of.values()).items():
        counts.update(dict.fromkeys(pairs, documents))
    shared = {pair for pair, count in counts.items() if count > 1}
    reduced = {pairs: pairs & shared for pairs in known}
    carries = {number: reduced[pairs] for number, pairs in pairs_of.items()}
    chosen: list[int] = []
    covered: set[tuple[str, str]] = set()
    while len(chosen) < wanted:
        # A book carries the most forms, but training would miss its text most.
        best = max(order, key=lambda n: len(carries[n] - covered) / (1 + entries[n].n_tokens) ** 0.25)
        if not carries[best] - covered:
            chosen += order[: wanted - len(chosen)]
            break
        covered |= carries[best]
        chosen.append(best)
        order.remove(best)
    return sorted(chosen)

"""Cutting the documents of an item to what fits a bin: whole blocks and table rows around the evidence."""

import random
from collections.abc import Mapping, Sequence

from golongrl.core import tasks
from golongrl.core.documents import Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.context import SMALLEST_FILLER, TITLE_TOKENS
from golongrl.pipeline.dataset.excerpt import Excerpt, Measured
from golongrl.pipeline.dataset.questions.items import Item, excerpt_of

LOCAL = ("em", "choice", "math")
"""Metrics of answers that rest on the evidence alone, whatever else the documents say."""


def may_be_cut(item: Item, texts: Mapping[str, str]) -> bool:
    """Whether the answer stays right when only what surrounds the evidence is shown. `texts`: digest -> text."""
    metric = tasks.CAPABILITIES[item.capability].metric
    if not item.evidence:
        return False
    if metric in LOCAL:
        return True
    evidence = normalise("\n".join(texts[one.doc][one.start : one.end] for one in item.evidence))
    return metric in ("f1", "subem") and all(normalise(gold) in evidence for gold in item.gold)


def cut(
    shown: Sequence[tuple[Measured, Excerpt]],
    evidence: Mapping[str, Sequence[Span]],
    budget: int,
    rng: random.Random,
) -> list[Excerpt] | None:
    """The excerpts cut to about `budget` tokens together, each by its share; those without evidence may go whole.
    None when the evidence alone is longer."""
    sizes = [measured.tokenizer.count(excerpt.text) for measured, excerpt in shown]
    least = [_evidence_tokens(m, evidence.get(m.document.sha256, ())) for m, _ in shown]
    left = budget - sum(least) - TITLE_TOKENS * len(shown)
    if left < 0:
        return None
    found = []
    for (measured, excerpt), size, own in zip(shown, sizes, least, strict=True):
        room = own + left * size // max(1, sum(sizes))
        spans = evidence.get(measured.document.sha256, ())
        if spans or room >= SMALLEST_FILLER:
            grown = _grown(measured, excerpt, spans, room, rng)
            if grown is not None:
                found.append(grown)
    return found


def _units(measured: Measured) -> list[Span]:
    """The characters of every unit: a block, or a table row."""
    spans = []
    for index, row in measured.units:
        block = measured.document.blocks[index]
        spans.append(block.span if row is None or block.table is None else block.table.rows[row].span)
    return spans


def _needed(measured: Measured, spans: Sequence[Span]) -> list[int]:
    return [
        number
        for number, unit in enumerate(_units(measured))
        if any(unit.end > span.start and unit.start < span.end for span in spans)
    ]


def _evidence_tokens(measured: Measured, spans: Sequence[Span]) -> int:
    tables: set[int] = set()
    return sum(_price(measured, unit, tables) for unit in _needed(measured, spans))


def _price(measured: Measured, unit: int, tables: set[int]) -> int:
    """Tokens of one more unit. A table's first row also pays for the header, and adds the table to `tables`."""
    index, row = measured.units[unit]
    table = measured.document.blocks[index].table
    if row is None or table is None or index in tables:
        return measured.count(unit)
    tables.add(index)
    return measured.count(unit) + measured.tokenizer.count(measured.document.slice(table.header))


def _grown(
    measured: Measured, excerpt: Excerpt, spans: Sequence[Span], budget: int, rng: random.Random
) -> Excerpt | None:
    """The units of the evidence, and those beside them that the excerpt shows, nearest first."""
    units = _units(measured)
    allowed = {number for number, unit in enumerate(units) if excerpt.locate(unit) is not None}
    taken = set(_needed(measured, spans)) or {min(allowed)}
    tables: set[int] = set()
    used = sum(_price(measured, unit, tables) for unit in sorted(taken))
    if used > budget and not spans:
        return None
    # More of what stands before, or after, so that the evidence is not always in the middle.
    ahead = rng.random()
    edges = {-1: sorted(taken), 1: sorted(taken)}
    while edges[-1] or edges[1]:
        step = -1 if edges[-1] and (not edges[1] or rng.random() < ahead) else 1
        reached = []
        for unit in (edge + step for edge in edges[step]):
            if unit not in allowed or unit in taken:
                continue
            opened = set(tables)
            price = _price(measured, unit, opened)
            if used + price <= budget:
                taken.add(unit)
                reached.append(unit)
                used, tables = used + price, opened
        edges[step] = reached
    firsts = sorted(unit for unit in taken if unit - 1 not in taken)
    lasts = sorted(unit for unit in taken if unit + 1 not in taken)
    runs = (Span(units[first].start, units[last].end) for first, last in zip(firsts, lasts, strict=True))
    return excerpt_of(measured.document, *runs)

"""From a question that a model wrote to an item: its evidence found, its wording and gold answer checked."""

import random
import re

from golongrl.core.documents import Document, Span
from golongrl.core.store import content_key
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.questions.gold_score import gold_fault
from golongrl.pipeline.dataset.questions.items import Item, Stretch, locate, stretch_of
from golongrl.pipeline.dataset.synthesis.golds import Proof, gold_of
from golongrl.pipeline.dataset.synthesis.plan import Ask
from golongrl.pipeline.dataset.synthesis.schemas import Written
from golongrl.pipeline.dataset.synthesis.wording import wording_fault

MOST_QUOTES = 24
"""Passages of evidence; a longer list proves nothing in particular."""


def item_of(one: Written, ask: Ask, excerpt: Excerpt, entry: Entry, model: str) -> Item | str:
    """The item of a question about a window, or why it may not be asked. `model` is the name that is told of it."""
    fault = wording_fault(one.question, excerpt)
    if fault is not None:
        return fault
    evidence = evidence_of(one.evidence, excerpt)
    if isinstance(evidence, str):
        return evidence
    document = excerpt.document
    proof = Proof(excerpt, "\n".join(normalise(document.slice(span)) for span in evidence))
    rng = random.Random(content_key("gold", ask.seed, one.question))
    gold = gold_of(one, proof, rng)
    if isinstance(gold, str):
        return gold
    item = Item(
        track="llm",
        source=f"{entry.source} ({model})",
        form=ask.form,
        capability=ask.cell[1],
        language=document.language,
        question=gold.question.strip(),
        gold=gold.gold,
        shown=(stretch_of(excerpt),),
        options=gold.options,
        evidence=tuple(Stretch(document.sha256, span.start, span.end) for span in evidence),
        licence=entry.licence,
    )
    unscored = gold_fault(item)
    return item if unscored is None else f"the gold answer does not score 1: {unscored}"


def evidence_of(quotes: list[str], excerpt: Excerpt) -> list[Span] | str:
    """Where the quotations stand in the window, in its order; or why they prove nothing."""
    wanted = list(dict.fromkeys(quote.strip() for quote in quotes if quote.strip()))
    if not wanted:
        return "there is no evidence"
    if len(wanted) > MOST_QUOTES:
        return "there are too many passages of evidence"
    window = stretch_of(excerpt).span
    spans: list[Span] = []
    for quote in wanted:
        span = _place(excerpt.document, quote, window)
        if span is None:
            found = normalise(quote) in excerpt.flat
            return "evidence stands in the document more than once" if found else "evidence is not in the document"
        if excerpt.locate(span) is None:
            return "evidence is not in the document"
        if span not in spans:
            spans.append(span)
    return sorted(spans, key=lambda span: (span.start, span.end))


def _place(document: Document, quote: str, window: Span) -> Span | None:
    """Where a quotation stands in the window, word for word but for white space; None unless exactly once."""
    span = locate(document, quote)
    if span is not None:
        return span if window.start <= span.start and span.end <= window.end else None
    shown = document.slice(window)
    pattern = r"\s+".join(map(re.escape, quote.split()))
    found = [match.span() for match in re.finditer(pattern, shown)][:2]
    if len(found) != 1:
        return None
    return Span(window.start + found[0][0], window.start + found[0][1])

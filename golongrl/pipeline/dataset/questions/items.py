"""A question with its gold answer about documents of the library: what QA sets and models give, before it is put
into a context of some length."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from golongrl.core.documents import Document, Span
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.excerpt import Excerpt

Track = Literal["qa", "llm"]
LISTS = ("f1", "subem", "ndcg", "pairwise")
"""Metrics whose gold is a list of items."""


@dataclass(frozen=True)
class Stretch:
    """Characters `start` to `end` of the document with the digest `doc`."""

    doc: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """The characters."""
        return Span(self.start, self.end)


@dataclass(frozen=True)
class Item:
    """A question and its gold answer.

    `source` names where it comes from ("hotpot_dev.json#12", or the document and model of a synthetic one), `form`
    the kind ("qa:hotpotqa", "llm:T3"). `gold` holds the answer: its aliases for `em` (the first is the gold), one
    letter for `choice`, one number or expression for `math`, one JSON table for `iou`, the items in order for the
    list metrics, the references for `rouge_l`. `question` is what is asked, without options; `options` stand below it
    as A, B, ... `shown` are the stretches that the prompt must show (whole documents where nothing else is known),
    `distractors` digests of documents that the set itself puts beside them, `evidence` what the answer rests on;
    empty where nobody said. `extra` goes into `extra_info` (`tolerance`, `relevance`).
    """

    track: Track
    source: str
    form: str
    capability: str
    language: Literal["en", "zh"]
    question: str
    gold: tuple[str, ...]
    shown: tuple[Stretch, ...]
    options: tuple[str, ...] = ()
    distractors: tuple[str, ...] = ()
    evidence: tuple[Stretch, ...] = ()
    licence: str = "unknown"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Content key: the same question about the same text is the same item, wherever it comes from."""
        return content_key(self.capability, self.question, self.options, self.gold, [asdict(s) for s in self.shown])

    def as_row(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Item":
        """The item of `as_row`."""
        stretches = {name: tuple(Stretch(**one) for one in row[name]) for name in ("shown", "evidence")}
        texts = {name: tuple(row[name]) for name in ("gold", "options", "distractors")}
        return cls(**{**row, **stretches, **texts})


def excerpt_of(document: Document, *spans: Span) -> Excerpt:
    """The blocks of a document that a span touches, tables cut to the rows it touches; of several spans together."""

    def touched(part: Span) -> bool:
        return any(part.end > span.start and part.start < span.end for span in spans)

    blocks = []
    for block in document.blocks:
        if not touched(block.span):
            continue
        if block.table is not None:
            rows = [row for row in block.table.rows if touched(row.span)]
            if rows and len(rows) < len(block.table.rows):
                block = block._replace(table=replace(block.table, rows=tuple(rows)))
        blocks.append(block)
    return Excerpt(document, blocks)


def stretch_of(excerpt: Excerpt) -> Stretch:
    """Where an excerpt lies in its document: the inverse of `excerpt_of`."""
    first, last = excerpt.blocks[0], excerpt.blocks[-1]
    start, end = first.span.start, last.span.end
    if first.table is not None and _cut(excerpt, 0):
        start = first.table.rows[0].span.start
    if last.table is not None:
        end = last.table.rows[-1].span.end
    return Stretch(excerpt.document.sha256, start, end)


def _cut(excerpt: Excerpt, number: int) -> bool:
    """Whether a table block of the excerpt begins after its document's first row."""
    block = excerpt.blocks[number]
    whole = next(b for b in excerpt.document.blocks if b.span == block.span)
    return bool(block.table and whole.table and block.table.rows[0].span != whole.table.rows[0].span)


def locate(document: Document, quote: str) -> Span | None:
    """Where a quotation stands in a document, word for word but for white space; None unless exactly once."""
    start = document.text.find(quote)
    if start >= 0:
        again = document.text.find(quote, start + 1)
        return Span(start, start + len(quote)) if again < 0 else None
    return _loosely(document.text, quote)


def _loosely(text: str, quote: str) -> Span | None:
    words = quote.split()
    if not words:
        return None
    found = list(re.finditer(r"\s+".join(map(re.escape, words)), text))
    return Span(*found[0].span()) if len(found) == 1 else None

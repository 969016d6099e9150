"""Takes away what frames a document and is not its text, in every format, by rules on its parsed blocks."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from golongrl.core.documents import Block, Document, Row, Span, Table
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.filters import contents, gutenberg, page_furniture, repeats, site_text

Rule = Callable[[Document, list[str]], set[int]]
RULES: dict[str, Rule] = {
    "table of contents": contents.find,
    "page furniture": page_furniture.find,
    "navigation": site_text.navigation,
    "site notices": site_text.notices,
    "machine data": site_text.machine_data,
    "repeated passages": repeats.find,
}
"""Reason -> numbers of the blocks it takes away. A rule gets the document and the text of its short blocks: headings,
paragraphs and items of at most `SHORT` characters, "" for all others."""
SHORT = 400
"""Most characters of a block that the rules read."""


def strip(document: Document) -> tuple[Document, dict[str, int]]:
    """(the document without boilerplate, reason -> blocks removed); the same object when there is none.

    A book of Project Gutenberg whose licence is unknown is given `gutenberg.LICENCE`.
    """
    removed: dict[int, str] = {}
    shortened: dict[int, Span] = {}
    frame = gutenberg.find(document)
    if frame is not None:
        removed = dict.fromkeys(frame.blocks, "Project Gutenberg licence")
        shortened = frame.shortened
    short = _short(document)
    for number in removed:
        short[number] = ""
    for reason, rule in RULES.items():
        for number in rule(document, short):
            removed.setdefault(number, reason)
            short[number] = ""
    if not removed and not shortened:
        return document, {}
    rebuilt = _rebuilt(document, removed, shortened)
    if frame is not None:
        licence = frame.licence if document.licence == "unknown" else document.licence
        rebuilt = replace(rebuilt, title=frame.title, licence=licence)
    counts = Counter(removed.values())
    if frame is not None and shortened:
        counts["Project Gutenberg licence"] += len(shortened)
    return rebuilt, dict(sorted(counts.items()))


def _short(document: Document) -> list[str]:
    text = document.text
    return [
        text[block.content.start : block.content.end]
        if block.kind in ("heading", "paragraph", "item") and block.content.end - block.content.start <= SHORT
        else ""
        for block in document.blocks
    ]


def _rebuilt(document: Document, removed: Mapping[int, str], shortened: Mapping[int, Span]) -> Document:
    """The blocks that stay, rendered as `DocumentBuilder` does."""
    parts: list[str] = []
    blocks: list[Block] = []
    length = 0
    for number, block in enumerate(document.blocks):
        if number in removed:
            continue
        tight = block.kind == "item" and bool(blocks) and blocks[-1].kind == "item"
        gap = ("\n" if tight else "\n\n") if blocks else ""
        head = document.text[block.span.start : block.content.start]
        tail = document.text[block.content.end : block.span.end]
        inner = shortened.get(number, block.content)
        start = length + len(gap)
        if number in shortened:
            size = len(head) + inner.end - inner.start + len(tail)
            content = Span(start + len(head), start + size - len(tail))
            blocks.append(block._replace(span=Span(start, start + size), content=content))
        else:
            blocks.append(_moved(block, start - block.span.start))
        parts += (gap, head, document.text[inner.start : inner.end], tail)
        length = blocks[-1].span.end
    text = "".join(parts)
    digest = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()
    return replace(document, text=text, blocks=tuple(blocks), sha256=digest)


def _moved(block: Block, by: int) -> Block:
    if by == 0:
        return block
    table = block.table and _moved_table(block.table, by)
    span, content = _at(block.span, by), _at(block.content, by)
    return Block(block.kind, span, content, block.level, block.group, block.speaker, table)


def _moved_table(table: Table, by: int) -> Table:
    rows = tuple(Row(_at(row.span, by), row.cells) for row in table.rows)
    return Table(_at(table.header, by), table.columns, rows, table.regular)


def _at(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)

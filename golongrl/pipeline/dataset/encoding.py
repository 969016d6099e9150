"""Documents as compact JSON rows and back; what the rendered text says (markers, cells) is not stored twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from golongrl.core.documents import Block, BlockKind, Document, Row, Span, Table

KINDS: tuple[BlockKind, ...] = get_args(BlockKind)


def encode(document: Document) -> dict[str, Any]:
    """A document as JSON types: text, metadata, and per block [kind, start, end, fact]."""
    return {
        "sha256": document.sha256,
        "source": document.source,
        "title": document.title,
        "language": document.language,
        "licence": document.licence,
        "text": document.text,
        "blocks": [[KINDS.index(b.kind), b.span.start, b.span.end, _fact(b)] for b in document.blocks],
    }


def decode(row: dict[str, Any]) -> Document:
    """The document of an `encode`d row."""
    text = row["text"]
    return Document(
        text=text,
        blocks=tuple(_block(text, *stored) for stored in row["blocks"]),
        title=row["title"],
        language=row["language"],
        licence=row["licence"],
        source=row["source"],
        sha256=row["sha256"],
    )


def _fact(block: Block) -> Any:
    """What a block's rendering does not say: a heading's level, an item's list, a turn's speaker, a table's form."""
    if block.kind == "heading":
        return block.level
    if block.kind == "item":
        return block.group
    if block.kind == "turn":
        return block.speaker
    return int(block.table.regular) if block.table is not None else 0


def _block(text: str, code: int, start: int, end: int, fact: Any) -> Block:
    kind, span = KINDS[code], Span(start, end)
    if kind == "heading":
        return Block(kind, span, Span(start + fact + 1, end), level=fact)
    if kind == "item":
        return Block(kind, span, Span(start + len("- "), end), group=fact)
    if kind == "turn":
        return Block(kind, span, Span(start + len(fact) + len(": "), end), speaker=fact)
    if kind == "code":
        return Block(kind, span, Span(start + len("```\n"), end - len("\n```")))
    if kind == "table":
        return Block(kind, span, span, table=_table(text, start, end, bool(fact)))
    return Block(kind, span, span)


def _table(text: str, start: int, end: int, regular: bool) -> Table:
    header, *lines = text[start:end].split("\n")
    rows = []
    offset = start + len(header)
    for line in lines:
        offset += 1
        cells = tuple(line[2:-2].split(" | "))
        at, spans = offset + 2, []
        for cell in cells:
            spans.append(Span(at, at + len(cell)))
            at += len(cell) + 3
        rows.append(Row(Span(offset, offset + len(line)), cells, tuple(spans)))
        offset += len(line)
    return Table(Span(start, start + len(header)), tuple(header[2:-2].split(" | ")), tuple(rows), regular)


@dataclass(frozen=True)
class Entry:
    """What the driver keeps of a document: everything but its text.

    `amounts` says how much of each criterion it holds, `shard`, `offset` and `size` (bytes) where its row lies.
    """

    sha256: str
    source: str
    title: str
    language: str
    licence: str
    kind: str
    n_tokens: int
    amounts: dict[str, int]
    shard: str
    offset: int
    size: int
    held_out: bool = False


def kind_of(document: Document) -> str:
    """What a document mostly is: `table`, `dialogue`, `sections` (many headings) or `prose`."""
    sizes = dict.fromkeys(KINDS, 0)
    for block in document.blocks:
        sizes[block.kind] += block.span.end - block.span.start
    total = max(1, len(document.text))
    if sizes["table"] > total / 2:
        return "table"
    if sizes["turn"] > total / 2:
        return "dialogue"
    headings = _count(document.blocks, "heading")
    return "sections" if headings >= 3 and headings * 8_000 >= total else "prose"


def _count(blocks: Sequence[Block], kind: BlockKind) -> int:
    return sum(block.kind == kind for block in blocks)

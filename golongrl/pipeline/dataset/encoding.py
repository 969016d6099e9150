"""Documents as compact JSON rows and back; what the rendered text says (markers, cells) is not stored twice."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from golongrl.core.documents import Block, BlockKind, Document, Row, Span, Table

KINDS: tuple[BlockKind, ...] = get_args(BlockKind)
_CODES = {kind: code for code, kind in enumerate(KINDS)}


def encode(document: Document) -> dict[str, Any]:
    """A document as JSON types: text, metadata, and four values per block: kind, start, end, fact."""
    return {**_head(document), "text": document.text}


def decode(row: dict[str, Any]) -> Document:
    """The document of an `encode`d row."""
    text = row["text"]
    values = iter(row["blocks"])
    return Document(
        text=text,
        blocks=tuple(_block(text, *stored) for stored in zip(values, values, values, values, strict=True)),
        title=row["title"],
        language=row["language"],
        licence=row["licence"],
        source=row["source"],
        sha256=row["sha256"],
    )


def pack(document: Document) -> bytes:
    """A document as a line of JSON and, below it, its text as it is, which takes no time to write and read."""
    head = json.dumps(_head(document), ensure_ascii=False, separators=(",", ":"))
    return f"{head}\n{document.text}\n".encode()


def unpack(stored: bytes) -> dict[str, Any]:
    """The `encode`d row of a `pack`ed document."""
    head, _, text = stored.partition(b"\n")
    return {**json.loads(head), "text": text[:-1].decode()}


def _head(document: Document) -> dict[str, Any]:
    blocks: list[Any] = []
    for kind, (start, end), _, level, group, speaker, table in document.blocks:
        # What a block's rendering does not say: a table's form, a turn's speaker, a heading's level, an item's list.
        fact = int(table.regular) if table is not None else speaker if kind == "turn" else level or group
        blocks += (_CODES[kind], start, end, fact)
    return {
        "sha256": document.sha256,
        "source": document.source,
        "title": document.title,
        "language": document.language,
        "licence": document.licence,
        "blocks": blocks,
    }


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
        rows.append(Row(Span(offset, offset + len(line)), tuple(line[2:-2].split(" | "))))
        offset += len(line)
    return Table(Span(start, start + len(header)), tuple(header[2:-2].split(" | ")), tuple(rows), regular)


class Amounts(Mapping[str, int]):
    """Small numbers by name, which many documents have the same names of, in little memory."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Sequence[str], values: Iterable[int]):
        self._names, self._values = names, array("I", values)

    def __getitem__(self, name: str) -> int:
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def counts(self) -> Sequence[int]:
        """The numbers, in the order of their names."""
        return self._values


@dataclass(frozen=True, slots=True)
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
    amounts: Mapping[str, int]
    shard: str
    offset: int
    size: int
    held_out: bool = False


def kind_of(document: Document) -> str:
    """What a document mostly is: `table`, `dialogue`, `sections` (many headings) or `prose`."""
    total = max(1, len(document.text))
    if _size(document.by_kind["table"]) > total / 2:
        return "table"
    if _size(document.by_kind["turn"]) > total / 2:
        return "dialogue"
    headings = len(document.by_kind["heading"])
    return "sections" if headings >= 3 and headings * 8_000 >= total else "prose"


def _size(blocks: Sequence[Block]) -> int:
    return sum(block.span.end - block.span.start for block in blocks)

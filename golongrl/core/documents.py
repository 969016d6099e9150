"""A document as blocks with character offsets: headings, paragraphs, list items, tables, turns, code.

`Document.text` is one rendering of the blocks (headings as `## title`, items as `- item`, tables as `| a | b |`
rows). Every span of the project that speaks about a document indexes into this text.

Spans, rows and blocks are named tuples: a build makes millions, and a frozen dataclass takes three times as long.
"""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from golongrl.core.text import is_chinese, normalise

BlockKind = Literal["heading", "paragraph", "item", "table", "turn", "code"]


class Span(NamedTuple):
    """Half-open character range of `Document.text`."""

    start: int
    end: int


class Row(NamedTuple):
    """One table row: its rendered line and its cells."""

    span: Span
    cells: tuple[str, ...]

    @property
    def cell_spans(self) -> tuple[Span, ...]:
        """Where each cell stands."""
        at, spans = self.span.start + len("| "), []
        for cell in self.cells:
            spans.append(Span(at, at + len(cell)))
            at += len(cell) + len(" | ")
        return tuple(spans)


@dataclass(frozen=True)
class Table:
    """Column names and rows; `regular` says that names are distinct and non-empty and every row has all cells."""

    header: Span
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    regular: bool


class Block(NamedTuple):
    """One block: `span` is what is rendered, `content` the part without its marker.

    `level` is the depth of a heading (1 = title), `group` numbers the list an item belongs to, `speaker` names who
    says a turn.
    """

    kind: BlockKind
    span: Span
    content: Span
    level: int = 0
    group: int = 0
    speaker: str = ""
    table: Table | None = None


@dataclass(frozen=True)
class Document:
    """A parsed document. `sha256` is the digest of its normalised text, `source` a relative name, never a path of
    this machine."""

    text: str
    blocks: tuple[Block, ...]
    title: str
    language: Literal["en", "zh"]
    licence: str
    source: str
    sha256: str

    def slice(self, span: Span) -> str:
        """The text of a span."""
        return self.text[span.start : span.end]

    @functools.cached_property
    def by_kind(self) -> dict[BlockKind, list[Block]]:
        """The blocks of every kind, in order."""
        found: dict[BlockKind, list[Block]] = {kind: [] for kind in get_args(BlockKind)}
        for block in self.blocks:
            found[block.kind].append(block)
        return found


TITLE_WITHIN = 4
"""Blocks at the start of a document among which a heading counts as its title."""


MAX_TITLE = 200


@dataclass
class DocumentBuilder:
    """Collects blocks in reading order and renders them once."""

    _parts: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _length: int = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def ends_with_item(self) -> bool:
        """Whether the last block is a list item, so that the next item belongs to the same list."""
        return bool(self._blocks) and self._blocks[-1].kind == "item"

    def _add(self, kind: BlockKind, text: str, marker: str = "", end_marker: str = "", **facts: Any) -> None:
        tight = kind == "item" and self.ends_with_item()
        gap = ("\n" if tight else "\n\n") if self._parts else ""
        start = self._length + len(gap)
        rendered = marker + text + end_marker
        content = Span(start + len(marker), start + len(marker) + len(text))
        self._parts += [gap, rendered]
        self._length = start + len(rendered)
        self._blocks.append(Block(kind, Span(start, self._length), content, **facts))

    def heading(self, text: str, level: int) -> None:
        """A heading; level 1 is the document's title."""
        if text := _one_line(text):
            level = min(max(level, 1), 6)
            self._add("heading", text, "#" * level + " ", level=level)

    def paragraph(self, text: str) -> None:
        """Running text, on one line. One that would read as another kind of block once rendered becomes code, and a
        hyphen before it a dash."""
        text = _one_line(text)
        if text.startswith("- "):
            text = "\u2013" + text[1:]
        if _OTHER_KIND.match(text):
            self.code(text)
        elif text:
            self._add("paragraph", text)

    def item(self, text: str, group: int) -> None:
        """An item of list number `group`."""
        if text := _one_line(text):
            self._add("item", text, "- ", group=group)

    def code(self, text: str) -> None:
        """Text whose line breaks and indentation matter."""
        text = _clean(text).strip("\n").expandtabs(4)
        if text.strip():
            # A fence inside would end the block for whoever reads the rendered text.
            self._add("code", _FENCE.sub("~~~", text), "```\n", "\n```")

    def turn(self, speaker: str, text: str) -> None:
        """What one speaker of a dialogue says."""
        if text := _one_line(text):
            speaker = _one_line(speaker).lstrip("#-|`[【 ") or "?"
            self._add("turn", text, f"{speaker}: ", speaker=speaker)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table. Cells are put on one line and a bar inside a cell becomes a slash."""
        names = [_cell(name) for name in columns]
        cells = [[_cell(cell) for cell in row] for row in rows]
        cells = [row for row in cells if any(row)]
        if not cells:
            return
        width = max(len(names), *(len(row) for row in cells))
        regular = (
            width > 1
            and all(names)
            and len({normalise(name) for name in names}) == width
            and all(len(row) == width for row in cells)
        )
        start = self._length + (2 if self._parts else 0)
        lines = ["| " + " | ".join(names) + " |"]
        offset = start + len(lines[0])
        built = []
        for row in cells:
            line = "| " + " | ".join(row) + " |"
            offset += 1
            built.append(Row(Span(offset, offset + len(line)), tuple(row)))
            lines.append(line)
            offset += len(line)
        header = Span(start, start + len(lines[0]))
        self._add("table", "\n".join(lines), table=Table(header, tuple(names), tuple(built), regular))

    def build(self, *, source: str, title: str = "", fallback: str = "", licence: str = "unknown") -> Document:
        """The finished document, titled by `title`, else by a heading of level 1 among its first blocks, else by
        `fallback`, else by its source."""
        text = "".join(self._parts)
        top = next((b for b in self._blocks[:TITLE_WITHIN] if b.kind == "heading" and b.level == 1), None)
        title = title or (text[top.content.start : top.content.end] if top else fallback)
        return Document(
            text=text,
            blocks=tuple(self._blocks),
            title=_one_line(title)[:MAX_TITLE].strip() or source,
            language="zh" if is_chinese(text[:200_000]) else "en",
            licence=_one_line(licence) or "unknown",
            source=source,
            sha256=hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest(),
        )


_CONTROL = dict.fromkeys((*range(9), *range(14, 28), 0x7F, *range(0xD800, 0xE000)))
"""Control characters and lone surrogates, which no answer should have to repeat; white space stays."""


_OTHER_KIND = re.compile(r"#{1,6} |\| .* \|$|```|\[Document \d+\] |【文档\d+】")
_FENCE = re.compile(r"^```$", re.MULTILINE)
_IS_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")


def _clean(text: str) -> str:
    # Searching is many times faster than translating, and hardly any text holds one.
    return text.translate(_CONTROL) if _IS_CONTROL.search(text) else text


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _cell(text: str) -> str:
    return _one_line(str(text)).replace("|", "/")

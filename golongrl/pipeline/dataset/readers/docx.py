"""Word documents (.docx) through the package python-docx: headings by style, paragraphs, lists, tables, footnotes
and endnotes, title from the core properties. Deleted text, fields' instructions, headers and footers are left out."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.errors import require
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, grid
from golongrl.pipeline.dataset.readers.archive_limits import open_zip

WHAT = "Word document"
LONG_CELL = 300
"""Mean characters of the filled cells of a table above which it only lays out text."""
_OLE = b"\xd0\xcf\x11\xe0"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NOTES = ("footnote", "endnote")
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_MARKER = re.compile(r"\s*(?:\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]|[•▪◦○●■–-])\s*\t\s*(?=\S)")
_CONTENTS_LINE = re.compile(r"(?:\t|\.{4,}\s*)[\dA-Za-z]{0,3}[-.]?\d{1,4}\s*$")
_CONTENTS_STYLE = re.compile(r"(?:toc \d|table of figures|index \d)$", re.IGNORECASE)
CONTENTS_RUN = 5
"""Consecutive lines that end in a tab and a page number which make a table of contents."""


@dataclass(frozen=True)
class Style:
    """What matters of a paragraph style, inherited values included: level of a heading (0 for none), number of a list
    (0 for none), and whether it is used for a table of contents."""

    level: int = 0
    list: int = 0
    contents: bool = False


@dataclass
class Piece:
    """A block: its kind, and its text, level, list or cells."""

    kind: str
    text: str = ""
    level: int = 0
    group: int = 0
    rows: list[list[str]] = field(default_factory=list)
    heads: int | None = None


def read_bytes(data: bytes, origin: Origin) -> Iterator[Document | Refusal]:
    """One document per file. RefusedError: macros, encrypted, damaged, a zip bomb, or no Word document."""
    docx = require("docx", "docs")
    if data.startswith(_OLE):
        raise RefusedError(f"encrypted {WHAT}, or an old .doc; save it as .docx without a password")
    with open_zip(data, WHAT) as archive:
        names = archive.namelist()
    if any(name.lower().endswith(("vbaproject.bin", "vbadata.xml")) for name in names):
        raise RefusedError(f"{WHAT} with macros (vbaProject.bin); save it as .docx without macros")
    from lxml.etree import XMLSyntaxError

    damage = (XMLSyntaxError, docx.opc.exceptions.OpcError, zipfile.BadZipFile, zlib.error, EOFError, OSError)
    try:
        opened = docx.Document(io.BytesIO(data))
    except (KeyError, ValueError, IndexError, AttributeError, NotImplementedError, *damage) as error:
        raise RefusedError(f"damaged {WHAT}: {error}; open and save it in a word processor") from error
    reader = _Reader(_styles(opened), _notes(opened))
    pieces = _without_contents(reader.read(opened.element.body))
    builder = DocumentBuilder()
    _add(builder, pieces)
    title = opened.core_properties.title.strip()
    yield builder.build(source=origin.name, title=title, fallback=origin.stem, licence=origin.licence)


def _styles(opened: Any) -> dict[str, Style]:
    """Paragraph styles by their id."""
    elements = {}
    for element in opened.styles.element.iter(f"{_W}style"):
        elements.setdefault(element.get(f"{_W}styleId"), element)
    found: dict[str, Style] = {}
    for key in elements:
        level = number = 0
        contents = False
        seen: set[str] = set()
        at: str | None = key
        while at in elements and at not in seen:
            seen.add(at)
            element = elements[at]
            name = _value(element.find(f"{_W}name"))
            outline = _value(element.find(f"{_W}pPr/{_W}outlineLvl"))
            if match := _HEADING.match(name):
                level = level or int(match[1])
            elif name.lower() == "title":
                level = level or -1
            elif outline.isdigit() and int(outline) < 9:
                level = level or int(outline) + 1
            contents = contents or _CONTENTS_STYLE.match(name) is not None
            listed = _value(element.find(f"{_W}pPr/{_W}numPr/{_W}numId"))
            number = number or _digits(listed)
            at = _value(element.find(f"{_W}basedOn"))
        found[key] = Style(level, number, contents)
    return found


def _value(element: Any) -> str:
    return "" if element is None else element.get(f"{_W}val") or ""


def _digits(value: str) -> int:
    return int(value) if value.isdecimal() else 0


def _notes(opened: Any) -> dict[tuple[str, str], Any]:
    """Footnotes and endnotes by their kind and id."""
    from lxml import etree

    found = {}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    for kind in _NOTES:
        relations = (r for r in opened.part.rels.values() if r.reltype == f"{_RELATION}{kind}s" and not r.is_external)
        relation = next(relations, None)
        tree = None if relation is None else etree.fromstring(relation.target_part.blob, parser)
        for note in () if tree is None else tree.iter(f"{_W}{kind}"):
            if note.get(f"{_W}type") is None:
                found[kind, note.get(f"{_W}id")] = note
    return found


class _Reader:
    def __init__(self, styles: dict[str, Style], notes: dict[tuple[str, str], Any]):
        self.styles, self.notes = styles, notes
        self.pieces: list[Piece] = []
        self.marked: list[tuple[str, str]] = []
        self.number = 0

    def read(self, body: Any) -> list[Piece]:
        """All blocks in order, each paragraph followed by its notes."""
        self._blocks(body)
        return self.pieces

    def _blocks(self, parent: Any) -> None:
        for child in parent:
            if child.tag == f"{_W}p":
                self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                self._table(child)
            elif child.tag in (f"{_W}sdt", f"{_W}customXml", f"{_W}ins", f"{_W}sdtContent"):
                self._blocks(child)

    def _paragraph(self, element: Any) -> None:
        text = self.text(element)
        boxes = [box for box in element.iter(f"{_W}txbxContent") if not _in_fallback(box)]
        if text.strip():
            self.pieces.append(self._piece(element, text))
        self._add_notes()
        for box in boxes:
            self._blocks(box)

    def _add_notes(self) -> None:
        """The notes that were referred to since the last call."""
        marked, self.marked = self.marked, []
        for key in marked:
            note = " ".join(self.text(part) for part in self.notes[key].iter(f"{_W}p"))
            self.number += 1
            self.pieces.append(Piece("paragraph", f"[{self.number}] {note.strip()}"))

    def _piece(self, element: Any, text: str) -> Piece:
        properties = element.find(f"{_W}pPr")
        style = Style()
        level = number = 0
        if properties is not None:
            style = self.styles.get(_value(properties.find(f"{_W}pStyle")), style)
            outline = _value(properties.find(f"{_W}outlineLvl"))
            level = int(outline) + 1 if outline.isdigit() and int(outline) < 9 else 0
            listed = properties.find(f"{_W}numPr/{_W}numId")
            number = style.list if listed is None else _digits(_value(listed))
        if style.contents:
            return Piece("contents", text)
        if level := style.level or level:
            return Piece("heading", text, level)
        if number:
            return Piece("item", text, group=number)
        if marker := _MARKER.match(text):
            return Piece("item", text[marker.end() :], group=-1)
        return Piece("contents?" if _CONTENTS_LINE.search(text) else "paragraph", text)

    def _table(self, table: Any) -> None:
        rows: list[list[str]] = []
        heads = 0
        filled = total = 0
        for line in table.iter(f"{_W}tr"):
            if next(line.iterancestors(f"{_W}tbl")) is not table:
                continue
            row: list[str] = []
            for cell in line.iter(f"{_W}tc"):
                if next(cell.iterancestors(f"{_W}tr")) is not line:
                    continue
                text = " ".join(filter(None, (self.text(p).strip() for p in cell.iter(f"{_W}p"))))
                span = _value(cell.find(f"{_W}tcPr/{_W}gridSpan"))
                merged = cell.find(f"{_W}tcPr/{_W}vMerge")
                if merged is not None and _value(merged) != "restart" and rows and len(row) < len(rows[-1]):
                    # A cell that goes on downwards says the same in every row.
                    text = rows[-1][len(row)]
                row += [text] + [""] * (int(span) - 1 if span.isdigit() and int(span) < 64 else 0)
                filled += bool(text)
                total += len(text)
            header = line.find(f"{_W}trPr/{_W}tblHeader")
            heads += header is not None and _value(header) not in ("0", "false") and heads == len(rows)
            rows.append(row)
        if max(map(len, rows), default=0) < 2 or total > LONG_CELL * filled:
            self.marked = []
            for cell in table.iter(f"{_W}tc"):
                if next(cell.iterancestors(f"{_W}tbl")) is table:
                    self._blocks(cell)
        else:
            self.pieces.append(Piece("table", rows=rows, heads=heads or None))
            self._add_notes()

    def text(self, element: Any) -> str:
        """The visible text of a paragraph; tabs stay, other white space is single."""
        parts: list[str] = []
        self._gather(element, parts)
        return "".join(parts)

    def _gather(self, element: Any, parts: list[str]) -> None:
        for child in element:
            tag = child.tag
            if tag == f"{_W}t" or tag == f"{_M}t":
                parts.append(child.text or "")
            elif tag == f"{_W}tab":
                parts.append("\t")
            elif tag in (f"{_W}br", f"{_W}cr"):
                parts.append(" ")
            elif tag == f"{_W}noBreakHyphen":
                parts.append("-")
            elif tag in _REFERENCES:
                key = (_REFERENCES[tag], child.get(f"{_W}id"))
                if key in self.notes:
                    self.marked.append(key)
                    parts.append(f" [{self.number + len(self.marked)}]")
            elif tag not in _SKIPPED and isinstance(tag, str):
                self._gather(child, parts)


_REFERENCES = {f"{_W}{kind}Reference": kind for kind in _NOTES}
_SKIPPED = frozenset(
    {f"{_W}{name}" for name in ("pPr", "rPr", "del", "moveFrom", "instrText", "delText", "txbxContent", "drawing")}
    | {_FALLBACK}
)


def _in_fallback(element: Any) -> bool:
    return next(element.iterancestors(_FALLBACK), None) is not None


def _without_contents(pieces: Sequence[Piece]) -> list[Piece]:
    """The blocks without tables of contents: by style, or where several lines end in page numbers."""
    kept: list[Piece] = []
    run: list[Piece] = []
    for piece in [*pieces, Piece("end")]:
        if piece.kind == "contents?":
            run.append(piece)
            continue
        if len(run) < CONTENTS_RUN:
            kept += [Piece("paragraph", line.text) for line in run]
        run = []
        if piece.kind not in ("contents", "end"):
            kept.append(piece)
    return kept


def _add(builder: DocumentBuilder, pieces: Sequence[Piece]) -> None:
    # With several headings of the first level, none of them is the document's title.
    deeper = sum(piece.kind == "heading" and piece.level == 1 for piece in pieces) > 1
    group, before = 0, 0
    for piece in pieces:
        if piece.kind == "heading":
            level = 1 if piece.level < 0 else piece.level + deeper
            builder.heading(piece.text, level)
        elif piece.kind == "item":
            group += not builder.ends_with_item() or piece.group != before
            before = piece.group
            builder.item(piece.text, group)
        elif piece.kind == "table":
            grid.add(builder, piece.rows, heads=piece.heads)
        else:
            builder.paragraph(piece.text)

"""CSV and TSV: one table per file, or one document per row where a column holds long texts. A first row that cannot
be a header (numbers, repeats) is not taken for one."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, grid, shapes

MAX_FIELD = 32 * 1024**2
"""Longest field in characters."""
LONG_TEXT = 300
"""Mean characters of a text column from which the rows are documents."""
HEAD, HEAD_ROWS = 100_000, 20
"""Characters and rows at the start of a file that show its separator."""
_STATED = re.compile(r"sep=(?P<mark>[,;\t|])[ \t]*\r?\n", re.IGNORECASE)
"""A first line by which Excel is told the separator."""
_NUMBER = re.compile(r"[-+]?[\d.,]*\d(?:[eE][-+]?\d+)?%?")
_YEAR = re.compile(r"(?:19|20)\d\d")


def read(text: str, origin: Origin) -> Iterator[Document | Refusal]:
    """The file's documents; RefusedError names the first row that does not fit the others."""
    rows = _rows(text, origin.suffix)
    if len(rows) < 2:
        raise RefusedError(f"a table needs a header and a row, found {len(rows)} row(s)")
    rows, captions = _without_captions(rows)
    width = len(rows[1][1])
    for number, row in rows[1:]:
        if len(row) != width:
            raise RefusedError(f"corrupt table: row {number} has {len(row)} fields, the rows before it have {width}")
    cells = [row for _, row in rows]
    column = _text_column(cells, origin)
    if column is not None:
        yield from _documents(rows, origin)
        return
    builder = DocumentBuilder()
    for caption in captions:
        builder.paragraph(caption)
    if _is_header(cells[0], width):
        units = width > 1 and len(cells) > 2 and not cells[1][0] and grid.is_units(cells[1], cells[2])
        names = [" ".join(filter(None, pair)) for pair in zip(*cells[:2], strict=True)] if units else cells[0]
        builder.table(_named(names), cells[1 + units :])
    else:
        fits = len(cells[0]) == width and all(
            bool(_NUMBER.fullmatch(a)) == bool(_NUMBER.fullmatch(b)) for a, b in zip(cells[0], cells[1], strict=True)
        )
        builder.table([f"column {i}" for i in range(1, width + 1)], cells if fits else cells[1:])
    yield builder.build(source=origin.name, title=origin.stem, licence=origin.licence)


def _rows(text: str, suffix: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of the rows with text, without the empty columns that spreadsheets write at the right."""
    if "\x00" in text:
        raise RefusedError("corrupt table: it holds NUL characters")
    delimiter = "\t" if suffix == ".tsv" else _delimiter(text)
    line = 0
    if stated := _STATED.match(text):
        delimiter, text, line = stated["mark"], text[stated.end() :], 1
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((line + reader.line_num, cells))
    except csv.Error as error:
        raise RefusedError(f"corrupt table: line {line + reader.line_num}: {error}") from error
    widths = {len(cells) for _, cells in rows}
    if len(widths) != 1:
        return rows
    width = widths.pop()
    while not any(cells[width - 1] for _, cells in rows):
        width -= 1
    return [(number, cells[:width]) for number, cells in rows]


def _delimiter(text: str) -> str:
    """The separator that cuts most of the first rows into the same number of fields, two or more; where several do,
    not the comma, which numbers hold; spaces where no other does and they cut all rows alike."""
    fits = {mark: _fit(text, mark) for mark in "\t;|,"}
    best = max(fits, key=lambda mark: fits[mark])
    return " " if not fits[best] and _fit(text, " ") == 1 else best if fits[best] else ","


def _fit(text: str, mark: str) -> float:
    """The share of the first rows that have the most frequent number of fields above one."""
    head = text[:HEAD]
    widths: list[int] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=mark):
            if any(cell.strip() for cell in row):
                widths.append(len(row))
            if len(widths) == HEAD_ROWS:
                break
        else:
            if len(head) < len(text) and len(widths) > 1:
                # The last one is cut off.
                widths.pop()
    except csv.Error:
        # Reading it all will say where and why.
        pass
    return max(Counter(width for width in widths if width > 1).values(), default=0) / max(len(widths), 1)


def _without_captions(
    rows: list[tuple[int, list[str]]],
) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """The rows less those at the top that hold a lone text above wider ones, and those texts."""
    captions: list[str] = []
    while len(rows) > 2 + len(captions):
        cells = rows[len(captions)][1]
        if len(rows[len(captions) + 1][1]) < 2 or not cells[0] or any(cells[1:]) or len(cells[0]) < 2:
            break
        if _NUMBER.fullmatch(cells[0]) or len(cells) == len(rows[-1][1]) == 2:
            break
        captions.append(cells[0])
    return rows[len(captions) :], captions


def _is_header(first: Sequence[str], width: int) -> bool:
    """Whether a row names columns: as many as there are, all different, none of them a number but years."""
    named = first[1:] if width > 2 else first
    return (
        len(first) == width
        and len({normalise(name) for name in first}) == width
        and all(name and (not _NUMBER.fullmatch(name) or _YEAR.fullmatch(name)) for name in named)
        and (not first[0] or not _NUMBER.fullmatch(first[0]) or _YEAR.fullmatch(first[0]) is not None)
    )


def _named(names: Sequence[str]) -> list[str]:
    """The names, with one for a first column that has none, such as the index that some programs write."""
    return [names[0] or "Row", *names[1:]]


def _text_column(cells: Sequence[Sequence[str]], origin: Origin) -> str | None:
    """The column whose texts make every row a document: the one asked for, or one that mostly holds long texts."""
    header = cells[0]
    if origin.text_column in header:
        return origin.text_column
    for name in shapes.TEXT_COLUMNS:
        if name in header and len(header) == len(cells[1]):
            index = header.index(name)
            if sum(len(row[index]) for row in cells[1:]) >= LONG_TEXT * (len(cells) - 1):
                return name
    return None


def _documents(rows: Sequence[tuple[int, list[str]]], origin: Origin) -> Iterator[Document | Refusal]:
    """One document per row, named `file.csv#row`, where the header is row 0."""
    header = rows[0][1]
    for number, (_, cells) in enumerate(rows[1:], 1):
        yield shapes.outcome(dict(zip(header, cells, strict=True)), number, origin)

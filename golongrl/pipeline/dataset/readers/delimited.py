"""CSV and TSV: one table per file. A first row that cannot be a header (numbers, repeats) is not taken for one."""

import csv
import io
import re
from collections.abc import Iterator

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.readers import Origin, RefusedError

_NUMBER = re.compile(r"^[-+]?[\d.,]*\d(?:[eE][-+]?\d+)?%?$")
_YEAR = re.compile(r"^(?:19|20)\d\d$")


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file; RefusedError names the first row that does not fit the others."""
    rows = _rows(text, origin.suffix)
    if len(rows) < 2:
        raise RefusedError(f"a table needs a header and a row, found {len(rows)} row(s)")
    width = len(rows[1][1])
    for number, row in rows[1:]:
        if len(row) != width:
            raise RefusedError(f"corrupt table: row {number} has {len(row)} fields, the rows before it have {width}")
    columns, body = _header([row for _, row in rows], width)
    builder = DocumentBuilder()
    builder.table(columns, body)
    yield builder.build(source=origin.name, title=origin.stem, licence=origin.licence)


def _rows(text: str, suffix: str) -> list[tuple[int, list[str]]]:
    if "\x00" in text:
        raise RefusedError("corrupt table: it holds NUL characters")
    delimiter = "\t" if suffix == ".tsv" else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            raise RefusedError(f"corrupt table: line {reader.line_num}: {error}") from error
        if any(cell.strip() for cell in row):
            rows.append((reader.line_num, [cell.strip() for cell in row]))


def _delimiter(text: str) -> str:
    """The separator that cuts the first lines into the most equal numbers of fields."""
    head = [line for line in text.splitlines()[:20] if line.strip()]
    counts = {mark: sorted(line.count(mark) for line in head) for mark in ",;\t|"}
    if head and not any(max(found) for found in counts.values()):
        return " "
    return max(counts, key=lambda mark: (counts[mark][len(head) // 2], mark == ",") if head else (0, mark == ","))


def _header(rows: list[list[str]], width: int) -> tuple[list[str], list[list[str]]]:
    first, body = rows[0], rows[1:]
    distinct = len({normalise(name) for name in first}) == width
    named = all(name and (not _NUMBER.match(name) or _YEAR.match(name)) for name in first)
    if len(first) == width and distinct and named:
        return first, body
    fits = len(first) == width and all(
        bool(_NUMBER.match(a)) == bool(_NUMBER.match(b)) for a, b in zip(first, body[0], strict=True)
    )
    return [f"column {i}" for i in range(1, width + 1)], rows if fits else body

"""Rows of cells as a table with one name per column: captions, headers of several rows, units rows and empty spacer
columns are told from the rows of data."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from golongrl.core.documents import DocumentBuilder
from golongrl.core.text import is_chinese, normalise
from golongrl.pipeline.dataset.readers import RefusedError
from golongrl.pipeline.dataset.typed import NUMERIC, read_cell

MAX_AREA = 5_000_000
"""Rows times columns of a table: short rows are filled up to the longest one."""
MAX_HEADER_ROWS = 4
MAX_NAME = 250
"""Longest name of a column, in characters; longer texts are no names."""
MAX_UNIT = 16
"""Longest unit, in characters, in a row of units."""
MAX_CAPTION_AS_NAME = 60
"""Longest caption, in characters, that may name the first column."""
_UNIT = re.compile(
    r"[(（\[].*[)）\]]|%|[$€£¥]\S{0,3}|(?:in )?(?:thousand|million|billion)s?|[千万亿百]+[^\d\s]{0,3}", re.I
)
_PERIOD = re.compile(
    r"\b(?:years?|quarters?|months?|weeks?|fiscal|ended|as of|january|february|march|april|may|june|july|august"
    r"|september|october|november|december)\b|\b(?:19|20)\d\d\b|年|季|月",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Framed:
    """A table: lines that stood above it, column names, and rows as wide as those."""

    captions: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def add(
    builder: DocumentBuilder,
    rows: Rows,
    *,
    heads: int | None = None,
    spread: Rows | None = None,
    numbered: bool = True,
) -> None:
    """Add rows of cells as a table block, its captions as paragraphs before it; see `frame`."""
    framed = frame(rows, heads=heads, spread=spread, numbered=numbered)
    for caption in framed.captions:
        builder.paragraph(caption)
    if len(framed.columns) == 1:
        for row in ((framed.columns[0],), *framed.rows) if framed.columns[0] else framed.rows:
            builder.paragraph(row[0])
    elif framed.columns:
        builder.table(framed.columns, framed.rows)


def frame(rows: Rows, *, heads: int | None = None, spread: Rows | None = None, numbered: bool = True) -> Framed:
    """The table that rows of cells make.

    `heads` is the number of rows known to be header. `spread` are the same rows with the text of a header cell
    repeated in every column that it stands over; without it, a blank in an upper header row belongs to the cell at
    its left. Columns of a table without a header are called "column 1", "column 2", ... if `numbered`, else nothing.
    RefusedError when the table is too large.
    """
    width = max(map(len, rows), default=0)
    check_area(len(rows), width)
    cells = [[" ".join(str(cell).split()) for cell in row] + [""] * (width - len(row)) for row in rows]
    over = [[" ".join(str(cell).split()) for cell in row] for row in spread] if spread is not None else None
    if over is None:
        _align_captions(cells)
    used = [index for index in range(width) if any(row[index] for row in cells)]
    filled = [number for number, row in enumerate(cells) if any(row)]
    if heads is not None:
        heads = sum(number < heads for number in filled)
    cells = [[cells[number][index] for index in used] for number in filled]
    over = [[over[number][index] for index in used] for number in filled] if over is not None else None
    if len(cells) < 2 or len(used) < 2:
        return Framed((), tuple(cells[0]) if cells else (), tuple(map(tuple, cells[1:])))
    captions = _captions(cells, over)
    cells, over = cells[len(captions) :], over[len(captions) :] if over is not None else None
    count = _header_rows(cells) if heads is None else min(max(0, heads - len(captions)), len(cells) - 1)
    if heads and not count:
        count = _header_rows(cells)
    names = _names(over[:count] if over is not None else _spread(cells[:count]), len(used))
    if not any(names[1:]) or max(map(len, names)) > MAX_NAME:
        count = 0
    if count and not names[0] and captions and len(captions[-1]) <= MAX_CAPTION_AS_NAME:
        names[0] = captions.pop()
    columns = [f"column {i}" if numbered else "" for i in range(1, len(used) + 1)]
    if count:
        columns = _complete(names, cells, numbered)
    return Framed(tuple(captions), tuple(columns), tuple(map(tuple, _told_apart(cells[count:]))))


def check_area(rows: int, columns: int) -> None:
    """RefusedError for a table that is mostly holes."""
    if rows * columns > MAX_AREA:
        raise RefusedError(
            f"a table of {rows:,} rows and up to {columns:,} columns, above the limit of {MAX_AREA:,} cells; split it"
        )


def is_amount(cell: str) -> bool:
    """Whether a cell holds data as numbers do: a number that is no year, or a dash where one is missing."""
    kind = read_cell(cell).kind
    return bool(cell) and (kind in NUMERIC or kind == "empty")


def _align_captions(cells: list[list[str]]) -> None:
    """Move lone cells at the top to the table's first column, beside which sheets often put them."""
    places = [[index for index, cell in enumerate(row) if cell] for row in cells]
    wide = [found[0] for found in places if len(found) > 1]
    for row, found in zip(cells, places, strict=True):
        if len(found) > 1:
            return
        if found and wide and found[0] < min(wide):
            row[min(wide)], row[found[0]] = row[found[0]], ""


def _captions(cells: list[list[str]], over: list[list[str]] | None) -> list[str]:
    """Rows at the top that hold one text, in the first column or over all of them; two rows stay in any case."""
    found: list[str] = []
    for number, row in enumerate(cells[:-2]):
        whole = over is not None and all(text == row[0] for text in over[number])
        if (
            not row[0]
            or any(row[1:])
            or is_amount(row[0])
            or (len(row) == 2 and not whole and _plain(cells[number + 1]))
        ):
            break
        found.append(row[0])
    return found


def _plain(row: list[str]) -> bool:
    """Whether a row of two cells is no header, so that a lone cell above it names a group of rows."""
    return bool(row[0])


def _header_rows(cells: list[list[str]]) -> int:
    """How many of the first rows are header: they hold no amounts, and below the first of them only rows without a
    name, or with units alone."""
    count = 0
    for number, row in enumerate(cells[: min(MAX_HEADER_ROWS, len(cells) - 1)]):
        if any(is_amount(cell) for cell in row if cell):
            break
        if number:
            if row[0] and not _UNIT.fullmatch(row[0]):
                break
            complete = all(any(above[index] for above in cells[:number]) for index in range(1, len(row)))
            if (
                complete
                and _distinct(_names(_spread(cells[:number]), len(row)))
                and not is_units(row, cells[number + 1])
            ):
                break
        count = number + 1
    return count


def _distinct(names: list[str]) -> bool:
    return len({normalise(name) for name in names[1:]}) == len(names) - 1


def is_units(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether all cells of a row are units: written as such, or short texts above amounts."""
    texts = [(cell, under) for cell, under in zip(row, below, strict=True) if cell]
    return all(_UNIT.fullmatch(cell) or (len(cell) <= MAX_UNIT and is_amount(under)) for cell, under in texts)


def _spread(header: list[list[str]]) -> list[list[str]]:
    """Header rows with each text in all columns that it seems to stand over: what is centred over all of them, and
    what the names below need to be told apart or says for several of them, as periods and units do."""
    spread = []
    plain = _names(header, len(header[0])) if header else []
    needed = not _distinct(plain) or "" in plain[1:]
    for number, row in enumerate(header):
        texts = [cell for cell in row[1:] if cell]
        if len(texts) == 1 and not row[0] and len(header) > 1 and (not row[1] or needed or _shared(texts[0])):
            below = _names(header[number + 1 :], len(row))[1:]
            years = [bool(_YEAR.search(name)) for name in below]
            spread.append(["", *(texts[0] if year or not any(years) else "" for year in years)])
            continue
        filled = list(row)
        if number + 1 < len(header):
            for index in range(2, len(filled)):
                if not filled[index] and (needed or _shared(filled[index - 1])):
                    filled[index] = filled[index - 1]
        spread.append(filled)
    return spread


def _shared(text: str) -> bool:
    """Whether a header's text is of the kind that holds for several columns: a period or a unit."""
    return bool(_PERIOD.search(text) or _UNIT.fullmatch(text))


def _names(header: Rows, width: int) -> list[str]:
    """Per column the texts of its header cells from top to bottom, each once."""
    return [" ".join(dict.fromkeys(row[index] for row in header if row[index])) for index in range(width)]


def _complete(names: list[str], cells: list[list[str]], numbered: bool) -> list[str]:
    """A name for the first column, which mostly holds the names of its rows, where only that has none; for others
    their number if `numbered`."""
    unnamed = names[1:].count("")
    if unnamed and (not numbered or 2 * unnamed > len(names)):
        return names
    chinese = is_chinese(" ".join(cell for row in cells[:20] for cell in row))
    taken = set(map(normalise, names))
    choice = ("名称", "项目", "行") if chinese else ("Name", "Item", "Row")
    first = next(name for name in choice if normalise(name) not in taken)
    rest = [name or f"column {index}" for index, name in enumerate(names[1:], 2)]
    return [names[0] or first, *rest]


def _told_apart(rows: list[list[str]]) -> list[list[str]]:
    """Rows whose name comes more than once take the heading row above them into it ("2023: Current")."""
    counts = Counter(row[0] for row in rows if any(row[1:]))
    section, told = "", []
    for row in rows:
        if row[0] and not any(row[1:]):
            section = row[0]
        elif section and row[0] and counts[row[0]] > 1:
            row = [f"{section.rstrip(':：')}: {row[0]}", *row[1:]]
        told.append(row)
    return told

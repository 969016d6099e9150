"""An HTML table as rows of cells: spans are resolved, columns that only lay out a page are joined to the cells that
belong to them ("$", ")" and "%" to their number)."""

import bisect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from golongrl.pipeline.dataset.readers.grid import check_area

MAX_SPAN = 1_000
MAX_SPANNED = 2_000_000
"""Places that the cells of a table may cover together before further spans count as 1."""
_PREFIXES = frozenset({"$", "€", "£", "¥", "US$", "HK$", "(", "$(", "-$", "C$", "A$", "RMB"})
_SUFFIXES = frozenset({")", "%", ")%", "%)", "pts.", "bps"})
_DASHES = frozenset("-–—‒―−")
_SPACED_NUMBER = re.compile(r"[-(]?\s*(?:[A-Z]{0,3}[$€£¥]|RMB)?\s*\(?\s*-?\d[\d,.]*\s*%?\s*\)?\s*%?")


@dataclass(frozen=True)
class Cell:
    """The text of a cell and the layout columns from `start` to before `end` that it covers."""

    start: int
    end: int
    text: str
    header: bool = False


@dataclass(frozen=True)
class Rows:
    """Rows of cells in true columns; `spread` repeats a cell's text in every column it covers; the first `heads` rows
    are marked as header."""

    cells: list[list[str]]
    spread: list[list[str]]
    heads: int


def read(table: Any, text_of: Callable[[Any], str]) -> Rows:
    """The rows of a table element; `text_of` gives the text of a cell element."""
    rows = [_joined(row) for row in _rows(table, text_of)]
    rows = [row for row in rows if row]
    columns = _columns(rows)
    check_area(len(rows), len(columns))
    starts, ends = [start for start, _ in columns], [end for _, end in columns]
    cells, spread = [], []
    for row in rows:
        plain, over = [""] * len(columns), [""] * len(columns)
        for cell in row:
            first, last = bisect.bisect_right(ends, cell.start), bisect.bisect_left(starts, cell.end)
            plain[first] = f"{plain[first]} {cell.text}".strip()
            for index in range(first, last):
                over[index] = over[index] or cell.text
        cells.append(plain)
        spread.append(over)
    heads = next((i for i, row in enumerate(rows) if not all(cell.header for cell in row)), len(rows))
    return Rows(cells, spread, heads)


def _rows(table: Any, text_of: Callable[[Any], str]) -> list[list[Cell]]:
    """Cells at their layout columns; a cell over several rows is repeated in each."""
    found: list[list[Cell]] = []
    open_cells: list[tuple[Cell, int]] = []
    spanned = 0
    for row in table.iter("tr"):
        cells = [cell for cell, _ in open_cells]
        taken = sorted((cell.start, cell.end) for cell in cells)
        at = passed = 0
        opened = [(cell, left - 1) for cell, left in open_cells if left > 1]
        for element in row.iterchildren("td", "th"):
            while passed < len(taken) and taken[passed][0] <= at:
                at = max(at, taken[passed][1])
                passed += 1
            wide, high = _span(element.get("colspan")), _span(element.get("rowspan"))
            if wide * high > 1 and (spanned := spanned + wide * high) > MAX_SPANNED:
                wide = high = 1
            cell = Cell(at, at + wide, text_of(element), element.tag == "th")
            at += wide
            cells.append(cell)
            if high > 1:
                opened.append((cell, high - 1))
        open_cells = opened
        found.append(sorted(cells, key=lambda cell: cell.start))
    return found


def _span(value: str | None) -> int:
    return min(MAX_SPAN, max(1, int(value))) if value and value.isdecimal() else 1


def _joined(row: Sequence[Cell]) -> list[Cell]:
    """The row with signs that stand in cells of their own joined to the number beside them."""
    joined: list[Cell] = []
    prefix: Cell | None = None
    for cell in row:
        if not cell.text:
            continue
        if prefix is not None and cell.start <= prefix.end + 1:
            text = cell.text if cell.text in _DASHES else prefix.text + cell.text
            cell = replace(cell, start=prefix.start, text=text)
        elif prefix is not None:
            joined.append(prefix)
        prefix = None
        if cell.text in _PREFIXES:
            prefix = cell
        elif cell.text in _SUFFIXES and joined and cell.start <= joined[-1].end + 1 and _open(joined[-1].text):
            joined[-1] = replace(joined[-1], end=cell.end, text=joined[-1].text + cell.text)
        else:
            joined.append(cell)
    if prefix is not None:
        joined.append(prefix)
    return [replace(cell, text=_tight(cell.text)) for cell in joined]


def _open(text: str) -> bool:
    """Whether a sign may follow: the text ends as numbers do."""
    return text[-1].isdigit() or text[-1] == ")"


def _tight(text: str) -> str:
    """A number without the spaces inside it ("( 97 )" is "(97)")."""
    return "".join(text.split()) if " " in text and _SPACED_NUMBER.fullmatch(text) else text


def _columns(rows: Sequence[Sequence[Cell]]) -> list[tuple[int, int]]:
    """The true columns as ranges of layout columns: cells that overlap share one, but a wide cell that stands over
    several narrower ones joins none of them."""
    ranges = sorted({(cell.end - cell.start, cell.start, cell.end) for row in rows for cell in row})
    owner: dict[int, int] = {}
    columns: list[tuple[int, int]] = []
    for _, start, end in ranges:
        met = {owner[at] for at in range(start, end) if at in owner}
        if len(met) > 1:
            continue
        number = met.pop() if met else len(columns)
        if number == len(columns):
            columns.append((start, end))
        columns[number] = (min(start, columns[number][0]), max(end, columns[number][1]))
        owner.update((at, number) for at in range(start, end))
    return sorted(columns)

"""Tables of a PDF from lines whose parts stand below each other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from golongrl.pipeline.dataset.readers.pdf_layout import Layout
from golongrl.pipeline.dataset.readers.pdf_lines import Cell, Line

MIN_ROWS = 3
FILLED = 0.6
"""Share of rows that must have all cells."""


@dataclass
class Grid:
    """A table as it is found: the ends of its columns, and its rows, the first of which holds the column names."""

    columns: list[list[float]]
    rows: list[list[str]] = field(default_factory=list)
    lines: int = 0

    def place(self, cell: Cell) -> int:
        """The column that a cell overlaps; -1 where it overlaps none or several."""
        found = [n for n, (left, right) in enumerate(self.columns) if cell.left < right and cell.right > left]
        return found[0] if len(found) == 1 else -1


def find_table(layout: Layout, page: Sequence[Line], start: int, headings: set[int]) -> Grid | None:
    """The table that begins with a line of a page, if one does."""
    first = page[start]
    if len(first.cells) < 2 or (len(first.cells[0].text) < 2 and not first.cells[0].text.isalnum()):
        return None
    grid = Grid([[cell.left, cell.right] for cell in first.cells])
    for at in range(start, len(page)):
        line = page[at]
        if id(line) in headings or line.mono or (at > start and not _follows(layout, page[at - 1], line)):
            break
        cells = line.cells or (Cell(line.text, line.left, line.right),)
        places = [grid.place(cell) for cell in cells]
        if -1 in places or len(set(places)) < len(places):
            break
        if len(cells) == 1 and not _inside(grid, page, at, places[0]):
            break
        wrapped = len(cells) < len(grid.columns) and places[0] > 0 and grid.rows
        if wrapped:
            row = grid.rows[-1]
        else:
            row = [""] * len(grid.columns)
            grid.rows.append(row)
        for place, cell in zip(places, cells, strict=True):
            row[place] = _with(row[place], cell.text)
            column = grid.columns[place]
            column[0], column[1] = min(column[0], cell.left), max(column[1], cell.right)
        grid.lines += 1
    full = sum(all(row) for row in grid.rows)
    if len(grid.rows) < MIN_ROWS or full < FILLED * len(grid.rows) or _is_prose(grid, page):
        return None
    return grid


def _follows(layout: Layout, before: Line, line: Line) -> bool:
    gap = before.base - line.base
    return 0.3 * line.size < gap < 2.6 * layout.usual(line.size) and abs(before.size - line.size) < 0.25 * line.size


def _inside(grid: Grid, page: Sequence[Line], at: int, place: int) -> bool:
    """Whether a line of one part belongs to the table: it goes on with a cell that is not the first, or it stands in
    the first column and the table goes on below it."""
    if place > 0:
        return bool(grid.rows)
    below = page[at + 1] if at + 1 < len(page) else None
    return (
        below is not None
        and len(below.cells) > 1
        and page[at].right < grid.columns[1][0]
        and all(grid.place(cell) >= 0 for cell in below.cells)
    )


def _is_prose(grid: Grid, page: Sequence[Line]) -> bool:
    """Two columns of running text whose lines lie side by side."""
    if len(grid.columns) != 2 or grid.lines < 0.6 * len(page):
        return False
    cells = [cell for row in grid.rows for cell in row]
    return sum(map(len, cells)) > 25 * len(cells)


def continues(before: Grid, grid: Grid) -> bool:
    """Whether a table at the top of a page is the rest of the one at the end of the page before."""
    return len(before.columns) == len(grid.columns) and all(
        abs(a[0] - b[0]) < 4 for a, b in zip(before.columns, grid.columns, strict=True)
    )


def _with(cell: str, more: str) -> str:
    if not cell:
        return more
    return cell + more if cell[-1] >= "\u2e80" or more[0] >= "\u2e80" else f"{cell} {more}"

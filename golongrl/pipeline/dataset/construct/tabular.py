"""What questions about tables share: which cells name a row, and how a question names table and row."""

import itertools
import random
import re
from dataclasses import dataclass

from golongrl.core.documents import Row, Span, Table
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct.form import Unfit, named
from golongrl.pipeline.dataset.excerpt import Excerpt

_NUMBER = re.compile(r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$")
MAX_CELL = 80
"""Longest cell, in characters, that a question or an answer quotes."""


@dataclass(frozen=True)
class Keyed:
    """A table and the columns whose cells together name each row."""

    table: Table
    key: tuple[int, ...]

    def others(self) -> list[int]:
        """The columns that are no key."""
        return [index for index in range(len(self.table.columns)) if index not in self.key]


def number(cell: str) -> float | None:
    """The cell's number, None when it is not one."""
    return float(cell.replace(",", "")) if _NUMBER.match(cell) else None


def same(cell: str) -> str | float:
    """What two cells share that mean the same: their number, else their normalised text."""
    value = number(cell)
    return normalise(cell) if value is None else value


def quotable(cell: str) -> bool:
    """Whether a cell can be asked for: not empty, not long, with a letter or digit."""
    return 0 < len(cell) <= MAX_CELL and any(char.isalnum() for char in cell)


def column(table: Table, index: int) -> list[str]:
    """The cells of one column."""
    return [row.cells[index] for row in table.rows]


def keyed_table(excerpt: Excerpt, rng: random.Random, rows: int) -> Keyed | Unfit:
    """A regular table of at least `rows` rows with the fewest columns that tell its rows apart."""
    tables = [table for table in excerpt.tables if len(table.rows) >= rows]
    rng.shuffle(tables)
    for table in tables:
        key = _key(table)
        if key is not None:
            return Keyed(table, key)
    return Unfit("no table whose rows can be told apart" if tables else "no table long enough")


def _key(table: Table) -> tuple[int, ...] | None:
    usable = [i for i in range(len(table.columns)) if all(map(quotable, column(table, i)))][:10]
    # Names make better keys than numbers, and one column better than two.
    usable.sort(key=lambda i: sum(number(cell) is not None for cell in column(table, i)))
    for size in (1, 2, 3):
        for key in itertools.combinations(usable, size):
            if len(key) < len(table.columns) and len({row_key(row, key) for row in table.rows}) == len(table.rows):
                return key
    return None


def row_key(row: Row, key: tuple[int, ...]) -> tuple[str, ...]:
    """The normalised key cells of a row."""
    return tuple(normalise(row.cells[index]) for index in key)


def cell_span(row: Row, index: int) -> Span:
    """Where a cell stands."""
    return row.cell_spans[index]


def where_table(excerpt: Excerpt, table: Table) -> str:
    """The table as a question names it."""
    title = named(excerpt)
    names = ", ".join(table.columns[:4])
    alone = excerpt.names_table(table)
    if excerpt.language == "zh":
        return f"文档{title}的表格" if alone else f"文档{title}中列为“{names}”的表格"
    return f"the table of the document {title}" if alone else f"the table with the columns {names} in {title}"


def where_row(keyed: Keyed, row: Row, language: str) -> str:
    """The row as a question names it."""
    pairs = [(keyed.table.columns[index], row.cells[index]) for index in keyed.key]
    if language == "zh":
        return "且".join(f"“{name}”为“{cell}”" for name, cell in pairs)
    return " and ".join(f'"{name}" is "{cell}"' for name, cell in pairs)

"""What questions about tables share: which cells name a row, how a question names table and row, and how a solver
finds them again in the shown text."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from golongrl.core.documents import Row, Span, Table
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Unfit, named
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.view import ShownTable, View

_NUMBER = re.compile(r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$")
MAX_CELL = 80
"""Longest cell, in characters, that a question or an answer quotes."""
NAMED_COLUMNS = 4
"""Columns by which a question names a table, more where these do not tell it apart."""
TABLES_TRIED = 20


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
    """Whether a cell can be asked for: not empty, not long, with a letter or digit, its quotation marks paired."""
    return 0 < len(cell) <= MAX_CELL and any(map(str.isalnum, cell)) and prose.closed(cell, prose.QUOTES)


def column(table: Table, index: int) -> list[str]:
    """The cells of one column."""
    return [row.cells[index] for row in table.rows]


def askable_tables(excerpt: Excerpt, rng: random.Random, rows: int) -> list[Table]:
    """Regular tables of at least `rows` rows that a question can name, in random order, not more than a few."""
    return _nameable(excerpt, [table for table in excerpt.tables if len(table.rows) >= rows], rng)


def labelled_tables(excerpt: Excerpt, rng: random.Random, rows: int) -> list[Table]:
    """Like `askable_tables`, with those whose first column, of the row labels, has no name."""
    shown = [block.table for block in excerpt.blocks if block.table is not None]
    names = [tuple(map(normalise, table.columns)) for table in shown]
    counts = Counter(names)
    kept = [
        table
        for table, key in zip(shown, names, strict=True)
        if len(table.rows) >= rows
        and counts[key] == 1
        and (table.regular or (len(key) > 1 and not key[0] and all(key[1:]) and len(set(key)) == len(key)))
        and all(len(row.cells) == len(key) for row in table.rows)
    ]
    return _nameable(excerpt, kept, rng)


def _nameable(excerpt: Excerpt, tables: list[Table], rng: random.Random) -> list[Table]:
    rng.shuffle(tables)
    found = (table for table in tables if table_columns(excerpt, table) is not None)
    return list(itertools.islice(found, TABLES_TRIED))


def keyed_table(excerpt: Excerpt, rng: random.Random, rows: int) -> Keyed | Unfit:
    """A regular table of at least `rows` rows with the fewest columns that tell its rows apart."""
    tables = askable_tables(excerpt, rng, rows)
    for table in tables:
        key = row_columns(table)
        if key is not None:
            return Keyed(table, key)
    return Unfit("no table whose rows can be told apart" if tables else "no table long enough")


def row_columns(table: Table) -> tuple[int, ...] | None:
    """The fewest columns whose cells together tell all rows apart."""
    usable = [i for i in range(len(table.columns)) if all(map(quotable, column(table, i)))][:10]
    # Names make better keys than numbers, and one column better than two.
    usable.sort(key=lambda i: sum(number(cell) is not None for cell in column(table, i)))
    normal = {i: [normalise(cell) for cell in column(table, i)] for i in usable}
    for size in (1, 2, 3):
        for key in itertools.combinations(usable, size):
            if len(key) < len(table.columns) and len(set(zip(*(normal[i] for i in key), strict=True))) == len(
                table.rows
            ):
                return key
    return None


def row_key(row: Row, key: tuple[int, ...]) -> tuple[str, ...]:
    """The normalised key cells of a row."""
    return tuple(normalise(row.cells[index]) for index in key)


def cell_span(row: Row, index: int) -> Span:
    """Where a cell stands."""
    return row.cell_spans[index]


def table_columns(excerpt: Excerpt, table: Table) -> tuple[str, ...] | None:
    """The columns by which a question names a table: none where it is the only one shown, otherwise as many of the
    first as no other table of the excerpt has. None where another table has them all."""
    if excerpt.names_table(table):
        return ()
    named_columns = [name for name in table.columns if name]
    mine = [normalise(name) for name in named_columns]
    rivals = [
        {normalise(name) for name in block.table.columns}
        for block in excerpt.blocks
        if block.table is not None and block.table.header != table.header
    ]
    # A table that is cut by the excerpt's edge stands in it once; its other rows are not shown.
    for size in range(min(NAMED_COLUMNS, len(mine)), len(mine) + 1):
        rivals = [names for names in rivals if names.issuperset(mine[:size])]
        if not rivals:
            return tuple(named_columns[:size])
    return None


def where_table(excerpt: Excerpt, table: Table) -> str:
    """The table as a question names it; LookupError where it cannot (`askable_tables` leaves these out)."""
    title = named(excerpt)
    names = table_columns(excerpt, table)
    if names is None:
        raise LookupError(f"another table of {title} has all the columns {table.columns}")
    if excerpt.language == "zh":
        listed = "、".join(f"“{name}”" for name in names)
        return f"文档{title}中含有列{listed}的表格" if names else f"文档{title}的表格"
    listed = ", ".join(f'"{name}"' for name in names)
    return f"the table with the columns {listed} in the document {title}" if names else f"the table in {title}"


def where_row(keyed: Keyed, row: Row, language: str) -> str:
    """The row as a question names it."""
    pairs = [(keyed.table.columns[index], row.cells[index]) for index in keyed.key]
    if language == "zh":
        return "且".join(f"“{name}”为“{cell}”" for name, cell in pairs)
    return " and ".join(f'"{name}" is "{cell}"' for name, cell in pairs)


def shown_table(view: View, title: str, columns: Sequence[str]) -> ShownTable:
    """The one table of the shown document of this title that has these columns (its only table where none are
    named); LookupError when there is none or another."""
    wanted = {normalise(name) for name in columns}
    tables = [t for t in view.titled(title).tables if wanted <= {normalise(name) for name in t.columns}]
    if len(tables) != 1:
        raise LookupError(f"{len(tables)} tables of {title!r} have the columns {list(columns)}")
    return tables[0]


def shown_column(table: ShownTable, name: str) -> int:
    """The number of the column of this name; LookupError when there is not exactly one."""
    wanted = normalise(name)
    found = [index for index, column in enumerate(table.columns) if normalise(column) == wanted]
    if len(found) != 1:
        raise LookupError(f"{len(found)} columns are called {name!r}")
    return found[0]


def shown_rows(table: ShownTable, cells: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The rows that hold each (column name, cell), compared as normalised text."""
    wanted = [(shown_column(table, name), normalise(cell)) for name, cell in cells]
    return [row for row in table.rows if all(i < len(row) and normalise(row[i]) == cell for i, cell in wanted)]

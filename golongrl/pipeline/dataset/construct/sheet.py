"""Typed tables as questions use them: rows named by a label, conditions that rows meet, and both for a solver."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from golongrl.core.documents import Document, Span, Table
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import typed
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import Place, Scene
from golongrl.pipeline.dataset.typed import Cell, Column, TypedTable
from golongrl.pipeline.dataset.view import ShownTable, View

ROWS = 3
"""Fewest rows of a table that is asked about."""
MOST_ROWS = 60
"""Most rows that one answer takes in."""
LONGEST_BOUND = 40
"""Longest cell, in characters, that a condition quotes."""
_SAMPLE = 40


@dataclass(frozen=True)
class Named:
    """How a solver finds a table and its rows again: the document's title, the columns that the question names, and
    the number of the column of row labels."""

    title: str
    columns: tuple[str, ...]
    labels: int | None = None

    def table(self, view: View) -> ShownTable:
        """The shown table; LookupError where it does not resolve."""
        return tabular.shown_table(view, self.title, self.columns)

    def number(self, view: View, label: str, column: str) -> Fraction:
        """The number of a labelled row in a column; LookupError where that does not resolve."""
        table = self.table(view)
        rows = [
            row for row in table.rows if self.labels is not None and normalise(row[self.labels]) == normalise(label)
        ]
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows are labelled {label!r}")
        return number_in(rows[0][tabular.shown_column(table, column)])


@dataclass(frozen=True)
class Sheet:
    """A table of the scene's excerpt number `excerpt`, its types, the columns a question names it by, and the numbers
    of the rows that no other row's label reads like."""

    excerpt: int
    title: str
    table: Table
    types: TypedTable
    names: tuple[str, ...]
    named_rows: tuple[int, ...]

    @property
    def named(self) -> Named:
        """How a solver finds the table again."""
        return Named(self.title, self.names, self.types.labels)

    def label(self, row: int) -> str:
        """The label of a row."""
        assert self.types.labels is not None
        return self.table.rows[row].cells[self.types.labels]

    def evidence(self, cells: Sequence[tuple[int, int]]) -> tuple[Place, ...]:
        """Places of (row, column) cells, each with its row's label."""
        spans: dict[Span, None] = {}
        for row, column in cells:
            if self.types.labels is not None:
                spans[tabular.cell_span(self.table.rows[row], self.types.labels)] = None
            spans[tabular.cell_span(self.table.rows[row], column)] = None
        return tuple(Place(self.excerpt, span) for span in spans if span.start < span.end)

    def proof(self, cells: Sequence[tuple[int, int]]) -> tuple[str, ...]:
        """The texts of (row, column) cells."""
        return tuple(dict.fromkeys(self.table.rows[row].cells[column] for row, column in cells))


def sheets(scene: Scene, rows: int = ROWS, excerpt: int = 0) -> Iterator[Sheet]:
    """Tables of one excerpt that a question can name, in random order."""
    shown = scene.excerpts[excerpt]
    for table in tabular.labelled_tables(shown, scene.rng, rows):
        names = tabular.table_columns(shown, table)
        if names is None:
            continue
        types = typed.typed_table(table.columns, [row.cells for row in table.rows])
        named: tuple[int, ...] = ()
        if types.labels is not None:
            texts = [row.cells[types.labels] for row in table.rows]
            counts = Counter(map(normalise, texts))
            named = tuple(i for i, t in enumerate(texts) if counts[normalise(t)] == 1 and tabular.quotable(t))
        yield Sheet(excerpt, shown.document.title, table, types, names, named)


def row_words(sheet: Sheet, row: int, language: str) -> str:
    """A row as a question names it, by its label."""
    assert sheet.types.labels is not None
    name, label = sheet.table.columns[sheet.types.labels], sheet.label(row)
    # "(in millions)" above the labels is a note, not the name of what they are.
    name = "" if name.startswith(("(", "（")) else name
    if language == "zh":
        return f"“{name}”为“{label}”的一行" if name else f"标为“{label}”的一行"
    return f'the row where "{name}" is "{label}"' if name else f'the row labelled "{label}"'


@dataclass(frozen=True)
class Condition:
    """What the cell of a column must be for a row to count; `bound` is a cell's text as shown."""

    column: str
    relation: Literal["is", "greater", "less"]
    bound: str

    def words(self, language: str) -> str:
        """The condition as a question states it."""
        if language == "zh":
            means = {"is": f"为“{self.bound}”", "greater": f"大于{self.bound}", "less": f"小于{self.bound}"}
            return f"“{self.column}”{means[self.relation]}"
        means = {
            "is": f'is "{self.bound}"',
            "greater": f"is greater than {self.bound}",
            "less": f"is less than {self.bound}",
        }
        return f'"{self.column}" {means[self.relation]}'

    def holds(self, cell: str) -> bool:
        """Whether a cell meets it; LookupError where a number is asked of a cell without one."""
        if self.relation == "is":
            return normalise(cell) == normalise(self.bound)
        value, bound = number_in(cell), number_in(self.bound)
        return value > bound if self.relation == "greater" else value < bound


def conditions(
    sheet: Sheet, scene: Scene, tries: int, most: int = MOST_ROWS
) -> Iterator[tuple[Condition, int, tuple[int, ...]]]:
    """Random (condition, its column, rows that meet it), each once; two rows to `most`, never above four fifths."""
    columns = [c for c in sheet.types.columns if c.name and c.filled and (c.kind == "text" or _ordered(c))]
    bounds: dict[int, list[Cell]] = {}
    seen: set[Condition] = set()
    most = min(most, 4 * len(sheet.table.rows) // 5)
    for _ in range(tries if columns and most >= 2 else 0):
        column = scene.rng.choice(columns)
        relation: Literal["is", "greater", "less"] = "is"
        if column.kind != "text":
            relation = scene.rng.choice(("greater", "less"))
        if column.index not in bounds:
            bounds[column.index] = _bounds(column, most)
        cells = bounds[column.index]
        if not cells:
            continue
        if relation == "is":
            bound = scene.rng.choice(cells)
        else:
            # Cells in rising order: the size of what a bound leaves is drawn, not the bound.
            size = scene.rng.randint(2, min(most, len(cells) - 1))
            bound = cells[-size - 1] if relation == "greater" else cells[size]
        condition = Condition(column.name, relation, bound.text)
        if condition in seen or len(bound.text) > LONGEST_BOUND or not tabular.quotable(bound.text):
            continue
        seen.add(condition)
        wanted = normalise(bound.text)
        rows = tuple(
            row
            for row, cell in enumerate(column.cells)
            if (normalise(cell.text) == wanted if relation == "is" else _beyond(cell.value, relation, bound.value))
        )
        if 2 <= len(rows) <= most:
            yield condition, column.index, rows


def _bounds(column: Column, most: int) -> list[Cell]:
    """Cells that a condition may quote: texts that two to `most` rows share, or all numbers in rising order."""
    if column.kind == "text":
        counts = Counter(normalise(cell.text) for cell in column.cells)
        first = {normalise(cell.text): cell for cell in reversed(column.cells)}
        return [first[text] for text, count in counts.items() if 2 <= count <= most]
    found = sorted((cell for cell in column.cells if cell.value is not None), key=lambda cell: cell.value or 0)
    return found if len(found) > 2 else []


def _ordered(column: Column) -> bool:
    """Whether a bound may be put to the column. Identifiers and evenly spaced numbers (1, 2, 3) tell beforehand how
    many rows are below one."""
    if not (column.additive or column.kind in ("percent", "year")):
        return False
    values = sorted({cell.value for cell in column.cells if cell.value is not None})
    return len({after - before for before, after in itertools.pairwise(values)}) > 1


def _beyond(value: Decimal | None, relation: str, bound: Decimal | None) -> bool:
    if value is None or bound is None:
        return False
    return value > bound if relation == "greater" else value < bound


def value_of(cell: Cell) -> Fraction:
    """The number of a typed cell that has one."""
    assert cell.value is not None
    return Fraction(cell.value)


def number_in(text: str) -> Fraction:
    """The number of a cell; LookupError where it holds none."""
    value = typed.read_cell(text).value
    if value is None:
        raise LookupError(f"{text!r} is not a number")
    return Fraction(value)


def rows_meeting(table: ShownTable, wanted: Sequence[Condition]) -> list[tuple[str, ...]]:
    """The shown rows that meet every condition."""
    columns = [(tabular.shown_column(table, condition.column), condition) for condition in wanted]
    return [row for row in table.rows if all(condition.holds(row[index]) for index, condition in columns)]


def _numeric_rows(table: Table) -> int:
    """Rows of a table with at least one column of numbers, judged by its first rows; 0 where there is none."""
    width = len(table.columns)
    head = [row.cells for row in table.rows[:_SAMPLE] if len(row.cells) == width]
    if len(head) < ROWS or width < 2:
        return 0
    for index in range(width):
        kinds = [typed.read_cell(row[index]).kind for row in head]
        numbers = sum(kind in typed.NUMERIC for kind in kinds)
        if numbers >= ROWS and numbers >= 0.6 * sum(kind != "empty" for kind in kinds):
            return len(table.rows)
    return 0


def holds_numeric_table(document: Document) -> int:
    """Rows of the longest table with a column of numbers (criterion `numeric_table`)."""
    tables = (block.table for block in document.by_kind["table"])
    return max((_numeric_rows(table) for table in tables if table is not None), default=0)


def label_words(sheet: Sheet, language: str) -> str:
    """The column that names the rows of a table, as a question calls it."""
    name = sheet.table.columns[sheet.types.labels or 0]
    if language == "zh":
        return f"“{name}”" if name else "行名（第一列）"
    return f'"{name}"' if name else "label (in the first column)"

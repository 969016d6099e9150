"""A table of values over two axes, coloured by value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from golongrl.core.report.cells import show


class Cell(NamedTuple):
    """A value from 0 to 1, None where there is none, and a note under it such as its number of samples."""

    value: float | None
    note: str = ""


@dataclass(frozen=True)
class HeatMap:
    """`cells[row][column]` under the names of rows and columns; None where nothing was measured.

    Values stand in the cells as text, so that nothing is told by colour alone; colours run from 0 to 1.
    """

    columns: Sequence[str]
    rows: Sequence[str]
    cells: Sequence[Sequence[Cell | None]]
    column_axis: str
    row_axis: str
    caption: str = ""
    kind = "heat_map"

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.rows) or any(len(row) != len(self.columns) for row in self.cells):
            raise ValueError(
                f"heat map {self.caption!r}: needs {len(self.rows)} rows of {len(self.columns)} cells each"
            )

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """Each row's name and cells: the text, its note, and the share of full colour in percent."""
        return [
            {"name": name, "cells": [_shape(cell) for cell in row]}
            for name, row in zip(self.rows, self.cells, strict=True)
        ]


def _shape(cell: Cell | None) -> dict[str, Any]:
    if cell is None or cell.value is None:
        return {"text": "-", "note": cell.note if cell else "", "share": None}
    return {"text": show(cell.value), "note": cell.note, "share": round(100 * min(1.0, max(0.0, cell.value)))}

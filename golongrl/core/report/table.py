"""A table of plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.report.cells import is_number


@dataclass(frozen=True)
class Table:
    """Rows of plain values under named columns; the first column names its row, numbers align right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    kind = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.caption!r}: a row of {len(row)} cells under {len(self.columns)} columns"
                )

    @property
    def numeric(self) -> list[bool]:
        """Per column, whether it holds numbers and nothing else but gaps."""
        columns = [[row[index] for row in self.rows if row[index] is not None] for index in range(len(self.columns))]
        return [bool(values) and all(map(is_number, values)) for values in columns]

"""What people see: messages, tables, progress (a bar in a terminal, lines elsewhere), and JSON for programs."""

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any


def say(text: str) -> None:
    """One line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """The one JSON object of `--json`, on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # Half a surrogate pair, as in a file name that is no UTF-8, cannot be printed; \udcff is JSON for it.
    print(text.encode("utf-8", "backslashreplace").decode(), flush=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stderr; numbers are right-aligned, nothing is markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    body = [[_cell(value) for value in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(body) and all(_is_numeric(row[index]) for row in body)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        grid.add_row(*(Text(cell) for cell in row))
    Console(stderr=True, width=None if sys.stderr.isatty() else 120).print(grid)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _is_numeric(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").replace(".", "").replace("-", "").isdigit()


class Progress:
    """Counts finished items: `advance(n)` as work is done, `note(text)` for what else is worth seeing.

    `total` may be unknown.
    In a terminal a rich bar, elsewhere one line every few seconds. Use as a context manager.
    """

    def __init__(self, label: str, total: int | None = None, every: float = 5.0):
        self.label, self.total, self.every = label, total, every
        self.done = 0
        self._note = ""
        self._shown = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total)
        return self

    def advance(self, count: int = 1) -> None:
        """Note that `count` more items are finished."""
        self.done += count
        if self._bar is not None:
            self._bar.update(self._task, advance=count)
        elif time.monotonic() - self._shown >= self.every:
            self._line()

    def note(self, text: str) -> None:
        """Show `text` after the count from now on; the last note stays."""
        self._note = text
        if self._bar is not None:
            from rich.markup import escape

            self._bar.update(self._task, description=escape(f"{self.label}, {text}"))

    def _line(self) -> None:
        self._shown = time.monotonic()
        count = f"{self.done}" + (f" of {self.total}" if self.total else "")
        say(f"{self.label}: {count}" + (f", {self._note}" if self._note else ""))

    def __exit__(self, failure: object, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        # A count of nothing would only stand between the person and the error message.
        if self.done or failure is None:
            self._line()

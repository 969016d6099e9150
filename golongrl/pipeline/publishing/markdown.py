"""Pieces of a card in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; nothing in a cell breaks out of it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def shell(*lines: str) -> str:
    """Commands to run."""
    return "\n".join(["```sh", *lines, "```"])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;").replace("`", r"\`")

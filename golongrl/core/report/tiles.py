"""The few numbers a page is about, large."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tiles:
    """(label, value, note) of each number, as text; the note may be empty."""

    tiles: Sequence[tuple[str, str, str]]
    kind = "tiles"

"""Blocks side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Grid:
    """Small figures next to each other, as many in a row as there is room for."""

    blocks: Sequence[Any]
    caption: str = ""
    kind = "grid"

"""Links to other pages of the same run."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """(text, path relative to this page, note) of each."""

    links: Sequence[tuple[str, str, str]]
    kind = "links"

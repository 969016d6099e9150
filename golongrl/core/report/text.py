"""Blocks of words: a paragraph, a note that stands out, a short list of names and values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from golongrl.core.report.cells import exact, show


@dataclass(frozen=True)
class Paragraph:
    """Plain text; line breaks are kept."""

    text: str
    kind = "paragraph"


@dataclass(frozen=True)
class Note:
    """A remark that should not be overlooked; the word in front of it says how grave it is."""

    text: str
    tone: Literal["note", "warning", "failure"] = "note"
    kind = "note"


@dataclass(frozen=True)
class KeyValues:
    """A short list of names and values, in columns where it is long.

    `exact` is for settings: numbers keep all their digits, and settings within settings get dotted names.
    """

    values: Mapping[str, Any]
    exact: bool = False
    kind = "keyvalues"

    @property
    def entries(self) -> list[tuple[str, str]]:
        """Names and values as text."""
        return list(_dotted("", self.values)) if self.exact else [(name, show(v)) for name, v in self.values.items()]


def _dotted(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(f"{prefix}{name}.", value)
        else:
            yield prefix + name, exact(value)

"""A section about one phase of a build, and what such sections share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from golongrl.pipeline.dataset.reporting.card_tables import TableOf, by_count, name
from golongrl.pipeline.dataset.reporting.phase_facts import CellFacts, LearnedFacts, SegmentFacts, Tally


class Phase(NamedTuple):
    """One section: what to know, then tables with captions. `details` and `bars` (caption, label -> count) are for
    the report page alone."""

    title: str
    text: str
    tables: Sequence[tuple[str, TableOf]]
    details: Sequence[tuple[str, TableOf]] = ()
    bars: Sequence[tuple[str, Mapping[str, int]]] = ()


def shown(tables: Sequence[tuple[str, TableOf]]) -> Iterator[tuple[str, TableOf]]:
    """The tables that have rows."""
    return ((caption, table) for caption, table in tables if table[1])


def counted(caption: str, counts: Tally, what: str = "reason") -> tuple[str, TableOf]:
    """A tally as a table, the largest count first."""
    return caption, ([what, "count"], [list(entry) for entry in by_count(counts)])


def grid(caption: str, tallies: Mapping[str, Tally]) -> tuple[str, TableOf]:
    """One row per capability, one column per key that occurs."""
    columns = list(dict.fromkeys(key for tally in tallies.values() for key in tally))
    rows = [[name(key), *(tally.get(column, 0) for column in columns)] for key, tally in tallies.items()]
    return caption, (["capability", *columns], rows)


def interval(one: CellFacts | SegmentFacts | LearnedFacts) -> str:
    """ "0.120 to 0.300", or a dash."""
    return "-" if one["low"] is None or one["high"] is None else f"{one['low']:.3f} to {one['high']:.3f}"


def percent(share: float | None) -> str:
    """ "12%", or a dash."""
    return "-" if share is None else f"{share:.0%}"


def main_reasons(reasons: Tally) -> str:
    """The three most frequent reasons."""
    return ", ".join(f"{why} ({count:,})" for why, count in by_count(reasons)[:3]) or "-"

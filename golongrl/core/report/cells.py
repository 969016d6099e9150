"""How a value reads in a report: one format for a table's cell, a name's value and a figure's label."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def is_number(value: Any) -> bool:
    """Whether a value is a number; truth values are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def show(value: Any) -> str:
    """A value as text.

    "-" for None and what is not a number; yes/no for truth values; thousands separated; fractions with three
    decimals, large numbers with fewer, tiny ones with an exponent; entries of lists and mappings one after another.
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _fraction(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {show(entry)}" for name, entry in value.items()) or "-"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(map(show, value)) or "-"
    return str(value)


def exact(value: Any) -> str:
    """A value as it was given: fractions with all their digits, otherwise like `show`."""
    return f"{value:.12g}" if isinstance(value, float) else show(value)


def _fraction(value: float) -> str:
    size = abs(value)
    if math.isnan(value):
        return "-"
    if math.isinf(value) or 0 < size < 0.0005:
        return f"{value:.2g}"
    if size >= 10_000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if size >= 100 else f"{value:.3f}"


def show_time(moment: str) -> str:
    """An ISO 8601 time as "2026-05-04 17:03 UTC" (its own offset where that is another); other text as it is."""
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    zone = time.strftime("%z")
    return time.strftime("%Y-%m-%d %H:%M") + (" UTC" if zone == "+0000" else f" {zone}" if zone else "")


def score_band(score: float | None) -> str:
    """The facet value of a score in [0, 1]: its quarter, the ends apart; "no score" for None."""
    if score is None or math.isnan(score):
        return "no score"
    if score in (0, 1):
        return f"{score:.0f}"
    place = min(3, max(0, int(score * 4)))
    return ("0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1")[place]

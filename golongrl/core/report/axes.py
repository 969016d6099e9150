"""Axes of a figure: round ticks over a range, and where a value stands between two ends."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from golongrl.core.report.cells import show


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, drawn from pixel `start` to pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; values outside the axis stand at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """(pixel, label) of about `count` round values."""
        return [(self.at(value), label(value)) for value in round_values(self.low, self.high, count)]


_NOTHING = 1e-300
"""Smaller values are drawn as 0: steps between them would be no numbers any more."""


def step_of(low: float, high: float, count: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts the range in about `count` pieces."""
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def round_values(low: float, high: float, count: int = 5) -> list[float]:
    """Multiples of a round step from `low` to `high`."""
    step = step_of(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_clean(number * step) for number in range(first, last + 1)]


def reach(values: Iterable[float], count: int = 5) -> tuple[float, float]:
    """A range of round ends that holds all finite values and is never empty."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low <= 1e-9 * max(1.0, abs(high)):
        # One value alone: as much room as it is large, so that its label says something.
        low, high = (min(0.0, 2 * low), max(0.0, 2 * high)) if abs(high) > _NOTHING else (0.0, 1.0)
    step = step_of(low, high, count)
    return _clean(math.floor(low / step + 1e-9) * step), _clean(math.ceil(high / step - 1e-9) * step)


def _clean(value: float) -> float:
    """Without the tail that binary fractions leave: 0.6000000000000001 is 0.6."""
    return float(f"{value:.12g}")


def label(value: float) -> str:
    """A tick's label: no more digits than it needs."""
    if value == int(value) and abs(value) < 1_000_000:
        return show(int(value))
    if abs(value) >= 1_000_000 or abs(value) < 0.001:
        return f"{value:.3g}"
    return f"{value:.10g}"

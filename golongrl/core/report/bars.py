"""Horizontal bars with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.report.axes import Axis, reach
from golongrl.core.report.cells import show


@dataclass(frozen=True)
class Bars:
    """Horizontal bars (label, value, low, high) with an interval where low and high are given, as inline SVG.

    The axis runs from 0 to `top`, by default a round value above the largest value or upper end. Label and value
    stand beside each bar as text: nothing is told by length alone, and long labels break instead of overlapping.
    """

    rows: Sequence[tuple[str, float, float | None, float | None]]
    caption: str = ""
    top: float | None = None
    small: bool = False
    """For figures side by side in a `Grid`."""
    kind = "bars"

    @property
    def axis(self) -> Axis:
        """0 to the top in percent of the drawing's width."""
        ends = [end for _, value, _, high in self.rows for end in (value, high) if end is not None]
        return Axis(0.0, self.top or max(reach([0.0, *ends])[1], 1e-12), 0, 100)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(percent, label) of the axis."""
        return self.axis.ticks(2 if self.small else 5)

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """Each bar's label, width, ends of its interval (percent) and value as text."""
        axis = self.axis
        return [
            {
                "label": label,
                "width": axis.at(value),
                "low": None if low is None else axis.at(low),
                "high": None if high is None else axis.at(high),
                "text": show(value) if low is None or high is None else f"{show(value)} [{show(low)}, {show(high)}]",
            }
            for label, value, low, high in self.rows
        ]

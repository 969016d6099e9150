"""Differences with their intervals around zero: a forest plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from golongrl.core.report.axes import Axis, reach

Tone = Literal["better", "worse", "open"]


@dataclass(frozen=True)
class ForestRow:
    """One row: the difference, the ends of its interval (None without one), its numbers in words, and what it says.

    Weight is the share of the largest square that this one has, by the number of items behind it.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    text: str
    tone: Tone = "open"
    weight: float = 1.0


@dataclass(frozen=True)
class Forest:
    """Differences around zero as inline SVG; `unit` names the axis. Better and worse are also told by shape.

    Better than the baseline points right, worse left, and what is not shown is a square; the numbers stand beside.
    """

    rows: Sequence[ForestRow]
    caption: str = ""
    unit: str = ""
    kind = "forest"

    @property
    def axis(self) -> Axis:
        """As far on either side of zero as the farthest end, in percent of the drawing's width."""
        ends = [abs(end) for row in self.rows for end in (row.value, row.low, row.high) if end is not None]
        top = max(reach([0.0, *ends])[1], 1e-12)
        return Axis(-top, top, 0, 100)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """(percent, label) of the axis; what is above zero has a plus."""
        axis = self.axis
        return [(place, text if place <= axis.at(0) else f"+{text}") for place, text in axis.ticks(6)]

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """Each row's place and ends (percent), half the size of its mark (pixels), tone and texts."""
        axis = self.axis
        return [
            {
                "label": row.label,
                "text": row.text,
                "tone": row.tone,
                "place": axis.at(row.value),
                "low": None if row.low is None else axis.at(row.low),
                "high": None if row.high is None else axis.at(row.high),
                "half": round(4 + 4 * min(1.0, max(0.0, row.weight)) ** 0.5, 1),
            }
            for row in self.rows
        ]

"""Curves over two axes, with bands of uncertainty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.report.axes import Axis, reach
from golongrl.core.report.cells import show
from golongrl.core.report.table import Table

Point = tuple[float, float]

HUES = 9
"""Colours that the style sheet names; each is also told apart by its dashes."""
DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4")
NUMBERS = 200
"""Rows of a figure's table of numbers."""
DOTS = 60
"""A curve of at most so many points shows each of them."""


@dataclass(frozen=True)
class Line:
    """One curve: points (x, y) by rising x; a point that is not finite leaves a gap. `band` is (x, low, high)."""

    name: str
    points: Sequence[Point]
    band: Sequence[tuple[float, float, float]] = ()
    dots: Sequence[Point] = ()
    """Single values that the curve sums up, drawn faintly."""


@dataclass(frozen=True)
class Lines:
    """Curves as inline SVG, told apart by dashes as well as by colour; a `Line` or (name, points) each.

    Ranges are chosen to hold everything where they are None. `x` and `y` name the axes. `numbers` puts the values
    into a table below that opens on demand. `small` is for figures side by side in a `Grid`.
    """

    series: Sequence[Line | tuple[str, Sequence[Point]]]
    caption: str = ""
    x: str = ""
    y: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    from_zero: bool = False
    """Whether the chosen vertical range holds 0."""
    numbers: bool = True
    small: bool = False
    kind = "lines"

    @property
    def lines(self) -> list[Line]:
        """The curves."""
        return [line if isinstance(line, Line) else Line(*line) for line in self.series]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawing."""
        return (304, 190) if self.small else (760, 320)

    @property
    def _ticks(self) -> int:
        return 4 if self.small else 5

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Horizontal and vertical axis in the drawing's units."""
        lines, (width, height) = self.lines, self.size
        points = [point for line in lines for point in (*line.points, *line.dots) if math.isfinite(point[1])]
        ends = [end for line in lines for _, low, high in line.band for end in (low, high)]
        held = [y for _, y in points] + ends + [0.0] * self.from_zero
        low, high = self.y_range or reach(held, self._ticks)
        vertical = Axis(low, high, height - (44 if self.x else 28), 14)
        room = max((len(text) for _, text in vertical.ticks(self._ticks)), default=1)
        left = 14 + 7.2 * room + (18 if self.y else 0)
        places = [x for x, _ in points]
        start, end = self.x_range or ((min(places), max(places)) if places else (0.0, 1.0))
        return Axis(start, end if end > start else start + 1, left, width - 18), vertical

    @property
    def drawing(self) -> dict[str, Any]:
        """Everything the template draws: axes, and per curve its strokes, band, dots and legend."""
        across, up = self.axes
        steps = [tick for tick in across.ticks(4 if self.small else 8) if self._whole(tick[1])]
        return {
            "left": across.start,
            "right": across.end,
            "bottom": up.start,
            "top": up.end,
            "x_ticks": steps,
            "y_ticks": up.ticks(self._ticks),
            "curves": [self._curve(line, index, across, up) for index, line in enumerate(self.lines)],
        }

    def _whole(self, text: str) -> bool:
        """Steps and counts have no fractions: no tick between two of them."""
        whole = all(float(x).is_integer() for line in self.lines for x, _ in line.points)
        return not whole or "." not in text

    def _curve(self, line: Line, index: int, across: Axis, up: Axis) -> dict[str, Any]:
        runs: list[list[str]] = [[]]
        for x, y in line.points:
            if math.isfinite(y):
                runs[-1].append(f"{across.at(x)},{up.at(y)}")
            elif runs[-1]:
                runs.append([])
        band = [(across.at(x), up.at(low), up.at(high)) for x, low, high in line.band]
        shown = list(line.dots) or (line.points if len(line.points) <= DOTS else [])
        return {
            "name": line.name,
            "hue": index % HUES,
            "dash": DASHES[index % len(DASHES)],
            "runs": [" ".join(run) for run in runs if len(run) > 1],
            "dots": [(across.at(x), up.at(y)) for x, y in shown if math.isfinite(y)],
            "faint": bool(line.dots),
            "band": " ".join([f"{x},{high}" for x, _, high in band] + [f"{x},{low}" for x, low, _ in reversed(band)]),
        }

    @property
    def table(self) -> Table:
        """The values, thinned evenly to at most `NUMBERS` rows."""
        by_name = [(line.name, dict(line.points)) for line in self.lines]
        places = sorted({x for _, points in by_name for x in points})
        thin = math.ceil(len(places) / NUMBERS) or 1
        rows = [
            [show(int(x)) if float(x).is_integer() else show(x), *(points.get(x) for _, points in by_name)]
            for x in places[::thin]
        ]
        caption = f"Every {thin}th value" if thin > 1 else ""
        return Table([self.x or "x", *(name for name, _ in by_name)], rows, caption)

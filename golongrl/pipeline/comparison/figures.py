"""Rows of the forest plots: differences in points, with what was said about them."""

from golongrl.core.report.forest import ForestRow, Tone
from golongrl.pipeline.comparison.verdict import HasInterval, Outcome, difference_text, p_text

UNIT = "points"
TONES: dict[Outcome | None, Tone] = {"better": "better", "worse": "worse"}
"""Which outcomes a figure tells apart; all others are open."""


def forest_row(
    label: str, one: HasInterval, p_holm: float | None = None, outcome: Outcome | None = None, weight: float = 1.0
) -> ForestRow:
    """A row of a forest plot; `weight` is the share of the largest square."""
    text = difference_text(one) + ("" if p_holm is None else f", p {p_text(p_holm)}")
    low, high = (None if end is None else 100 * end for end in (one.low, one.high))
    return ForestRow(label, 100 * one.mean, low, high, text, TONES.get(outcome, "open"), weight)

"""The forest plot: differences around zero."""

import pytest

from golongrl.core.report import Forest, page
from golongrl.core.report.forest import ForestRow

ROWS = (
    ForestRow("em", 2.0, 1.0, 4.0, "+2.0 [1.0, 4.0]", "better", 1.0),
    ForestRow("f1", -3.0, None, None, "-3.0", "worse", 0.25),
    ForestRow("iou", 0.0, -0.5, 0.5, "0.0 [-0.5, 0.5]"),
)


def test_zero_is_in_the_middle_and_the_farthest_end_is_on_the_axis():
    forest = Forest(ROWS)
    assert (forest.axis.low, forest.axis.high, forest.axis.at(0)) == (-4.0, 4.0, 50.0)
    assert [(s["place"], s["low"], s["high"]) for s in forest.shapes] == [
        (75.0, 62.5, 100.0),
        (12.5, None, None),
        (50.0, 43.8, 56.2),
    ]
    assert [s["half"] for s in forest.shapes] == [8.0, 6.0, 8.0]


def test_ticks_say_on_which_side_they_are():
    assert [text for _, text in Forest(ROWS).ticks] == ["-4", "-2", "0", "+2", "+4"]


def test_better_and_worse_differ_in_shape_and_text_is_escaped():
    html = page("t", [("s", Forest([*ROWS, ForestRow("<b>", 1.0, None, None, "<i>")], unit="points"))])
    assert '<path d="M-8.0 -8.0L8.0 0L-8.0 8.0Z"/>' in html
    assert '<path d="M6.0 -6.0L-6.0 0L6.0 6.0Z"/>' in html
    assert html.count('class="interval"') == 2
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


@pytest.mark.parametrize("rows", [(), (ForestRow("x", 0.0, None, None, "0"),)])
def test_nothing_and_no_difference_still_draw(rows):
    assert Forest(rows).axis.at(0) == 50.0
    assert "<figure>" in page("t", [("s", Forest(rows))])

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from golongrl.core.errors import DataError
from golongrl.core.report import (
    Bars,
    Grid,
    Header,
    KeyValues,
    Line,
    Lines,
    Note,
    Page,
    Paragraph,
    Sample,
    Table,
    Viewer,
    header_of,
    page,
    score_band,
    script_of,
    show,
    show_time,
)
from golongrl.core.report.axes import reach, round_values
from golongrl.core.report.viewer import facet_order
from golongrl.core.runs import open_run

SCRIPT = script_of("viewer")


def test_everything_is_escaped_and_nothing_is_fetched():
    attack = '<script>alert("x")</script>'
    html = page(
        attack,
        [
            (attack, [Paragraph(attack), KeyValues({attack: attack})]),
            ("t", Table([attack], [[attack]], caption=attack)),
            ("b", Bars([(attack, 0.5, 0.4, 0.6)], caption=attack)),
        ],
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 9
    assert "http" not in html.replace("http-equiv", "")
    assert "color-scheme: light dark" in html


def test_tables_name_their_columns_and_rows():
    html = page("Report", [("Part", Table(["metric", "mean"], [["em", 0.25]], caption="Means"))])
    assert "<caption>Means</caption>" in html
    assert '<th scope="row">em</th>' in html
    assert '<td class="number">0.250</td>' in html


def test_bars_scale_to_a_round_value_above_the_largest_end_and_show_the_interval():
    bars = Bars([("a", 0.5, 0.4, 2.0), ("b", 1.0, None, None)])
    assert bars.ticks == [(0, "0"), (25, "0.5"), (50, "1"), (75, "1.5"), (100, "2")]
    assert [s["width"] for s in bars.shapes] == [25, 50]
    shape = bars.shapes[0]
    assert (shape["low"], shape["high"], shape["text"]) == (20, 100, "0.500 [0.400, 2.000]")
    assert bars.shapes[1]["low"] is None
    assert [s["width"] for s in Bars([("a", 87, None, None)]).shapes] == [87]
    assert [s["width"] for s in Bars([("a", 0, None, None)]).shapes] == [0]
    assert [s["width"] for s in Bars([("a", 3.0, None, None)], top=1.0).shapes] == [100]


def test_values_read_the_same_everywhere():
    shown = {
        None: "-", True: "yes", 1234: "1,234", 0.5: "0.500", "x": "x", 0.0: "0.000", -0.25: "-0.250", 1e-6: "1e-06",
        1322.71: "1,322.7", 123456.7: "123,457", float("nan"): "-", float("inf"): "inf", (): "-",
        (1000, "b"): "1,000, b",
    }  # fmt: skip
    assert {value: show(value) for value in shown} == shown
    assert show({"a": 0.5, "b": None}) == "a: 0.500, b: -"


def test_times_are_shown_with_their_zone():
    assert show_time("2026-05-04T17:03:59+0000") == "2026-05-04 17:03 UTC"
    assert show_time("2026-05-04T17:03:59+0530") == "2026-05-04 17:03 +0530"
    assert show_time("yesterday") == "yesterday"


def test_scores_fall_in_quarters_with_the_ends_apart():
    bands = [score_band(score) for score in (None, 0.0, 0.1, 0.25, 0.5, 0.75, 0.999, 1.0)]
    assert bands == [
        "no score", "0", "0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1", "0.75 to 1", "1",
    ]  # fmt: skip


def test_settings_keep_their_digits_and_get_dotted_names():
    settings = KeyValues({"learning_rate": 2e-6, "steps": 1000, "verl": {"a": {"b": 0.1}}, "empty": {}}, exact=True)
    assert settings.entries == [("learning_rate", "2e-06"), ("steps", "1,000"), ("verl.a.b", "0.1"), ("empty", "-")]


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
@example(0.0, 5e-324)
def test_axes_hold_what_they_are_for_and_have_round_ticks(one, other):
    low, high = reach([one, other])
    assert low < high
    # What is no longer than a billionth of a step beyond an end is seen as standing there.
    assert low <= min(one, other) + 1e-8 * (high - low)
    assert high >= max(one, other) - 1e-8 * (high - low)
    ticks = round_values(low, high)
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(ticks)


def test_ticks_are_multiples_of_one_two_or_five():
    assert round_values(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert round_values(0, 87) == [0, 20, 40, 60, 80]
    assert reach([0.0, 87.0]) == (0, 100)
    assert reach([3.0]) == (0, 6)
    assert reach([]) == (0, 1)
    assert reach([float("nan"), 0.0]) == (0, 1)


def test_curves_leave_gaps_and_show_bands_and_numbers():
    line = Line(
        "em", [(1, 0.0), (2, 1.0), (3, float("nan")), (4, 0.5), (5, 0.5)], band=[(1, 0.0, 0.2), (2, 0.8, 1.0)]
    )
    lines = Lines([line], x="step")
    (curve,) = lines.drawing["curves"]
    assert len(curve["runs"]) == 2
    assert len(curve["dots"]) == 4
    assert len(curve["band"].split()) == 4
    # Steps are whole: no tick stands between two of them.
    assert [text for _, text in lines.drawing["x_ticks"]] == ["1", "2", "3", "4", "5"]
    assert lines.table.rows[1] == ["2", 1.0]
    across, up = lines.axes
    assert (across.at(1), across.at(5)) == (across.start, across.end)
    assert (up.at(0), up.at(1), up.at(2)) == (up.start, up.end, up.end)


def test_long_curves_have_a_thinned_table():
    lines = Lines([("a", [(x, float(x)) for x in range(1000)])])
    assert len(lines.table.rows) == 200
    assert lines.table.caption == "Every 5th value"


def test_every_block_has_its_template_and_sections_without_blocks_are_left_out():
    grid = Grid([Bars([("x", 1.0, None, None)]), Lines([("y", [(0.0, 1.0)])], small=True)], "Two figures")
    html = page("t", [("A", [Note("look", "warning"), grid]), ("Nothing", []), ("B", Table(["a"], [], "No rows"))])
    for text in ("<strong>Warning</strong> look", "Two figures", "table.bars {", ".lines svg {", "No rows: none"):
        assert text in html
    assert "Nothing" not in html


def test_a_header_says_what_when_and_how_it_went():
    html = page("t", [("s", Paragraph("x"))], Header("Reward audit", "failed", {"golongrl": "1.2.3"}))
    for text in ("<span>golongrl</span> Reward audit", 'class="verdict failed">failed<', "1.2.3"):
        assert text in html


def test_a_headers_state_comes_from_the_manifest(tmp_path):
    run = open_run(tmp_path / "run", {}, command="eval")
    going = header_of(run.folder, "Evaluation", "passed", model="m")
    assert going.verdict == "unfinished"
    assert list(going.facts) == ["started", "as of", "golongrl", "model"]
    assert header_of(run.folder, "Evaluation", complete=True).verdict == "finished"
    run.finish()
    done = header_of(run.folder, "Evaluation", "passed")
    assert done.verdict == "passed"
    assert done.facts["finished"] == show_time(run.manifest["finished"])
    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        header_of(tmp_path, "Evaluation")


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(["a", "b"], [["x"]])


def test_a_page_with_lone_surrogates_can_be_written(tmp_path):
    Page("A", [("B", Paragraph("\ud800"))]).write(tmp_path / "sub" / "report.html")
    assert "\\ud800" in (tmp_path / "sub" / "report.html").read_text(encoding="utf-8")


def test_a_column_of_numbers_with_gaps_is_aligned_as_numbers():
    table = Table(["step", "em", "note"], [[1, None, "a"], [2, 0.5, 3]])
    assert table.numeric == [True, True, False]
    html = page("t", [("s", table)])
    assert '<td class="number">-</td>' in html
    assert '<td class="number">0.500</td>' in html


HOSTILE = "</script><img src=x onerror=alert(1)><!-- <script>"


def sample(number, kind="plain", text="text"):
    marked = (("before ", False), (text, True), (" after", False))
    return Sample((kind,), f"line {number}", (("question", f"question {number}"), ("evidence", marked)))


def embedded(html):
    """The JSON of the first viewer, as an HTML parser finds it."""
    soup = pytest.importorskip("bs4").BeautifulSoup(html, "lxml")
    return json.loads(soup.select_one(".viewer script[type='application/json']").string), soup


def test_samples_travel_as_json_that_no_text_can_leave():
    viewer = Viewer(
        ("kind",), [Sample((HOSTILE,), HOSTILE, ((HOSTILE, HOSTILE), ("e", ((HOSTILE, True),))))], HOSTILE
    )
    html = page("t", [("s", viewer)])
    data, soup = embedded(html)
    assert data["facets"] == ["kind"]
    assert data["rows"] == [[[HOSTILE], HOSTILE, [[HOSTILE, HOSTILE], ["e", [[HOSTILE, 1]]]]]]
    assert not soup.find_all("img")
    assert [script.get("type") for script in soup.find_all("script")] == ["application/json", None]
    assert html.lower().count("</script") == 2


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_comes_back_from_the_page(text):
    viewer = Viewer(("kind",), [Sample((text,), text, ((text, text),))])
    assert "<" not in viewer.data
    assert json.loads(viewer.data)["rows"] == [[[text], text, [[text, text]]]]


def test_the_policy_lets_only_the_viewers_script_run():
    html = page("t", [("s", Viewer(("kind",), [sample(1)]))])
    _, soup = embedded(html)
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    script = soup.find_all("script")[-1].string
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(|https?:", SCRIPT)
    assert "script" not in page("t", [("s", Paragraph("x"))])


def test_facets_are_offered_by_size_then_by_name():
    found = sorted([">1m", "4k", "1m", "512", "32k", "0 to 0.25", "T2", "em", "1to"], key=facet_order)
    assert found == ["0 to 0.25", "512", "4k", "32k", "1m", ">1m", "1to", "T2", "em"]
    samples = [Sample((kind,), "x", ()) for kind in ("32k", "4k", "32k")]
    assert json.loads(Viewer(("length",), samples).data)["values"] == [["4k", "32k"]]


def test_a_sample_without_its_facets_is_refused():
    with pytest.raises(ValueError, match="'line 1' has 1 facets under the names kind, form"):
        Viewer(("kind", "form"), [sample(1)])


def test_the_viewer_shows_only_the_rows_in_sight(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    samples = [sample(n, "odd" if n % 2 else "even", HOSTILE if n == 301 else "text") for n in range(1000)]
    (tmp_path / "script.js").write_text(SCRIPT)
    (tmp_path / "data.json").write_text(Viewer(("kind",), samples).data)
    done = subprocess.run(
        [node, Path(__file__).with_name("small_dom.js"), tmp_path / "script.js", tmp_path / "data.json", "ONERROR"],
        capture_output=True,
        text=True,
        check=True,
    )
    seen = {state["step"]: state for state in map(json.loads, done.stdout.splitlines())}
    assert seen["start"]["status"] == "1,000 of 1,000 samples"
    assert (seen["start"]["rows"], seen["start"]["first"]) == (12 + 5, "even · line 0")
    assert seen["start"]["chosen"] == "even · line 0"
    assert (seen["scrolled"]["rows"], seen["scrolled"]["first"]) == (12 + 10, "odd · line 95")
    assert (seen["filtered"]["status"], seen["filtered"]["first"]) == ("500 of 1,000 samples", "odd · line 1")
    assert (seen["searched"]["status"], seen["searched"]["marks"]) == ("1 of 1,000 samples", [HOSTILE])
    assert "img" not in seen["searched"]["tags"]
    assert seen["moved"]["chosen"] == "odd · line 301"
    assert (seen["nothing"]["rows"], seen["nothing"]["parts"]) == (0, [])

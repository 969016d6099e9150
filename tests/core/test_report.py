import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.report import Bars, KeyValues, Paragraph, Table, page, show, write_page
from golongrl.core.report_viewer import SCRIPT, Sample, Viewer


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
    assert "prefers-color-scheme: dark" in html


def test_tables_name_their_columns_and_rows():
    html = page("Report", [("Part", Table(["metric", "mean"], [["em", 0.25]], caption="Means"))])
    assert "<caption>Means</caption>" in html
    assert '<th scope="row">em</th>' in html
    assert '<td class="number">0.250</td>' in html


def test_bars_scale_to_the_largest_end_and_show_the_interval():
    shapes = Bars([("a", 0.5, 0.4, 2.0), ("b", 1.0, None, None)]).shapes
    assert [s["width"] for s in shapes] == [75.0, 150.0]
    assert (shapes[0]["low"], shapes[0]["high"], shapes[0]["text"]) == (300.0, 540.0, "0.500 [0.400, 2.000]")
    assert shapes[1]["low"] is None


def test_cells():
    assert [show(v) for v in (None, True, 1234, 0.5, "x")] == ["-", "yes", "1,234", "0.500", "x"]


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(["a", "b"], [["x"]])


def test_write_page_survives_lone_surrogates(tmp_path):
    write_page(tmp_path / "sub" / "report.html", "A", [("B", Paragraph("\ud800"))])
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
    assert seen["start"]["status"] == "1000 of 1000 samples"
    assert (seen["start"]["rows"], seen["start"]["first"]) == (12 + 5, "even · line 0")
    assert seen["start"]["chosen"] == "even · line 0"
    assert (seen["scrolled"]["rows"], seen["scrolled"]["first"]) == (12 + 10, "odd · line 95")
    assert (seen["filtered"]["status"], seen["filtered"]["first"]) == ("500 of 1000 samples", "odd · line 1")
    assert (seen["searched"]["status"], seen["searched"]["marks"]) == ("1 of 1000 samples", [HOSTILE])
    assert "img" not in seen["searched"]["tags"]
    assert seen["moved"]["chosen"] == "odd · line 301"
    assert (seen["nothing"]["rows"], seen["nothing"]["parts"]) == (0, [])

import pytest

from golongrl.core.report import Bars, KeyValues, Paragraph, Table, page, show, write_page


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

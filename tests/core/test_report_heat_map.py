"""Heat maps, tiles and links of a report page."""

import pytest

from golongrl.core.report import Cell, HeatMap, Links, Page, Tiles

bs4 = pytest.importorskip("bs4")


def soup(*blocks):
    return bs4.BeautifulSoup(Page("t", [("a", list(blocks))]).html(), "lxml")


def test_every_cell_says_its_value_and_how_many_samples_it_has():
    cells = [[Cell(0.25, "3 of 4"), None], [Cell(None, "0 of 2"), Cell(1.0)]]
    page = soup(HeatMap(["4k", "8k"], ["0-20%", "20-40%"], cells, "length", "evidence after", "by length"))
    table = page.select_one(".heat table")
    assert [th.text for th in table.select("thead th")] == ["evidence after", "length", "4k", "8k"]
    assert [th.text for th in table.select("tbody th[scope=row]")] == ["0-20%", "20-40%"]
    found = [(td.contents[0], td.small.text if td.small else "", td.get("style", "")) for td in table.select("td")]
    assert found == [
        ("0.250", "3 of 4", "--share: 25%"),
        ("-", "", ""),
        ("-", "0 of 2", ""),
        ("1.000", "", "--share: 100%"),
    ]
    assert page.select_one(".heat")["aria-label"] == "by length"


def test_a_heat_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="needs 2 rows of 1 cells"):
        HeatMap(["4k"], ["a", "b"], [[None]], "x", "y")


def test_tiles_and_links_are_escaped():
    page = soup(
        Tiles([("score", "<b>1</b>", "a & b")]), Links([("mrcr <1m>", 'mrcr"1m/report.html', "javascript:alert(1)")])
    )
    assert page.select_one(".tiles dd").contents[0] == "<b>1</b>"
    assert page.select_one(".tiles small").text == "a & b"
    link = page.select_one("main ul a")
    assert (link.text, link["href"]) == ("mrcr <1m>", "mrcr%221m/report.html")
    # A path is quoted, so it cannot name a scheme.
    (other,) = soup(Links([("x", "javascript:alert(1)", "")])).select("main ul a")
    assert other["href"] == "javascript%3Aalert%281%29"

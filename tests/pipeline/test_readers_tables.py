"""Tables: HTML, delimited text and workbooks; header rows, units, spacer columns and what is refused."""

import datetime
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.dataset.readers import Origin, RefusedError, archive_limits, delimited, grid, html, xlsx


def page(text):
    return next(iter(html.read(text, Origin("p.html", "p", ".html", "CC0"))))


def only_table(document):
    (table,) = [block.table for block in document.blocks if block.table]
    return table


def kinds(document):
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.table is None]


def row(*cells, tag="td"):
    """Cells as texts, or (text, colspan)."""
    made = [cell if isinstance(cell, tuple) else (cell, 1) for cell in cells]
    return "<tr>" + "".join(f'<{tag} colspan="{wide}">{text}</{tag}>' for text, wide in made) + "</tr>"


def test_blocks_of_a_page():
    text = (
        "<html><head><title>News &amp; views</title></head><body><nav>menu</nav><script>x()</script>"
        "<h2>Part <b>one</b></h2>loose <i>te</i>xt<p>Body &amp; soul &#151; all.<br>Next</p><!-- gone -->"
        '<p hidden>no</p><div style="display: none">no <p>no</p></div><header>top</header>'
        "<ul><li>alpha</li><li><p>beta</p><p>more</p></li><li>gamma<ol><li>inner</li></ol></li></ul>"
        "<article><header><h3>Inside</h3></header></article><pre>a <b>b\n</b>  c<br>d</pre></body></html>"
    )
    document = page(text)
    assert document.title == "News & views"
    assert kinds(document) == [
        ("heading", "Part one"),
        ("paragraph", "loose text"),
        ("paragraph", "Body & soul — all. Next"),
        ("item", "alpha"),
        ("item", "beta"),
        ("paragraph", "more"),
        ("item", "gamma"),
        ("item", "inner"),
        ("heading", "Inside"),
        ("code", "a b\n  c\nd"),
    ]
    assert [b.group for b in document.blocks if b.kind == "item"] == [1, 1, 1, 2]


def test_bold_paragraphs_are_headings_where_a_page_marks_none():
    bold = (
        '<div><span style="font-weight:700">Item 1. Business:</span></div>'
        "<p><b>Run in:</b> text.</p><p><b>Risks</b></p>"
    )
    assert kinds(page(bold + "<p><b>A whole sentence.</b></p><p><b>(in millions)</b></p>")) == [
        ("heading", "Item 1. Business:"),
        ("paragraph", "Run in: text."),
        ("heading", "Risks"),
        ("paragraph", "A whole sentence."),
        ("paragraph", "(in millions)"),
    ]
    assert [b.level for b in page(bold).blocks if b.kind == "heading"] == [2, 3]
    assert ("paragraph", "Risks") in kinds(page("<h1>Title</h1>" + bold))


def test_old_pages_nest_deeply():
    document = page("<font>word " * 1500 + "<p>The end.")
    assert document.text.count("word") == 1500
    assert document.text.endswith("The end.")
    with pytest.raises(RefusedError, match="nested too deeply"):
        page("<div>word " * 5000 + "<p>The end.")


FILING = (
    "<table>"
    + row(*[""] * 12)
    + row(("(Dollars in millions)", 3), ("Year ended December 31,", 9))
    + row(("", 3), ("2023", 3), ("", 1), ("2022", 3), ("", 2))
    + row(("Sales", 3), "$", "1,467", "", "", "$", "1,300", "", ("", 2))
    + row(("Costs", 3), "$", "( 97", ")", "", ("—", 3), ("", 2))
    + row(("Margin", 3), ("12.5", 2), "%", "", ("( 3 )", 2), "%", ("", 2))
    + "</table>"
)


def test_a_filing_table_is_regular():
    table = only_table(page(FILING))
    assert table.columns == ("(Dollars in millions)", "Year ended December 31, 2023", "Year ended December 31, 2022")
    assert table.regular
    assert [r.cells for r in table.rows] == [
        ("Sales", "$1,467", "$1,300"),
        ("Costs", "$(97)", "—"),
        ("Margin", "12.5%", "(3)%"),
    ]


def test_spans_captions_and_sections():
    text = (
        "<table><caption>Table 4</caption>"
        + '<tr><th rowspan="2">City</th><th colspan="2">Rain</th></tr>'
        + row("May", "June", tag="th")
        + row(("North", 3))
        + row("Oslo", "1", "2")
        + row("Total", "1", "2")
        + row(("South", 3))
        + row("Rome", "3", "4")
        + row("Total", "3", "4")
        + "</table>"
    )
    document = page(text)
    assert kinds(document) == [("paragraph", "Table 4")]
    table = only_table(document)
    assert table.columns == ("City", "Rain May", "Rain June")
    names = [r.cells[0] for r in table.rows]
    assert names == ["North", "Oslo", "North: Total", "South", "Rome", "South: Total"]


def test_cells_over_several_rows_are_repeated():
    text = '<table><tr><td>a</td><td>b</td></tr><tr><td rowspan="2">x</td><td>1</td></tr><tr><td>2</td></tr></table>'
    assert [r.cells for r in only_table(page(text)).rows] == [("x", "1"), ("x", "2")]


def test_tables_that_are_none():
    bullets = "<table>" + row("•", "First point.") + row("•", "Second point.") + "</table>"
    notes = "<table>" + row("(1)", "A note that is long enough to be one.") + "</table>"
    layout = (
        "<table><tr><td><h2>Menu</h2><p>One.</p></td><td><table>"
        + row("a", "b")
        + row("c", "1")
        + "</table></td></tr></table>"
    )
    assert kinds(page(bullets)) == [("item", "First point."), ("item", "Second point.")]
    assert kinds(page(notes)) == [("paragraph", "(1) A note that is long enough to be one.")]
    document = page(layout)
    assert kinds(document) == [("heading", "Menu"), ("paragraph", "One.")]
    assert only_table(document).columns == ("a", "b")


def test_data_without_a_header_gets_no_names():
    table = only_table(page("<table>" + row("Part I", "1") + row("Part II", "12") + "</table>"))
    assert not table.regular
    assert [r.cells for r in table.rows] == [("Part I", "1"), ("Part II", "12")]


def test_broken_spans_do_no_harm():
    text = (
        '<table><tr><td colspan="9999999">a</td><td rowspan="x">b</td></tr><tr><td colspan="-1">c</td></tr></table>'
    )
    assert "a" in page(text).text
    assert page("<table></table>").text == page("<table><tr></tr></table>").text == ""


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ([["", "2019", "2018"], ["", "€m", "€m"]], ["Name", "2019 €m", "2018 €m"]),
        ([["", "", "Fiscal"], ["", "2019", "2018"], ["", "(in millions)", ""]],
         ["Name", "Fiscal 2019 (in millions)", "Fiscal 2018 (in millions)"]),
        ([["As of", "2019", "2018"]], ["As of", "2019", "2018"]),
        ([["", "Sum at start of", ""], ["", "Period", "Change"]], ["Name", "Sum at start of Period", "Change"]),
        ([["Country", "Area", "Coast"], ["", "km²", "km"]], ["Country", "Area km²", "Coast km"]),
        ([["($ in millions)", "", ""], ["", "2019", "2018"]], ["($ in millions)", "2019", "2018"]),
    ],
)  # fmt: skip
def test_header_rows(rows, columns):
    framed = grid.frame([*rows, ["one", "1,000", "2"], ["two", "3", "4"]])
    assert framed.columns == tuple(columns)
    assert framed.rows == (("one", "1,000", "2"), ("two", "3", "4"))


def test_groups_of_columns_and_captions():
    rows = [
        ["Table 1. Results", "", "", "", ""],
        ["", "Domestic", "", "Abroad", ""],
        ["", "2019", "2018", "2019", "2018"],
        ["Rate", "4.0%", "3.7%", "1.9%", "2.8%"],
        ["Cost", "5", "6", "7", "8"],
    ]
    framed = grid.frame(rows)
    assert framed.columns == ("Table 1. Results", "Domestic 2019", "Domestic 2018", "Abroad 2019", "Abroad 2018")
    rows[1][0] = "Item"
    framed = grid.frame(rows)
    assert framed.captions == ("Table 1. Results",)
    assert framed.columns[0] == "Item"


CELLS = st.sampled_from(["", "a", "b", "12", "2019", "(3)", "—", "x y", "%"])


@given(st.lists(st.lists(CELLS, max_size=5), max_size=8), st.none() | st.integers(0, 9))
def test_no_text_of_a_table_is_lost(rows, heads):
    framed = grid.frame(rows, heads=heads)
    shown = " ".join([*framed.captions, *framed.columns, *(cell for cells in framed.rows for cell in cells)])
    assert all(cell in shown for cells in rows for cell in cells)
    assert len({len(cells) for cells in (framed.columns, *framed.rows)}) <= 1 or not framed.columns


def table_of(text, suffix=".csv", column=None):
    return list(delimited.read(text, Origin(f"t{suffix}", "t", suffix, "CC0", column)))


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        ("name;size\nant;3\nbee;4\n", ("name", "size"), ("ant", "3")),
        ("3,2,red,blue\n1.5,2.5,7\n2.5,3.5,8\n", ("column 1", "column 2", "column 3"), ("1.5", "2.5", "7")),
        ("1,2\n3,4\n", ("column 1", "column 2"), ("1", "2")),
        ('a,b\n"x, y",1\n', ("a", "b"), ("x, y", "1")),
        ('a,b\n"x\ny",1\n', ("a", "b"), ("x y", "1")),
        ("year,2021,2022\nants,3,4\n", ("year", "2021", "2022"), ("ants", "3", "4")),
        (",name,size\n0,ant,3\n1,bee,4\n", ("Row", "name", "size"), ("0", "ant", "3")),
        ("Ants of 2020,,\nname,size,age\nant,3,1\nbee,4,2\n", ("name", "size", "age"), ("ant", "3", "1")),
        ("Ants of 2020\nname,size,age\nant,3,1\nbee,4,2\n", ("name", "size", "age"), ("ant", "3", "1")),
        ("name,size,age\n,mm,years\nant,3,1\nbee,4,2\n", ("name", "size mm", "age years"), ("ant", "3", "1")),
        ("name\tsize\nant\t3\n", ("name", "size"), ("ant", "3")),
        ("Art;Preis;Zahl\nAal;1,50;2,3\nHai;2,75;1,1\n", ("Art", "Preis", "Zahl"), ("Aal", "1,50", "2,3")),
        ("1,50;2,25\n2,75;1,10\n", ("column 1", "column 2"), ("1,50", "2,25")),
        ('name,said\nant,"a; b; c"\nbee,"d; e; f"\n', ("name", "said"), ("ant", "a; b; c")),
        ('name,said\nant,"a,\nb; c; d; e"\nbee,no\n', ("name", "said"), ("ant", "a, b; c; d; e")),
        ("sentence\nThe ant ran\nA bee flew far\n", ("sentence",), ("The ant ran",)),
        ("sep=;\r\nname;size\r\nant;3\r\n", ("name", "size"), ("ant", "3")),
        ("name,size,,\nant,3,,\nbee,4,,\n", ("name", "size"), ("ant", "3")),
    ],
)
def test_delimited_tables(text, columns, first):
    (document,) = table_of(text)
    table = only_table(document)
    assert table.columns == columns
    assert table.rows[0].cells == first
    assert ("paragraph", "Ants of 2020") in kinds(document) or "Ants" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3\n", "row 3 has 1 fields"),
        ('a,b\n1,2\n"3\n4",5\n6\n', "row 5 has 1 fields"),
        ('a,b\n"1,2\n', "unexpected end of data"),
        ("a,b\n", "found 1 row"),
        ("a,b\n1,\x002\n", "NUL"),
    ],
)
def test_corrupt_delimited_tables(text, words):
    with pytest.raises(RefusedError, match=words):
        table_of(text)


def test_rows_of_long_texts_are_documents():
    text = "title,text,price\n" + "".join(f'T{n},"{"A sentence about it. " * 30}",{n}\n' for n in range(3))
    assert [(d.source, d.title) for d in table_of(text)] == [("t.csv#1", "T0"), ("t.csv#2", "T1"), ("t.csv#3", "T2")]
    short = "title,note\nT0,short words\nT1,more words\n"
    assert len(table_of(short)) == 1
    assert [d.text for d in table_of(short, column="note")] == ["short words", "more words"]


def test_a_long_table_is_read_to_its_end():
    text = "id,name,price\n" + "".join(f"{n},item {n},{n}.5\n" for n in range(20_000))
    (document,) = table_of(text)
    rows = only_table(document).rows
    assert len(rows) == 20_000
    assert rows[-1].cells == ("19999", "item 19999", "19999.5")


def workbook(fill):
    book = openpyxl.Workbook()
    book.remove(book.active)
    fill(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def read_xlsx(data):
    return next(iter(xlsx.read_bytes(data, Origin("w.xlsx", "w", ".xlsx", "CC0"))))


def test_workbooks():
    def fill(book):
        sheet = book.create_sheet("Sales")
        for cells in (
            ["Report"],
            [],
            [None, "Region", None, "Year ended", None],
            [None, None, None, 2023, 2022],
            [None, "North", None, 1.1 + 2.2, datetime.date(2020, 1, 2)],
            [None, "South", None, True, datetime.datetime(2020, 1, 2, 3, 4)],
        ):
            sheet.append(cells)
        book.create_sheet("Empty")
        book.create_sheet("表").append(["名称", "数量"])
        book["表"].append(["苹果", 3.0])

    document = read_xlsx(workbook(fill))
    assert document.title == "w"
    assert kinds(document) == [("heading", "Sales"), ("paragraph", "Report"), ("heading", "表")]
    tables = [block.table for block in document.blocks if block.table]
    assert tables[0].columns == ("Region", "Year ended 2023", "Year ended 2022")
    assert [r.cells for r in tables[0].rows] == [
        ("North", "3.3", "2020-01-02"),
        ("South", "TRUE", "2020-01-02 03:04:00"),
    ]
    assert tables[1].columns == ("名称", "数量")
    assert tables[1].rows[0].cells == ("苹果", "3")


def test_workbook_limits_and_damage(monkeypatch):
    data = workbook(lambda book: [book.create_sheet("S").append([n, n]) for n in range(3)])
    with pytest.raises(RefusedError):
        read_xlsx(data[: len(data) // 2])
    with pytest.raises(RefusedError, match="Excel workbook"):
        read_xlsx(b"no workbook at all")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(RefusedError, match="damaged Excel workbook"):
        read_xlsx(other.getvalue())
    monkeypatch.setattr(xlsx, "MAX_CELLS", 3)
    with pytest.raises(RefusedError, match="more than 3 cells"):
        read_xlsx(data)
    monkeypatch.setattr(archive_limits, "MAX_TOTAL_BYTES", 100)
    with pytest.raises(RefusedError, match="above the limit"):
        read_xlsx(data)


def test_a_stray_cell_far_below_does_not_fill_memory():
    def fill(book):
        sheet = book.create_sheet("S")
        sheet.append(["a", "b"])
        sheet.append([1, 2])
        sheet.cell(1_000_000, 16_000, "far")

    document = read_xlsx(workbook(fill))
    assert only_table(document).columns == ("a", "b")


def test_a_table_of_all_the_columns_a_spreadsheet_has_is_read_without_the_empty_ones():
    # Cutting them off one by one would copy the table half a million times.
    empty = "," * 500_000
    document = next(delimited.read(f"name,size{empty}\nant,3{empty}\n", Origin("a.csv", "a", ".csv", "CC0")))
    assert only_table(document).columns == ("name", "size")


@pytest.mark.parametrize(
    "between", ["</body></html>", "</body>", "</body></html><!-- x --><html><head></head><body>"]
)
def test_what_stands_behind_the_end_of_a_broken_page_is_read(between):
    assert kinds(page(f"<html><body><p>one</p>{between}<p>two</p>")) == [("paragraph", "one"), ("paragraph", "two")]


def test_spans_that_multiply_fill_neither_memory_nor_time():
    text = "<table>" + "<tr><td rowspan=1000 colspan=1000>x<td>y" * 3000 + "</table><p>after</p>"
    document = page(text)
    assert kinds(document)[-1] == ("paragraph", "after")
    assert len(only_table(document).rows) >= 2_999
    assert len(document.text) < 200_000


def test_a_table_of_holes_is_refused():
    text = "<table><tr>" + "<td>x" * 10_000 + "<tr><td>y" * 10_000 + "</table>"
    with pytest.raises(RefusedError, match="10,001 rows and up to 10,000 columns, above the limit"):
        page(text)

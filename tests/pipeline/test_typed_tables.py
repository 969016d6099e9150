"""Typed table cells and columns: exact numbers, units, missing cells, labels, totals, and the naming of tables."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.documents import DocumentBuilder
from golongrl.pipeline.dataset import typed, view
from golongrl.pipeline.dataset.construct import sheet, tabular
from golongrl.pipeline.dataset.construct.form import Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt


@pytest.mark.parametrize(
    ("text", "kind", "value", "unit"),
    [
        ("1,234", "integer", "1234", ""),
        ("$ 1,234", "currency", "1234", "usd"),
        ("(1,234)", "integer", "-1234", ""),
        ("( 97 )", "integer", "-97", ""),
        ("$(5.50)", "currency", "-5.50", "usd"),
        ("12.3%", "percent", "12.3", "%"),
        ("(248%)", "percent", "-248", "%"),
        ("( 12.5 )%", "percent", "-12.5", "%"),
        ("1,234 元", "currency", "1234", "rmb"),
        ("3.4亿元", "currency", "3.4", "亿 rmb"),
        ("1.2 million", "decimal", "1.2", "million"),
        ("−3", "integer", "-3", ""),
        ("１２", "integer", "12", ""),
        ("5 km", "integer", "5", "km"),
        ("2019", "year", "2019", ""),
    ],
)
def test_numbers_keep_their_exact_value_and_unit(text, kind, value, unit):
    cell = typed.read_cell(text)
    assert (cell.kind, cell.value, cell.unit) == (kind, Decimal(value), unit)


@pytest.mark.parametrize("text", ["", "—", "-", "--", "- - %", "n/a", "N/A", "无", "…"])
def test_missing_cells_are_empty(text):
    assert typed.read_cell(text) == typed.Cell(text, "empty")


@pytest.mark.parametrize("text", ["007", "1,23", "(12", "10.", "1 234", "$5 km", "Item 4", "+-3", "12%%"])
def test_what_is_no_plain_number_is_text(text):
    assert typed.read_cell(text).kind == "text"


@pytest.mark.parametrize("text", ["2020-01-05", "February 26, 2024", "5 Jan 2020", "2020年1月5日", "01/05/2020"])
def test_dates(text):
    assert typed.read_cell(text).kind == "date"


@given(st.integers(-(10**12), 10**12), st.integers(0, 4))
def test_a_written_number_is_read_back(units, places):
    value = Decimal(units).scaleb(-places)
    cell = typed.read_cell(f"{value:,f}")
    assert cell.value == value
    assert cell.decimals == places or cell.kind == "year"


def columns_of(name, *cells):
    return typed.typed_table(["label", name], [[f"row {n}", cell] for n, cell in enumerate(cells)]).columns[1]


def test_a_column_has_one_unit_or_is_text():
    assert columns_of("a", "$ 5", "7", "—", "$ 12").kind == "currency"
    assert columns_of("a", "5%", "7%").kind == "percent"
    assert columns_of("a", "5%", "7").kind == "text"
    assert columns_of("a", "5 km", "7 miles").kind == "text"
    assert columns_of("a", "$5", "€7").kind == "text"
    assert columns_of("a", "1.2 million", "7").kind == "text"
    assert columns_of("a", "5", "2.5").kind == "decimal"
    assert columns_of("a", "1990", "2001").kind == "year"
    assert columns_of("a", "1990", "12").kind == "integer"
    assert columns_of("a", "", "-").kind == "empty"


def test_only_amounts_are_added():
    assert columns_of("Sales", "5", "7").additive
    assert columns_of("Number of shares", "5", "7").additive
    assert not columns_of("Share", "5%", "7%").additive
    assert not columns_of("Account no.", "5", "7").additive
    assert not columns_of("Rank", "1", "2").additive
    assert not columns_of("编号", "1", "2").additive
    assert not columns_of("Sales", "1.2 million", "7 million").additive


def test_scales_and_years_of_column_names():
    assert typed.scale_of("Sales (in millions)") == 10**6
    assert typed.scale_of("2019 €m") == 10**6
    assert typed.scale_of("$’000") == 1000
    assert typed.scale_of("金额（万元）") == 10**4
    assert typed.scale_of("in the millionth place") == 1
    assert typed.year_of("30 June 2019") == (2019, "30 june")
    assert typed.year_of("2018 and 2019") is None
    assert typed.year_of("Sales") is None


def test_total_rows_are_found_by_label_and_by_sum():
    rows = [
        ["Cash", "130", "91"],
        ["Stock", "128", "126"],
        ["Other", "9", "8"],
        ["", "267", "225"],
        ["Plant", "1,000", "1,100"],
        ["Total assets", "1,267", "1,325"],
    ]
    table = typed.typed_table(["As of", "2019", "2018"], rows)
    assert table.labels == 0
    assert table.totals == {3, 5}
    assert typed.is_sum("Total assets")
    assert typed.is_sum("合计")
    assert typed.is_total("Average cost")
    assert not typed.is_sum("Average of totals")


def test_numbers_that_add_up_by_chance_are_no_totals():
    rows = [["a", "1", "2"], ["b", "2", "3"], ["c", "3", "5"], ["d", "6", "10"]]
    assert typed.typed_table(["x", "y", "z"], rows).totals == frozenset()


def excerpt(*tables, title="Zoo", text="A paragraph about the animals of the zoo."):
    builder = DocumentBuilder()
    builder.heading(title, 1)
    for names, rows in tables:
        builder.paragraph(text)
        builder.table(names, rows)
    document = builder.build(source="zoo.md")
    return Excerpt(document, document.blocks)


ANIMALS = (["animal", "legs", "home"], [["ant", "6", "soil"], ["bee", "6", "hive"], ["crab", "10", "sea"]])
PLANTS = (["plant", "legs", "home"], [["elm", "0", "soil"], ["fir", "0", "hill"], ["oak", "0", "hill"]])


def test_a_key_is_the_fewest_columns_that_tell_rows_apart():
    keyed = tabular.keyed_table(excerpt(ANIMALS), random.Random(0), rows=3)
    assert keyed.key == (0,)
    assert tabular.where_row(keyed, keyed.table.rows[2], "en") == '"animal" is "crab"'
    assert tabular.where_row(keyed, keyed.table.rows[2], "zh") == "“animal”为“crab”"
    shown = excerpt((["x", "y", "z"], [["1", "1", "5"], ["1", "2", "5"], ["2", "1", "7"]]))
    assert tabular.keyed_table(shown, random.Random(0), rows=3).key == (0, 1)
    again = excerpt((["x", "y"], [["1", "1"], ["1", "1"], ["1", "1"]]))
    assert tabular.keyed_table(again, random.Random(0), rows=3) == Unfit("no table whose rows can be told apart")


def test_a_table_is_named_by_columns_that_no_other_has():
    one, two = excerpt(ANIMALS), excerpt(ANIMALS, PLANTS)
    assert tabular.where_table(one, one.tables[0]) == 'the table in "Zoo"'
    named = 'the table with the columns "animal", "legs", "home" in the document "Zoo"'
    assert tabular.where_table(two, two.tables[0]) == named


def test_a_table_whose_columns_another_one_has_too_is_not_asked_about():
    wider = (["home", "legs", "animal", "food"], [["a", "1", "b", "c"], ["d", "2", "e", "f"], ["g", "3", "h", "i"]])
    shown = excerpt(ANIMALS, wider)
    found = tabular.askable_tables(shown, random.Random(0), rows=3)
    assert [table.columns for table in found] == [tuple(wider[0])]
    with pytest.raises(LookupError, match="another table"):
        tabular.where_table(shown, shown.tables[0])


def test_shown_tables_resolve_by_title_and_columns():
    shown = excerpt(ANIMALS, PLANTS)
    seen = view.read(f"[Document 1] Zoo\n{shown.text}")
    table = tabular.shown_table(seen, "zoo", ("Animal",))
    assert tabular.shown_rows(table, [("home", "HIVE")]) == [("bee", "6", "hive")]
    assert tabular.shown_column(table, "legs") == 1
    for title, columns in (("Zoo", ()), ("Zoo", ("home",)), ("Zoo", ("wings",)), ("Ark", ("animal",))):
        with pytest.raises(LookupError):
            tabular.shown_table(seen, title, columns)


def test_a_nameless_column_of_labels_is_no_obstacle_to_numbers():
    shown = excerpt((["", "2019", "2018"], [["Cash", "130", "91"], ["Stock", "28", "26"], ["Cash", "9", "8"]]))
    assert shown.tables == []
    found = next(sheet.sheets(Scene((shown,), 0, random.Random(0))))
    assert found.named_rows == (1,)
    assert sheet.row_words(found, 1, "en") == 'the row labelled "Stock"'


def test_numeric_tables_are_recognised():
    assert sheet.holds_numeric_table(excerpt(ANIMALS).document) == 3
    words = (["a", "b"], [["x", "y"], ["z", "u"], ["v", "w"]])
    assert sheet.holds_numeric_table(excerpt(words).document) == 0

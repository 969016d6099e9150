"""T4, numerical reasoning over tables: differences, growth, shares, sums, means and counts of rows."""

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

from golongrl.pipeline.dataset import typed
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.figures import (
    EXACT,
    SMALL,
    gold_rounded,
    plain,
    rounded,
    rounding,
    tolerance,
)
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Scene, Unfit
from golongrl.pipeline.dataset.construct.sheet import (
    Condition,
    Named,
    Sheet,
    conditions,
    number_in,
    row_words,
    rows_meeting,
    sheets,
    value_of,
)
from golongrl.pipeline.dataset.construct.tally import quoted
from golongrl.pipeline.dataset.typed import Column
from golongrl.pipeline.dataset.view import View

MOST_SUMMED = 30
"""Most rows of a table whose column is added up whole."""
COUNTED = 8
"""Fewest rows of a table whose rows are counted."""
TRIES = 40

DIFFERENCE = Phrasings(
    "cell_difference",
    en=(
        "In {table}, what is the {column} value of {first} minus the {column} value of {second}? {exact}",
        "Look at {table}. Take {column} of {first} and subtract {column} of {second}. What is the result? It is "
        "negative where the latter is larger. {exact}",
        "According to {table}, by how much does {column} in {first} exceed {column} in {second}? Give a negative "
        "number if it is smaller. {exact}",
    ),
    zh=(
        "在{table}中，{first}的{column}减去{second}的{column}等于多少？{exact}",
        "查看{table}：先取{first}的{column}，再减去{second}的{column}，结果是多少（可以为负）？{exact}",
        "根据{table}，{first}的{column}比{second}的{column}大多少？若更小则写负数。{exact}",
    ),
)


def cell_difference(scene: Scene) -> Candidate | Unfit:
    """The difference of two cells of one column, in the order asked, so that either sign occurs."""
    found = next((cells for sheet in sheets(scene) for cells in _pairs(sheet, scene)), None)
    if found is None:
        return Unfit("no column with two far numbers in rows that their labels tell apart")
    sheet, column, first, second, gold = found
    language = scene.language
    question, template = DIFFERENCE.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        column=quoted(column.name, language),
        first=row_words(sheet, first, language),
        second=row_words(sheet, second, language),
        exact=EXACT[language],
    )
    solve = partial(_difference, sheet.named, column.name, (sheet.label(first), sheet.label(second)))
    cells = [(first, column.index), (second, column.index)]
    return Candidate(question, template, (gold,), sheet.evidence(cells), solve, proof=sheet.proof(cells))


def _pairs(sheet: Sheet, scene: Scene) -> Iterator[tuple[Sheet, Column, int, int, str]]:
    """(sheet, column, row, other row, gold) of random cells whose difference is worth asking for."""
    columns = [c for c in sheet.types.columns if c.name and not c.identifies and c.kind not in ("year", "date")]
    for _ in range(TRIES if columns else 0):
        column = scene.rng.choice(columns)
        rows = [row for row in sheet.named_rows if column.cells[row].amount or column.cells[row].kind == "percent"]
        if len(rows) < 2:
            continue
        first, second = scene.rng.sample(rows, 2)
        one, other = column.cells[first], column.cells[second]
        if not typed.same_unit(one, other):
            continue
        gold = plain(value_of(one) - value_of(other))
        operands = (plain(value_of(one)), plain(value_of(other)), plain(-value_of(other)))
        # A difference of few units is guessed, and one that repeats an operand is read off instead of worked out.
        if len(gold.strip("-").replace(".", "")) >= 2 and gold not in operands:
            yield sheet, column, first, second, gold


def _difference(named: Named, column: str, rows: tuple[str, str], view: View) -> list[str]:
    one, other = (named.number(view, row, column) for row in rows)
    return [plain(one - other)]


GROWTH = Phrasings(
    "growth_rate",
    en=(
        "In {table}, by what percentage did the value in {row} change from the column {old} to the column {new}? "
        "A decrease is negative. {rounding}",
        "According to {table}, what is the growth rate in percent of {row} from {old} to {new} (that is, the new "
        "value minus the old one, divided by the old one, times 100)? {rounding}",
        "Take {row} in {table}. Compute (value in {new} minus value in {old}) divided by the value in {old}, as a "
        "percentage. {rounding}",
    ),
    zh=(
        "在{table}中，{row}从{old}列到{new}列的增长率是百分之多少？下降用负数表示。{rounding}",
        "根据{table}，计算{row}的增长率（{new}列的值减去{old}列的值，再除以{old}列的值，乘以100）。{rounding}",
        "查看{table}里{row}：与{old}列相比，{new}列的值变化了百分之几（减少为负）？{rounding}",
    ),
)


def growth_rate(scene: Scene) -> Candidate | Unfit:
    """The change in percent of one row between two columns that differ in their year alone."""
    found = next((cells for sheet in sheets(scene) for cells in _growths(sheet, scene)), None)
    if found is None:
        return Unfit("no labelled row with two positive numbers in columns that differ in their year alone")
    sheet, row, old, new, gold = found
    language = scene.language
    question, template = GROWTH.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        row=row_words(sheet, row, language),
        old=quoted(sheet.table.columns[old], language),
        new=quoted(sheet.table.columns[new], language),
        rounding=rounding(1, language),
    )
    columns = (sheet.table.columns[old], sheet.table.columns[new])
    solve = partial(_growth, sheet.named, sheet.label(row), columns)
    cells = [(row, old), (row, new)]
    return Candidate(
        question,
        template,
        (gold,),
        sheet.evidence(cells),
        solve,
        proof=sheet.proof(cells),
        extra=tolerance(gold, 1),
    )


def _growths(sheet: Sheet, scene: Scene) -> Iterator[tuple[Sheet, int, int, int, str]]:
    """(sheet, row, older column, newer column, gold) with values that have a growth rate."""
    years: dict[str, list[tuple[int, int]]] = {}
    for index, name in enumerate(sheet.table.columns):
        found = typed.year_of(name)
        if found:
            years.setdefault(found[1], []).append((found[0], index))
    pairs = [
        (one[1], other[1])
        for same in years.values()
        for one, other in itertools.combinations(sorted(same), 2)
        if one[0] < other[0]
    ]
    rows = list(sheet.named_rows)
    for _ in range(TRIES if pairs and rows else 0):
        (old, new), row = scene.rng.choice(pairs), scene.rng.choice(rows)
        before, after = (typed.read_cell(sheet.table.rows[row].cells[index]) for index in (old, new))
        if not before.amount or not after.amount or not typed.same_unit(before, after):
            continue
        if value_of(before) <= 0 or value_of(after) <= 0:
            continue
        gold = gold_rounded(100 * (value_of(after) / value_of(before) - 1), 1)
        if gold is not None and not gold.endswith("00.0"):
            yield sheet, row, old, new, gold


def _growth(named: Named, row: str, columns: tuple[str, str], view: View) -> list[str]:
    before, after = (named.number(view, row, column) for column in columns)
    return [rounded((after - before) / before * 100, 1)]


SHARE_OF_ROW = Phrasings(
    "share_of_total",
    en=(
        "In {table}, what percentage of the {column} value of {whole} is the {column} value of {part}? {rounding}",
        "According to {table}, divide {column} of {part} by {column} of {whole} and give the result as a percentage. "
        "{rounding}",
        "Take the column {column} of {table}. Which share, in percent, does {part} have of {whole}? {rounding}",
    ),
    zh=(
        "在{table}中，{part}的{column}占{whole}的{column}的百分之多少？{rounding}",
        "根据{table}，用{part}的{column}除以{whole}的{column}，以百分数表示结果。{rounding}",
        "查看{table}的{column}一列：{part}的值相当于{whole}的值的百分之几？{rounding}",
    ),
)
SHARE_OF_SUM = Phrasings(
    "share_of_total",
    en=(
        "In {table}, add up {column} over all rows. What percentage of this sum is the {column} value of {part}? "
        "{rounding}",
        "According to {table}, divide {column} of {part} by the sum of {column} over all rows, and give the result "
        "as a percentage. {rounding}",
        "Take the column {column} of {table}. Which share, in percent, of the sum of all its values does {part} "
        "have? {rounding}",
    ),
    zh=(
        "在{table}中，把所有行的{column}相加，{part}的{column}占这个总和的百分之多少？{rounding}",
        "根据{table}，用{part}的{column}除以全部各行{column}之和，以百分数表示结果。{rounding}",
        "查看{table}的{column}一列：{part}的值在全部各行之和中占百分之几？{rounding}",
    ),
)


def share_of_total(scene: Scene) -> Candidate | Unfit:
    """One row as a percentage of the table's total row, or of the sum over all rows where there is no total."""
    found = next((cells for sheet in sheets(scene) for cells in _shares(sheet, scene)), None)
    if found is None:
        return Unfit("no column of positive amounts with a total row, or without any total and missing cell")
    sheet, column, part, whole, gold = found
    language = scene.language
    fields = {
        "table": tabular.where_table(scene.target, sheet.table),
        "column": quoted(column.name, language),
        "part": row_words(sheet, part, language),
        "rounding": rounding(1, language),
    }
    if whole is None:
        question, template = SHARE_OF_SUM.pick(scene, **fields)
        cells = [(part, column.index), *((row, column.index) for row in range(len(sheet.table.rows)))]
    else:
        question, template = SHARE_OF_ROW.pick(scene, whole=row_words(sheet, whole, language), **fields)
        cells = [(part, column.index), (whole, column.index)]
    divisor = None if whole is None else sheet.label(whole)
    solve = partial(_share, sheet.named, column.name, sheet.label(part), divisor)
    return Candidate(
        question,
        template,
        (gold,),
        sheet.evidence(cells),
        solve,
        proof=sheet.proof(cells),
        extra=tolerance(gold, 1),
    )


def _shares(sheet: Sheet, scene: Scene) -> Iterator[tuple[Sheet, Column, int, int | None, str]]:
    """(sheet, column, row, total row or None, gold)."""
    columns = [c for c in sheet.types.columns if c.name and not c.identifies]
    totals = [row for row in sheet.named_rows if row in sheet.types.totals and _divides(sheet.label(row))]
    parts = [row for row in sheet.named_rows if row not in sheet.types.totals]
    summed = not sheet.types.totals and len(sheet.table.rows) <= MOST_SUMMED
    for _ in range(TRIES if columns and parts and (totals or summed) else 0):
        column, part = scene.rng.choice(columns), scene.rng.choice(parts)
        cell = column.cells[part]
        whole = scene.rng.choice(totals) if totals else None
        if whole is None:
            if not column.additive or not column.filled or not all(value_of(other) >= 0 for other in column.cells):
                continue
            amount = sum(map(value_of, column.cells), Fraction(0))
        else:
            if not column.cells[whole].amount or not typed.same_unit(cell, column.cells[whole]):
                continue
            amount = value_of(column.cells[whole])
        if not cell.amount or not 0 < value_of(cell) < amount:
            continue
        gold = gold_rounded(100 * value_of(cell) / amount, 1)
        if gold is not None and gold not in ("50.0", "100.0"):
            yield sheet, column, part, whole, gold


def _divides(label: str) -> bool:
    """Whether a total row may be a denominator: it says so, or only its value does; an average may not."""
    return typed.is_sum(label) or not typed.is_total(label)


def _share(named: Named, column: str, part: str, whole: str | None, view: View) -> list[str]:
    value = named.number(view, part, column)
    if whole is not None:
        return [rounded(100 * value / named.number(view, whole, column), 1)]
    table = named.table(view)
    index = tabular.shown_column(table, column)
    return [rounded(100 * value / sum(number_in(row[index]) for row in table.rows), 1)]


SUM = Phrasings(
    "total_where",
    en=(
        "In {table}, what is the sum of {column} over all rows where {condition}? {exact}",
        "According to {table}, add up {column} of every row in which {condition}. {exact}",
        "Take the rows of {table} where {condition}. What do their {column} values add up to? {exact}",
    ),
    zh=(
        "在{table}中，所有{condition}的行的{column}之和是多少？{exact}",
        "根据{table}，把{condition}的每一行的{column}相加，结果是多少？{exact}",
        "找出{table}中{condition}的各行，它们的{column}合计是多少？{exact}",
    ),
)
MEAN = Phrasings(
    "total_where",
    en=(
        "In {table}, what is the mean of {column} over all rows where {condition}? {exact}",
        "According to {table}, what is the average {column} of the rows in which {condition}? {exact}",
        "Take the rows of {table} where {condition}. What is the arithmetic mean of their {column} values? {exact}",
    ),
    zh=(
        "在{table}中，所有{condition}的行的{column}的平均值是多少？{exact}",
        "根据{table}，{condition}的各行的{column}平均是多少？{exact}",
        "找出{table}中{condition}的各行，求它们的{column}的算术平均值。{exact}",
    ),
)


def total_where(scene: Scene) -> Candidate | Unfit:
    """The sum or the mean of a column over the rows that meet a condition stated exactly."""
    found = next((cells for sheet in sheets(scene, 4) for cells in _aggregates(sheet, scene)), None)
    if found is None:
        return Unfit("no table without totals where a condition picks rows of a column of amounts")
    sheet, column, condition, by, rows, kind, gold = found
    language = scene.language
    question, template = (SUM if kind == "sum" else MEAN).pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        column=quoted(column.name, language),
        condition=condition.words(language),
        exact=EXACT[language] if kind == "sum" else rounding(2, language),
    )
    solve = partial(_aggregate, sheet.named, column.name, condition, kind)
    cells = [(row, index) for row in rows for index in (by, column.index)]
    extra = {} if kind == "sum" else tolerance(gold, 2)
    return Candidate(question, template, (gold,), sheet.evidence(cells), solve, proof=sheet.proof(cells), extra=extra)


def _aggregates(
    sheet: Sheet, scene: Scene
) -> Iterator[tuple[Sheet, Column, Condition, int, tuple[int, ...], str, str]]:
    """(sheet, column, condition, its column, rows, "sum" or "mean", gold)."""
    columns = [c for c in sheet.types.columns if c.name and c.additive]
    if sheet.types.totals or not columns:
        return
    for condition, by, rows in conditions(sheet, scene, TRIES):
        column = scene.rng.choice(columns)
        cells = [column.cells[row] for row in rows]
        if column.index == by or any(cell.value is None for cell in cells) or len({c.value for c in cells}) < 2:
            continue
        total = sum(map(value_of, cells), Fraction(0))
        kind = scene.rng.choice(("sum", "mean"))
        gold = plain(total) if kind == "sum" else gold_rounded(total / len(rows), 2)
        if gold is not None and abs(total) >= 2 * SMALL:
            yield sheet, column, condition, by, rows, kind, gold


def _aggregate(named: Named, column: str, condition: Condition, kind: str, view: View) -> list[str]:
    table = named.table(view)
    index = tabular.shown_column(table, column)
    values = [number_in(row[index]) for row in rows_meeting(table, [condition])]
    if not values:
        raise LookupError("no row meets the condition")
    total = sum(values, Fraction(0))
    return [plain(total) if kind == "sum" else rounded(total / len(values), 2)]


COUNT = Phrasings(
    "rows_counted",
    en=(
        "How many rows of {table} meet this condition: {condition}? The header row does not count.",
        "Count the rows in {table} where {condition}, leaving out the header row. How many are there?",
        "In {table}, for how many of the rows below the header is it true that {condition}?",
    ),
    zh=(
        "{table}中有多少行满足：{condition}？表头不计。",
        "统计{table}中{condition}的行数（不含表头），一共有多少行？",
        "在{table}的表头以下各行中，{condition}的有几行？",
    ),
)
COUNT_SHARE = Phrasings(
    "rows_counted",
    en=(
        "What percentage of the rows of {table} meet this condition: {condition}? The header row does not count. "
        "{rounding}",
        "Count the rows in {table} where {condition}, and divide by the number of all its rows, leaving out the "
        "header row. Give the result as a percentage. {rounding}",
        "In {table}, for what share, in percent, of the rows below the header is it true that {condition}? "
        "{rounding}",
    ),
    zh=(
        "{table}中满足{condition}这一条件的行占全部行数的百分之多少？表头不计。{rounding}",
        "统计{table}中{condition}的行数，除以总行数（均不含表头），以百分数表示。{rounding}",
        "在{table}的表头以下各行中，{condition}的行占百分之几？{rounding}",
    ),
)


def rows_counted(scene: Scene) -> Candidate | Unfit:
    """How many rows meet two conditions or one; their share in percent where they are few."""
    found = next((cells for sheet in sheets(scene, COUNTED) for cells in _counts(sheet, scene)), None)
    if found is None:
        return Unfit("no long table without totals where a condition picks rows")
    sheet, wanted, cells, share, gold = found
    language = scene.language
    fields = {
        "table": tabular.where_table(scene.target, sheet.table),
        "condition": ("且" if language == "zh" else " and ").join(c.words(language) for c in wanted),
    }
    if share:
        question, template = COUNT_SHARE.pick(scene, rounding=rounding(1, language), **fields)
    else:
        question, template = COUNT.pick(scene, **fields)
    solve = partial(_count, sheet.named, wanted, share)
    return Candidate(
        question,
        template,
        (gold,),
        sheet.evidence(cells),
        solve,
        proof=sheet.proof(cells),
        extra=tolerance(gold, 1) if share else {},
    )


def _counts(
    sheet: Sheet, scene: Scene
) -> Iterator[tuple[Sheet, tuple[Condition, ...], list[tuple[int, int]], bool, str]]:
    """(sheet, conditions, cells that meet them, whether the share is asked for, gold)."""
    if sheet.types.totals:
        return
    found = list(itertools.islice(conditions(sheet, scene, TRIES), 6))
    pairs = [pair for pair in itertools.combinations(found, 2) if pair[0][1] != pair[1][1]]
    scene.rng.shuffle(pairs)
    both = [
        ((one[0], other[0]), rows, (one[1], other[1]))
        for one, other in pairs
        if 0 < len(rows := [row for row in one[2] if row in other[2]]) < min(len(one[2]), len(other[2]))
    ]
    single = [((condition,), list(rows), (by,)) for condition, by, rows in found]
    for wanted, rows, columns in both[:1] + single if scene.rng.random() < 0.5 else single:
        share = len(rows) < SMALL or scene.rng.random() < 0.3
        gold = gold_rounded(Fraction(100 * len(rows), len(sheet.table.rows)), 1) if share else str(len(rows))
        if gold is not None and gold not in ("50.0", "25.0", "75.0"):
            yield sheet, wanted, [(row, column) for row in rows for column in columns], share, gold


def _count(named: Named, wanted: Sequence[Condition], share: bool, view: View) -> list[str]:
    table = named.table(view)
    count = len(rows_meeting(table, wanted))
    return [rounded(Fraction(100 * count, len(table.rows)), 1) if share else str(count)]

"""T5, structured extraction from tables: rows that meet a condition, and two tables joined on a column.

The gold is the JSON text `{"data": [[...], ...]}` of 2 to 12 distinct rows, cells as the document shows them.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial

from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import tabular, tally
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Scene, Unfit
from golongrl.pipeline.dataset.construct.sheet import Condition, Named, Sheet, conditions, rows_meeting, sheets
from golongrl.pipeline.dataset.construct.tally import quoted
from golongrl.pipeline.dataset.view import ShownTable, View
from golongrl.rewards.table_iou import row_key

FEWEST, MOST = 2, 12
"""Fewest and most gold rows."""
TRIES = 40
Rows = Sequence[Sequence[str | int]]


def table_json(rows: Rows) -> str:
    """Rows as the JSON text that the reward reads."""
    return json.dumps({"data": [list(row) for row in rows]}, ensure_ascii=False)


def distinct_rows(rows: Rows) -> bool:
    """Whether there are as many rows as an answer may have, and the reward keeps all apart."""
    return FEWEST <= len(rows) <= MOST and len({row_key(list(row)) for row in rows}) == len(rows)


def _listed(names: Sequence[str], language: str) -> str:
    return ("、" if language == "zh" else ", ").join(quoted(name, language) for name in names)


CELLS = {
    "en": "Write every cell exactly as the document shows it.",
    "zh": "每个单元格与文档中所示完全一致。",
}
ROWS = Phrasings(
    "table_rows",
    en=(
        "From {table}, extract every row where {condition}, as rows with these columns in this order: {columns}. "
        "{cells}",
        "Take all rows of {table} in which {condition}. Give for each of them a row that holds, in this order, "
        "{columns}. {cells}",
        "Which rows of {table} meet the condition that {condition}? Return one row per match with the columns "
        "{columns}, in that order. {cells}",
    ),
    zh=(
        "从{table}中提取所有{condition}的行，每行依次给出以下各列：{columns}。{cells}",
        "找出{table}里{condition}的全部行，为每一行写出一个数据行，列的顺序为{columns}。{cells}",
        "{table}的哪些行满足{condition}这一条件？每个匹配的行返回一行，依次包含{columns}。{cells}",
    ),
)


def table_rows(scene: Scene) -> Candidate | Unfit:
    """The rows of a table that meet a condition, with some of the columns."""
    found = next((choice for sheet in sheets(scene, 4) for choice in _filters(sheet, scene)), None)
    if found is None:
        return Unfit("no table where a condition picks two to twelve rows without empty cells")
    sheet, condition, by, rows, columns = found
    language = scene.language
    names = [sheet.table.columns[index] for index in columns]
    question, template = ROWS.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        condition=condition.words(language),
        columns=_listed(names, language),
        cells=CELLS[language],
    )
    gold = table_json([[sheet.table.rows[row].cells[index] for index in columns] for row in rows])
    used = [(row, index) for row in rows for index in (by, *columns)]
    proof = sheet.proof([(row, index) for row in rows for index in columns])
    solve = partial(_filtered, sheet.named, condition, names)
    return Candidate(question, template, (gold,), sheet.evidence(used), solve, proof=proof)


def _filters(sheet: Sheet, scene: Scene) -> Iterator[tuple[Sheet, Condition, int, tuple[int, ...], list[int]]]:
    """(sheet, condition, its column, rows, columns asked for) of projections without empty or long cells."""
    for condition, by, rows in conditions(sheet, scene, TRIES, MOST):
        usable = [
            index
            for index, name in enumerate(sheet.table.columns)
            if name and index != by and all(tabular.quotable(sheet.table.rows[row].cells[index]) for row in rows)
        ]
        if len(usable) < 2:
            continue
        columns = scene.rng.sample(usable, scene.rng.randint(2, min(4, len(usable))))
        cells = [[sheet.table.rows[row].cells[index] for index in columns] for row in rows]
        alone = all(tally.alone(scene.target, cell) for row in cells for cell in row)
        if alone and distinct_rows(cells):
            yield sheet, condition, by, rows, columns


def _filtered(named: Named, condition: Condition, columns: Sequence[str], view: View) -> list[str]:
    table = named.table(view)
    wanted = [tabular.shown_column(table, name) for name in columns]
    return [table_json([[row[index] for index in wanted] for row in rows_meeting(table, [condition])])]


JOINED = Phrasings(
    "tables_joined",
    en=(
        "Join {one} with {other} on the column {key}. For every value of {key} that occurs in both, give one row "
        "with these columns in this order: {columns}. {cells}",
        "Two tables share the column {key}: {one} and {other}. Match their rows by it and return, for each value "
        "that both tables hold, a row of {columns}, in this order. {cells}",
        "Combine {one} and {other}: for each {key} found in both tables, extract the row {columns}, columns in that "
        "order. {cells}",
    ),
    zh=(
        "按列{key}把{one}与{other}连接起来。对同时出现在两表中的每个{key}取值给出一行，依次包含以下各列：{columns}。{cells}",
        "有两个表格都含有列{key}：{one}，以及{other}。按该列匹配两表的行，为两表共有的每个取值返回一行，列的顺序为{columns}。{cells}",
        "合并{one}和{other}：对两表中都能找到的每个{key}，提取一行，依次为{columns}。{cells}",
    ),
)
_SHEETS = 6
"""Tables per document, and documents, that are compared for a column they share."""


def tables_joined(scene: Scene) -> Candidate | Unfit:
    """Two tables joined on a column that both have, in one document or in two."""
    shown = [0, *scene.rng.sample(range(1, len(scene.excerpts)), min(_SHEETS, len(scene.excerpts)) - 1)]
    every = [sheet for number in shown for sheet in _keyed_sheets(scene, number)]
    for left in every:
        for right in every:
            # One of the two stands in the document that was asked.
            if left is right or left.excerpt != 0:
                continue
            for key, other_key in _shared_keys(left, right):
                found = _join(left, right, key, other_key, scene)
                if found is not None:
                    return found
    return Unfit("no two tables with a key column in common and two to twelve values in both")


def _keyed_sheets(scene: Scene, number: int) -> list[Sheet]:
    found = []
    for sheet in sheets(scene, 2, number):
        found.append(sheet)
        if len(found) == _SHEETS:
            break
    return found


def _shared_keys(left: Sheet, right: Sheet) -> Iterator[tuple[int, int]]:
    """Columns of the same name, of texts or years, whose values are distinct in either table."""
    names = {normalise(name): index for index, name in enumerate(right.table.columns) if name}
    for index, name in enumerate(left.table.columns):
        other = names.get(normalise(name)) if name else None
        if other is not None and _is_key(left, index) and _is_key(right, other):
            yield index, other


def _is_key(sheet: Sheet, index: int) -> bool:
    cells = tabular.column(sheet.table, index)
    kinds = ("text", "year", "date")
    return sheet.types.columns[index].kind in kinds and len(set(map(normalise, cells))) == len(cells) and all(cells)


def _join(left: Sheet, right: Sheet, key: int, other_key: int, scene: Scene) -> Candidate | None:
    rows = {row.cells[key]: number for number, row in enumerate(left.table.rows)}
    pairs = [
        (rows[row.cells[other_key]], number)
        for number, row in enumerate(right.table.rows)
        if row.cells[other_key] in rows
    ]
    alike = {normalise(row.cells[key]) for row in left.table.rows}
    near = sum(normalise(row.cells[other_key]) in alike for row in right.table.rows)
    # Keys that differ in case alone, or all of which match, leave the join open or make it no join.
    if near != len(pairs) or not FEWEST <= len(pairs) <= MOST:
        return None
    pairs.sort()
    ones = _filled(left, key, [pair[0] for pair in pairs])
    others = _filled(right, other_key, [pair[1] for pair in pairs])
    if not ones or not others:
        return None
    one, other = scene.rng.choice(ones), scene.rng.choice(others)
    names = (left.table.columns[key], left.table.columns[one], right.table.columns[other])
    known = [set(map(normalise, sheet.table.columns)) for sheet in (left, right)]
    # A column that both tables have would not say which of them is meant.
    if normalise(names[1]) in known[1] or normalise(names[2]) in known[0]:
        return None
    language = scene.language
    question, template = JOINED.pick(
        scene,
        one=tabular.where_table(scene.excerpts[left.excerpt], left.table),
        other=tabular.where_table(scene.excerpts[right.excerpt], right.table),
        key=quoted(names[0], language),
        columns=_listed(names, language),
        cells=CELLS[language],
    )
    used = ([(pair[0], index) for pair in pairs for index in (key, one)], [(pair[1], other) for pair in pairs])
    evidence = tuple(dict.fromkeys((*left.evidence(used[0]), *right.evidence(used[1]))))
    proof = tuple(dict.fromkeys((*left.proof(used[0]), *right.proof(used[1]))))
    gold = table_json(
        [
            [left.table.rows[a].cells[key], left.table.rows[a].cells[one], right.table.rows[b].cells[other]]
            for a, b in pairs
        ]
    )
    solve = partial(_joined, left.named, right.named, names)
    return Candidate(question, template, (gold,), evidence, solve, proof=proof)


def _filled(sheet: Sheet, key: int, rows: Sequence[int]) -> list[int]:
    """Named columns other than the key whose cells in these rows can be quoted and are not all the same."""
    found = []
    for index, name in enumerate(sheet.table.columns):
        cells = [sheet.table.rows[row].cells[index] for row in rows]
        if name and index != key and all(map(tabular.quotable, cells)) and len(set(cells)) > 1:
            found.append(index)
    return found


def _joined(left: Named, right: Named, names: tuple[str, str, str], view: View) -> list[str]:
    one, other = left.table(view), right.table(view)
    cells = _by_key(other, names[0], names[2])
    found = [
        [key, cell, match] for key, cell in _by_key(one, names[0], names[1]) for name, match in cells if name == key
    ]
    return [table_json(found)]


def _by_key(table: ShownTable, key: str, column: str) -> list[tuple[str, str]]:
    at, wanted = tabular.shown_column(table, key), tabular.shown_column(table, column)
    return [(row[at], row[wanted]) for row in table.rows]

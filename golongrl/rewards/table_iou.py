"""Multiset intersection over union of table rows, cells compared as typed values."""

import json
import re
from collections import Counter
from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from typing import Any

from golongrl.core.records import Record, Score
from golongrl.core.text import compatible

_OPEN, _CLOSE = re.compile(r"<answer>", re.IGNORECASE), re.compile(r"</answer>", re.IGNORECASE)
_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
# "007" is a label, "7" a number.
_NUMBER = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d*)(?:\.\d+)?")


def table_iou(record: Record, text: str) -> Score:
    """|P ∩ G| / |P ∪ G| over rows as multisets; row order is free, column order is not; two empty tables agree.

    Tables are JSON, `{"data": [row, ...]}` or the bare list. The answer is read from the last `<answer>` block, else
    from the whole final text: the last fenced block that is a table, else the last table that stands there bare.
    """
    gold = parse_table(record.gold.golden_label)
    if gold is None:
        return Score(value=None, reason="malformed_gold", details={"problem": "golden_label is not a JSON table"})
    rows = _answer_table(text)
    if rows is None:
        return Score(value=0.0, reason="no_answer", details={"golds": len(gold)})
    wanted, given = Counter(map(row_key, gold)), Counter(map(row_key, rows))
    union = (wanted | given).total()
    common = (wanted & given).total()
    return Score(
        value=common / union if union else 1.0,
        details={"golds": len(gold), "predictions": len(rows), "common": common},
    )


def parse_table(text: str) -> list[Any] | None:
    """Rows of a table written as JSON, or None."""
    try:
        return _rows(_DECODER.decode(text.strip()))
    except (json.JSONDecodeError, RecursionError):
        return None


def row_key(row: Any) -> Hashable:
    """A row in comparable form: a tuple of typed cells; for a row given as an object, its sorted items."""
    return tuple(map(_cell, row)) if isinstance(row, list) else (_cell(row),)


def _cell(value: Any) -> Hashable:
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, Decimal):
        return ("number", value)
    if isinstance(value, list):
        return ("list", *map(_cell, value))
    if isinstance(value, dict):
        return ("object", *((key, _cell(value[key])) for key in sorted(value)))
    plain = " ".join(compatible(str(value)).split()).replace("−", "-")
    if _NUMBER.fullmatch(plain):
        return ("number", Decimal(plain.replace(",", "")))
    return ("text", plain)


def _rows(value: Any) -> list[Any] | None:
    if isinstance(value, dict):
        value = value.get("data")
    return value if isinstance(value, list) else None


def _answer_table(text: str) -> list[Any] | None:
    block = _last_block(text)
    part = text if block is None else block
    for fenced in reversed(_FENCE.findall(part)):
        if (table := parse_table(fenced)) is not None:
            return table
    return _last_bare_table(part)


def _last_block(text: str) -> str | None:
    """Content of the last `<answer>` block that is closed, else of one cut off before its closing tag, else None."""
    ends = [match.start() for match in _CLOSE.finditer(text)]
    starts = [match.end() for match in _OPEN.finditer(text, 0, ends[-1] if ends else len(text))]
    if not starts:
        return None
    # A closing tag may follow that closes nothing.
    return text[starts[-1] : next((end for end in ends if end >= starts[-1]), len(text))]


def _last_bare_table(text: str) -> list[Any] | None:
    """The last JSON table at top level; gives up once brackets that open no JSON have cost too much reading.

    Nothing inside JSON that is cut off at the end of the text counts. A bare list of plain values ("see [1]") counts
    only where no table with rows stands in the text.
    """
    table, plain, position, effort = None, None, 0, 8 * len(text) + 10_000
    end = len(text.rstrip())
    while effort > 0 and (opening := _OPENING.search(text, position)):
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
        except json.JSONDecodeError as error:
            if error.pos >= end:
                break
            # The error counts the newlines before it, which costs about a 32nd of reading them.
            position, effort = opening.end(), effort - (error.pos - opening.start()) - opening.start() // 32 - 1
            continue
        except RecursionError:
            # Brackets nested a thousand deep are no answer, and to try each of them takes too long.
            break
        rows = _rows(value)
        if rows is not None and (isinstance(value, dict) or any(isinstance(row, (list, dict)) for row in rows)):
            table = rows
        elif rows is not None:
            plain = rows
    return plain if table is None else table


def _number(text: str) -> Decimal | str:
    """Decimal keeps 1 == 1.0 exact; an exponent beyond its range leaves text."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_OPENING = re.compile(r"[\[{](?=\s*(?:[\[{\"\]}\-\d]|true\b|false\b|null\b))")
# Not strict: cells may run over lines, white space in them is collapsed.
_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=str, strict=False)

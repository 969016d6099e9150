"""Right answers in another dress: each must earn what the plain gold answer earns.

Every builder returns None where the dress would change the content (numbering over items that differ in their numbers
only, a full stop behind a full stop).
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from golongrl.core.records import Record
from golongrl.core.text import answer_area
from golongrl.rewards.choice import gold_letter
from golongrl.rewards.gold import gold_response
from golongrl.rewards.items import gold_aliases
from golongrl.rewards.math import gold_expression
from golongrl.rewards.probes.parts import LIST_METRICS, by_letter, items_of, rows_of, shortest_reference, verbatim
from golongrl.rewards.retrieval_math import names_documents

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_WRAPPED = ("*", "`", '"', "'", "“", "”", "‘", "’", "「", "」", "『", "』", "_")


@dataclass(frozen=True)
class Variant:
    """One dress: `build(record)` is the right answer in it, or None where it does not fit."""

    what: str
    build: Callable[[Record], str | None]


def _lines(record: Record) -> list[str] | None:
    """The right answer as lines: list items, or the one line of a short answer; None for other metrics."""
    if record.form in LIST_METRICS:
        return items_of(record)
    if record.form == "em" and not verbatim(record):
        return gold_aliases(record)[:1]
    if record.form == "choice" and not by_letter(record):
        return gold_aliases(record)[:1]
    return None


def _each(change: Callable[[str], str], record: Record, *, bare: bool = False) -> str | None:
    """Every line changed; `bare`: only where no line has wrapping or a full stop of its own."""
    lines = _lines(record)
    if lines is None or any("\n" in line for line in lines):
        return None
    if bare and any(line.startswith(_WRAPPED) or line.endswith((*_WRAPPED, ".", "。", "．")) for line in lines):
        return None
    return "[Answer]\n" + "\n".join(map(change, lines))


def _numbered(form: str, record: Record) -> str | None:
    lines = _lines(record)
    if lines is None or record.form not in LIST_METRICS or len(lines) > 99:
        return None
    return "[Answer]\n" + "\n".join(form.format(number) + line for number, line in enumerate(lines, 1))


def _circled(record: Record) -> str | None:
    lines = _lines(record)
    if lines is None or record.form not in LIST_METRICS or len(lines) > 20:
        return None
    return "[Answer]\n" + "\n".join(chr(0x2460 + index) + line for index, line in enumerate(lines))


def _marked(before: str, record: Record) -> str | None:
    """The answer behind another marker."""
    if record.form == "iou" or verbatim(record):
        return None
    gold = gold_response(record).removeprefix("[Answer]\n")
    return None if answer_area(gold)[1] else before + gold


def _around(before: str, after: str, record: Record) -> str | None:
    gold = gold_response(record)
    if "</think>" in gold or (verbatim(record) and before and not before.endswith("</think>")):
        return None
    return before + gold + after


def _line_ends(ends: str, record: Record) -> str | None:
    return None if _lines(record) is None else gold_response(record).replace("\n", ends)


def _letter(form: str, record: Record) -> str | None:
    if record.form != "choice" or not by_letter(record):
        return None
    return form.format(gold_letter(gold_aliases(record)[0]))


def _wide_letter(record: Record) -> str | None:
    letter = _letter("{}", record)
    return letter.translate(_FULL_WIDTH) if letter else None


def _number(form: str, record: Record, *, plain: bool = False) -> str | None:
    """The gold number or expression in a sentence; `plain` ones are bare numbers without unit or percent sign."""
    if record.form != "math" or names_documents(record):
        return None
    gold = gold_expression(gold_aliases(record)[0])
    if not plain:
        return form.format(gold.text)
    quantity = gold.quantity
    if quantity is None or quantity.percent or quantity.unit or quantity.variable:
        return None
    if quantity.expression.startswith("\\"):
        return None
    return form.format(quantity.expression)


def _in_sentence(record: Record) -> str | None:
    """The gold as it is written, behind a phrase: its unit has to be read as well."""
    gold = gold_aliases(record)[0] if record.form == "math" else ""
    if "\\" in gold or "$$" in gold or "\n" in gold or _number("{}", record) is None:
        return None
    return f"The answer is {gold}."


def _wide_number(record: Record) -> str | None:
    number = _number("{}", record, plain=True)
    return f"\\boxed{{{number.translate(_FULL_WIDTH)}}}" if number else None


def _thousands(record: Record) -> str | None:
    number = _number("{}", record, plain=True)
    if number is None:
        return None
    whole, point, rest = number.partition(".")
    return f"\\boxed{{{int(whole):,}{point}{rest}}}" if whole.lstrip("-").isdigit() and int(whole) else None


def _trailing_zeros(record: Record) -> str | None:
    number = _number("{}", record, plain=True)
    return f"\\boxed{{{number}{'0' if '.' in number else '.00'}}}" if number else None


def _table(change: Callable[[list[Any]], Any], dump: Callable[[Any], str], record: Record) -> str | None:
    return dump(change(rows_of(record))) if record.form == "iou" else None


def _same(rows: list[Any]) -> dict[str, Any]:
    return {"data": rows}


def _json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=float, **options)


def _shuffled(rows: list[Any]) -> dict[str, Any]:
    return {"data": random.Random(0).sample(rows, len(rows))}


def _number_as(form: Callable[[Any], Any], rows: list[Any]) -> dict[str, Any]:
    def cell(value: Any) -> Any:
        is_number = not isinstance(value, (str, bool, list, dict)) and value is not None
        return form(value) if is_number else value

    return {"data": [[cell(value) for value in row] if isinstance(row, list) else row for row in rows]}


def _summary(change: Callable[[str], str], record: Record) -> str | None:
    return "[Answer]\n" + change(shortest_reference(record).text) if record.form == "rouge_l" else None


VARIANTS: dict[str, Variant] = {
    "thinking": Variant("thinking in front", partial(_around, "<think>\nLet me see.\n</think>\n\n", "")),
    "tags_in_thinking": Variant(
        "a closing tag quoted in the thinking", partial(_around, "<think>It ends at </think> here.</think>", "")
    ),
    "blank_lines": Variant("blank lines around", partial(_around, "</think>", "\n\n\n")),
    "preamble": Variant(
        "words before the marker", partial(_marked, "I compared all documents.\n\nHere it is:\n[Answer]\n")
    ),
    "bold_marker": Variant("a bold marker", partial(_marked, "**[Answer]**\n")),
    "lower_marker": Variant("a lower-case marker with a colon", partial(_marked, "[answer]: \n")),
    "chinese_marker": Variant("[答案]", partial(_marked, "[答案]\n")),
    "lenticular_marker": Variant("【答案】", partial(_marked, "【答案】\n")),
    "no_marker": Variant("no marker", partial(_marked, "")),
    "bullets": Variant("- bullets", partial(_each, "- {}".format)),
    "stars": Variant("* bullets", partial(_each, "* {}".format)),
    "dots": Variant("• bullets", partial(_each, "• {}".format)),
    "numbers": Variant("1. numbering", partial(_numbered, "{}. ")),
    "brackets": Variant("1) numbering", partial(_numbered, "{}) ")),
    "parentheses": Variant("(1) numbering", partial(_numbered, "({}) ")),
    "chinese_numbers": Variant("1、 numbering", partial(_numbered, "{}、")),
    "circled": Variant("① numbering", _circled),
    "bold": Variant("bold items", partial(_each, "**{}**".format, bare=True)),
    "italics": Variant("italic items", partial(_each, "*{}*".format, bare=True)),
    "backticks": Variant("items as code", partial(_each, "`{}`".format, bare=True)),
    "quotes": Variant("quoted items", partial(_each, '"{}"'.format, bare=True)),
    "curly_quotes": Variant("items in curly quotes", partial(_each, "“{}”".format, bare=True)),
    "corner_quotes": Variant("items in corner brackets", partial(_each, "「{}」".format, bare=True)),
    "full_stop": Variant("a full stop behind each", partial(_each, "{}.".format, bare=True)),
    "chinese_stop": Variant("。 behind each", partial(_each, "{}。".format, bare=True)),
    "full_width": Variant("full-width letters", partial(_each, lambda line: line.translate(_FULL_WIDTH), bare=True)),
    "upper_case": Variant("upper case", partial(_each, lambda line: line.upper() if line.isascii() else line)),
    "double_spaced": Variant("blank lines between", partial(_line_ends, "\n\n")),
    "windows_lines": Variant("Windows line ends", partial(_line_ends, "\r\n")),
    "trailing_spaces": Variant("spaces at line ends", partial(_line_ends, " \t\n")),
    "letter_alone": Variant("the letter alone", partial(_letter, "{}")),
    "letter_boxed": Variant("a boxed letter", partial(_letter, "\\boxed{{{}}}")),
    "letter_in_brackets": Variant("(B)", partial(_letter, "({})")),
    "letter_with_stop": Variant("B.", partial(_letter, "{}.")),
    "letter_bold": Variant("The correct answer is **(B)**.", partial(_letter, "The correct answer is **({})**.")),
    "letter_chinese": Variant("答案：B", partial(_letter, "综上所述，答案：{}")),
    "letter_full_width": Variant("a full-width letter", _wide_letter),
    "number_stated": Variant("The answer is 42.", partial(_number, "The answer is ${}$.")),
    "number_in_sentence": Variant("The answer is 42 km.", _in_sentence),
    "number_chinese": Variant("答案是 42", partial(_number, "答案是 {}", plain=True)),
    "number_alone": Variant("the number alone", partial(_number, "**{}**", plain=True)),
    "number_with_words": Variant("words behind the box", partial(_number, "\\boxed{{{}}}. I checked it twice.")),
    "number_full_width": Variant("full-width digits", _wide_number),
    "number_thousands": Variant("thousands separated", _thousands),
    "number_zeros": Variant("zeros behind the point", _trailing_zeros),
    "number_unit": Variant("a unit behind", partial(_number, "\\boxed{{{} \\text{{ units}}}}", plain=True)),
    "table_fenced": Variant(
        "JSON in a code fence", partial(_table, _same, lambda table: f"```json\n{_json(table, indent=1)}\n```")
    ),
    "table_bare": Variant("bare JSON behind words", partial(_table, _same, lambda table: f"Result: {_json(table)}")),
    "table_shuffled": Variant("rows in another order", partial(_table, _shuffled, _json)),
    "table_text_numbers": Variant("numbers as text", partial(_table, partial(_number_as, str), _json)),
    "table_floats": Variant("1 as 1.0", partial(_table, partial(_number_as, float), _json)),
    "summary_lines": Variant("a line per word", partial(_summary, lambda text: "\n".join(text.split(" ")))),
    "summary_upper": Variant("upper case", partial(_summary, str.upper)),
}

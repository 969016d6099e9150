"""Pieces that attacks, dresses and corruptions are built from: items, tables, decoys, wrong answers."""

import json
import math
import re
from typing import Any

from golongrl.core.records import Record
from golongrl.core.text import item_forms
from golongrl.rewards.choice import gold_letter, option_letters
from golongrl.rewards.items import gold_aliases, gold_texts
from golongrl.rewards.math import gold_expression
from golongrl.rewards.rouge_l import Reference, references
from golongrl.rewards.table_iou import parse_table

LIST_METRICS = ("f1", "subem", "ndcg", "pairwise")


def by_letter(record: Record) -> bool:
    """Whether the gold choices are letters."""
    return all(map(gold_letter, gold_aliases(record)))


def letters(record: Record) -> list[str]:
    """Letters of the options; A to D where their number is unknown."""
    found = sorted(option_letters(record))
    return found if len(found) < 26 else found[:4]


def guess_rate(record: Record) -> float:
    """Chance of one guess: 1 / options where their number is known, else 1/4; 1/10 for a gold that is no letter."""
    return 1 / len(letters(record)) if by_letter(record) else 0.1


def graded(record: Record) -> bool:
    """Relevance grades of the record's own: a part of the list may rightly earn everything."""
    return record.extra_info.get("relevance") is not None


def verbatim(record: Record) -> bool:
    """Whether the record is graded by similarity behind a prefix."""
    return record.form == "em" and bool(record.extra_info.get("strict_prefix"))


def items_of(record: Record) -> list[str]:
    """Gold items on one line each, distinct in the form in which they are compared."""
    return list({item_forms(gold)[0]: " ".join(gold.split()) for gold in gold_texts(record)}.values())


def rows_of(record: Record) -> list[Any]:
    """Gold rows of a table."""
    return parse_table(record.gold.golden_label) or []


def shortest_reference(record: Record) -> Reference:
    """The reference summary with the fewest words."""
    return min(references(record), key=lambda reference: len(reference.words))


def as_list(items: list[str]) -> str:
    """Items behind an answer marker, one per line."""
    return "[Answer]\n" + "\n".join(items)


def as_table(rows: list[Any]) -> str:
    """Rows as an answer block."""
    return f"<answer>{json.dumps({'data': rows}, ensure_ascii=False, default=float)}</answer>"


def as_summary(words: list[str], chinese: bool) -> str:
    """Words as a summary."""
    return "[Answer]\n" + ("" if chinese else " ").join(words)


def decoys(index: int, count: int = 9) -> list[str]:
    """Wrong items, different for every index."""
    return [f"candidate {index}-{number}" for number in range(count)]


def wrong_answer(record: Record) -> str | None:
    """A definite answer in the metric's own form that is certainly wrong."""
    if record.form == "choice" and by_letter(record):
        golds = {gold_letter(gold) for gold in gold_aliases(record)}
        other = next((letter for letter in letters(record) if letter not in golds), None)
        return f"The correct answer is ({other})" if other else None
    if record.form == "math":
        return f"\\boxed{{{wrong_number(record)}}}"
    if record.form == "iou":
        return as_table([["candidate", "row"]])
    return as_list(decoys(0))


def wrong_number(record: Record) -> str:
    """A number that no gold alias equals."""
    quantities = [gold_expression(gold).quantity for gold in gold_aliases(record)]
    return str(2 * sum(math.ceil(abs(quantity.value)) for quantity in quantities if quantity) + 100_003)


def candidates(text: str, most: int) -> list[str]:
    """What a prompt offers as answers: its lines, sentences and quoted pieces, at most so many."""
    found = dict.fromkeys(
        piece.strip()
        for pattern in (r"[^\n]+", r"[^.!?。！？\n]+[.!?。！？]?", r"[\"“「']([^\"”」'\n]{2,100})[\"”」']")
        for piece in re.findall(pattern, text)
    )
    return [piece for piece in found if piece][:most]

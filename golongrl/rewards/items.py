"""Gold items and predicted items of the metrics that compare line lists, in one comparable form."""

import re
from dataclasses import dataclass

from golongrl.core.records import Record, Score
from golongrl.core.text import answer_area, item_forms, split_lines

_AROUND = re.compile(r"\s*(?:```\w*|</?answer>)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Items:
    """Distinct gold and predicted items in order; equal strings match."""

    golds: list[str]
    predictions: list[str]


def gold_texts(record: Record) -> list[str]:
    """Gold items as written: `doc_ids`, or the lines of `golden_label` where there are none; blanks dropped."""
    texts = record.gold.doc_ids or split_lines(record.gold.golden_label)
    return [text for text in texts if text.strip()]


def gold_aliases(record: Record) -> list[str]:
    """Every accepted wording of a single answer: `golden_label` and `doc_ids`; blanks dropped."""
    return [text for text in (record.gold.golden_label, *record.gold.doc_ids) if text.strip()]


def content_lines(area: str) -> list[str]:
    """Lines of an answer area but for blank ones and those that only open or close a code or `<answer>` block."""
    return [line for line in split_lines(area) if not _AROUND.fullmatch(line)]


def compare_items(golds: list[str], area: str) -> Items:
    """Bring gold items and the lines of an answer area to one form each; duplicates keep their first rank.

    List numbering is dropped on both sides unless the golds differ in nothing else ("1. Scope", "2. Scope").
    """
    known: dict[str, str] = {}
    forms = [item_forms(gold) for gold in golds]
    for full in dict.fromkeys(form[0] for form in forms):
        known[full] = full
    short: dict[str, set[str]] = {}
    for form in forms:
        short.setdefault(form[-1], set()).add(form[0])
    for bare, owners in short.items():
        if len(owners) == 1:
            known.setdefault(bare, *owners)
    gold_items = list(dict.fromkeys(form[0] for form in forms))
    predictions: dict[str, None] = {}
    for line in content_lines(area):
        candidates = item_forms(line)
        predictions[next((known[form] for form in candidates if form in known), candidates[-1])] = None
    return Items([item for item in gold_items if item], [item for item in predictions if item])


def read_items(record: Record, text: str) -> Items | Score:
    """Gold and predicted items of a record and a final text, or the Score when there is nothing to compare."""
    items = compare_items(gold_texts(record), answer_area(text)[0])
    if not items.golds:
        return Score(value=None, reason="malformed_gold", details={"problem": "no gold items in doc_ids"})
    if not items.predictions:
        return Score(value=0.0, reason="no_answer", details={"golds": len(items.golds), "predictions": 0})
    return items


def counts(items: Items, **more: float) -> dict[str, float]:
    """The details every list metric reports."""
    return {"golds": len(items.golds), "predictions": len(items.predictions), **more}

"""LooGLE (`bigai-nlco/LooGLE`, MIT): questions about long articles and scripts.

`{input or context, title, qa_pairs: [{Q, A, S, type}], output}`, `qa_pairs` also as the text of a Python list; or
flat `{context, question, answer, evidence, title, task}`. Numbered options become T2, `choice`; a timeline to reorder
T8, `pairwise`; a number T4, `math`; a short answer that stands in the text T1, `em`; an abstract T9, `rouge_l`. `S`
is the evidence.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.construct.form import LETTERS
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, quoted, texts_of
from golongrl.pipeline.dataset.qa.arithmetic import unit_note
from golongrl.pipeline.dataset.qa.wording import about, sized, split_options
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.rewards.quantity import parse_quantity

_SCALED = re.compile(r"[$€£¥]?\s*([\d.,]+) (thousand|million|billion|trillion)s?", re.IGNORECASE)
_DIGITS = "123456789"
_SUMMARISE = "Summarise the whole document."


def _nested(row: Row) -> bool:
    return "qa_pairs" in row and isinstance(row.get("input", row.get("context")), str)


def _flat(row: Row) -> bool:
    return {"context", "question", "answer", "evidence"} <= row.keys() and ("task" in row or "doc_id" in row)


def _read_nested(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    document = _document(row.get("input", row.get("context")), row, context)
    pairs = _parsed(row["qa_pairs"])
    summary = str(row.get("output") or "").strip()
    if not isinstance(pairs, list):
        if summary in ("", "None", "none"):
            yield Refusal(context.name, "no question")
        else:
            yield _summary(summary, document, context.name)
        return
    for number, pair in enumerate(pairs, 1):
        source = f"{context.name}.{number}"
        if not isinstance(pair.get("A"), str | int | float):
            yield Refusal(source, "no answer: the gaps of a cloze are no question")
            continue
        yield _item(str(pair["Q"]), str(pair["A"]).strip(), pair.get("S"), document, source)


def _read_flat(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    document = _document(row["context"], row, context)
    question, answer = str(row.get("question") or "").strip(), str(row.get("answer") or "").strip()
    if "summar" in str(row.get("task") or "").lower():
        yield _summary(answer, document, context.name)
    else:
        yield _item(question, answer, row["evidence"], document, context.name)


def _document(text: Any, row: Row, context: RowContext) -> Document:
    title = str(row.get("title") or f"{context.stem} {context.number}")
    return context.document({"text": text}, title)


def _parsed(value: Any) -> Any:
    """A list that is written as Python or JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _summary(reference: str, document: Document, source: str) -> QAItem:
    question = about(sized(_SUMMARISE, reference), document.title)
    return QAItem(source, "loogle", "T9", question, (reference,), (Place(document),), stands=False)


def _item(asked: str, answer: str, evidence: Any, document: Document, source: str) -> QAItem | Refusal:
    found = split_options(asked, _DIGITS)
    more: dict[str, Any] = {"shown": (Place(document),), "evidence": quoted(document, texts_of(_parsed(evidence)))}
    if found is not None:
        # Full-width marks came out as question marks when the set was written.
        question, options = re.sub(r":\?$", ":", found[0]), found[1]
        places = [int(digit) for digit in re.findall(r"\d+", answer)]
        if sorted(places) == list(range(1, len(options) + 1)) and len(options) > 1:
            listed = question + "\n" + "\n".join(f"- {option}" for option in options)
            gold = tuple(options[place - 1] for place in places)
            return QAItem(source, "loogle", "T8", about(listed, document.title), gold, stands=False, **more)
        if len(places) == 1 and 1 <= places[0] <= len(options):
            gold = (LETTERS[places[0] - 1],)
            asked = about(question, document.title)
            return QAItem(source, "loogle", "T2", asked, gold, options=options, stands=False, **more)
        return Refusal(source, "no answer: it names none of the numbered options")
    bare = answer.rstrip(".。 ")
    scaled = _SCALED.fullmatch(bare)
    if scaled is not None:
        bare, asked = scaled[1], asked + unit_note(scaled[2].lower(), 0)
    if parse_quantity(bare) is not None:
        return QAItem(source, "loogle", "T4", about(asked, document.title), (bare,), stands=False, **more)
    return QAItem(source, "loogle", "T1", about(asked, document.title), (answer,), **more)


NESTED = Adapter("loogle", _nested, _read_nested, "MIT")
FLAT = Adapter("loogle_rows", _flat, _read_flat, "MIT")

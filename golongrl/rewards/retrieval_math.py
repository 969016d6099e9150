"""Numerical reasoning with its sources: the right documents named and the right number computed, or nothing.

The form of the published rows with data_source `retrieval_calculate`.
"""

import re

from golongrl.core.records import Record, Score
from golongrl.core.tasks import RETRIEVAL_CALCULATE
from golongrl.core.text import normalise
from golongrl.rewards.math import compare, tolerance_of
from golongrl.rewards.stated import stated_answer

_ID = re.compile(r"<\|([^|<>]{1,100})\|>")
_BETWEEN = re.compile(r"[\s,;，；、]+")


def names_documents(record: Record) -> bool:
    """Whether a record asks for document ids besides the number."""
    return RETRIEVAL_CALCULATE in (record.data_source, record.extra_info.get("reward_mode"))


def retrieval_math(record: Record, text: str) -> Score:
    """1 if the last `<relevant_doc_ids>` block names the gold set and the last `<continue_reasoning>` ends right.

    Ids are written `<|doc_3|>`; the ground truth has them in `doc_ids`, and the number in `golden_label`.
    """
    wanted = document_ids(" ".join(record.gold.doc_ids))
    if not wanted or not record.gold.golden_label.strip():
        problem = f"{RETRIEVAL_CALCULATE} needs document ids in doc_ids and a number in golden_label"
        return Score(value=None, reason="malformed_gold", details={"problem": problem})
    tolerance = tolerance_of(record)
    if isinstance(tolerance, Score):
        return tolerance
    named, reasoning = _block(text, "relevant_doc_ids"), _block(text, "continue_reasoning")
    stated = stated_answer(reasoning or "")
    if not named or stated.text is None:
        return Score(value=0.0, reason="no_answer")
    if document_ids(named) != wanted:
        return Score(value=0.0, details={"answer": stated.text[:200], "documents": False})
    number = compare([record.gold.golden_label], stated, tolerance)
    return number.model_copy(update={"details": {**number.details, "documents": True}})


def document_ids(text: str) -> frozenset[str]:
    """Ids named in a text: those in `<|...|>`, or else everything between spaces and commas."""
    names = _ID.findall(text) or _BETWEEN.split(text)
    return frozenset(normalise(name).removeprefix("doc").strip("_ ") for name in names) - {""}


def _block(text: str, tag: str) -> str | None:
    """Content of the last closed block of a tag."""
    before, closed, _ = text.rpartition(f"</{tag}>")
    _, opened, content = before.rpartition(f"<{tag}>")
    return content if closed and opened else None

"""TAT-QA (`next-tat/TAT-QA`, CC BY 4.0): questions about a table and the paragraphs beside it.

`{table: {uid, table: [[cell]]}, paragraphs: [{order, text}], questions: [{question, answer, derivation, answer_type,
scale, rel_paragraphs}]}`. `arithmetic` and `count` become T4, `math`, with scale and rounding in the question and the
derivation worked out again; `multi-span` T3, `f1`; `span` T1, `em`.
"""

import re
from collections.abc import Iterator

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, quoted, texts_of
from golongrl.pipeline.dataset.qa.arithmetic import agrees, decimals, evaluate, plain_number, tolerance, unit_note
from golongrl.pipeline.dataset.qa.checks import occurrences
from golongrl.pipeline.dataset.qa.wording import about
from golongrl.pipeline.dataset.readers import Refusal

_SIGN = re.compile(r"[$€£¥] ?$")
_YEAR = re.compile(r"(?:19|20)\d\d")


def _accepts(row: Row) -> bool:
    return isinstance(row.get("table"), dict) and isinstance(row.get("questions"), list) and "paragraphs" in row


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    title = f"Financial report {str(row['table'].get('uid') or context.number)[:8]}"
    document = context.document({"table": row["table"], "paragraphs": row["paragraphs"]}, title)
    texts = {str(p.get("order")): p.get("text") for p in row["paragraphs"]}
    for number, asked in enumerate(row["questions"], 1):
        source = f"{context.name}.{number}"
        kind = asked.get("answer_type")
        evidence = quoted(document, [texts.get(str(order)) for order in asked.get("rel_paragraphs") or []])
        if kind in ("arithmetic", "count"):
            yield _number(asked, document, source, evidence)
        elif kind in ("span", "multi-span"):
            yield _spans(asked, document, source)
        else:
            yield Refusal(source, "no answer: the row has none, or one of an unknown kind")


def _number(asked: Row, document: Document, source: str, evidence: tuple[Place, ...]) -> QAItem | Refusal:
    scale, derivation = str(asked.get("scale") or ""), str(asked.get("derivation") or "")
    gold = plain_number(asked.get("answer"))
    if gold is None:
        return Refusal(source, f"no number: {str(asked.get('answer'))[:60]}")
    value = evaluate(derivation) if asked["answer_type"] == "arithmetic" else None
    if value is not None and not any(agrees(gold, value * by) for by in ((1, 100) if scale == "percent" else (1,))):
        return Refusal(source, "gold: the set's own derivation gives another number")
    note = unit_note(scale, decimals(gold))
    return QAItem(
        source=source,
        form="tatqa",
        capability="T4",
        question=about(str(asked["question"]) + note, document.title),
        gold=(f"{gold:f}",),
        shown=(Place(document),),
        # A paragraph is a part of the evidence at most, when the table counts too.
        evidence=evidence if asked.get("answer_from") == "text" else (),
        extra={"tolerance": tolerance(gold)} if tolerance(gold) else {},
        stands=False,
    )


def _spans(asked: Row, document: Document, source: str) -> QAItem | Refusal:
    spans = texts_of(asked.get("answer"))
    if spans and all(map(_YEAR.fullmatch, spans)):
        return Refusal(source, "guessable: one or more of the two or three years of a report")
    scale = str(asked.get("scale") or "")
    several = len(spans) > 1
    standing = [_signed(document, text) for text in spans]
    if several:
        if any(len(forms) > 1 for forms in standing):
            return Refusal(source, "gold: an item stands with and without its currency sign")
        # A list has no second wordings, so that what the document shows is the right one.
        spans = tuple(next(iter(forms), text) for forms, text in zip(standing, spans, strict=True))
    else:
        plain = [text.lstrip("$€£¥ ") for text in spans]
        forms = tuple(dict.fromkeys((*spans, *(form for forms in standing for form in forms), *plain)))
        scaled = [f"{text} {scale}" for text in forms] if scale not in ("", "percent") else []
        spans = (*forms, *scaled)
    return QAItem(
        source=source,
        form="tatqa",
        capability="T3" if several else "T1",
        question=about(str(asked["question"]), document.title),
        gold=spans,
        shown=(Place(document),),
    )


def _signed(document: Document, text: str) -> tuple[str, ...]:
    """The ways in which a text stands in the document: alone, or behind a currency sign that belongs to it."""
    before = (document.text[max(0, span.start - 2) : span.start] for span in occurrences(document.text, text))
    signs = (_SIGN.search(some) for some in before)
    return tuple(dict.fromkeys(f"{sign[0] if sign else ''}{text}" for sign in signs))


TATQA = Adapter("tatqa", _accepts, _read, "CC-BY-4.0")

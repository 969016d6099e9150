"""SQuAD-like: SQuAD 1.1/2.0 (`rajpurkar/squad`, CC BY-SA 4.0), CMRC 2018 (`hfl/cmrc2018`, CC BY-SA 4.0), DRCD ...

Nested: `{title, paragraphs: [{context, qas: [{id, question, answers: [{text, answer_start}], is_impossible}]}]}` (one
element of `data`). Flat: `{id, title, context, question, answers: {text: [...], answer_start: [...]}}`. T1, `em` over
all annotated spans. An article is one document, of which the question's paragraph must be shown. So many sets have
this form that it names no licence.
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder, Span
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext
from golongrl.pipeline.dataset.qa.checks import occurrences, sentence
from golongrl.pipeline.dataset.qa.wording import about
from golongrl.pipeline.dataset.readers import Refusal


def _nested(row: Row) -> bool:
    paragraphs = row.get("paragraphs")
    return isinstance(paragraphs, list) and any(isinstance(p, dict) and "qas" in p for p in paragraphs)


def _flat(row: Row) -> bool:
    answers = row.get("answers")
    return (
        isinstance(row.get("context"), str)
        and "question" in row
        and (
            (isinstance(answers, dict) and "text" in answers)
            or (isinstance(answers, list) and all(isinstance(a, dict) and "text" in a for a in answers))
        )
    )


def _read_nested(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    paragraphs = [paragraph for paragraph in row["paragraphs"] if isinstance(paragraph, dict)]
    document, spans = _article([str(paragraph.get("context") or "") for paragraph in paragraphs], row, context)
    number = 0
    for paragraph, span in zip(paragraphs, spans, strict=True):
        for asked in paragraph.get("qas") or []:
            number += 1
            yield _item(asked, document, span, f"{context.name}.{number}")


def _read_flat(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    document, (span,) = _article([row["context"]], row, context)
    yield _item(row, document, span, context.name)


def _article(texts: list[str], row: Row, context: RowContext) -> tuple[Document, list[Span | None]]:
    """The article, and where each of its paragraphs stands in it."""
    builder = DocumentBuilder()
    blocks: list[int | None] = []
    for text in texts:
        before = len(builder)
        builder.paragraph(text)
        blocks.append(before if len(builder) > before else None)
    title = str(row.get("title") or "").replace("_", " ").strip() or f"{context.stem} {context.number}"
    document = builder.build(source=context.name, title=title, licence=context.licence)
    return document, [None if number is None else document.blocks[number].content for number in blocks]


def _item(asked: Row, document: Document, span: Span | None, source: str) -> QAItem | Refusal:
    answers = _answers(asked.get("answers"))
    if asked.get("is_impossible") or not answers:
        return Refusal(source, "unanswerable")
    if span is None:
        return Refusal(source, "no context")
    return QAItem(
        source=source,
        form="squad",
        capability="T1",
        question=about(str(asked.get("question") or ""), document.title),
        gold=tuple(text for text, _ in answers),
        shown=(Place(document, span),),
        evidence=_evidence(document, span, answers),
    )


def _answers(value: Any) -> list[tuple[str, int]]:
    """(text, start) of the annotated answers."""
    if isinstance(value, dict):
        value = [{"text": t, "answer_start": s} for t, s in zip(value["text"], value["answer_start"], strict=True)]
    return [(str(a["text"]), int(a.get("answer_start", -1))) for a in value or [] if str(a.get("text") or "").strip()]


def _evidence(document: Document, span: Span, answers: list[tuple[str, int]]) -> tuple[Place, ...]:
    """The sentence of the first answer, where it was annotated or nearest to that."""
    text, start = answers[0]
    found = occurrences(document.slice(span), text)
    if not found:
        return ()
    nearest = min(found, key=lambda one: abs(one.start - start))
    return (Place(document, sentence(document, Span(span.start + nearest.start, span.start + nearest.end))),)


NESTED = Adapter("squad", _nested, _read_nested)
FLAT = Adapter("squad_rows", _flat, _read_flat)

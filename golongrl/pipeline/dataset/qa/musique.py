"""MuSiQue (`bdsaglam/musique`, CC BY 4.0).

`{id, paragraphs: [{idx, title, paragraph_text, is_supporting}], question, question_decomposition: [{question, answer,
paragraph_support_idx}], answer, answer_aliases, answerable}`. T1, `em` over the aliases. Supporting paragraphs are
shown, the others are distractors; the evidence are the sentences of the intermediate answers.
"""

from collections.abc import Iterator

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, texts_of
from golongrl.pipeline.dataset.qa.checks import occurrences, sentence
from golongrl.pipeline.dataset.readers import Refusal


def _accepts(row: Row) -> bool:
    paragraphs = row.get("paragraphs")
    return (
        isinstance(paragraphs, list)
        and bool(paragraphs)
        and "question" in row
        and all(isinstance(p, dict) and "is_supporting" in p for p in paragraphs)
    )


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    if row.get("answerable") is False:
        yield Refusal(context.name, "unanswerable")
        return
    documents: dict[int, Document] = {}
    supporting: list[int] = []
    for number, paragraph in enumerate(row["paragraphs"]):
        index = int(paragraph.get("idx", number))
        documents[index] = context.passage(str(paragraph["paragraph_text"]), str(paragraph["title"]), index)
        if paragraph["is_supporting"]:
            supporting.append(index)
    evidence = []
    for index in supporting:
        steps = [s for s in row.get("question_decomposition") or [] if s.get("paragraph_support_idx") == index]
        evidence += [_step(documents[index], str(step.get("answer") or "")) for step in steps] or [
            Place(documents[index])
        ]
    yield QAItem(
        source=context.name,
        form="musique",
        capability="T1",
        question=str(row["question"]),
        gold=texts_of(row.get("answer")) + texts_of(row.get("answer_aliases")),
        shown=tuple(Place(documents[index]) for index in supporting),
        others=tuple(document for index, document in documents.items() if index not in supporting),
        evidence=tuple(dict.fromkeys(evidence)),
    )


def _step(document: Document, answer: str) -> Place:
    """The sentence of an answer where it stands once, else the whole paragraph."""
    found = occurrences(document.text, answer)
    return Place(document, sentence(document, found[0])) if len(found) == 1 else Place(document)


MUSIQUE = Adapter("musique", _accepts, _read, "CC-BY-4.0")

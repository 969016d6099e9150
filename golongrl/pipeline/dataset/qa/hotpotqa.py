"""HotpotQA (`hotpotqa/hotpot_qa`, distractor setting, CC BY-SA 4.0) and 2WikiMultihopQA (`xanhho/2WikiMultihopQA`,
Apache-2.0).

`{question, answer, type, context, supporting_facts}`, 2Wiki also `evidences`. `context` is a list of [title,
[sentences]] or `{title: [...], sentences: [[...]]}`, `supporting_facts` a list of [title, sentence number] or
`{title: [...], sent_id: [...]}`; either may be JSON text. T1, `em`. The supporting passages are shown, the others are
distractors, the supporting sentences are the evidence. Comparisons whose question names both answers, and yes or no,
are refused: they are guessed half of the time.
"""

import html
from collections.abc import Iterator
from typing import Any

from golongrl.core import json_text
from golongrl.core.documents import Document
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, quoted, texts_of
from golongrl.pipeline.dataset.readers import Refusal


def _accepts(row: Row) -> bool:
    return {"question", "answer", "context", "supporting_facts"} <= row.keys() and bool(row["context"])


def _hotpot(row: Row) -> bool:
    return _accepts(row) and "evidences" not in row


def _wiki(row: Row) -> bool:
    return _accepts(row) and "evidences" in row


def _read(row: Row, context: RowContext, form: str) -> Iterator[QAItem | Refusal]:
    passages = _pairs(row["context"], "sentences", "content")
    facts = _pairs(row["supporting_facts"], "sent_id")
    wanted = list(dict.fromkeys(title for title, _ in facts))
    documents: dict[str, Document] = {}
    for number, (title, sentences) in enumerate(passages, 1):
        text = " ".join(sentences) if isinstance(sentences, list) else str(sentences)
        if text.strip():
            documents.setdefault(title, context.passage(text.replace("\n", " "), title, number))
    if not wanted or not all(title in documents for title in wanted):
        yield Refusal(context.name, "no context: a supporting passage is missing")
        return
    sentences_of = dict(reversed(passages))
    found = [quoted(documents[title], sentences_of[title][int(number) :][:1]) for title, number in facts]
    yield QAItem(
        source=context.name,
        form=form,
        capability="T1",
        question=str(row["question"]),
        gold=texts_of(row["answer"]) + texts_of(row.get("answer_aliases")),
        shown=tuple(Place(documents[title]) for title in wanted),
        others=tuple(document for title, document in documents.items() if title not in wanted),
        evidence=tuple(place for places in found for place in places) if all(found) else (),
    )


def _pairs(value: Any, *columns: str) -> list[tuple[str, Any]]:
    """(title, value) of a list of pairs or of columns side by side."""
    if isinstance(value, str):
        value = json_text.loads(value)
    if isinstance(value, dict):
        column = next((name for name in columns if name in value), columns[0])
        value = zip(value["title"], value[column], strict=True)
    # The sets write marks such as &amp; in titles alone.
    return [(html.unescape(str(title)), held) for title, held in value]


HOTPOTQA = Adapter("hotpotqa", _hotpot, lambda row, context: _read(row, context, "hotpotqa"), "CC-BY-SA-4.0")
TWO_WIKI = Adapter(
    "2wikimultihopqa", _wiki, lambda row, context: _read(row, context, "2wikimultihopqa"), "Apache-2.0"
)

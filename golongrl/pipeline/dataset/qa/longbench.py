"""LongBench v1 (`THUDM/LongBench`, MIT): `{input, context, answers, dataset, language, _id}`.

Questions about one text (narrativeqa, qasper, multifieldqa, dureader) and about numbered passages (hotpotqa,
2wikimqa, musique; each passage is a document) become T1, `em`; passage_retrieval T1, `em` on the label of the
passage; passage_count T4, `math`; gov_report, multi_news, vcsum and qmsum T9, `rouge_l`. The few-shot and code sets
(trec, triviaqa, samsum, lsht, lcc, repobench-p) have no document that holds the answer and are refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from golongrl.core.documents import Document, Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, texts_of
from golongrl.pipeline.dataset.qa.wording import about, bare, sized
from golongrl.pipeline.dataset.readers import Refusal

_PASSAGE = re.compile(r"^Passage (\d+):[^\S\n]*\n", re.MULTILINE)
_NUMBERED = re.compile(r"^(Paragraph |段落)(\d+)\s*[:：]\s*", re.MULTILINE)
_WHOLE = {"en": "Summarise the whole document.", "zh": "请概括整篇文档。"}
_WHICH = {
    "en": "Which paragraph is the following text a summary of? Answer with its heading.\n",
    "zh": "下面这段话概括的是哪一个段落？请回答该段落的标题。\n",
}
_COUNT = (
    "Some paragraphs of the document are repetitions of others. How many different paragraphs are there once "
    "repetitions are removed?"
)


@dataclass(frozen=True)
class _Set:
    """How one of the data sets is read."""

    capability: str
    make: Callable[[Row, RowContext], QAItem]


def _accepts(row: Row) -> bool:
    return {"input", "context", "answers", "dataset"} <= row.keys() and isinstance(row["context"], str)


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    name = str(row["dataset"]).removesuffix("_e")
    if name not in SETS:
        yield Refusal(context.name, f"no context: {name} is a few-shot or code set, or unknown")
        return
    yield SETS[name].make(row, context)


def _language(row: Row) -> str:
    return "zh" if row.get("language") == "zh" else "en"


def _title(row: Row) -> str:
    return f"{row['dataset']} {str(row.get('_id') or '')[:6]}".strip()


def _item(row: Row, context: RowContext, question: str, shown: tuple[Place, ...], **more: object) -> QAItem:
    name = str(row["dataset"]).removesuffix("_e")
    return QAItem(
        source=context.name,
        form=f"longbench_{name}",
        capability=SETS[name].capability,
        question=question,
        gold=texts_of(row["answers"]),
        shown=shown,
        **more,  # type: ignore[arg-type]
    )


def _one_text(row: Row, context: RowContext) -> QAItem:
    document = context.document({"text": row["context"]}, _title(row))
    return _item(row, context, about(bare(row["input"]), document.title), (Place(document),))


def _passages(row: Row, context: RowContext) -> QAItem:
    """Each passage a document, titled by its first line."""
    marks = list(_PASSAGE.finditer(row["context"]))
    shown = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        text = row["context"][mark.end() : after.start() if after else None]
        title, _, body = text.strip().partition("\n")
        if body.strip():
            shown.append(Place(context.passage(body, title, int(mark[1]))))
    # The answer is the end of a chain; nobody says which passages hold the rest of it.
    return _item(row, context, bare(row["input"]), tuple(shown), evidence=())


def _numbered(row: Row, context: RowContext) -> Document:
    """The numbered paragraphs as sections of one document."""
    marks = list(_NUMBERED.finditer(row["context"]))
    sections = [
        {"title": mark[1] + mark[2], "text": row["context"][mark.end() : after.start() if after else None]}
        for mark, after in zip(marks, [*marks[1:], None], strict=True)
    ]
    return context.document({"paragraphs": sections}, _title(row))


def _retrieval(row: Row, context: RowContext) -> QAItem:
    document = _numbered(row, context)
    wanted = normalise(next(iter(texts_of(row["answers"])), ""))
    heads = [block for block in document.blocks if block.kind == "heading"]
    evidence: tuple[Place, ...] = ()
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        if normalise(document.slice(head.content)) == wanted:
            end = after.span.start if after else len(document.text)
            evidence = (
                Place(
                    document,
                    Span(head.span.start, head.span.start + len(document.text[head.span.start : end].rstrip())),
                ),
            )
    question = about(_WHICH[_language(row)] + str(row["input"]).strip(), document.title)
    return _item(row, context, question, (Place(document),), evidence=evidence)


def _count(row: Row, context: RowContext) -> QAItem:
    document = _numbered(row, context)
    return _item(row, context, about(_COUNT, document.title), (Place(document),), stands=False)


def _summary(row: Row, context: RowContext) -> QAItem:
    document = context.document({"text": row["context"]}, _title(row))
    asked = bare(str(row["input"])) or _WHOLE[_language(row)]
    reference = next(iter(texts_of(row["answers"])), "")
    question = about(sized(asked, reference), document.title)
    return _item(row, context, question, (Place(document),), stands=False)


SETS: dict[str, _Set] = {
    **dict.fromkeys(
        ("narrativeqa", "qasper", "multifieldqa_en", "multifieldqa_zh", "dureader"), _Set("T1", _one_text)
    ),
    **dict.fromkeys(("hotpotqa", "2wikimqa", "musique"), _Set("T1", _passages)),
    **dict.fromkeys(("passage_retrieval_en", "passage_retrieval_zh"), _Set("T1", _retrieval)),
    "passage_count": _Set("T4", _count),
    **dict.fromkeys(("gov_report", "multi_news", "vcsum", "qmsum"), _Set("T9", _summary)),
}
"""Data sets that are used, by the name in their rows."""

LONGBENCH = Adapter("longbench", _accepts, _read, "MIT")

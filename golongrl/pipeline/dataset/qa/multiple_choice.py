"""Multiple choice over a long text; T2, `choice`.

QuALITY (`nyu-mll/quality`, CC BY 4.0): `{title, article, questions: [{question, options, gold_label (from 1)}]}`; as
flat rows (`emozilla/quality`) `{article, question, options, answer (from 0)}`. LongBench v2 (`THUDM/LongBench-v2`,
Apache-2.0): `{_id, sub_domain, question, choice_A .. choice_D, answer (a letter), context}`.
"""

from collections.abc import Iterator

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.construct.form import LETTERS
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext
from golongrl.pipeline.dataset.qa.wording import about
from golongrl.pipeline.dataset.readers import Refusal


def _is_quality(row: Row) -> bool:
    return isinstance(row.get("article"), str) and (
        (isinstance(row.get("questions"), list) and all("options" in q for q in row["questions"])) or "options" in row
    )


def _quality(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    title = str(row.get("title") or "") or f"{context.stem} {context.number}"
    document = context.document({"text": row["article"]}, title)
    flat = not isinstance(row.get("questions"), list)
    for number, asked in enumerate([row] if flat else row["questions"], 1):
        source = context.name if flat else f"{context.name}.{number}"
        label, first = (asked["gold_label"], 1) if "gold_label" in asked else (asked.get("answer"), 0)
        if label is None:
            yield Refusal(source, "no answer")
            continue
        place = int(label) - first
        options = tuple(str(option).strip() for option in asked["options"])
        letter = LETTERS[place] if 0 <= place < len(options) else str(label)
        yield _item(source, "quality", str(asked["question"]), options, letter, document)


def _is_longbench_v2(row: Row) -> bool:
    return {"choice_A", "choice_B", "choice_C", "context", "question", "answer"} <= row.keys()


def _longbench_v2(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    kind = str(row.get("sub_domain") or row.get("domain") or context.stem)
    title = f"{kind}, {str(row.get('_id') or context.number)[-6:]}"
    document = context.document({"text": row["context"]}, title)
    columns = [f"choice_{letter}" for letter in LETTERS if isinstance(row.get(f"choice_{letter}"), str)]
    options = tuple(row[column].strip() for column in columns)
    answer = str(row["answer"] or "").strip().upper()
    yield _item(context.name, "longbench_v2", str(row["question"]), options, answer, document)


def _item(source: str, form: str, question: str, options: tuple[str, ...], letter: str, document: Document) -> QAItem:
    return QAItem(
        source=source,
        form=form,
        capability="T2",
        question=about(question, document.title),
        gold=(letter,),
        shown=(Place(document),),
        options=options,
        stands=False,
    )


QUALITY = Adapter("quality", _is_quality, _quality, "CC-BY-4.0")
LONGBENCH_V2 = Adapter("longbench_v2", _is_longbench_v2, _longbench_v2, "Apache-2.0")

"""FinQA (`ibm-research/finqa`, MIT): numerical questions about a page of an earnings report.

`{id, filename, pre_text, post_text, table, qa: {question, answer, exe_ans, program, gold_inds}}`. T4, `math`: the
number is the page's written `answer`, where it agrees with the executed program; scale and rounding go into the
question. Yes or no is refused. The evidence are the sentences and table rows of `gold_inds`.
"""

from collections.abc import Iterator
from decimal import Decimal

from golongrl.core.documents import Document
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, quoted
from golongrl.pipeline.dataset.qa.arithmetic import agrees, decimals, plain_number, tolerance, unit_note
from golongrl.pipeline.dataset.qa.wording import about
from golongrl.pipeline.dataset.readers import Refusal

ROUNDED = 2
"""Decimals asked for where the written answer is missing."""


def _accepts(row: Row) -> bool:
    return {"pre_text", "post_text", "table"} <= row.keys() and ("qa" in row or "question" in row)


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    # The hub's rows have the parts of `qa` as columns.
    asked = row["qa"] if isinstance(row.get("qa"), dict) else row
    page = str(row.get("filename") or row.get("id") or f"{context.stem} {context.number}")
    document = context.document({name: row[name] for name in ("pre_text", "table", "post_text")}, f"Report {page}")
    executed = asked.get("exe_ans", asked.get("final_result"))
    if normalise(str(executed)) in ("yes", "no"):
        yield Refusal(context.name, "guessable: yes or no")
        return
    found = _gold(str(asked.get("answer") or ""), executed)
    if isinstance(found, str):
        yield Refusal(context.name, found)
        return
    gold, percent = found
    note = unit_note("percent" if percent else "", decimals(gold))
    yield QAItem(
        source=context.name,
        form="finqa",
        capability="T4",
        question=about(str(asked["question"]) + note, document.title),
        gold=(f"{gold:f}",),
        shown=(Place(document),),
        evidence=_evidence(document, row["table"], asked.get("gold_inds")),
        extra={"tolerance": tolerance(gold)} if tolerance(gold) else {},
        stands=False,
    )


def _gold(written: str, executed: object) -> tuple[Decimal, bool] | str:
    """(number, whether in percent), or the reason why there is none."""
    value, number = plain_number(executed), plain_number(written)
    if value is None:
        return f"no number: {str(executed)[:60]}"
    percent = written.strip().endswith("%")
    if number is None:
        return (round(value, ROUNDED) if decimals(value) > ROUNDED else value), False
    if percent and agrees(number, 100 * float(value)):
        return number, True
    if agrees(number, float(value)):
        return number, percent
    return "gold: the written answer and the executed program differ"


def _evidence(document: Document, table: list[list[str]], places: object) -> tuple[Place, ...]:
    """Sentences and table rows by their names ("text_3", "table_2"); nothing unless all of them are found."""
    if not isinstance(places, dict):
        return ()
    sentences = [text for name, text in places.items() if not name.startswith("table_")]
    found = list(quoted(document, sentences))
    if sentences and not found:
        return ()
    rows = [row for block in document.blocks if block.table is not None for row in block.table.rows]
    for name in (name for name in places if name.startswith("table_")):
        number = name.removeprefix("table_")
        label = normalise(str(table[int(number)][0])) if number.isdigit() and int(number) < len(table) else None
        same = [row.span for row in rows if row.cells and normalise(row.cells[0]) == label]
        if len(same) != 1:
            return ()
        found.append(Place(document, same[0]))
    return tuple(dict.fromkeys(found))


FINQA = Adapter("finqa", _accepts, _read, "MIT")

"""LongBench Pro (`caskcsg/LongBench-Pro`, arXiv 2601.02872; licence as its card says): 25 tasks.

`{id, context, language, secondary_task, question_nonthinking, question_thinking, answer: [...]}`. The task's name
says the metric (`core/tasks.py`), and so the capability; its multiple choice is T2 where the question lists the
options. Answers may be labels or judgements, so they need not stand in the text.
"""

from collections.abc import Iterator

from golongrl.core import tasks
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext, texts_of
from golongrl.pipeline.dataset.qa.wording import about, bare, split_options
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.rewards.choice import gold_letter


def _accepts(row: Row) -> bool:
    return (
        "secondary_task" in row
        and "context" in row
        and bool({"question_nonthinking", "question_thinking"} & set(row))
    )


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    metric = tasks.LONGBENCH_PRO.get(str(row["secondary_task"]).strip())
    if metric is None:
        yield Refusal(context.name, f"unknown task: {row['secondary_task']}")
        return
    document = context.document({"text": row["context"]}, f"LongBench Pro {str(row.get('id') or context.number)[:8]}")
    question = bare(str(row.get("question_nonthinking") or row.get("question_thinking") or ""))
    gold = texts_of(row.get("answer"))
    options: tuple[str, ...] = ()
    if metric == "choice":
        found = split_options(question)
        letter = gold_letter(gold[0]) if gold else None
        if found is None or letter is None:
            yield Refusal(context.name, "options: the question does not list them")
            return
        question, options, gold = found[0], found[1], (letter,)
    yield QAItem(
        source=context.name,
        form="longbench_pro",
        capability=tasks.capability_of(metric),
        question=about(question, document.title),
        gold=gold,
        shown=(Place(document),),
        options=options,
        stands=False,
    )


LONGBENCH_PRO = Adapter("longbench_pro", _accepts, _read)

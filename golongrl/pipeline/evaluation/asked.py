"""asked.jsonl: the questions of a run without their long prompts.

A row per item holds what grading and the report need when the prompts are gone, and the keys of its answers in the
journal, so that a page can be made from the folder alone, also of a run that still goes on.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golongrl.core.store import atomic_path, read_jsonl
from golongrl.pipeline.evaluation.benchmarks.base import Item, Thinking
from golongrl.pipeline.evaluation.benchmarks.multiple_choice import LETTERS
from golongrl.pipeline.evaluation.excerpts import excerpts_of, question_of

if TYPE_CHECKING:
    from golongrl.pipeline.evaluation.job import Slot

FILE = "asked.jsonl"

Row = dict[str, Any]


def row_of(item: Item) -> Row:
    """What is kept of an item whose prompt is still whole."""
    return {
        "id": item.id,
        "question": question_of(item),
        "gold": item.gold,
        "choices": list(item.choices),
        "buckets": item.buckets,
        "depth": item.depth,
        "cluster": item.cluster,
        "n_characters": sum(len(message["content"]) for message in item.messages),
        "excerpts": [{"label": label, "pieces": pieces} for label, pieces in excerpts_of(item)],
    }


def write(
    folder: Path,
    rows: Sequence[Row],
    slots: Iterable["Slot"],
    think: Thinking,
    key_of: Callable[["Slot"], str | None],
) -> None:
    """Write a run's questions: the row of each item with its slots behind it.

    `key_of` gives the key of a slot's answer in the journal, None for one that has none there.
    """
    repeats: dict[str, list[Row]] = {}
    for slot in slots:
        sizes = {"n_input_tokens": slot.n_input_tokens, "n_cut_tokens": slot.n_cut_tokens, "overlong": slot.overlong}
        repeats.setdefault(slot.item.id, []).append({"repeat": slot.repeat, **sizes, "key": key_of(slot)})
    # Half of a surrogate pair, which a data file may hold, is no UTF-8; as an escape it is valid JSON.
    with (
        atomic_path(folder / FILE) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        for row in rows:
            whole = {**row, "think": think, "repeats": repeats.get(row["id"], [])}
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")


def read(folder: Path) -> list[Row]:
    """The rows of a run, in its order; none where the run has no such file."""
    path = folder / FILE
    return [row for _, row in read_jsonl(path)] if path.is_file() else []


def gold_texts(row: Row) -> list[str]:
    """The right answers as a person reads them; of a choice its letter and text."""
    gold, choices = row["gold"], row["choices"]
    if choices and gold.get("answer") in LETTERS[: len(choices)]:
        return [f"{gold['answer']}) {choices[LETTERS.index(gold['answer'])]}"]
    return [str(answer) for answer in gold.get("answers") or [gold.get("answer", "")]]

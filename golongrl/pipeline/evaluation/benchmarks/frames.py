"""FRAMES: multi-hop questions over the Wikipedia pages that they need.

Data set `google/frames-benchmark` (split test, 824 rows, Apache-2.0) holds links only; the pages' text comes with the
copy `iic/frames` on ModelScope (test.jsonl), which --data takes: `Prompt`, `Answer`, `wiki_items` (a list of {title,
text}), optionally `reasoning_types` and `id`. Metric: share of answers that a judge finds right. Published: 64.4
(Qwen3-4B-Thinking-2507), 67.4 (GoLongRL-4B), 74.5 (GoLongRL-30B-A3B), with the larger of that and of containment.
Containment takes "not Paris but London" for Paris, so no score here uses it.
"""

import json
from collections.abc import Iterator
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import content_key
from golongrl.pipeline.evaluation.benchmarks import reading
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of

FETCH = "modelscope download --dataset iic/frames test.jsonl"


def pages_of(row: Row, where: str) -> list[tuple[str, str]]:
    """(title, text) of the row's pages."""
    value: Any = row.get("wiki_items")
    if isinstance(value, str):
        try:
            value = json_text.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}, column wiki_items: not JSON ({error.msg}); mend or remove the row") from error
    if value is None:
        raise DataError(
            f"{where}, column wiki_items: is missing; google/frames-benchmark holds links without text. Fetch the "
            f"rows with their pages: {FETCH}"
        )
    if not isinstance(value, (list, tuple)) or not value:
        raise DataError(f"{where}, column wiki_items: expected a list of pages; mend or remove the row")
    pages = []
    for page in value:
        title, text = (page.get("title"), page.get("text")) if isinstance(page, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(title, str | None):
            raise DataError(f"{where}, column wiki_items: each page needs a title and a text; mend or remove the row")
        pages.append((title or "", text))
    return pages


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The question and its answer."""
    question, answer = text_of(row, where, "Prompt", "Question"), text_of(row, where, "Answer")
    return {"question": question, "answers": [answer]}


def read(row: Row, where: str) -> Item:
    """One row as an item. Without an `id` the question itself names it."""
    gold = read_gold(row, where)
    question = gold["question"]
    document = "\n\n".join(f"# {title}\n{text}" if title else text for title, text in pages_of(row, where))
    messages, place = reading.prompt(document, question)
    identity = str(row["id"]) if row.get("id") is not None else content_key(question)[:12]
    return Item(identity, messages, gold, {}, identity, 16, place)


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the file; UsageError without --data, which the hub cannot replace."""
    if options.data is None:
        raise UsageError(
            f"frames needs --data: rows with Prompt, Answer and wiki_items. The hub has the questions without their "
            f"pages; with them: {FETCH}"
        )
    return each_row("frames", options, None, read)


FRAMES = Benchmark(
    name="frames",
    dataset="google/frames-benchmark, with its pages iic/frames",
    split="test",
    fields="Prompt, Answer, wiki_items",
    licence="Apache-2.0; pages CC BY-SA",
    metric="share of answers that the judge finds right",
    load=load,
    score=reading.exact,
    from_row=from_response(read_gold, "Prompt", "Answer"),
    judge=reading.judge("share of answers equal to the gold answer (a lower bound)"),
)

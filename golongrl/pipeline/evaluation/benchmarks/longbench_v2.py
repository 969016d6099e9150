"""LongBench v2: four-way questions about one or several long documents, repositories, dialogues and tables.

Data set `zai-org/LongBench-v2` (formerly THUDM), split train, 503 rows, Apache-2.0. Columns: `_id`, `domain`,
`sub_domain`, `difficulty` (easy, hard), `length` (short, medium, long: under 32K words, up to 128K, above),
`question`, `choice_A` to `choice_D`, `answer` (a letter), `context`. Metric: share of right letters; the last stated
letter counts. Published: 40.2 (Qwen3-4B-Thinking-2507), 47.1 (GoLongRL-4B), 55.1 (GoLongRL-30B-A3B), 53.7 (human
experts within 15 minutes).
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.store import content_key
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import multiple_choice
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import (
    Row,
    each_row,
    from_response,
    letter_of,
    prompt_with_document,
    text_of,
)

HUB = hub_data.HubSource("zai-org/LongBench-v2", "2b48e494f2c7a2f0af81aae178e05c7e1dde0fe9", ("data.json",))
AXES = ("domain", "difficulty", "length")


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The right letter."""
    return {"answer": letter_of(row, where, "answer", 4), "options": 4}


def read(row: Row, where: str) -> Item:
    """One row as an item."""
    context, question = text_of(row, where, "context"), text_of(row, where, "question")
    choices = [text_of(row, where, f"choice_{letter}") for letter in multiple_choice.LETTERS[:4]]
    after = (
        f"\n</document>\n\nQuestion: {question.strip()}\n\n{multiple_choice.listed(choices)}\n\n"
        f"{multiple_choice.instruction(4)}"
    )
    messages, document = prompt_with_document("Read this document.\n\n<document>\n", context, after)
    # The job names its own buckets of tokens "length".
    named = {"length": "words"}
    buckets = {named.get(axis, axis): str(row[axis]) for axis in AXES if row.get(axis)}
    return Item(
        text_of(row, where, "_id"),
        messages,
        read_gold(row, where),
        buckets,
        cluster=content_key(context),
        n_answer_tokens=1,
        document=document,
        question=question,
        choices=tuple(choices),
    )


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the file."""
    return each_row("longbench-v2", options, HUB, read)


LONGBENCH_V2 = Benchmark(
    name="longbench-v2",
    dataset=HUB.repo,
    split="train (the only one published)",
    fields="_id, question, choice_A, choice_B, choice_C, choice_D, answer, context",
    licence="Apache-2.0",
    metric="share of right letters",
    load=load,
    score=multiple_choice.score,
    from_row=from_response(read_gold, "answer"),
    hub=HUB,
)

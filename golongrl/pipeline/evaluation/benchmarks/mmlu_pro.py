"""MMLU-Pro: questions of fourteen subjects with up to ten options.

Data set `TIGER-Lab/MMLU-Pro`, split test, 12,032 rows, MIT. Columns: `question_id`, `question`, `options` (3 to 10
texts), `answer` (a letter), `answer_index`, `category`, `src`, `cot_content`. Metric: share of right letters. Asked
without worked examples; published scores of base models come from five of them. Published: 78.5 (Qwen3-30B-A3B)
and 74.0 (Qwen3-4B-Thinking-2507), by the latter's model card.
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.errors import DataError
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import multiple_choice
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, letter_of, text_of, texts_of

HUB = hub_data.HubSource("TIGER-Lab/MMLU-Pro", "b189ec765aa7ed75c8acfea42df31fdae71f97be", ("data/test*.parquet",))
MOST_OPTIONS = 10


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The right letter and how many there are."""
    options = texts_of(row, where, "options")
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise DataError(
            f"{where}, column options: has {len(options)} texts, expected 2 to {MOST_OPTIONS}; mend or remove the row"
        )
    answer = letter_of(row, where, "answer", len(options))
    index = row.get("answer_index")
    if index is not None and index != multiple_choice.LETTERS.index(answer):
        raise DataError(
            f"{where}, column answer_index: {index} is not the place of answer {answer}; mend or remove the row"
        )
    return {"answer": answer, "options": len(options)}


def read(row: Row, where: str) -> Item:
    """One row as an item; options keep the published order, which is part of the benchmark."""
    gold, question = read_gold(row, where), text_of(row, where, "question").strip()
    choices = texts_of(row, where, "options")
    messages = multiple_choice.prompt(question, choices)
    identity = text_of(row, where, "question_id")
    buckets = {"category": str(row["category"])} if row.get("category") else {}
    return Item(identity, messages, gold, buckets, identity, 1, question=question, choices=tuple(choices))


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the file."""
    return each_row("mmlu-pro", options, HUB, read)


MMLU_PRO = Benchmark(
    name="mmlu-pro",
    dataset=HUB.repo,
    split="test",
    fields="question_id, question, options, answer",
    licence="MIT",
    metric="share of right letters",
    load=load,
    score=multiple_choice.score,
    from_row=from_response(read_gold, "options", "answer"),
    hub=HUB,
    max_output=32768,
)

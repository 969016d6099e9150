"""AIME 2024 and 2025: competition problems whose answers are whole numbers from 0 to 999.

Data sets `HuggingFaceH4/aime_2024` (split train) and `math-ai/aime25` (split test), 30 rows each; licence: see their
cards (the problems are the Mathematical Association of America's). Columns: `problem`, `answer`, `id`; copies that
call them `Problem` or `question`, and `Answer` or a `solution` in a box, are read too. Metric: share of right
answers, averaged over 32 repeats (avg@32, which published tables sometimes call pass@32). The last boxed or stated
number of what follows the thinking counts. Published on AIME25: 81.3 (Qwen3-4B-Thinking-2507) and 85.0
(Qwen3-30B-A3B-Thinking-2507), by their model cards.
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.records import Score
from golongrl.core.store import content_key
from golongrl.core.text import answer_area
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks.answers import after_thinking
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Thinking
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of
from golongrl.rewards.math import compare, gold_expression
from golongrl.rewards.stated import stated_answer

AIME24_HUB = hub_data.HubSource(
    "HuggingFaceH4/aime_2024",
    "2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    ("data/train-00000-of-00001.parquet",),
)
AIME25_HUB = hub_data.HubSource("math-ai/aime25", "563bb8404243c5f09de6ec262f2db674fe5bce9b", ("test.jsonl",))
INSTRUCTION = (
    "Solve this problem. Its answer is a whole number from 0 to 999. Reason step by step and put the final answer in "
    "\\boxed{}.\n\n"
)


def gold_number(text: str) -> int | None:
    """The whole number from 0 to 999 that a gold answer states, in a box or alone."""
    quantity = gold_expression(text).quantity
    if quantity is None or quantity.value.denominator != 1 or not 0 <= quantity.value <= 999:
        return None
    return int(quantity.value)


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The right number."""
    answer = text_of(row, where, "answer", "Answer", "solution")
    number = gold_number(answer)
    if number is None:
        raise DataError(
            f"{where}, column answer: {answer[:40]!r} is no whole number from 0 to 999; mend or remove the row"
        )
    return {"answer": str(number)}


def read(row: Row, where: str) -> Item:
    """One row as an item. Without an `id` the problem itself names it."""
    problem = text_of(row, where, "problem", "Problem", "question")
    named = next((row[name] for name in ("id", "ID", "problem_idx") if row.get(name) is not None), None)
    identity = str(named) if named is not None else content_key(problem)[:12]
    messages = [{"role": "user", "content": INSTRUCTION + problem.strip()}]
    return Item(identity, messages, read_gold(row, where), {}, identity, 4, question=problem.strip())


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """1 if the last stated answer equals the gold number; 0 otherwise, with `no_answer` where none is stated."""
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    stated = stated_answer(*answer_area(said))
    if stated.text is None:
        return Score(value=0.0, reason="no_answer")
    return compare([gold["answer"]], stated)


def _benchmark(name: str, source: hub_data.HubSource, split: str) -> Benchmark:
    def load(options: LoadOptions) -> Iterator[Item]:
        return each_row(name, options, source, read)

    return Benchmark(
        name=name,
        dataset=source.repo,
        split=split,
        fields="problem, answer",
        licence="see the card of the data set",
        metric="share of right answers (avg over repeats)",
        load=load,
        score=score,
        from_row=from_response(read_gold, "answer"),
        hub=source,
        repeats=32,
    )


AIME24 = _benchmark("aime24", AIME24_HUB, "train (the only one published)")
AIME25 = _benchmark("aime25", AIME25_HUB, "test")

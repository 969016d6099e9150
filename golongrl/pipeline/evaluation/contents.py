"""What a benchmark asks, for keeping it out of training data."""

from collections.abc import Iterator
from typing import Any

from golongrl.core import chat_template, tokens
from golongrl.core.errors import UsageError
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks.base import LoadOptions


def benchmark_rows(name: str) -> Iterator[dict[str, Any]]:
    """The items of a benchmark as rows of `id`, `messages` and the texts of the gold answer.

    Raises UsageError for an unknown name and for a benchmark that is made of the user's own documents.
    """
    bench = benchmarks.get(name)
    if bench.as_row is not None:
        raise UsageError(f"{name} is made from documents of one's own; there is nothing of it to keep out")
    tokenizer = tokens.load("approx")

    def count(messages: list[dict[str, str]]) -> int:
        return chat_template.prompt_tokens(tokenizer, messages, None)

    options = LoadOptions(
        data=None,
        tokenizer=tokenizer,
        count_prompt=count,
        max_length=[],
        limit=None,
        needles=[2, 4, 8],
        answer_tokens=64,
        seed=0,
    )
    for item in bench.load(options):
        yield {"id": item.id, "messages": item.messages, "answer": _answers(item.gold)}


def _answers(gold: dict[str, Any]) -> list[str]:
    """Every text of the gold answer."""
    values = [[value] if isinstance(value, str) else value for value in gold.values()]
    return [text for several in values if isinstance(several, list) for text in several if isinstance(text, str)]

"""What a benchmark asks, for keeping it out of training data."""

from collections.abc import Iterator
from typing import Any

from golongrl.core import chat_template, tokens
from golongrl.core.errors import UsageError
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks.base import Item, LoadOptions, Messages
from golongrl.pipeline.evaluation.benchmarks.multiple_choice import LETTERS


def benchmark_rows(entry: str) -> Iterator[dict[str, Any]]:
    """The items of a benchmark as rows: `id`, `question`, the texts of its right `answer`, `choices` and `context`.

    `entry` is a name, whose rows the hub has, or NAME=PATH of a file or folder with rows as the benchmark publishes
    them. A conversation that ends in its question has `messages` in place of question and context. Raises UsageError
    for an unknown name, for a benchmark that is made of the user's own documents, and for one that the hub does not
    have.
    """
    name, _, data = entry.partition("=")
    bench = benchmarks.get(name)
    if bench.as_row is not None:
        raise UsageError(f"{name} is made from documents of one's own; there is nothing of it to keep out")
    if bench.hub is None and not data:
        raise UsageError(
            f"the hub has no rows of {name}; give it as {name}=PATH of a file or folder with them ({bench.dataset})"
        )
    tokenizer = tokens.load(tokens.APPROX)

    def count(messages: Messages) -> int:
        return chat_template.prompt_tokens(tokenizer, messages, None)

    options = LoadOptions(
        data=data or None,
        tokenizer=tokenizer,
        count_prompt=count,
        max_length=[],
        limit=None,
        needles=[],
        answer_tokens=0,
        seed=0,
    )
    return (_row(item) for item in bench.load(options))


def _row(item: Item) -> dict[str, Any]:
    question = item.question or item.gold.get("question")
    row = {"id": item.id, "answer": _answers(item), "choices": list(item.choices)}
    if not question:
        return {**row, "messages": item.messages}
    return {**row, "question": question, "context": _context(item)}


def _answers(item: Item) -> list[str]:
    """The texts that are right; of a choice its text, because a letter says nothing."""
    if item.choices:
        return [item.choices[LETTERS.index(item.gold["answer"])]]
    return item.gold["answers"] if "answers" in item.gold else [item.gold["answer"]]


def _context(item: Item) -> str:
    """The document; all messages where nothing says which part of them it is; empty for a bare question."""
    if item.document is not None:
        place, start, end = item.document
        return item.messages[place]["content"][start:end]
    return "" if item.question else "\n".join(message["content"] for message in item.messages)

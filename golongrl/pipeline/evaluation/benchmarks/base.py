"""What a benchmark is: items to answer, a score per answer, and the facts a reader needs to judge the number."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.core.records import Score
from golongrl.core.tokens import Tokenizer


@dataclass(frozen=True)
class Item:
    """One question. `messages` is empty when only its answer is known (scoring finished responses).

    `gold` is what the score needs; `buckets` are reported apart; `cluster` names what items share (a document, a
    conversation) and is what the intervals resample. `n_answer_tokens` counts towards the length bucket.
    """

    id: str
    messages: list[dict[str, str]]
    gold: dict[str, Any]
    buckets: dict[str, str] = field(default_factory=dict)
    cluster: str = ""
    n_answer_tokens: int = 0


@dataclass(frozen=True)
class LoadOptions:
    """What loading may depend on; see EvalConfig for the meaning of each."""

    data: str | None
    tokenizer: Tokenizer
    count_prompt: Callable[[list[dict[str, str]]], int]
    max_length: list[int]
    limit: int | None
    needles: list[int]
    answer_tokens: int
    seed: int


@dataclass(frozen=True)
class Benchmark:
    """A benchmark and where it comes from.

    `load` yields the items; `score` grades (gold, response, think) and is pure, so it can run in another process.
    `from_row` reads an item out of a row that carries the benchmark's own fields, or returns None.
    `short_output` is the output budget that suffices without thinking, None for the recipe's; `as_row` writes an item
    that was constructed here, so that it can be answered elsewhere.
    """

    name: str
    dataset: str
    split: str
    fields: str
    licence: str
    metric: str
    bounds: tuple[int, ...]
    load: Callable[[LoadOptions], list[Item]]
    score: Callable[[dict[str, Any], str, Literal["required", "optional"]], Score]
    from_row: Callable[[dict[str, Any], str], Item | None]
    short_output: Callable[[int], int] | None = None
    as_row: Callable[[Item], dict[str, Any]] | None = None

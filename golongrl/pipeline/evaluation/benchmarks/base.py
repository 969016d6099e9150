"""What a benchmark is: items to answer, a score per answer, and the facts a reader needs to judge the number."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.core.records import Score
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.evaluation.hub_data import HubSource

Messages = list[dict[str, str]]
Span = tuple[int, int, int]
"""Message index, first character, end."""
Thinking = Literal["required", "optional"]
LENGTHS = tuple(4096 * 2**power for power in range(9))
"""Upper bounds of the length buckets in tokens: 4K, 8K ... 1M."""


@dataclass(frozen=True)
class Item:
    """One question. `messages` is empty when only its answer is known (scoring finished responses).

    `gold` is what the score needs; `buckets` are reported apart; `cluster` names what items share (a document, a
    conversation) and is what the intervals resample. `n_answer_tokens` counts towards the length bucket.
    `document` says which part of the prompt may be cut where it does not fit: message index, first character, end.
    `question` is the question alone where `gold` does not hold it; `choices` are the texts of its options in the
    order of their letters. `evidence` says where in the prompt the text stands that answers it, and `depth` what
    share of the prompt stands before it, where the benchmark knows that.
    """

    id: str
    messages: Messages
    gold: dict[str, Any]
    buckets: dict[str, str] = field(default_factory=dict)
    cluster: str = ""
    n_answer_tokens: int = 0
    document: Span | None = None
    question: str = ""
    choices: tuple[str, ...] = ()
    evidence: tuple[Span, ...] = ()
    depth: float | None = None


@dataclass(frozen=True)
class LoadOptions:
    """What loading may depend on; see EvalConfig for the meaning of each.

    `count_o200k` counts tokens of OpenAI's o200k_base, by which `openai/mrcr` is binned; None where it is not there.
    """

    data: str | None
    tokenizer: Tokenizer
    count_prompt: Callable[[Messages], int]
    max_length: list[int]
    limit: int | None
    needles: list[int]
    answer_tokens: int
    seed: int
    count_o200k: Callable[[str], int] | None = None


@dataclass(frozen=True)
class Judge:
    """How a model judges the answers of a benchmark; both functions are pure.

    `messages` gives what to ask the judge about (gold, response, think), or the Score where nothing needs asking: no
    answer, or one that equals the gold answer. `read_verdict` gives the Score that a reply states, or None where it
    states none, so that it is asked again and in the end stays unjudged. The value of the verdict replaces that of
    `Benchmark.score`, whose details stay. `rule` names what `Benchmark.score` measures without a judge, None if
    nothing.
    """

    messages: Callable[[dict[str, Any], str, Thinking], Messages | Score]
    read_verdict: Callable[[str], Score | None]
    rule: str | None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark and where it comes from.

    `load` yields the items; `score` grades (gold, response, think) and is pure, so it can run in another process.
    `from_row` reads an item out of a row that carries the benchmark's own fields, or returns None. `bounds` are those
    of the length buckets. `short_output` is the output budget that suffices without thinking, None for the recipe's;
    `as_row` writes an item that was constructed here, so that it can be answered elsewhere. `hub` is where the rows
    come from without --data; `judge` is there where a model grades; `repeats`, `max_input` and `max_output` are the
    recipe's where they differ from those of most benchmarks.
    """

    name: str
    dataset: str
    split: str
    fields: str
    licence: str
    metric: str
    load: Callable[[LoadOptions], Iterable[Item]]
    score: Callable[[dict[str, Any], str, Thinking], Score]
    from_row: Callable[[dict[str, Any], str], Item | None]
    bounds: tuple[int, ...] = LENGTHS
    short_output: Callable[[int], int] | None = None
    as_row: Callable[[Item], dict[str, Any]] | None = None
    hub: HubSource | None = None
    judge: Judge | None = None
    repeats: int = 1
    max_input: int | None = None
    max_output: int | None = None

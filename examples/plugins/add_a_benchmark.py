"""A benchmark of your own: questions over contracts, answered with one line.

    export GOLONGRL_PLUGINS=examples/plugins/add_a_benchmark.py
    golongrl eval --bench clauses --data clauses.jsonl --model my-model --base-url http://127.0.0.1:8000/v1

A row of clauses.jsonl is {"id": ..., "contract": ..., "question": ..., "answer": ...}.
"""

from collections.abc import Iterator

from golongrl.core.store import content_key
from golongrl.pipeline.evaluation.benchmarks import BENCHMARKS
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, not_in_responses, text_of
from golongrl.pipeline.evaluation.benchmarks.reading import exact, judge, prompt


def read(row: Row, where: str) -> Item:
    """The contract may be cut where a prompt does not fit; intervals resample whole contracts."""
    contract, question, answer = (text_of(row, where, name) for name in ("contract", "question", "answer"))
    messages, document = prompt(contract, question)
    return Item(
        id=text_of(row, where, "id"),
        messages=messages,
        gold={"question": question, "answers": [answer]},
        cluster=content_key(contract),
        document=document,
    )


def load(options: LoadOptions) -> Iterator[Item]:
    """The items of --data."""
    return each_row("clauses", options, None, read)


BENCHMARKS["clauses"] = Benchmark(
    name="clauses",
    dataset="our contracts",
    split="test",
    fields="id, contract, question, answer",
    licence="ours",
    metric="share of answers equal to the gold one",
    load=load,
    score=exact,
    from_row=not_in_responses,
    judge=judge("share of answers equal to the gold one"),
)

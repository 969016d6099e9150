"""LongBench QA: the five English question sets of LongBench v1 that ask for short answers.

Data set `zai-org/LongBench` (formerly THUDM), split test, data.zip, MIT; `narrativeqa`, `qasper` (one document),
`hotpotqa`, `2wikimqa`, `musique` (several), 200 rows each. Columns: `input`, `context`, `answers`, `dataset`, `_id`.
Metric: share of answers that a judge finds the same as one of the gold answers; without a judge the token F1 of
LongBench, and with one F1 in the details. The overall score is the mean over rows, which is that over sets of equal
size. Published (judge): 64.0 (Qwen3-4B-Thinking-2507), 65.9 (GoLongRL-4B), 68.7 (GoLongRL-30B-A3B).
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.store import content_key
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import reading
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of, texts_of

SETS = {
    "narrativeqa": "single",
    "qasper": "single",
    "hotpotqa": "multi",
    "2wikimqa": "multi",
    "musique": "multi",
}
"""Name of a set -> whether its questions are about one document or several."""
HUB = hub_data.HubSource(
    "zai-org/LongBench",
    "5e628be450b7e67fb7ae6e201bd6d8f7056f7672",
    ("data.zip",),
    tuple(f"data/{name}.jsonl" for name in SETS),
)


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The question and its answers."""
    return {"question": text_of(row, where, "input"), "answers": texts_of(row, where, "answers")}


def read(row: Row, where: str) -> Item | None:
    """One row as an item; None for a row of LongBench's other sets."""
    name = text_of(row, where, "dataset").removesuffix("_e")
    if name not in SETS:
        return None
    context, gold = text_of(row, where, "context"), read_gold(row, where)
    messages, place = reading.prompt(context, gold["question"])
    buckets = {"set": name, "documents": SETS[name]}
    return Item(text_of(row, where, "_id"), messages, gold, buckets, content_key(context), 16, place)


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the files; rows of other sets are left out."""
    return each_row("longbench-qa", options, HUB, read)


LONGBENCH_QA = Benchmark(
    name="longbench-qa",
    dataset=HUB.repo,
    split="test",
    fields="input, context, answers, dataset, _id",
    licence="MIT",
    metric="share of answers that the judge finds right",
    load=load,
    score=reading.overlap,
    from_row=from_response(read_gold, "input", "answers"),
    hub=HUB,
    judge=reading.judge("token F1"),
)

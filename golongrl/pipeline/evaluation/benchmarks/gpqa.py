"""GPQA Diamond: graduate-level science questions with four options, in an order drawn per question.

Data set `Idavidrein/gpqa` (gated: accept its terms on the hub), file gpqa_diamond.csv, 198 rows, CC-BY-4.0. Columns:
`Record ID`, `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`, `High-level domain`. The authors ask that
rows are not shown in plain text on the web. Metric: share of right letters, averaged over four repeats. Each
question's order is drawn from the seed and its id alone, so that it is the same in every run, whatever else is asked
for; `gold["order"]` holds it. Published: 65.8 (Qwen3-4B-Thinking-2507, its model card).
"""

import random
from collections.abc import Iterator

from golongrl.core.store import content_key
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import multiple_choice
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, not_in_responses, text_of

HUB = hub_data.HubSource("Idavidrein/gpqa", "633f5ee89ab8ad4522a9f850766b73f62147ffdd", ("gpqa_diamond.csv",))
COLUMNS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


def shuffled(identity: str, seed: int) -> list[int]:
    """Which of the columns stands at each letter."""
    order = list(range(len(COLUMNS)))
    random.Random(content_key("gpqa-diamond", seed, identity)).shuffle(order)
    return order


def read(row: Row, where: str, seed: int) -> Item:
    """One row as an item. Without a `Record ID` the question itself names it."""
    question = text_of(row, where, "Question")
    columns = [text_of(row, where, name).strip() for name in COLUMNS]
    identity = str(row.get("Record ID") or content_key(question, columns)[:12])
    order = shuffled(identity, seed)
    choices = [columns[place] for place in order]
    messages = multiple_choice.prompt(question.strip(), choices)
    gold = {"answer": multiple_choice.LETTERS[order.index(0)], "options": len(columns), "order": order}
    buckets = {"domain": str(row["High-level domain"])} if row.get("High-level domain") else {}
    return Item(identity, messages, gold, buckets, identity, 1, question=question, choices=tuple(choices))


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the file."""
    return each_row("gpqa-diamond", options, HUB, lambda row, where: read(row, where, options.seed))


GPQA_DIAMOND = Benchmark(
    name="gpqa-diamond",
    dataset=HUB.repo,
    split="gpqa_diamond",
    fields="Question, Correct Answer, Incorrect Answer 1, Incorrect Answer 2, Incorrect Answer 3",
    licence="CC-BY-4.0",
    metric="share of right letters",
    load=load,
    score=multiple_choice.score,
    from_row=not_in_responses,
    hub=HUB,
    repeats=4,
)

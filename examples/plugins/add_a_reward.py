"""A reward of your own: Jaccard similarity of the answered and the gold items.

    export GOLONGRL_PLUGINS=examples/plugins/add_a_reward.py
    golongrl verify-rewards records.jsonl         # rows with "extra_info": {"metric": "jaccard", ...}
    golongrl train --data records.parquet ...

`like="f1"` says that gold answers are lists of items, as for F1: the audit then tries the same attacks within the
same bounds (Jaccard never pays more than F1), the same dresses of a right answer and the same corruption.
"""

from golongrl.core.records import Record, Score
from golongrl.rewards import register
from golongrl.rewards.items import Items, counts, read_items


def jaccard(record: Record, text: str) -> Score:
    """|P ∩ G| / |P ∪ G| over distinct normalised lines."""
    items = read_items(record, text)
    if not isinstance(items, Items):
        return items  # no gold items: no score; no answer: 0
    golds, predictions = set(items.golds), set(items.predictions)
    return Score(value=len(golds & predictions) / len(golds | predictions), details=counts(items))


register("jaccard", jaccard, like="f1")

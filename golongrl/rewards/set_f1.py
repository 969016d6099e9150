"""Set F1 over lines: exhaustive retrieval, where missing and surplus items both cost."""

from golongrl.core.records import Record, Score
from golongrl.rewards.items import Items, counts, read_items


def set_f1(record: Record, text: str) -> Score:
    """2 |P ∩ G| / (|P| + |G|) over distinct normalised lines."""
    items = read_items(record, text)
    if not isinstance(items, Items):
        return items
    hits = len(set(items.golds) & set(items.predictions))
    golds, predictions = len(items.golds), len(items.predictions)
    return Score(
        value=2 * hits / (golds + predictions),
        details=counts(items, precision=hits / predictions, recall=hits / golds),
    )

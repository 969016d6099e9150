"""Share of gold items listed, with a guard against listing everything."""

from golongrl.core.records import Record, Score
from golongrl.rewards.items import Items, counts, read_items


def sub_em(record: Record, text: str) -> Score:
    """|P ∩ G| / |G| times min(1, |G| / |P|): beyond |G| lines, every further line costs."""
    items = read_items(record, text)
    if not isinstance(items, Items):
        return items
    recall = len(set(items.golds) & set(items.predictions)) / len(items.golds)
    guard = min(1.0, len(items.golds) / len(items.predictions))
    return Score(value=recall * guard, details=counts(items, recall=recall, guard=guard))

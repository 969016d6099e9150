"""In which order prompts are sent: those that share a context one after the other, the longest first.

A server keeps the prefixes of recent prompts, so what shares one must come together. Long prompts first, so that the
last to finish is a short one. Requests start strictly in this order, hence none starves.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from golongrl.core.store import content_key
from golongrl.pipeline.evaluation.benchmarks.base import Item

if TYPE_CHECKING:
    from golongrl.pipeline.evaluation.job import Slot


def context_key(item: Item) -> str:
    """What prompts with the same start have in common: all up to the document's end, else the item's cluster."""
    if item.document is None:
        return f"cluster {item.cluster or item.id}"
    place, _, end = item.document
    return content_key([item.messages[:place], item.messages[place]["content"][:end]])


def sending_order(slots: Sequence["Slot"]) -> list["Slot"]:
    """The slots that have a request, as they are sent: groups by their longest prompt, and so within a group."""
    groups: dict[str, list[Slot]] = {}
    keys: dict[str, str] = {}
    for slot in slots:
        if slot.request is None:
            continue
        # Repeats share their item, and hashing a long document takes a while.
        if slot.item.id not in keys:
            keys[slot.item.id] = context_key(slot.item)
        groups.setdefault(keys[slot.item.id], []).append(slot)

    def length(slot: "Slot") -> int:
        return -(slot.n_input_tokens or 0)

    ordered = sorted(groups.values(), key=lambda group: min(map(length, group)))
    return [slot for group in ordered for slot in sorted(group, key=length)]

"""Where in a prompt the text stands that answers its question, and how deep that is."""

from collections.abc import Sequence
from dataclasses import replace

from golongrl.pipeline.evaluation.benchmarks.base import Item, Messages, Span

BANDS = ("0-20%", "20-40%", "40-60%", "60-80%", "80-100%")
"""Names of the depth buckets: the share of the prompt that stands in front of the evidence."""


def depth(messages: Messages, spans: Sequence[Span]) -> float:
    """Share of the prompt's characters in front of the middle of the evidence; of several pieces the mean, 0 to 1."""
    starts, total = [], 0
    for message in messages:
        starts.append(total)
        total += len(message["content"])
    middles = [starts[place] + (start + end) / 2 for place, start, end in spans]
    return sum(middles) / len(middles) / max(1, total)


def band(share: float) -> str:
    """The depth bucket of a share from 0 to 1."""
    return BANDS[min(int(share * len(BANDS)), len(BANDS) - 1)]


def located(item: Item, spans: Sequence[Span]) -> Item:
    """The item with the places of its evidence, its depth and its depth bucket; as it is where there are none."""
    if not spans:
        return item
    share = round(depth(item.messages, spans), 4)
    return replace(item, evidence=tuple(spans), depth=share, buckets={**item.buckets, "depth": band(share)})

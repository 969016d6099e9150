"""Gold answers with a growing share of wrong content: a metric must pay less the more of an answer is wrong."""

import random

from golongrl.core.records import Record
from golongrl.rewards.gold import gold_response
from golongrl.rewards.items import gold_aliases
from golongrl.rewards.probes.parts import (
    LIST_METRICS,
    as_list,
    as_summary,
    as_table,
    items_of,
    rows_of,
    shortest_reference,
    verbatim,
    wrong_answer,
)

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Corrupted shares at which sensitivity is measured."""


def corrupted(record: Record, share: float, seed: int = 0) -> str | None:
    """The gold answer with `share` of its parts (items, rows, words, characters) replaced by wrong ones.

    What is wrong at one share is wrong at every larger one. A single answer is wrong from the first part on. None
    where nothing can be replaced.
    """
    if record.form in LIST_METRICS:
        return as_list(_replace(items_of(record), share, seed, "candidate {}"))
    if record.form == "iou":
        rows = _replace(rows_of(record), share, seed, "candidate {}")
        return as_table(rows) if rows else None
    if record.form == "rouge_l":
        reference = shortest_reference(record)
        # Spaces keep the segmenter of Chinese from joining wrong words.
        return as_summary(_replace(list(reference.words), share, seed, " wrong{} "), reference.chinese)
    if not share:
        return gold_response(record)
    if verbatim(record):
        prefix = str(record.extra_info["strict_prefix"])
        body = gold_response(record).strip().removeprefix(prefix)
        return prefix + "".join(_replace(list(body), share, seed, "\u2593"))
    if record.form == "em":
        return as_list(["".join(_replace(list(gold_aliases(record)[0]), share, seed, "\u2593"))])
    return wrong_answer(record)


def _replace(parts: list, share: float, seed: int, form: str) -> list:
    """`share` of the parts, at least one of them if any, replaced in an order drawn once."""
    order = random.Random(seed).sample(range(len(parts)), len(parts))
    wrong = set(order[: max(round(share * len(parts)), share > 0)])
    return [form.format(index) if index in wrong else part for index, part in enumerate(parts)]

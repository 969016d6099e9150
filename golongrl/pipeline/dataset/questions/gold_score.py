"""How the gold answer of an item stands in a record, and whether it scores 1.0 there."""

from typing import Any

from golongrl.core import tasks
from golongrl.core.errors import DataError
from golongrl.core.records import Record
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.refine import GOLD_SCORE
from golongrl.rewards import gold_response, score_response

LABELLED = ("em", "choice", "math", "iou")
"""Metrics whose gold is in `golden_label`."""


def ground_truth(item: Item) -> dict[str, Any]:
    """`golden_label` and `doc_ids`: one answer, of `em` with its aliases, or the items of a list, or references."""
    metric = tasks.CAPABILITIES[item.capability].metric
    golds = list(item.gold)
    if metric in LABELLED:
        return {"golden_label": golds[0], "doc_ids": golds[1:] if metric == "em" else []}
    return {"golden_label": "", "doc_ids": golds}


def gold_fault(item: Item) -> str | None:
    """Why the gold answer does not score 1.0 under its own metric, or None."""
    capability = tasks.CAPABILITIES[item.capability]
    record = Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": item.question}],
            "reward_model": {"ground_truth": ground_truth(item)},
            "extra_info": {
                "metric": capability.metric,
                "reward_mode": capability.reward_mode,
                "question": item.question,
                "language": item.language,
                "options": list(item.options),
                **item.extra,
            },
        }
    )
    try:
        score = score_response(record, gold_response(record))
    except DataError as error:
        return str(error)
    if score.value is None or score.value < GOLD_SCORE:
        return f"scores {score.value} under {capability.metric} ({score.reason})"
    return None

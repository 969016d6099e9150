"""Verifiable rewards: one metric per file, all behind `score_response`.

To add a metric, write one function (record, final text) -> Score in a file of its own, name it in `REWARDS`, and
give the attack catalogue (`probes.py`) its bounds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.records import Record, Score, parse_record
from golongrl.core.text import Think, final_text
from golongrl.rewards.choice import choice
from golongrl.rewards.exact_match import exact_match, verbatim
from golongrl.rewards.gold import gold_response
from golongrl.rewards.math import math_equal
from golongrl.rewards.ndcg import ndcg
from golongrl.rewards.pairwise import pairwise
from golongrl.rewards.retrieval_math import names_documents, retrieval_math
from golongrl.rewards.rouge_l import rouge_l
from golongrl.rewards.set_f1 import set_f1
from golongrl.rewards.sub_em import sub_em
from golongrl.rewards.table_iou import table_iou

__all__ = ["REWARDS", "gold_response", "score_response"]

REWARDS: dict[str, Callable[[Record, str], Score]] = {
    "em": exact_match,
    "choice": choice,
    "f1": set_f1,
    "math": math_equal,
    "iou": table_iou,
    "subem": sub_em,
    "ndcg": ndcg,
    "pairwise": pairwise,
    "rouge_l": rouge_l,
}


def score_response(record: Record | Mapping[str, Any], response: str, *, think: Think = "auto") -> Score:
    """Score one response under its record's metric: pure, deterministic, thread-safe.

    `record` is a Record or a dict of the disk schema. `think`: "required" (an unclosed thinking block scores 0 with
    `unclosed_think`), "optional", or "auto" (required iff the response opens a block). The value is None when the
    gold answer is malformed or a comparison found no end, and 0.0 with `no_answer` when nothing was answered.
    DataError when the record is broken.
    """
    if not isinstance(record, Record):
        record = parse_record(record)
    if not isinstance(response, str):
        raise DataError(f"a response must be text, not {type(response).__name__}")
    final = final_text(response, think)
    if record.metric == "em" and record.extra_info.get("strict_prefix"):
        return verbatim(record, response, think)
    if not final.closed:
        return Score(value=0.0, reason="unclosed_think")
    if record.metric == "math" and names_documents(record):
        return retrieval_math(record, final.text)
    return REWARDS[record.metric](record, final.text)

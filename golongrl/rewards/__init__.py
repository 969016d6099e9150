"""Verifiable rewards: one metric per file, all behind `score_response`.

To add a metric, write one function (record, final text) -> Score in a file of its own, name it in `REWARDS`, and
give the attacks (`probes/__init__.py`) its bounds; or call `register` in a plugin (`golongrl.core.plugins`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from golongrl.core import tasks
from golongrl.core.errors import DataError, UsageError
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

__all__ = ["REWARDS", "gold_response", "register", "score_response"]

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


def register(name: str, reward: Callable[[Record, str], Score], *, like: str) -> None:
    """Add a metric: records whose `extra_info.metric` is `name` are scored by `reward(record, final text)`.

    `like` is one of the nine metrics, whose form of gold answers `reward` reads: the audit tries the same attacks
    within the same bounds, the same dresses and the same corruption, and the capability is the same. `reward` must be
    pure; it is called from threads and processes. UsageError when the name is taken or `like` is not of the nine.
    """
    if name in REWARDS:
        raise UsageError(f"there is a metric {name!r} already; choose another name")
    nine = [metric for metric, form in tasks.METRICS.items() if metric == form]
    if like not in nine:
        raise UsageError(f"like={like!r} is none of the nine metrics {', '.join(nine)}; name the one it is like")
    REWARDS[name] = reward
    tasks.METRICS[name] = like

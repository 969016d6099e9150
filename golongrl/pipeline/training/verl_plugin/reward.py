"""verl's custom reward function: golongrl's own rewards, unscorable rollouts marked rather than paid 0."""

import math
import time
from numbers import Integral
from typing import Any

from golongrl.core import plugins
from golongrl.core.records import Message, Record
from golongrl.core.text import Think
from golongrl.rewards import score_response

plugins.load()


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: dict[str, Any] | None = None,
    think: Think = "optional",
    **_: Any,
) -> dict[str, Any]:
    """Score one rollout; returns score, task (the metric's name), scorable (0 or 1), reason, record index (-1 for a
    record without a whole number as its index) and the seconds it took.

    A rollout that could not be scored carries score 0 and scorable 0; the estimator leaves it out of every
    statistic and gives it advantage 0. So does one to which a plugin's metric gives no finite number (reason error).
    """
    start = time.perf_counter()
    info = dict(extra_info or {})
    record = Record(
        data_source=data_source,
        prompt=[Message(role="user", content=str(info.get("question") or ""))],
        reward_model={"ground_truth": ground_truth},  # type: ignore[arg-type]  validated by pydantic
        extra_info=info,
    )
    score = score_response(record, solution_str, think=think)
    value = score.value if score.value is not None and math.isfinite(score.value) else None
    index = info.get("index")
    return {
        "score": 0.0 if value is None else float(value),
        "task": record.metric,
        "scorable": float(value is not None),
        "reason": score.reason if value == score.value else "error",
        "index": int(index) if isinstance(index, Integral) else -1,
        "seconds": time.perf_counter() - start,
    }

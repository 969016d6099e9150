"""Answers of models under every metric: a score in [0, 1], or None with a reason, or a DataError of the record."""

import json

from families.scratch import text
from golongrl.core.errors import DataError
from golongrl.core.records import Score, parse_record
from golongrl.rewards import REWARDS, gold_response, score_response

GOLDS = {
    "em": {"golden_label": "Ida Brandt", "doc_ids": ["Captain Brandt"]},
    "choice": {"golden_label": "B"},
    "f1": {"doc_ids": ["the red house", "the old mill", "北京"]},
    "math": {"golden_label": "3/7"},
    "iou": {"golden_label": '{"data": [["ant", 1], ["bee", 2.5]]}'},
    "subem": {"doc_ids": ["ant -> hill", "bee -> hive"]},
    "ndcg": {"doc_ids": ["ant", "bee", "cat"]},
    "pairwise": {"doc_ids": ["wake", "eat", "sleep"]},
    "rouge_l": {"doc_ids": ["A ferry crosses the lake.", "渡船穿过湖面。"]},
}
RESPONSES = (
    "<think>Let me see.</think>\n[Answer]\nIda Brandt",
    "The correct answer is **(B)**, because \\boxed{B}.",
    "[答案]\n1. the red house\n2. the old mill\n- 北京\n",
    "So $x = \\frac{3}{7}$, that is 42.86%. Answer: \\boxed{\\frac{3}{7}}",
    '<answer>\n```json\n{"data": [["ant", 1], ["bee", 2.5], {"name": "cat", "n": "1,000"}]}\n```\n</answer>',
    'The table is [["ant", 1], ["bee", 2.5]], see [1].',
    "1) ant\n2) bee\n3) cat",
    "wake\neat\n\nsleep",
    "A ferry crosses the lake. 渡船穿过湖面。",
    "It is $1,234.50 million, 5 km or 6 km, or 百分之三十.",
)


def seed(metric: str, response: str, **gold: object) -> bytes:
    """Metric, gold answer as JSON, and response."""
    return f"{metric}\n{json.dumps(gold or GOLDS[metric], ensure_ascii=False)}\n{response}".encode()


READ_BY = {"score": [seed(metric, response) for metric in GOLDS for response in RESPONSES]}


def check(data: bytes) -> set[str]:
    """Score a response; a broken record is a DataError, and nothing else is raised."""
    metric, _, rest = text(data).partition("\n")
    gold, _, response = rest.partition("\n")
    metric = metric if metric in REWARDS else sorted(REWARDS)[len(data) % len(REWARDS)]
    try:
        truth = json.loads(gold)
    except (ValueError, RecursionError):
        truth = gold
    row = {
        "data_source": "fuzz",
        "prompt": [{"role": "user", "content": "?"}],
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"metric": metric, "options": ["w", "x", "y", "z"]},
    }
    try:
        record = parse_record(row)
        scores = [score_response(record, response, think=think) for think in ("required", "optional", "auto")]
        gold_response(record)
    except DataError:
        return set()
    for score in scores:
        check_score(score)
    return {"score"} if any(score.value is not None for score in scores) else set()


def check_score(score: Score) -> None:
    """Raise AssertionError where a score is none."""
    assert (score.value is None) == (score.reason in ("malformed_gold", "timeout", "error")), score
    assert score.value is None or 0.0 <= score.value <= 1.0, score
    json.dumps(score.model_dump(), allow_nan=False)

"""Speed of the rewards: ROUGE-L against the package rouge-score on 3,000-word pairs, and scores per second.

Run: python benchmarks/rewards.py
"""

import json
import os
import platform
import random
import time
from collections.abc import Callable

from rouge_score.rouge_scorer import RougeScorer

from golongrl.core.records import Record, parse_record
from golongrl.rewards import REWARDS, gold_response, score_response

RNG = random.Random(0)
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"]
HAN = "今天天气不错我们去公园散步看到了许多美丽的花朵和可爱小动物市场增长成本下降管理层预计收入继续扩大"


def text(words: int) -> str:
    """Random words with the skew of natural text (Zipf)."""
    weights = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
    return " ".join(RNG.choices(VOCABULARY, weights, k=words))


def record(metric: str, golden_label: str = "", doc_ids: list[str] | None = None) -> Record:
    return parse_record(
        {
            "data_source": "benchmark",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": {"golden_label": golden_label, "doc_ids": doc_ids or []}},
            "extra_info": {"metric": metric, "options": ["w", "x", "y", "z"]},
        }
    )


def seconds(run: Callable[[], object], least: float = 1.0) -> float:
    """CPU seconds per call: the best of three rounds of at least `least` / 3 seconds."""
    run()
    best = float("inf")
    for _ in range(3):
        calls, start = 0, time.process_time()
        while (spent := time.process_time() - start) < least / 3:
            run()
            calls += 1
        best = min(best, spent / calls)
    return best


def rouge_rows() -> list[tuple[str, str, str]]:
    pairs = [(text(3000), text(3000)) for _ in range(2)]
    scorer = RougeScorer(["rougeL"])
    samples = [(record("rouge_l", doc_ids=[gold]), answer) for gold, answer in pairs]
    for (gold, answer), (sample, _) in zip(pairs, samples, strict=True):
        theirs = scorer.score(gold, answer)["rougeL"].fmeasure
        assert abs(theirs - score_response(sample, answer).value) < 1e-9, "the two disagree"
    ours = seconds(lambda: [score_response(*job) for job in samples]) / len(pairs)
    peer = seconds(lambda: [scorer.score(*pair) for pair in pairs], least=6) / len(pairs)
    return [
        ("ROUGE-L, 3,000-word pair, golongrl", f"{ours * 1e3:.2f} ms", f"{1 / ours:,.0f}"),
        ("ROUGE-L, 3,000-word pair, rouge-score", f"{peer * 1e3:,.0f} ms", f"{1 / peer:,.2f}"),
        ("ratio", f"{peer / ours:,.0f} x", ""),
    ]


def metric_rows() -> list[tuple[str, str, str]]:
    items = [text(4) for _ in range(20)]
    chinese = "".join(RNG.choices(HAN, k=600))
    table = json.dumps({"data": [[item, index] for index, item in enumerate(items)]})
    samples = {
        "em": record("em", golden_label=items[0]),
        "choice": record("choice", golden_label="B"),
        "iou, 20 rows": record("iou", golden_label=table),
        **{f"{metric}, 20 items": record(metric, doc_ids=items) for metric in ("f1", "subem", "ndcg", "pairwise")},
        "rouge_l, 300 words": record("rouge_l", doc_ids=[text(300)]),
        "rouge_l, 600 Han": record("rouge_l", doc_ids=[chinese]),
    }
    assert {sample.metric for sample in samples.values()} == set(REWARDS)
    thinking = f"<think>\n{text(2000)}\n</think>\n"
    rows = []
    for name, sample in samples.items():
        response = thinking + gold_response(sample)
        assert score_response(sample, response).value == 1
        spent = seconds(lambda sample=sample, response=response: score_response(sample, response))
        rows.append((f"{name}, behind 2,000 words of thinking", f"{spent * 1e3:.3f} ms", f"{1 / spent:,.0f}"))
    return rows


def main() -> None:
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
    print("CPU time of one thread, best of three rounds\n")
    print("| case | per score | scores/s |\n| --- | ---: | ---: |")
    for row in [*rouge_rows(), *metric_rows()]:
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Speed of the rewards beside their peers, of a training mix, and of megabytes of adversarial text.

Run: python benchmarks/rewards.py [--quick]
"""

import argparse
import json
import logging
import os
import platform
import random
import resource
import time
from collections.abc import Callable

import math_verify
import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import ndcg_score

from golongrl.core.records import Record, parse_record
from golongrl.rewards import REWARDS, pool, score_response
from golongrl.rewards.ndcg import ndcg_at_k

RNG = random.Random(0)
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdfgklmnprst"]
WEIGHTS = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
HAN = "今天天气不错我们去公园散步看到了许多美丽的花朵和可爱小动物市场增长成本下降管理层预计收入继续扩大"
SHARES = {
    "em": 34.4,
    "choice": 29.7,
    "f1": 15.1,
    "math": 13.3,
    "iou": 4.1,
    "subem": 1.6,
    "ndcg": 0.5,
    "pairwise": 0.8,
    "rouge_l": 0.5,
}
"""The recipe's data proportions in percent (arXiv 2605.19577)."""

ADVERSARIAL = [
    "[", "]", "**", "<think>", "</think>", "<answer>", "the answer is ", "(A) or ", "\\boxed{", "\\boxed{1} and ",
    "1,000,", "9", " ", "\n", '{"data":[', '"', "\\", "A ", "今", "[Answer]", "`", "- ", "1. ", "$", "{", "}", "½",
]  # fmt: skip


def text(words: int) -> str:
    """Random words with the skew of natural text (Zipf)."""
    return " ".join(RNG.choices(VOCABULARY, WEIGHTS, k=words))


def row(metric: str, golden_label: str = "", doc_ids: list[str] | None = None) -> dict:
    """A record as it stands on disk."""
    return {
        "data_source": "benchmark",
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"ground_truth": {"golden_label": golden_label, "doc_ids": doc_ids or []}},
        "extra_info": {"metric": metric, "options": ["w", "x", "y", "z"]},
    }


def record(*args, **options) -> Record:
    return parse_record(row(*args, **options))


def seconds(run: Callable[[], object], least: float = 1.0) -> float:
    """Wall seconds per call: the best of three rounds of at least `least` / 3 seconds."""
    run()
    best = float("inf")
    for _ in range(3):
        calls, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < least / 3:
            run()
            calls += 1
        best = min(best, spent / calls)
    return best


def show(case: str, ours: float, peer: float, wanted: str) -> None:
    print(f"| {case} | {ours * 1e3:.4f} | {peer * 1e3:.4f} | {peer / ours:,.1f}x | {wanted} |", flush=True)


def rouge() -> None:
    pairs = [(text(3000), text(3000)) for _ in range(2)]
    scorer = RougeScorer(["rougeL"])
    samples = [(record("rouge_l", doc_ids=[gold]), answer) for gold, answer in pairs]
    for (gold, answer), (sample, _) in zip(pairs, samples, strict=True):
        theirs = scorer.score(gold, answer)["rougeL"].fmeasure
        assert abs(theirs - score_response(sample, answer).value) < 1e-9, "the two disagree"
    ours = seconds(lambda: [score_response(*job) for job in samples]) / len(pairs)
    peer = seconds(lambda: [scorer.score(*pair) for pair in pairs], least=6) / len(pairs)
    show("ROUGE-L, 3,000-word pair: rouge-score", ours, peer, "200x")


def ndcg() -> None:
    for size in (5, 20, 100):
        gains = [float(size - rank) for rank in range(size)]
        ranked = RNG.sample(gains, size)
        truth, scores = np.array([ranked]), np.array([[float(size - rank) for rank in range(size)]])
        assert abs(ndcg_score(truth, scores, k=size) - ndcg_at_k(ranked, gains, size)) < 1e-12, "the two disagree"
        ours = seconds(lambda ranked=ranked, gains=gains, size=size: ndcg_at_k(ranked, gains, size))
        peer = seconds(lambda truth=truth, scores=scores, size=size: ndcg_score(truth, scores, k=size))
        show(f"NDCG, {size} items: scikit-learn ndcg_score", ours, peer, "20x")


def verified(gold: str, answer: str) -> bool:
    """math-verify's own parse and verify, without the timeouts that forbid threads."""
    parsed = [math_verify.parse(side, parsing_timeout=None) for side in (f"\\boxed{{{gold}}}", answer)]
    return math_verify.verify(*parsed, timeout_seconds=None)


def mathematics() -> None:
    """Every call gets a number of its own, because math-verify remembers the last expressions it has parsed."""
    logging.disable(logging.WARNING)
    plain = [
        ("{0}", "So there are {0} of them: \\boxed{{{0}}}"),
        ("{0}.5", "The answer is {0:,}.5 dollars."),
        ("{0}/4", "\\boxed{{\\frac{{{0}}}{{4}}}}"),
        ("{0}", "It comes to {1}."),
    ]
    algebra = [
        ("{0}\\pi", r"\boxed{{\pi\cdot {0}}}"),
        (r"\{{1,2,{0}\}}", r"\boxed{{{0},2,1}}"),
        ("x^2+2x+{0}", r"\boxed{{(x+1)^2+{1}}}"),
        ("(1,{0}]", r"\boxed{{1<x\le {0}}}"),
        (r"\sqrt{{{0}}}", r"The answer is $\sqrt{{{1}}}$."),
    ]
    for kind, wanted, cases in (("plain", "20x", plain), ("algebra", "0.83x", algebra)):
        for gold_form, answer_form in cases:
            jobs = [
                (gold_form.format(n), answer_form.format(n, n - 1)) for n in range(3, 1503 if kind == "plain" else 63)
            ]
            samples = [(record("math", gold), answer) for gold, answer in jobs]
            assert [score_response(*job).value for job in samples] == [float(verified(*job)) for job in jobs], (
                gold_form
            )
            ours = _mean_seconds(samples, score_response)
            peer = _mean_seconds(jobs, verified)
            show(f"math, {kind}: `{jobs[0][0]}`, `{jobs[0][1]}`".replace("|", "/"), ours, peer, wanted)


def _mean_seconds(jobs: list, score: Callable[..., object]) -> float:
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for job in jobs:
            score(*job)
        rounds.append((time.perf_counter() - start) / len(jobs))
    return min(rounds)


def mixed_row(metric: str) -> tuple[dict, str]:
    """A record and a response that is right, half right or wrong, behind 200 to 4,000 words of thinking."""
    chinese = RNG.random() < 0.3

    def words(low: int, high: int) -> str:
        count = RNG.randint(low, high)
        return "".join(RNG.choices(HAN, k=2 * count)) if chinese else text(count)

    kind = RNG.choice(("right", "half", "wrong"))
    if metric == "em":
        gold = words(1, 5)
        sample, answer = row(metric, gold), "[Answer]\n" + (gold if kind == "right" else words(1, 5))
    elif metric == "choice":
        gold = RNG.choice("ABCD")
        sample, answer = row(metric, gold), f"The correct answer is ({gold if kind == 'right' else 'A'})"
    elif metric == "math":
        gold = RNG.choice([str(RNG.randint(1, 10**6)), f"{RNG.random() * 100:.2f}", f"{RNG.randint(1, 99)}%"])
        gold = f"\\sqrt{{{RNG.randint(2, 30)}}}" if RNG.random() < 0.02 else gold
        sample, answer = row(metric, gold), f"\\boxed{{{gold if kind == 'right' else RNG.randint(1, 99)}}}"
    elif metric == "iou":
        table = [[words(1, 2), RNG.randint(0, 9999), round(RNG.random(), 3)] for _ in range(RNG.randint(5, 50))]
        part = {"right": table, "half": table[: len(table) // 2], "wrong": table[:0]}[kind]
        sample = row(metric, json.dumps({"data": table}, ensure_ascii=False))
        answer = f"<answer>{json.dumps({'data': part}, ensure_ascii=False)}</answer>"
    elif metric == "rouge_l":
        gold = words(100, 400)
        sample, answer = row(metric, doc_ids=[gold]), "[Answer]\n" + (gold if kind == "right" else words(100, 400))
    else:
        items = list(dict.fromkeys(words(1, 4) for _ in range(RNG.randint(5, 50))))
        part = {"right": items, "half": items[::2], "wrong": [items[0], "x", "y"]}[kind]
        sample, answer = row(metric, doc_ids=items), "[Answer]\n" + "\n".join(f"- {item}" for item in part)
    return sample, f"<think>\n{words(200, 4000)}\n</think>\n{answer}"


def memory() -> float:
    """Largest resident size so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def mix(count: int) -> None:
    metrics = RNG.choices(list(SHARES), list(SHARES.values()), k=count)
    # The same 2,000 responses over and over: only scoring may grow the memory.
    jobs = [mixed_row(metric) for metric in metrics[: min(count, 2_000)]]
    for sample, answer in jobs[:200]:
        score_response(sample, answer)
    pool.verdict("1+1", "2")
    sizes, start, cpu = [memory()], time.perf_counter(), time.process_time()
    for done in range(count):
        score_response(*jobs[done % len(jobs)])
        if done + 1 in (count // 2, count):
            sizes.append(memory())
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(f"\n{count:,} responses of the mix, records parsed from plain dicts: {count / wall:,.0f} scores/s")
    print(f"({cpu / wall:.0%} of one core here, the rest in math workers); wanted: 5,000")
    print("largest resident MiB at start, middle, end: " + ", ".join(f"{size:.0f}" for size in sizes))


def metrics_table() -> None:
    print("\n| metric | ms per score | scores/s |\n| --- | ---: | ---: |")
    for metric in REWARDS:
        jobs = [mixed_row(metric) for _ in range(100)]
        spent = seconds(lambda jobs=jobs: [score_response(*job) for job in jobs]) / len(jobs)
        print(f"| {metric} | {spent * 1e3:.4f} | {1 / spent:,.0f} |", flush=True)


def linear() -> None:
    golds = {"choice": "B", "em": "Paris", "math": "42", "iou": '{"data": [["a", 1]]}'}
    print("\n| metric | slowest 1 MB | ms | worst ratio 1 MB / 100 kB | on |\n| --- | --- | ---: | ---: | --- |")
    for metric in REWARDS:
        sample = record(metric, golds.get(metric, ""), None if metric in golds else ["the cat sat", "on the mat"])
        found = []
        for unit in ADVERSARIAL:
            times = []
            for size in (100_000, 1_000_000):
                answer = unit * (size // len(unit))
                times.append(min(_once(sample, answer) for _ in range(7)))
            # Below 10 ms the clock and the allocator decide.
            found.append((times[1], times[1] / times[0] if times[1] > 0.01 else 0.0, unit))
        slowest, worst = max(found), max(found, key=lambda item: item[1])
        print(f"| {metric} | {slowest[2]!r} | {slowest[0] * 1e3:.0f} | {worst[1]:.1f} | {worst[2]!r} |", flush=True)


def _once(sample: Record, answer: str) -> float:
    start = time.perf_counter()
    score_response(sample, answer)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the mix, no megabytes")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}\n")
    print("| case: peer | golongrl, ms | peer, ms | ratio | wanted |\n| --- | ---: | ---: | ---: | ---: |")
    rouge()
    ndcg()
    mathematics()
    mix(2_000 if quick else 20_000)
    metrics_table()
    if not quick:
        linear()


if __name__ == "__main__":
    main()

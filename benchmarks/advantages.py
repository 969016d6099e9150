"""Speed of the advantages: statistics, growth, the step over tokens, beside the loop of verl's grpo estimator.

Run: python benchmarks/advantages.py (needs golongrl[train])
"""

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

from golongrl.core.advantages import ALGORITHMS, compute

RNG = np.random.default_rng(0)


def seconds(run: Callable[[], object], least: float = 0.6) -> float:
    """Wall seconds per call: the best of three rounds."""
    run()
    best = float("inf")
    for _ in range(3):
        calls, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < least / 3 or not calls:
            run()
            calls += 1
        best = min(best, spent / calls if calls else spent)
    return best


def batch(prompts: int, rollouts: int = 16) -> tuple[np.ndarray, list[str], list[str]]:
    """Rewards, prompt ids and task ids of one batch; the ids are verl's (uuid-like texts)."""
    rewards = RNG.random(prompts * rollouts).round(2)
    ids = [f"{place:032x}" for place in range(prompts) for _ in range(rollouts)]
    return rewards, ids, [f"task{place % 9}" for place in range(prompts) for _ in range(rollouts)]


def main() -> None:
    torch.set_num_threads(1)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one thread\n")
    print("| case | ms | beside | wanted |\n| --- | ---: | ---: | --- |")
    small = batch(128)
    for algo in ALGORITHMS:
        spent = seconds(lambda algo=algo: compute(algo, *small))
        print(f"| {algo}, 2,048 rollouts (128 x 16) | {spent * 1e3:.2f} | | at most 2 ms |", flush=True)
    times = {}
    for prompts in (128, 512, 2048, 8192):
        rewards, ids, tasks = batch(prompts)
        times[prompts] = seconds(lambda r=rewards, i=ids, t=tasks: compute("grpo", r, i, t))
        scores = torch.as_tensor(rewards, dtype=torch.float32)[:, None]
        mask, index = torch.ones_like(scores), np.array(ids, dtype=object)
        ours = compute("grpo", rewards, ids, tasks).values
        peer = seconds(lambda s=scores, m=mask, i=index: compute_grpo_outcome_advantage(s, m, i))
        theirs = compute_grpo_outcome_advantage(scores, mask, index)[0][:, 0].numpy()
        assert np.allclose(ours, theirs, atol=1e-3), "the two disagree"
        wanted = "20x" if prompts == 8192 else ""
        beside = f"verl {peer * 1e3:.1f} ms, {peer / times[prompts]:.0f}x"
        print(f"| grpo, {prompts * 16:,} rollouts | {times[prompts] * 1e3:.2f} | {beside} | {wanted} |", flush=True)
    print(f"| growth, 64 times the rollouts | | {times[8192] / times[128]:.0f}x the time | linear |")
    tokens = torch.zeros(2048, 16384)
    tokens[:, -1] = torch.as_tensor(small[0], dtype=torch.float32)
    mask = torch.ones_like(tokens)

    def bare() -> torch.Tensor:
        return tokens.sum(dim=-1)[:, None] * mask

    def whole() -> torch.Tensor:
        sums = tokens.sum(dim=-1).double().numpy()
        values = torch.as_tensor(compute("tmn-reweight", sums, *small[1:]).values, dtype=torch.float32)
        return values[:, None] * mask

    least, spent = seconds(bare), seconds(whole)
    beside = f"bare sum and broadcast {least * 1e3:.0f} ms, {spent / least:.2f}x"
    print(f"| tmn-reweight over 2,048 x 16,384 tokens | {spent * 1e3:.0f} | {beside} | at most 1.2x |")


if __name__ == "__main__":
    main()

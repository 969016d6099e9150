"""Several answers to each item: their mean, and the chance that one of k is right."""

import math
from collections.abc import Sequence
from typing import Any

from golongrl.pipeline.evaluation.samples import Sample


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k answers drawn from n without repetition is right (Chen et al. 2021, unbiased)."""
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def over_repeats(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """avg@n and pass@k of items with n answers each; None where every item has one.

    Only items all of whose n answers have a score count, `n_items` of them; the others are in `n_items_left_out`.
    pass@k (k = 1, 2, 4 ... and n) needs scores that are 0 or 1, so it is not there for graded ones.
    """
    items: dict[str, list[float | None]] = {}
    for sample in samples:
        items.setdefault(sample["id"], []).append(sample["score"])
    n = max(map(len, items.values()), default=0)
    if n < 2:
        return None
    whole: list[list[float]] = []
    for scores in items.values():
        known = [score for score in scores if score is not None]
        if len(known) == n:
            whole.append(known)
    found: dict[str, Any] = {"n": n, "n_items": len(whole), "n_items_left_out": len(items) - len(whole)}
    if not whole:
        return found
    found[f"avg@{n}"] = round(sum(sum(scores) / n for scores in whole) / len(whole), 6)
    if all(score in (0.0, 1.0) for scores in whole for score in scores):
        for k in sorted({2**power for power in range(n.bit_length()) if 2**power <= n} | {n}):
            chances = [pass_at_k(n, int(sum(scores)), k) for scores in whole]
            found[f"pass@{k}"] = round(sum(chances) / len(chances), 6)
    return found

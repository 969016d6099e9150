"""Per task, what rewards alone do not say: lengths, cut-off answers, unscorable rollouts, tokens masked by IcePop."""

from collections.abc import Sequence

import numpy as np

from golongrl.core.advantages.groups import Floats, Ints


def row_metrics(
    task_N: Sequence[str],
    scorable_N: Sequence[bool],
    length_N: Ints,
    limit: int,
    masked_N: Ints | None = None,
) -> dict[str, float]:
    """`task/TASK/NAME` over the rollouts of a batch.

    response_tokens     mean length of the responses
    truncated           share of responses that reached `limit` tokens
    unscorable          share of rollouts without a reward
    icepop_share        tokens that IcePop gives no gradient (`masked_N`, where it is on) over all response tokens
    """
    names, index_N = np.unique(np.asarray(task_N), return_inverse=True)

    def total(values_N: Floats | Ints) -> Floats:
        return np.bincount(index_N, weights=values_N, minlength=len(names))

    rows_T, tokens_T = total(np.ones(len(index_N))), total(length_N)
    of_task = {
        "response_tokens": tokens_T / rows_T,
        "truncated": total(length_N >= limit) / rows_T,
        "unscorable": 1 - total(np.asarray(scorable_N, dtype=np.float64)) / rows_T,
    }
    if masked_N is not None:
        of_task["icepop_share"] = total(masked_N) / np.maximum(tokens_T, 1)
    return {
        f"task/{task}/{name}": float(values_T[index])
        for index, task in enumerate(names)
        for name, values_T in of_task.items()
    }

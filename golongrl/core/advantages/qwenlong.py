"""QwenLong-L1.5 (arXiv 2512.12967, Eq. 7): A_i = (r_i - mu_u) / (std of all rewards of the task + eps).

The deviation (Bessel-corrected) runs over all rewards of the task in the batch, so it also holds the spread between
prompts, which S_t of TMN does not.
"""

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups


def qwenlong(groups: Groups, *, eps: float = 1e-6) -> Floats:
    """Advantages of shape [N]; groups of one rollout enter no task deviation."""
    counted_N = groups.counted_G[groups.group_N]
    std_T = np.zeros(len(groups.tasks))
    for task in range(len(groups.tasks)):
        rewards = groups.rewards_N[counted_N & (groups.task_N == task)]
        if len(rewards) > 1:
            std_T[task] = rewards.std(ddof=1)
    return groups.centred_N / (std_T[groups.task_N] + eps)

"""Task-level mean normalisation (arXiv 2605.19577): A_i = (r_i - mu_u) / (S_t + eps).

S_t = sqrt(mean over prompt groups u of task t of s_u^2), s_u^2 Bessel-corrected. One scale per task keeps the
differences between its prompts and makes tasks with different reward spreads comparable.
"""

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups


def tmn(groups: Groups, var_T: Floats, *, eps: float = 1e-6) -> Floats:
    """Advantages of shape [N]; `var_T` is S_t^2 per task, from the batch or a running mean."""
    scale_T = np.sqrt(np.nan_to_num(var_T))
    return groups.centred_N / (scale_T[groups.task_N] + eps)

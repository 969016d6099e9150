"""GRPO (arXiv 2402.03300): A_i = (r_i - mu_u) / (s_u + eps).

mu_u, s_u: mean and Bessel-corrected standard deviation of the rewards of prompt group u. Prompts that are nearly
always or nearly never solved have a small s_u, so dividing by it inflates them.
"""

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups


def grpo(groups: Groups, *, eps: float = 1e-6) -> Floats:
    """Advantages of shape [N]."""
    std_G = np.sqrt(np.nan_to_num(groups.var_G))
    return groups.centred_N / (std_G[groups.group_N] + eps)

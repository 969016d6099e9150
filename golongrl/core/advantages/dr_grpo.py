"""Dr. GRPO (arXiv 2503.20783): A_i = r_i - mu_u, no division by any deviation."""

from golongrl.core.advantages.groups import Floats, Groups


def dr_grpo(groups: Groups) -> Floats:
    """Advantages of shape [N]."""
    return groups.centred_N.copy()

"""What a batch's rewards and advantages look like per task: the numbers that training logs.

All are per task t; suffixes as in groups.py. `unevenness` is the recipe's proxy for balance between tasks
(arXiv 2605.19577): the coefficient of variation across tasks of mean |A|.
"""

import numpy as np

from golongrl.core.advantages.groups import Floats, Groups
from golongrl.core.advantages.reweight import difficulty_weights, pass_rates


def task_metrics(
    groups: Groups, values_N: Floats, mean_T: Floats, *, alpha: float, gamma: float, max_weight: float | None
) -> dict[str, float]:
    """`task/TASK/NAME` -> number, and `advantage/unevenness`. `mean_T` is the mu_t of the difficulty bar.

    reward, reward_std           mean and Bessel deviation of the task's rewards (0 for a single rollout)
    prompt_std                   mean over groups of the deviation within a group, s_u
    rollouts, rollout_share      number, and share of the batch
    advantage_share              the task's share of the sum of |A|
    mean_abs_advantage           mean |A|
    no_signal_groups             share of groups that are constant or of one rollout
    pass_rate                    mean p_u, the share of rollouts above the bar m_u, over the groups with signal
    difficulty_weight            their mean w_u = exp(gamma (0.5 - p_u)); above 1 where prompts are hard

    A constant group lies on its own bar, so its p_u says nothing; a task without a group with signal has neither.
    """
    tasks, task_N, task_G = len(groups.tasks), groups.task_N, groups.task_G

    def total_over_groups(values_G: Floats) -> Floats:
        return np.bincount(task_G, weights=values_G, minlength=tasks).astype(np.float64, copy=False)

    rollouts_T = np.bincount(task_N, minlength=tasks)
    groups_T = np.bincount(task_G, minlength=tasks)
    std_G = np.sqrt(np.nan_to_num(groups.var_G))
    signal_G = (std_G > 0).astype(np.float64)
    signal_T = total_over_groups(signal_G)
    reward_T = np.bincount(task_N, weights=groups.rewards_N, minlength=tasks) / rollouts_T
    square_T = np.bincount(task_N, weights=(groups.rewards_N - reward_T[task_N]) ** 2, minlength=tasks)
    pass_G = pass_rates(groups, mean_T, alpha)
    weight_G = difficulty_weights(pass_G, gamma, max_weight)
    mass_T = np.bincount(task_N, weights=np.abs(values_N), minlength=tasks)
    total = float(mass_T.sum())
    of_task: dict[str, Floats] = {
        "reward": reward_T,
        "reward_std": np.sqrt(square_T / np.maximum(rollouts_T - 1, 1)),
        "prompt_std": total_over_groups(std_G) / groups_T,
        "rollouts": rollouts_T.astype(np.float64),
        "rollout_share": rollouts_T / len(task_N),
        "advantage_share": mass_T / total if total > 0 else np.zeros(tasks),
        "mean_abs_advantage": mass_T / rollouts_T,
        "no_signal_groups": 1 - signal_T / groups_T,
        "pass_rate": total_over_groups(signal_G * pass_G) / np.maximum(signal_T, 1),
        "difficulty_weight": total_over_groups(signal_G * weight_G) / np.maximum(signal_T, 1),
    }
    only_with_signal = ("pass_rate", "difficulty_weight")
    metrics = {
        f"task/{task}/{name}": float(values_T[index])
        for index, task in enumerate(groups.tasks)
        for name, values_T in of_task.items()
        if signal_T[index] > 0 or name not in only_with_signal
    }
    metrics["advantage/unevenness"] = variation(mass_T / rollouts_T)
    return metrics


def variation(values: Floats) -> float:
    """Coefficient of variation: population deviation over mean; 0 where the mean is 0."""
    return float(values.std() / values.mean()) if values.mean() > 0 else 0.0

"""verl's policy loss, with the clipped tokens counted per task.

verl reports one clip share for the whole batch. The trainer gives the training workers this loss, which returns what
verl's does and counts by the task that the reward function named.
"""

from typing import Any

import torch
from tensordict import TensorDict
from verl.utils.metric import AggregationType, Metric
from verl.workers.utils.losses import ppo_loss
from verl.workers.utils.padding import no_padding_2_padding

from golongrl.core import plugins
from golongrl.core.tasks import METRICS

# The metrics of plugins: nothing else in a training worker imports the rewards.
plugins.load()


def ppo_loss_with_clip_counts(
    config: Any, model_output: dict[str, Any], data: TensorDict, dp_group: Any = None
) -> tuple[torch.Tensor, dict[str, Any]]:
    """verl's ppo_loss and, per task, `clip_tokens/TASK` and `clip_clipped/TASK` as sums over the mini batch."""
    log_prob = no_padding_2_padding(model_output["log_probs"], data).detach()
    loss, metrics = ppo_loss(config, model_output, data, dp_group)
    padded = data.select("response_mask", "old_log_probs", "advantages").to_padded_tensor()
    clipped = clipped_tokens(
        log_prob - padded["old_log_probs"],
        padded["advantages"],
        config.clip_ratio_low,
        config.clip_ratio_high,
        config.clip_ratio_c,
    )
    mask = padded["response_mask"].to(bool)
    counts_N = {"clip_tokens": mask.sum(dim=-1).tolist(), "clip_clipped": (clipped & mask).sum(dim=-1).tolist()}
    task_N = [extra["reward_extra_info"]["task"] for extra in list(data["extra_fields"])]
    # All tasks from every process: verl adds up what each of them returns, name by name.
    for task in METRICS:
        for name, count_N in counts_N.items():
            total = sum(count for count, of in zip(count_N, task_N, strict=True) if of == task)
            metrics[f"{name}/{task}"] = Metric(value=total, aggregation=AggregationType.SUM)
    return loss, metrics


def clipped_tokens(
    log_ratio: torch.Tensor, advantages: torch.Tensor, low: float, high: float, dual: float
) -> torch.Tensor:
    """Tokens [N, L] whose gradient the clip takes away: pi / pi_old above 1 + high where A > 0; below 1 - low, or
    above `dual`, where A < 0."""
    ratio = log_ratio.clamp(-20, 20).exp()
    return ((advantages > 0) & (ratio > 1 + high)) | ((advantages < 0) & ((ratio < 1 - low) | (ratio > dual)))


def clip_shares(metrics: dict[str, Any], prefix: str = "actor/") -> dict[str, float]:
    """Takes the counts out of `metrics` and returns `task/TASK/clip_share` for tasks with tokens."""
    shares = {}
    for task in METRICS:
        tokens = metrics.pop(f"{prefix}clip_tokens/{task}", 0)
        clipped = metrics.pop(f"{prefix}clip_clipped/{task}", 0)
        if tokens > 0:
            shares[f"task/{task}/clip_share"] = float(clipped) / float(tokens)
    return shares

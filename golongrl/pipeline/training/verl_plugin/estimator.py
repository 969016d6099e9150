"""verl's advantage estimator: sums token rewards, hands them to golongrl.core.advantages, spreads them over tokens.

verl passes an estimator neither tasks nor a place for metrics, so the trainer puts both into `CONTEXT` first.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import register_adv_est

from golongrl.core import plugins
from golongrl.core.advantages import compute
from golongrl.core.errors import CheckFailedError
from golongrl.pipeline.training.verl_overrides import ESTIMATOR

plugins.load()


@dataclass
class BatchContext:
    """What the estimator needs beyond rewards, one entry per row of the batch."""

    algo: str
    options: dict[str, Any]
    task_N: list[str]
    session_N: list[str]
    """Rows of one session are outputs of one rollout; they share the last one's advantage."""
    counted_N: np.ndarray
    """False for padding and for rollouts that could not be scored."""
    metrics: dict[str, float] = field(default_factory=dict)
    values_N: np.ndarray | None = None
    seconds: float = 0.0
    """Time the advantages took."""


CONTEXT: ContextVar[BatchContext | None] = ContextVar("golongrl_batch", default=None)


def row_advantages(rewards_N: np.ndarray, prompt_N: list[str], context: BatchContext) -> np.ndarray:
    """Advantages [N]: computed over the last row of each counted session, shared by its other rows, else 0."""
    last_of = {session: row for row, session in enumerate(context.session_N) if context.counted_N[row]}
    rows = list(last_of.values())
    values_N = np.zeros(len(rewards_N))
    if not rows:
        return values_N
    result = compute(
        context.algo,
        rewards_N[rows],
        [prompt_N[row] for row in rows],
        [context.task_N[row] for row in rows],
        **context.options,
    )
    context.metrics.update(result.metrics)
    of_session = dict(zip(last_of, result.values, strict=True))
    for row, session in enumerate(context.session_N):
        if context.counted_N[row]:
            values_N[row] = of_session[session]
    return values_N


@register_adv_est(ESTIMATOR)
def golongrl_advantage(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    config: Any = None,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and returns of shape [N, response length]; one scalar per rollout on its response tokens."""
    context = CONTEXT.get()
    if context is None:
        raise CheckFailedError("the estimator was called without its batch context; train through golongrl's runner")
    start = time.perf_counter()
    rewards_N = token_level_rewards.double().sum(dim=-1).cpu().numpy()
    context.values_N = row_advantages(rewards_N, [str(uid) for uid in index], context)
    values = torch.as_tensor(context.values_N, dtype=torch.float32, device=response_mask.device)
    advantages = values[:, None] * response_mask
    context.seconds = time.perf_counter() - start
    return advantages, advantages

"""Batched sampling with a transformers model: one prefill per distinct prompt, log-probs of what was sampled.

Every rollout draws from a random stream of its own, so what it becomes does not depend on the batch it is in: a
stream gives the same tokens alone, among others and in any order, up to the rounding of the model's own arithmetic.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from golongrl.core.errors import CheckFailedError

WEIGHT_SCALE = 2.0**52
"""Probabilities are drawn from as whole multiples of 2^-52: their sums are exact on every device, in any order."""


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of a batch; temperature 0 is greedy, top_k below 1 keeps all tokens."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1


@dataclass
class Sampled:
    """One sampled response; `completed` is False when it was cut at its budget."""

    token_ids: list[int]
    log_probs: list[float]
    completed: bool


def group_key(seed: int, step: int, prompt_ids: Sequence[int], sampling: Sampling) -> str:
    """Names the rollouts that are told apart by nothing but their number: one prompt, one step, one way to sample.

    The settings are part of it so that validation, which samples in another way, takes no numbers from training.
    """
    prompt = hashlib.sha256(np.asarray(prompt_ids, dtype="<i8").tobytes()).hexdigest()
    return f"{seed}/{step}/{prompt}/{sampling.temperature!r}/{sampling.top_p!r}/{sampling.top_k}"


def stream(group: str, number: int) -> np.random.Generator:
    """The random numbers of rollout `number` of a group (Philox, keyed by a hash of both)."""
    key = hashlib.sha256(f"{group}/{number}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def choose(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Next tokens [B] and their log-probs [B] under the temperature-scaled policy.

    From logits [B, V] and uniforms [B] (float64, in [0, 1)) by the inverse of the distribution function. Nucleus and
    top-k cut the candidates, not the log-probs: those are what the trainer recomputes.
    """
    if sampling.temperature == 0:
        log_probs = torch.log_softmax(logits, dim=-1)
        tokens = logits.argmax(dim=-1)
        return tokens, log_probs.gather(-1, tokens[:, None])[:, 0]
    log_probs = torch.log_softmax(logits / sampling.temperature, dim=-1)
    candidates = _candidates(log_probs.exp(), sampling)
    bounds = (candidates * WEIGHT_SCALE).to(torch.int64).cumsum(-1)
    total = bounds[:, -1]
    # The product may round up to the total, which would be beyond the last token.
    targets = torch.minimum((uniforms * total).to(torch.int64), total - 1)
    # The first bound above the target belongs to a token of positive weight. Only logits that are no numbers lead
    # beyond the last token, and an index out of range would take the GPU down with it.
    tokens = torch.searchsorted(bounds, targets[:, None], right=True).clamp_(max=logits.shape[-1] - 1)
    return tokens[:, 0], log_probs.gather(-1, tokens)[:, 0]


def _candidates(probs: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Probabilities [B, V] with 0 for what top-k and the nucleus leave out; of equal ones the lower id is kept."""
    limited = 0 < sampling.top_k < probs.shape[-1]
    if not limited and sampling.top_p >= 1:
        return probs
    ordered, order = probs.sort(dim=-1, descending=True, stable=True)
    if limited:
        ordered[:, sampling.top_k :] = 0
    if sampling.top_p < 1:
        # The token that crosses the mass is kept, so at least one candidate always stays.
        ordered[:, 1:].masked_fill_(ordered.cumsum(-1, dtype=torch.float64)[:, :-1] >= sampling.top_p, 0)
    return torch.zeros_like(probs).scatter_(-1, order, ordered)


@torch.inference_mode()
def sample(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    budgets: Sequence[int],
    sampling: Sampling,
    *,
    stop_ids: frozenset[int],
    pad_id: int,
    streams: Sequence[np.random.Generator],
) -> list[Sampled]:
    """Sample one response per prompt, up to `budgets[i]` tokens or a stop token (which is kept), with `streams[i]`.

    Rollouts of one group share their prompt, so each distinct prompt is prefilled once and its cache is repeated.
    Sequences that are done leave the batch. Raises CheckFailedError when the model's logits are no numbers.
    """
    distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    width = max(map(len, distinct))
    ids = torch.full((len(distinct), width), pad_id)
    mask = torch.zeros((len(distinct), width), dtype=torch.long)
    for prompt, row in distinct.items():
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    device = next(model.parameters()).device
    # float64 by number of the token and of the rollout, so that the numbers of one token lie side by side.
    uniforms = torch.from_numpy(np.stack([own.random(max(budgets)) for own in streams], axis=1)).to(device)
    ids, mask = ids.to(device), mask.to(device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    rows = torch.tensor([distinct[tuple(prompt)] for prompt in prompts], device=device)
    cache.batch_select_indices(rows)
    logits, mask, positions = output.logits[rows, -1], mask[rows], positions[rows, -1:]

    results = [Sampled([], [], False) for _ in prompts]
    alive = list(range(len(prompts)))
    places = torch.arange(len(prompts), device=device)
    for drawn in uniforms:
        tokens, log_probs = choose(logits.float(), sampling, drawn[places])
        for index, token, log_prob in zip(alive, tokens.tolist(), log_probs.tolist(), strict=True):
            if math.isnan(log_prob):
                raise CheckFailedError(
                    "the policy's logits are not numbers, so nothing can be sampled: training diverged; start again "
                    "from an earlier checkpoint with a lower learning_rate or grad_clip"
                )
            results[index].token_ids.append(token)
            results[index].log_probs.append(log_prob)
            results[index].completed = token in stop_ids
        keep = [
            place
            for place, index in enumerate(alive)
            if not results[index].completed and len(results[index].token_ids) < budgets[index]
        ]
        if not keep:
            break
        if len(keep) < len(alive):
            kept = torch.tensor(keep, device=device)
            cache.batch_select_indices(kept)
            tokens, mask, positions, places = tokens[kept], mask[kept], positions[kept], places[kept]
            alive = [alive[place] for place in keep]
        positions = positions + 1
        mask = torch.cat([mask, mask.new_ones((len(alive), 1))], dim=-1)
        output = model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        logits = output.logits[:, -1]
    return results

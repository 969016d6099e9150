"""Batched sampling with a transformers model: one prefill per distinct prompt, log-probs of what was sampled."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Sampling:
    """Sampling settings of a batch; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1


@dataclass
class Sampled:
    """One sampled response; `completed` is False when it was cut at its budget."""

    token_ids: list[int]
    log_probs: list[float]
    completed: bool


def choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Next tokens [B] and their log-probs [B] under the temperature-scaled policy, from logits [B, V].

    Nucleus and top-k cut the candidates, not the log-probs: those are what the trainer recomputes.
    """
    if sampling.temperature == 0:
        log_probs = torch.log_softmax(logits, dim=-1)
        tokens = logits.argmax(dim=-1)
        return tokens, log_probs.gather(-1, tokens[:, None])[:, 0]
    log_probs = torch.log_softmax(logits / sampling.temperature, dim=-1)
    candidates = log_probs.exp()
    if sampling.top_k > 0:
        least = candidates.topk(min(sampling.top_k, candidates.shape[-1]), dim=-1).values[:, -1:]
        candidates = candidates.masked_fill(candidates < least, 0)
    if sampling.top_p < 1:
        ordered, order = candidates.sort(dim=-1, descending=True)
        # The first token above the mass is kept, so at least one candidate always stays.
        ordered = ordered.masked_fill(ordered.cumsum(-1) - ordered >= sampling.top_p, 0)
        candidates = torch.zeros_like(candidates).scatter_(-1, order, ordered)
    tokens = torch.multinomial(candidates, 1, generator=generator)
    return tokens[:, 0], log_probs.gather(-1, tokens)[:, 0]


@torch.inference_mode()
def sample(
    model: torch.nn.Module,
    prompts: Sequence[Sequence[int]],
    budgets: Sequence[int],
    sampling: Sampling,
    *,
    stop_ids: frozenset[int],
    pad_id: int,
    generator: torch.Generator,
) -> list[Sampled]:
    """Sample one response per prompt, up to `budgets[i]` tokens or a stop token (which is kept).

    Rollouts of one group share their prompt, so each distinct prompt is prefilled once and its cache is repeated.
    Sequences that are done leave the batch.
    """
    distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    width = max(map(len, distinct))
    ids = torch.full((len(distinct), width), pad_id)
    mask = torch.zeros((len(distinct), width), dtype=torch.long)
    for prompt, row in distinct.items():
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    device = next(model.parameters()).device
    ids, mask = ids.to(device), mask.to(device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    output = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    cache = output.past_key_values
    rows = torch.tensor([distinct[tuple(prompt)] for prompt in prompts], device=device)
    cache.batch_select_indices(rows)
    logits, mask, positions = output.logits[rows, -1], mask[rows], positions[rows, -1:]

    results = [Sampled([], [], False) for _ in prompts]
    alive = list(range(len(prompts)))
    while alive:
        tokens, log_probs = choose(logits.float(), sampling, generator)
        for index, token, log_prob in zip(alive, tokens.tolist(), log_probs.tolist(), strict=True):
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
            tokens, mask, positions = tokens[kept], mask[kept], positions[kept]
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

"""Training: the layout to use, what it holds on every GPU, and what one change would do."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from golongrl.core.memory.layout import FUSED, OFFLOAD_POLICY, Layout
from golongrl.core.memory.rows import Row
from golongrl.core.memory.update import resident
from golongrl.core.memory.verdict import Verdict, estimate
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.planning.cuts import Cut
from golongrl.pipeline.planning.layouts import Candidate, judged, search
from golongrl.pipeline.planning.request import Request


@dataclass(frozen=True)
class Training:
    """The recommended layout, or the one that comes nearest, is first in `candidates`."""

    candidates: list[Candidate]
    rows: list[Row]
    """What the first holds, per phase."""
    variations: list[tuple[str, Verdict]]
    """The first with one thing changed."""
    reference: int
    """Bytes that a reference model would add to each GPU where it is not offloaded; golongrl trains without one."""

    @property
    def best(self) -> Candidate:
        """The first."""
        return self.candidates[0]

    @property
    def fits(self) -> bool:
        """Whether it does, be it tightly."""
        return self.best.verdict.level != "does not fit"


def plan_training(shape: Shape, request: Request, cuts: list[Cut], given: Layout | None = None) -> Training:
    """Layouts for the recipe's one update per step; `given` is judged as it is instead of looking for one."""
    candidates = search(shape, request, cuts) if given is None else [judged(shape, request, given)]
    best = candidates[0].layout
    rows = estimate(shape, best, request.gpus.type.memory)
    variations = [(what, judged(shape, request, changed).verdict) for what, changed in _variations(best)]
    return Training(candidates, rows, variations, resident(shape, replace(best, offload_policy=False)).weights)


def _variations(best: Layout) -> Iterator[tuple[str, Layout]]:
    on = best.offload_parameters
    yield f"offload = {str(not on).lower()}", replace(best, offload_parameters=not on, offload_optimizer=not on)
    yield f"recompute = {str(not best.recompute).lower()}", replace(best, recompute=not best.recompute)
    if best.logits != "fused":
        yield "fused log-probs (never all logits at once)", replace(best, logits="fused")
    if not best.megatron and not best.offload_policy:
        yield "offload_policy (FSDP2's weights and optimizer on the host)", replace(best, offload_policy=True)


def train_keys(layout: Layout, request: Request) -> dict[str, Any]:
    """The layout as keys of `golongrl train`."""
    keys: dict[str, Any] = {
        "engine": layout.engine,
        "rollout": layout.rollout,
        "nodes": request.gpus.nodes,
        "gpus_per_node": request.gpus.per_node,
        "tensor_parallel": layout.tensor,
        "context_parallel": layout.context,
        "expert_parallel": layout.expert,
        "rollout_tensor_parallel": layout.rollout_tensor,
        "rollout_memory": layout.rollout_memory,
        "offload": layout.offload_parameters,
        "recompute": layout.recompute,
        "max_prompt_tokens": request.prompt,
        "max_response_tokens": request.response,
        "prompts_per_batch": request.prompts,
        "rollouts_per_prompt": request.rollouts,
    }
    if not layout.megatron:
        keys["attention"] = "flash_attention_2"
    if layout.pipeline > 1:
        keys["verl.actor_rollout_ref.actor.megatron.pipeline_model_parallel_size"] = layout.pipeline
    if layout.logits == "fused":
        keys[f"verl.{FUSED}"] = True
    if layout.offload_policy:
        keys[f"verl.{OFFLOAD_POLICY}"] = True
    return keys


def as_json(training: Training) -> dict[str, Any]:
    """The plan as plain JSON."""
    return {
        "fits": training.fits,
        "candidates": [
            {
                "name": str(candidate),
                "layout": asdict(candidate.layout),
                "level": candidate.verdict.level,
                "peak_bytes": candidate.verdict.peak,
                "peak_phase": candidate.verdict.phase,
                "problems": candidate.verdict.problems,
            }
            for candidate in training.candidates
        ],
        "rows": [asdict(row) for row in training.rows],
        "variations": [
            {"change": change, "level": verdict.level, "peak_bytes": verdict.peak}
            for change, verdict in training.variations
        ],
        "reference_bytes": training.reference,
    }

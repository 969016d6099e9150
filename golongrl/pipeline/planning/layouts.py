"""Training layouts that divide model, GPUs and batch, and the one to recommend.

Judged by the estimate that `golongrl train` checks before it starts. Layouts are first compared with the widest
rollout servers, then those that are shown get the width that is fastest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from golongrl.core.memory.layout import Layout
from golongrl.core.memory.verdict import Verdict, judge
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.planning.cuts import Cut
from golongrl.pipeline.planning.epoch import full_length, rollout_seconds
from golongrl.pipeline.planning.request import Request

LEVELS = {"fits": 0, "tight": 1, "does not fit": 2}
SHOWN = 4
STAGES = (1, 2, 4, 8, 16)
"""Pipeline sizes that are tried."""


@dataclass(frozen=True)
class Candidate:
    """A layout and what comes of it on one card."""

    layout: Layout
    verdict: Verdict

    def __str__(self) -> str:
        cut = self.layout
        groups = {"TP": cut.tensor, "PP": cut.pipeline, "CP": cut.context, "EP": cut.expert}
        names = " ".join(f"{name} {size}" for name, size in groups.items() if size > 1) or "no model parallelism"
        extras = [
            "offload" if cut.offload_parameters else "",
            "fused log-probs" if cut.logits == "fused" else "",
            "offload_policy" if cut.offload_policy else "",
            f"rollouts TP {cut.rollout_tensor}",
        ]
        copies = f"{cut.data} cop{'ies' if cut.data > 1 else 'y'}"
        engine = "Megatron" if cut.megatron else "FSDP2"
        return ", ".join([f"{engine} {names}", copies, *filter(None, extras)])


def judged(shape: Shape, request: Request, layout: Layout) -> Candidate:
    """What comes of a layout on the GPUs of a request."""
    gpu = request.gpus.type
    return Candidate(layout, judge(shape, layout, gpu.name, gpu.memory))


def search(shape: Shape, request: Request, cuts: list[Cut]) -> list[Candidate]:
    """The best layouts, one per engine and cut, the recommended one first."""
    plain = [layout for layout in _layouts(shape, request, cuts) if layout.rollouts % layout.data == 0]
    candidates = [judged(shape, request, layout) for layout in plain]
    if not any(candidate.verdict.level == "fits" for candidate in candidates):
        candidates += [judged(shape, request, changed) for layout in plain for changed in _thriftier(layout)]
    candidates.sort(key=_rank)
    shown: dict[tuple[Any, ...], Candidate] = {}
    for candidate in candidates:
        cut = candidate.layout
        shown.setdefault((cut.engine, cut.tensor, cut.pipeline, cut.context), candidate)
        if len(shown) == SHOWN:
            break
    return [_with_fastest_rollouts(shape, request, cuts, candidate) for candidate in shown.values()]


def _layouts(shape: Shape, request: Request, cuts: list[Cut]) -> Iterator[Layout]:
    """With and without offloading; activations recomputed; FSDP2 with packed sequences (flash_attention_2)."""
    of = {cut.kind: cut.sizes for cut in cuts}
    world, rollouts = request.gpus.world, request.prompts * request.rollouts
    for offload in (False, True):
        base = Layout(
            engine="fsdp",
            rollout="sglang",
            world=world,
            per_node=request.gpus.per_node,
            tensor=1,
            pipeline=1,
            context=1,
            expert=1,
            expert_tensor=1,
            rollout_tensor=max(of["tensor"]),
            rollout_memory=request.rollout_memory,
            offload_parameters=offload,
            offload_optimizer=offload,
            offload_policy=False,
            recompute=True,
            packed=True,
            logits="flash",
            tokens=request.length,
            longest=request.length,
            rollouts=rollouts,
        )
        for context in of["context, Ulysses (FSDP)"]:
            yield replace(base, context=context, tokens=-(-request.length // context))
        base = replace(base, engine="megatron", logits="megatron")
        for tensor in of["tensor"]:
            for pipeline in [size for size in STAGES if shape.layers % size == 0]:
                for context in of["context, ring (Megatron)"]:
                    for expert in of["expert"]:
                        cut = replace(
                            base,
                            tensor=tensor,
                            pipeline=pipeline,
                            context=context,
                            expert=expert,
                            expert_tensor=tensor,
                            tokens=-(-request.length // context),
                        )
                        if not world % (tensor * pipeline * context) and not world % (expert * tensor * pipeline):
                            yield cut


def _thriftier(layout: Layout) -> Iterator[Layout]:
    """What costs speed or is less tried, for where nothing else fits."""
    yield replace(layout, logits="fused")
    if not layout.megatron and layout.offload_parameters:
        yield replace(layout, offload_policy=True)
        yield replace(layout, offload_policy=True, logits="fused")


def _rank(candidate: Candidate) -> tuple[Any, ...]:
    """Fits before tight; then few GPUs per copy, no offloading, FSDP2 before Megatron, little memory."""
    cut, verdict = candidate.layout, candidate.verdict
    pool = verdict.pool
    short = max(0, pool.sequence - pool.bytes) if pool else 0
    return (
        LEVELS[verdict.level],
        short,
        verdict.peak if verdict.level == "does not fit" else 0,
        cut.offload_policy,
        cut.logits == "fused",
        cut.world // cut.data,
        cut.offload_parameters,
        cut.pipeline,
        cut.megatron,
        cut.tensor,
        cut.expert,
        verdict.peak,
    )


def _with_fastest_rollouts(shape: Shape, request: Request, cuts: list[Cut], candidate: Candidate) -> Candidate:
    """The same layout with the width of rollout servers that writes a step fastest, where it fits as well."""
    if candidate.verdict.level == "does not fit":
        return candidate
    widths = next(cut.sizes for cut in cuts if cut.kind == "tensor")
    tried = [judged(shape, request, replace(candidate.layout, rollout_tensor=width)) for width in widths]
    as_good = [other for other in tried if LEVELS[other.verdict.level] <= LEVELS[candidate.verdict.level]]

    def duration(other: Candidate) -> float:
        reading, writing, _ = rollout_seconds(shape, request, other.layout, full_length(request))
        return reading + writing

    return min(as_good, key=duration)

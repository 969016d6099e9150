"""From the command's options, and a training configuration where there is one, to a request."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from golongrl.core.errors import UsageError
from golongrl.pipeline.planning.quantities import Gpus, parse_gpus, parse_length
from golongrl.pipeline.planning.request import BYTES, Efficiency, Request

CACHES = ("bf16", "fp8")


class Run(Protocol):
    """What a plan takes from a training configuration."""

    model: str
    data: str
    nodes: int
    gpus_per_node: int
    max_prompt_tokens: int
    max_response_tokens: int
    prompts_per_batch: int
    rollouts_per_prompt: int
    rollout_memory: float


@dataclass(frozen=True)
class Settled:
    """A model and what is asked about it."""

    model: str
    request: Request
    data: str | None
    """Records of an epoch."""


def settle(
    *,
    model: str | None,
    length: str | None,
    gpus: str | None,
    purpose: str,
    batch: int,
    weights: str,
    cache: str,
    response: str | None,
    prompts: int | None,
    rollouts: int | None,
    data: str | None,
    price: float | None,
    gpu: tuple[float | None, float | None, float | None],
    mfu: float | None,
    bandwidth: float,
    memory_share: float,
    run: Run | None,
) -> Settled:
    """The request; UsageError for what is missing, unknown or contradicts the training configuration."""
    needed = {"--gpus": gpus} if run else {"--model": model, "--length": length, "--gpus": gpus}
    missing = [option for option, value in needed.items() if value is None]
    if missing or gpus is None:
        raise UsageError(
            f"a plan needs {' and '.join(missing)}; for example: golongrl plan --model Qwen/Qwen3-4B --length 1m "
            "--gpus 8xH100"
        )
    if purpose not in ("serve", "train"):
        raise UsageError(f"--for {purpose!r} is neither serve nor train")
    for option, value, known in (("--weights-dtype", weights, tuple(BYTES)), ("--kv-dtype", cache, CACHES)):
        if value not in known:
            raise UsageError(f"{option} {value!r} is not known; give {', '.join(known)}")
    efficiency = Efficiency(bandwidth=bandwidth)
    if mfu is not None:
        efficiency = Efficiency(mfu, mfu, bandwidth)
    common: dict[str, Any] = {
        "purpose": purpose,
        "batch": batch,
        "weights": weights,
        "cache": cache,
        "efficiency": efficiency,
        "memory_share": memory_share,
        "price": price,
    }
    machines = parse_gpus(gpus, *gpu)
    if run is None:
        tokens = parse_length(str(length))
        answer = parse_length(response) if response else min(Request.response, max(1, tokens // 2))
        return Settled(
            str(model),
            Request(
                machines,
                tokens,
                response=answer,
                prompts=prompts or Request.prompts,
                rollouts=rollouts or Request.rollouts,
                **common,
            ),
            data,
        )
    given = {"--length": length, "--response-length": response, "--prompts": prompts, "--rollouts": rollouts}
    twice = [option for option, value in given.items() if value is not None]
    if twice:
        raise UsageError(f"{' and '.join(twice)} and --config both say it; leave it out, or change the file")
    return Settled(
        run.model,
        Request(
            _as_in(run, machines, gpus),
            run.max_prompt_tokens + run.max_response_tokens,
            response=run.max_response_tokens,
            prompts=run.prompts_per_batch,
            rollouts=run.rollouts_per_prompt,
            rollout_memory=run.rollout_memory,
            **common,
        ),
        data or (run.data if Path(run.data).is_file() else None),
    )


def _as_in(run: Run, machines: Gpus, text: str) -> Gpus:
    """The GPUs of a training configuration; --gpus names their kind, and may repeat their number."""
    number = run.nodes * run.gpus_per_node
    if machines.world not in (1, number):
        raise UsageError(
            f"--gpus {text} is {machines.world} GPUs, and the configuration has {run.nodes} x {run.gpus_per_node} = "
            f"{number}; give --gpus {machines.type.name}"
        )
    return Gpus(machines.type, run.nodes, run.gpus_per_node)

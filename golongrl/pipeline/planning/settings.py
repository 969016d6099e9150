"""From the command's options, and a training configuration where there is one, to a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from golongrl.core.errors import UsageError
from golongrl.pipeline.planning.quantities import Gpus, parse_gpus, parse_length
from golongrl.pipeline.planning.request import AUTO, BYTES, Efficiency, Request

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


SERVE = {"batch": "--batch", "weights": "--weights-dtype", "cache": "--kv-dtype", "memory_share": "--memory-share"}
TRAIN = {"response": "--response-length", "prompts": "--prompts", "rollouts": "--rollouts"}
EPOCH = {"data": "--data", "tokens_per_epoch": "--tokens-per-epoch"}
"""What counts for one purpose only: field -> option."""


def settle(
    *,
    model: str | None,
    length: str | None,
    gpus: str | None,
    purpose: str,
    options: Mapping[str, Any],
    gpu: tuple[float | None, float | None, float | None],
    mfu: float | None,
    bandwidth: float | None,
    price: float | None,
    run: Run | None,
) -> Settled:
    """The request; `options` holds the values of SERVE, TRAIN and EPOCH, None for what was not given.

    UsageError for what is missing, unknown, of no use here, or contradicts the training configuration.
    """
    needed = {"--gpus": gpus} if run else {"--model": model, "--length": length, "--gpus": gpus}
    missing = [option for option, value in needed.items() if value is None]
    if missing or gpus is None:
        raise UsageError(
            f"a plan needs {' and '.join(missing)}; for example: golongrl plan --model Qwen/Qwen3-4B --length 1m "
            "--gpus 8xH100"
        )
    if purpose not in ("serve", "train"):
        raise UsageError(f"--for {purpose!r} is neither serve nor train")
    given = {name: value for name, value in options.items() if value is not None}
    _check_options(given, purpose)
    shares = {"prefill": mfu, "train": mfu, "bandwidth": bandwidth}
    efficiency = Efficiency(**{name: share for name, share in shares.items() if share is not None})
    common: dict[str, Any] = {"purpose": purpose, "efficiency": efficiency, "price": price}
    machines = parse_gpus(gpus, *gpu)
    if run is not None:
        twice = [option for option, value in [("--length", length), *_named(TRAIN, given)] if value is not None]
        if twice:
            raise UsageError(f"{' and '.join(twice)} and --config both say it; leave it out, or change the file")
        wanted = Request(
            _as_in(run, machines, gpus),
            run.max_prompt_tokens + run.max_response_tokens,
            response=run.max_response_tokens,
            prompts=run.prompts_per_batch,
            rollouts=run.rollouts_per_prompt,
            rollout_memory=run.rollout_memory,
            **common,
        )
        own_data = run.data if "tokens_per_epoch" not in given and Path(run.data).is_file() else None
        return Settled(run.model, wanted, given.get("data") or own_data)
    tokens = parse_length(str(length))
    answer = given.pop("response", None)
    fields = {name: value for name, value in given.items() if name in SERVE or name in TRAIN}
    if purpose == "serve":
        fields.setdefault("weights", AUTO)
    wanted = Request(
        machines,
        tokens,
        response=parse_length(answer) if answer else min(Request.response, max(1, tokens // 2)),
        **fields,
        **common,
    )
    return Settled(str(model), wanted, given.get("data"))


def _named(names: Mapping[str, str], given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(option, value) of those that were given."""
    return [(option, given[name]) for name, option in names.items() if name in given]


def _check_options(given: Mapping[str, Any], purpose: str) -> None:
    other, useless = ("train", {**TRAIN, **EPOCH}) if purpose == "serve" else ("serve", SERVE)
    idle = [option for option, _ in _named(useless, given)]
    if idle:
        raise UsageError(f"{' and '.join(idle)} would do nothing here: for --for {other} alone; leave it out")
    if len(_named(EPOCH, given)) == 2:
        raise UsageError("--data and --tokens-per-epoch both say what an epoch is; give one of them")
    for name, known in (("weights", (AUTO, *BYTES)), ("cache", CACHES)):
        if given.get(name, known[0]) not in known:
            raise UsageError(f"{SERVE[name]} {given[name]!r} is not known; give {', '.join(known)}")


def _as_in(run: Run, machines: Gpus, text: str) -> Gpus:
    """The GPUs of a training configuration; --gpus names their kind, and may repeat their number."""
    number = run.nodes * run.gpus_per_node
    if machines.world not in (1, number):
        raise UsageError(
            f"--gpus {text} is {machines.world} GPUs, and the configuration has {run.nodes} x {run.gpus_per_node} = "
            f"{number}; give --gpus {machines.type.name}"
        )
    return Gpus(machines.type, run.nodes, run.gpus_per_node)

"""Settings that verl 0.9.1 accepts and that do not work with the engines it is pinned to.

Each was checked against verl 0.9.1 with SGLang 0.5.14: names that moved, fields that are gone, features whose two
halves do not meet. To add one, add a row to LIMITS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from golongrl.core.errors import ConfigError

SGLANG_ARGUMENTS = "actor_rollout_ref.rollout.engine_kwargs.sglang"


@dataclass(frozen=True)
class Limit:
    """A combination that fails: which rollout engines it concerns, when it is met, why, and what to do instead."""

    path: str
    """Dotted path, with * as in file names."""
    engines: tuple[str, ...]
    met: Callable[[Any], bool]
    why: str
    instead: str


def _set(value: Any) -> bool:
    return value not in (None, False, 0, "", "disabled")


ANY = ("sglang", "vllm", "transformers")

LIMITS: tuple[Limit, ...] = (
    Limit(
        "actor_rollout_ref.rollout.mode",
        ANY,
        lambda value: value != "async",
        "verl 0.9.1 has only asynchronous rollout servers",
        "leave it at async",
    ),
    Limit(
        "actor_rollout_ref.rollout.pipeline_model_parallel_size",
        ANY,
        lambda value: value > 1,
        "verl has no pipeline-parallel rollouts",
        "raise rollout_tensor_parallel",
    ),
    Limit(
        "trainer.use_v1",
        ANY,
        lambda value: not value,
        "golongrl's advantages, metrics and resuming live in verl's V1 trainer",
        "leave it at true",
    ),
    Limit(
        "trainer.v1.trainer_mode",
        ANY,
        lambda value: value != "sync",
        "golongrl trains strictly on-policy, in verl's synchronous trainer",
        "leave it at sync",
    ),
    Limit(
        "algorithm.adv_estimator",
        ANY,
        lambda value: value != "golongrl",
        "the advantages come from golongrl",
        "choose one with algo",
    ),
    *(
        Limit(
            path,
            ("sglang",),
            lambda value: value > 0,
            "verl sends LoRA adapters to SGLang under a field name that SGLang 0.5.14 does not have",
            "train all weights, set verl.actor_rollout_ref.model.lora.merge = true, or use rollout = 'vllm'",
        )
        for path in ("actor_rollout_ref.model.lora_rank", "actor_rollout_ref.model.lora.rank")
    ),
    *(
        Limit(
            path,
            ("sglang",),
            _set,
            "verl imports SGLang's routing replay from a module that SGLang 0.5.14 has moved",
            "leave it off",
        )
        for path in (
            "actor_rollout_ref.actor.megatron.router_replay.mode",
            "actor_rollout_ref.rollout.enable_rollout_routing_replay",
        )
    ),
    Limit(
        "actor_rollout_ref.rollout.disaggregation.enabled",
        ("sglang",),
        _set,
        "verl passes disaggregation_decode_tp, which is no field of SGLang 0.5.14",
        "leave it off",
    ),
    *(
        Limit(
            f"{SGLANG_ARGUMENTS}.{name}",
            ("sglang",),
            lambda value: True,
            "SGLang 0.5.14 no longer has this argument",
            f"use verl.{SGLANG_ARGUMENTS}.cuda_graph_max_bs_decode",
        )
        for name in (
            "cuda_graph_max_bs",
            "cuda_graph_bs",
            "*piecewise*",
        )
    ),
    *(
        Limit(
            f"actor_rollout_ref.model.override_config.{name}",
            ("sglang",),
            lambda value: True,
            "verl's override_config cannot carry YaRN to SGLang, so the trainer and the rollouts would differ",
            "write it into the model folder's config.json",
        )
        for name in ("rope_scaling", "rope_parameters")
    ),
)


def check_limits(tree: Mapping[str, Any], where: str) -> None:
    """ConfigError for the first limit that a configuration runs into; `tree` maps dotted paths to values."""
    engine = tree.get("actor_rollout_ref.rollout.name")
    merged_lora = tree.get("actor_rollout_ref.model.lora.merge") is True
    for limit in LIMITS:
        if engine not in limit.engines or (merged_lora and ".lora" in limit.path):
            continue
        for path, value in tree.items():
            if not (fnmatchcase(path, limit.path) or path.startswith(limit.path + ".")):
                continue
            # An interpolation is verl's own default.
            if not (isinstance(value, str) and value.startswith("${")) and limit.met(value):
                raise ConfigError(
                    f"{where}: verl.{path} = {value!r} does not work with {engine} rollouts: {limit.why}; "
                    f"{limit.instead}"
                )

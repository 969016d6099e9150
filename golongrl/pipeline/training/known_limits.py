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

DEFAULT_NCCL_TIMEOUT = 600
"""Seconds in verl's tree, which are torch's own."""

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
        lambda value: (value or 0) > 1,
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
    Limit(
        "actor_rollout_ref.actor.checkpoint.async_save",
        ANY,
        _set,
        "a checkpoint that is still being written is not named as the latest, so the run would end without one",
        "leave it off",
    ),
    Limit(
        "algorithm.rollout_correction.bypass_mode",
        ANY,
        _set,
        "it leaves out the trainer's own log-probabilities, which IcePop and the metrics per task compare with",
        "leave it off",
    ),
    Limit(
        "actor_rollout_ref.nccl_timeout",
        ANY,
        lambda value: value != DEFAULT_NCCL_TIMEOUT,
        "verl's V1 workers do not read it: a collective operation waits torch's 10 minutes, whatever it says",
        "leave it out; what makes ranks wait that long is a slow --out while a checkpoint is written",
    ),
    *(
        Limit(
            path,
            ("sglang",),
            lambda value: (value or 0) > 0,
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


OWN_KEYS: dict[str, str] = {
    "algorithm.adv_estimator": "algo",
    "algorithm.filter_groups.enable": "filter_groups",
    "algorithm.filter_groups.metric": "filter_metric",
    "algorithm.filter_groups.max_inflight_gen_batches": "inflight_batches",
    "algorithm.filter_groups.max_num_gen_batches": "max_generated_batches",
    "actor_rollout_ref.model.path": "model",
    "actor_rollout_ref.rollout.n": "rollouts_per_prompt",
    "actor_rollout_ref.rollout.name": "rollout",
    "data.train_files": "data",
    "data.val_files": "val_data",
    "data.train_batch_size": "prompts_per_batch",
    "data.gen_batch_size": "prompts_per_batch",
    "data.max_prompt_length": "max_prompt_tokens",
    "data.max_response_length": "max_response_tokens",
    "trainer.total_epochs": "epochs",
    "trainer.total_training_steps": "steps",
    "trainer.save_freq": "save_every",
    "trainer.max_actor_ckpt_to_keep": "keep_checkpoints",
    "trainer.default_local_dir": "--out",
    "trainer.resume_mode": "--resume or --fresh",
    "trainer.v1.sampler.custom_sampler.path": "filter_groups and surplus",
    "trainer.v1.sampler.custom_sampler.name": "filter_groups and surplus",
    "trainer.v1.sampler.sync_refill_failed_groups": "filter_groups",
}
"""Settings of verl that golongrl derives more than one thing from: they are set by golongrl's own key."""


def check_own_keys(passed: Mapping[str, Any], where: str) -> None:
    """ConfigError for a setting that is passed to verl although golongrl has a key for it and depends on it."""
    for path in passed:
        if path in OWN_KEYS:
            raise ConfigError(f"{where}: verl.{path} follows from a key of golongrl's; set {OWN_KEYS[path]} instead")


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

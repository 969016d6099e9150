"""From TrainConfig to verl 0.9.1 settings: pure functions, no verl import."""

import json
from pathlib import Path
from typing import Any

from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.ray_settings import PLUGIN, ray_init

ESTIMATOR = "golongrl"
"""Name under which verl knows our advantage estimator."""

ROUTER_FILE = "router.json"
"""In the run folder: which class chooses a request's rollout server, and what it is told."""


def config_name(config: TrainConfig) -> str:
    """verl's root configuration for the engine."""
    return "ppo_megatron_trainer" if config.engine == "megatron" else "ppo_trainer"


def settings(config: TrainConfig, out: Path, think: str) -> dict[str, Any]:
    """Dotted verl path -> value. A leading "+" adds a key that verl's tree does not have."""
    cpu = config.device == "cpu"
    values: dict[str, Any] = {
        "algorithm.adv_estimator": ESTIMATOR,
        "algorithm.use_kl_in_reward": False,
        "data.train_files": config.data,
        # verl always builds a validation set; without one of ours the training file stands in and is never run.
        "data.val_files": config.val_data or config.data,
        "data.train_batch_size": config.prompts_per_batch,
        "data.max_prompt_length": config.max_prompt_tokens,
        "data.max_response_length": config.max_response_tokens,
        "data.filter_overlong_prompts": True,
        "data.filter_overlong_prompts_workers": 1 if cpu else 8,
        "data.truncation": "error",
        "data.seed": config.seed,
        "data.dataloader_num_workers": 0 if cpu else 8,
        "data.return_raw_chat": True,
        "reward.custom_reward_function.path": f"pkg://{PLUGIN}.reward",
        "reward.custom_reward_function.name": "compute_score",
        "+reward.custom_reward_function.reward_kwargs": {"think": think},
        "reward.num_workers": 1 if cpu else 8,
        "trainer.total_epochs": _epochs(config),
        "trainer.total_training_steps": config.steps,
        "trainer.nnodes": config.nodes,
        "trainer.n_gpus_per_node": config.gpus_per_node,
        "trainer.save_freq": config.save_every,
        "trainer.test_freq": config.validate_every or -1,
        "trainer.val_before_train": bool(config.validate_every),
        "trainer.max_actor_ckpt_to_keep": config.keep_checkpoints,
        "trainer.default_local_dir": str(out / "checkpoints"),
        "trainer.resume_mode": "auto",
        "trainer.project_name": "golongrl",
        "trainer.experiment_name": out.name,
        # verl's own file logger empties its file on resume; golongrl's metrics.jsonl takes its place.
        "trainer.logger": [name for name in config.loggers if name != "file"],
        "trainer.rollout_data_dir": str(out / "rollouts") if config.dump_rollouts else None,
        "trainer.device": config.device,
        "trainer.v1.sampler.custom_sampler.path": f"pkg://{PLUGIN}.group_buffer",
        "trainer.v1.sampler.custom_sampler.name": "GroupBuffer",
        "+trainer.v1.sampler.sampler_kwargs": _buffer(config),
        "algorithm.filter_groups.enable": config.filter_groups,
        "algorithm.filter_groups.metric": config.filter_metric,
        "algorithm.filter_groups.max_inflight_gen_batches": config.inflight_batches,
        "+golongrl": _own_settings(config, out),
    }
    values |= _actor(config) | _rollout(config, out)
    values |= _megatron(config) if config.engine == "megatron" else _fsdp(config)
    if cpu:
        values |= _cpu(config)
    values |= ray_init(config, out)
    for path, value in config.verl.items():
        values.pop(path, None)
        values.pop("+" + path, None)
        # "++" sets a key whether or not verl's tree has it.
        values["++" + path] = value
    return values


def _epochs(config: TrainConfig) -> int:
    """verl stops at the epoch limit even when `steps` asks for more."""
    return 1_000_000 if config.steps is not None else config.epochs


def _own_settings(config: TrainConfig, out: Path) -> dict[str, Any]:
    names = (
        *("algo", "alpha", "gamma", "max_weight", "task_stats", "ema_decay"),
        *("sampling", "sampling_temperature", "max_no_signal_steps"),
    )
    return {**{name: getattr(config, name) for name in names}, "out": str(out)}


def _buffer(config: TrainConfig) -> dict[str, Any]:
    """What verl_plugin/group_buffer.py is told."""
    return {
        "metric": config.filter_metric if config.filter_groups else None,
        "tolerance": config.filter_tolerance,
        "surplus": config.surplus,
        "prompts_per_batch": config.prompts_per_batch,
        "inflight_batches": config.inflight_batches,
        "max_generated_batches": config.max_generated_batches,
    }


def _actor(config: TrainConfig) -> dict[str, Any]:
    actor = "actor_rollout_ref.actor"
    return {
        "actor_rollout_ref.model.path": config.model,
        "actor_rollout_ref.model.enable_gradient_checkpointing": config.recompute and config.device != "cpu",
        f"{actor}.ppo_mini_batch_size": config.prompts_per_batch,
        f"{actor}.ppo_micro_batch_size_per_gpu": 1,
        f"{actor}.use_dynamic_bsz": not config.one_at_a_time,
        f"{actor}.ppo_max_token_len_per_gpu": config.tokens_per_gpu,
        f"{actor}.ppo_epochs": 1,
        f"{actor}.clip_ratio_low": config.clip_low,
        f"{actor}.clip_ratio_high": config.clip_high,
        f"{actor}.clip_ratio_c": config.clip_dual,
        f"{actor}.loss_agg_mode": "token-mean",
        f"{actor}.use_kl_loss": False,
        f"{actor}.entropy_coeff": 0,
        f"{actor}.optim.lr": config.learning_rate,
        f"{actor}.optim.lr_warmup_steps": config.warmup_steps,
        f"{actor}.optim.weight_decay": config.weight_decay,
        f"{actor}.optim.clip_grad": config.grad_clip,
        f"{actor}.data_loader_seed": config.seed,
        f"{actor}.checkpoint.save_contents": ["model", "optimizer", "extra", "hf_model"],
    }


def _rollout(config: TrainConfig, out: Path) -> dict[str, Any]:
    rollout = "actor_rollout_ref.rollout"
    values: dict[str, Any] = {
        f"{rollout}.name": config.rollout,
        f"{rollout}.n": config.rollouts_per_prompt,
        f"{rollout}.temperature": config.temperature,
        f"{rollout}.top_p": config.top_p,
        f"{rollout}.top_k": -1,
        f"{rollout}.seed": config.seed,
        f"{rollout}.tensor_model_parallel_size": config.rollout_tensor_parallel,
        f"{rollout}.gpu_memory_utilization": config.rollout_memory,
        f"{rollout}.max_model_len": config.longest,
        f"{rollout}.log_prob_use_dynamic_bsz": not config.one_at_a_time,
        f"{rollout}.log_prob_micro_batch_size_per_gpu": 1,
        f"{rollout}.log_prob_max_token_len_per_gpu": config.tokens_per_gpu,
        f"{rollout}.calculate_log_probs": True,
        f"{rollout}.val_kwargs.temperature": 0.6,
        f"{rollout}.val_kwargs.top_p": 0.95,
        f"{rollout}.val_kwargs.do_sample": True,
        # Both mean no limit. The transformers engine names its random streams after the settings, so validation takes
        # no numbers from training even where all other settings agree.
        f"{rollout}.val_kwargs.top_k": 0 if config.rollout == "transformers" else -1,
    }
    if router(config):
        values[f"{rollout}.router_config_path"] = str(out / ROUTER_FILE)
    if config.rollout == "sglang":
        values[f"+{rollout}.engine_kwargs.sglang.context_length"] = config.longest
    if config.icepop:
        values["algorithm.rollout_correction.rollout_is"] = "token"
        values["algorithm.rollout_correction.rollout_is_threshold"] = f"{config.icepop_low}_{config.icepop_high}"
    return values


def router(config: TrainConfig) -> dict[str, Any]:
    """Content of ROUTER_FILE; empty where there is one rollout server, so that nothing has to be chosen."""
    if config.nodes * config.gpus_per_node == config.rollout_tensor_parallel:
        return {}
    return {
        "router_class": f"{PLUGIN}.prompt_router.PromptRouter",
        "answer_tokens": config.rollouts_per_prompt * config.max_response_tokens,
    }


def _fsdp(config: TrainConfig) -> dict[str, Any]:
    actor = "actor_rollout_ref.actor"
    return {
        f"{actor}.strategy": "fsdp2",
        f"{actor}.fsdp_config.param_offload": config.offload,
        f"{actor}.fsdp_config.optimizer_offload": config.offload,
        f"{actor}.fsdp_config.ulysses_sequence_parallel_size": config.context_parallel,
        f"{actor}.entropy_from_logits_with_chunking": True,
        # Packed sequences need an attention that takes their lengths; verl's default wants flash-attn, which none of
        # the extras installs.
        "actor_rollout_ref.model.use_remove_padding": config.attention != "sdpa",
        "+actor_rollout_ref.model.override_config.attn_implementation": config.attention,
    }


def _megatron(config: TrainConfig) -> dict[str, Any]:
    megatron = "actor_rollout_ref.actor.megatron"
    values: dict[str, Any] = {
        f"{megatron}.tensor_model_parallel_size": config.tensor_parallel,
        f"{megatron}.context_parallel_size": config.context_parallel,
        f"{megatron}.expert_model_parallel_size": config.expert_parallel,
        f"{megatron}.param_offload": config.offload,
        f"{megatron}.optimizer_offload": config.offload,
        f"{megatron}.entropy_from_logits_with_chunking": True,
        # The recipe routes in float32; bfloat16 ties send tokens to other experts than the rollout server did.
        f"+{megatron}.override_transformer_config.moe_router_dtype": "fp32",
    }
    if config.recompute:
        values |= {
            f"{megatron}.override_transformer_config.recompute_granularity": "full",
            f"{megatron}.override_transformer_config.recompute_method": "uniform",
            f"{megatron}.override_transformer_config.recompute_num_layers": 1,
        }
    return values


def _cpu(config: TrainConfig) -> dict[str, Any]:
    actor = "actor_rollout_ref.actor"
    return {
        f"{actor}.fsdp_config.model_dtype": "fp32",
        f"+{actor}.fsdp_config.mixed_precision": {
            "param_dtype": "fp32",
            "reduce_dtype": "fp32",
            "buffer_dtype": "fp32",
        },
        f"{actor}.fsdp_config.use_torch_compile": False,
        f"{actor}.use_torch_compile": False,
        "actor_rollout_ref.rollout.agent.num_workers": 1,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
    }


def overrides(values: dict[str, Any]) -> list[str]:
    """Hydra override strings, quoted so that spaces and punctuation in values survive."""
    return [f"{path}={_literal(value)}" for path, value in values.items()]


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_literal(item) for item in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\'", "\\\\'").replace("'", "\\'")
        return f"'{escaped}'"
    return json.dumps(value)

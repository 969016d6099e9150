"""From TrainConfig to verl 0.9.1 settings: pure functions, no verl import."""

import json
import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import Any

from golongrl.core.cache import cache_folder
from golongrl.pipeline.training.config import TrainConfig

ESTIMATOR = "golongrl"
"""Name under which verl knows our advantage estimator."""

PLUGIN = "golongrl.pipeline.training.verl_plugin"


def config_name(config: TrainConfig) -> str:
    """verl's root configuration for the engine."""
    return "ppo_megatron_trainer" if config.engine == "megatron" else "ppo_trainer"


def settings(config: TrainConfig, out: Path, think: str) -> dict[str, Any]:
    """Dotted verl path -> value. A leading "+" adds a key that verl's tree does not have."""
    cpu = config.device == "cpu"
    max_model_len = config.max_prompt_tokens + config.max_response_tokens
    micro_batch_tokens = config.micro_batch_tokens or max_model_len
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
        "trainer.logger": list(config.loggers),
        "trainer.rollout_data_dir": str(out / "rollouts") if config.dump_rollouts else None,
        "trainer.device": config.device,
        "+golongrl": _own_settings(config, out),
    }
    values |= _actor(config, micro_batch_tokens) | _rollout(config, max_model_len, micro_batch_tokens)
    values |= _megatron(config) if config.engine == "megatron" else _fsdp(config)
    if cpu:
        values |= _cpu(config)
    if config.ray_address:
        values["+ray_kwargs.ray_init.address"] = config.ray_address
        # Workers on other machines do not inherit this process's environment.
        values["+ray_kwargs.ray_init.runtime_env.env_vars"] = environment(config, out)
    else:
        # Ray puts the interpreter into a shell command as it is, which breaks where its path has a space.
        values["ray_kwargs.ray_init.runtime_env.py_executable"] = shlex.quote(sys.executable)
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
    names = ("algo", "alpha", "gamma", "max_weight", "task_stats", "ema_decay")
    return {**{name: getattr(config, name) for name in names}, "out": str(out)}


def _actor(config: TrainConfig, micro_batch_tokens: int) -> dict[str, Any]:
    actor = "actor_rollout_ref.actor"
    return {
        "actor_rollout_ref.model.path": config.model,
        "actor_rollout_ref.model.enable_gradient_checkpointing": config.device != "cpu",
        f"{actor}.ppo_mini_batch_size": config.prompts_per_batch,
        f"{actor}.ppo_micro_batch_size_per_gpu": 1,
        f"{actor}.use_dynamic_bsz": True,
        f"{actor}.ppo_max_token_len_per_gpu": micro_batch_tokens,
        f"{actor}.ppo_epochs": 1,
        f"{actor}.clip_ratio_low": config.clip_low,
        f"{actor}.clip_ratio_high": config.clip_high,
        f"{actor}.clip_ratio_c": 3.0,
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


def _rollout(config: TrainConfig, max_model_len: int, micro_batch_tokens: int) -> dict[str, Any]:
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
        f"{rollout}.max_model_len": max_model_len,
        f"{rollout}.max_num_batched_tokens": max(8192, max_model_len),
        f"{rollout}.log_prob_use_dynamic_bsz": True,
        f"{rollout}.log_prob_max_token_len_per_gpu": micro_batch_tokens,
        f"{rollout}.calculate_log_probs": True,
        f"{rollout}.val_kwargs.temperature": 0.6,
        f"{rollout}.val_kwargs.top_p": 0.95,
        f"{rollout}.val_kwargs.do_sample": True,
    }
    if config.rollout == "sglang":
        values[f"+{rollout}.engine_kwargs.sglang.context_length"] = max_model_len
    if config.icepop:
        values["algorithm.rollout_correction.rollout_is"] = "token"
        values["algorithm.rollout_correction.rollout_is_threshold"] = "0.5_5.0"
    return values


def _fsdp(config: TrainConfig) -> dict[str, Any]:
    actor = "actor_rollout_ref.actor"
    return {
        f"{actor}.strategy": "fsdp2",
        f"{actor}.fsdp_config.param_offload": config.offload,
        f"{actor}.fsdp_config.optimizer_offload": config.offload,
        f"{actor}.fsdp_config.ulysses_sequence_parallel_size": config.context_parallel,
        f"{actor}.entropy_from_logits_with_chunking": True,
        "actor_rollout_ref.model.use_remove_padding": config.device != "cpu",
    }


def _megatron(config: TrainConfig) -> dict[str, Any]:
    megatron = "actor_rollout_ref.actor.megatron"
    return {
        f"{megatron}.tensor_model_parallel_size": config.tensor_parallel,
        f"{megatron}.context_parallel_size": config.context_parallel,
        f"{megatron}.expert_model_parallel_size": config.expert_parallel,
        f"{megatron}.param_offload": config.offload,
        f"{megatron}.optimizer_offload": config.offload,
    }


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
        "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
        "actor_rollout_ref.rollout.agent.num_workers": 1,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        # Ray schedules training processes on "GPU" slots; on a CPU these are only counted.
        "+ray_kwargs.ray_init.num_gpus": config.gpus_per_node,
        "ray_kwargs.ray_init.num_cpus": 16,
        "+ray_kwargs.ray_init.include_dashboard": False,
    }


def environment(config: TrainConfig, out: Path) -> dict[str, str]:
    """Environment variables the training process needs."""
    values = {
        "TOKENIZERS_PARALLELISM": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "TENSORBOARD_DIR": str(out / "tensorboard"),
        "VERL_USE_EXTERNAL_MODULES": f"{PLUGIN}.rollout_registry",
    }
    if "wandb" not in config.loggers:
        values["WANDB_MODE"] = "disabled"
    if config.device == "cpu":
        values["VERL_PLATFORM"] = "cpu"
        # Ray gives each worker one thread and a low priority. Trainer and rollout server take turns on the same
        # cores, so each gets its share of all of them, and idle threads must not spin.
        values["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // config.gpus_per_node))
        values["RAY_worker_niceness"] = "0"
        # Keep freed memory: giving every large tensor back to the system and faulting it in anew costs more than
        # the arithmetic.
        values |= {
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
            "MALLOC_TOP_PAD_": str(256 << 20),
        }
        values["OMP_WAIT_POLICY"] = "PASSIVE"
        if config.ray_address is None:
            values |= _private_ray()
        # verl registers its FSDP engine for accelerators only; this is its own override for other devices.
        values["VERL_ENGINE_DEVICE"] = "cuda"
        values["VERL_USE_EXTERNAL_MODULES"] = f"{PLUGIN}.cpu_platform,{PLUGIN}.rollout_registry"
    return values


def _private_ray() -> dict[str, str]:
    """Keeps a local Ray cluster inside the user's cache: by default it writes to /tmp/ray and ~/.ray."""
    values = {"RAY_AUTH_TOKEN": secrets.token_hex(16)}
    folder = str(cache_folder())
    # Ray's socket names add up to 70 characters, and Linux allows 107 in all.
    if "RAY_TMPDIR" not in os.environ and len(folder) <= 36:
        values["RAY_TMPDIR"] = folder
    return values


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

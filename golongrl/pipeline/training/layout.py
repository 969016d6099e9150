"""How a run is spread over processes, settings passed through to verl included, and whether the pieces divide."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from golongrl.core.errors import ConfigError
from golongrl.core.memory.layout import FUSED, OFFLOAD_POLICY, Layout, LogitsPath
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.training.config import TrainConfig

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
MINI_BATCH = f"{ACTOR}.ppo_mini_batch_size"

Value = TypeVar("Value", int, float, bool)


def passed(config: TrainConfig, path: str, default: Value) -> Value:
    """A setting that `verl` overrides, else what golongrl derives; an interpolation is left for verl to resolve."""
    value = config.verl.get(path)
    fits = isinstance(value, (int, float)) and isinstance(value, bool) == isinstance(default, bool)
    return type(default)(value) if fits else default


def layout(config: TrainConfig) -> Layout:
    """The layout of a configuration."""
    megatron = config.engine == "megatron"
    group = f"{ACTOR}.megatron" if megatron else f"{ACTOR}.fsdp_config"
    nodes = passed(config, "trainer.nnodes", config.nodes)
    per_node = passed(config, "trainer.n_gpus_per_node", config.gpus_per_node)
    tensor = passed(config, f"{group}.tensor_model_parallel_size", config.tensor_parallel)
    context_path = f"{group}.{'context_parallel_size' if megatron else 'ulysses_sequence_parallel_size'}"
    packed = megatron or passed(config, "actor_rollout_ref.model.use_remove_padding", config.attention != "sdpa")
    return Layout(
        engine=config.engine,
        rollout=config.rollout,
        world=nodes * per_node,
        per_node=per_node,
        tensor=tensor,
        pipeline=passed(config, f"{group}.pipeline_model_parallel_size", 1),
        context=passed(config, context_path, config.context_parallel),
        expert=passed(config, f"{group}.expert_model_parallel_size", config.expert_parallel),
        expert_tensor=passed(config, f"{group}.expert_tensor_parallel_size", tensor),
        rollout_tensor=passed(config, f"{ROLLOUT}.tensor_model_parallel_size", config.rollout_tensor_parallel),
        rollout_memory=passed(config, f"{ROLLOUT}.gpu_memory_utilization", config.rollout_memory),
        offload_parameters=passed(config, f"{group}.param_offload", config.offload),
        offload_optimizer=passed(config, f"{group}.optimizer_offload", config.offload),
        offload_policy=not megatron and passed(config, OFFLOAD_POLICY, False),
        recompute=config.recompute,
        packed=packed,
        logits=_logits_path(config, packed),
        tokens=passed(config, f"{ACTOR}.ppo_max_token_len_per_gpu", config.tokens_per_gpu),
        longest=config.longest,
        rollouts=config.prompts_per_batch * config.rollouts_per_prompt,
    )


def _logits_path(config: TrainConfig, packed: bool) -> LogitsPath:
    """How verl gets log-probs: from its fused kernel, which never holds all logits, or by engine and attention."""
    if config.device == "cpu":
        return "float32"
    if passed(config, FUSED, False):
        return "fused"
    if config.engine == "megatron":
        return "megatron"
    if config.attention != "sdpa":
        return "flash"
    return "packed" if packed else "padded"


def check_layout(config: TrainConfig, shape: Shape) -> None:
    """ConfigError when the model cannot be cut the way the process groups ask for, with the sizes that work."""
    cut = layout(config)
    world, heads, kv, experts = cut.world, shape.heads, shape.kv_heads, shape.experts

    if experts and config.rollout == "transformers":
        raise ConfigError(
            f"rollout = 'transformers' cannot take new weights of a mixture-of-experts model ({experts} experts): "
            "verl sends the tensors of each expert, and transformers 5 holds those of a layer as one; set rollout = "
            "'sglang' or 'vllm', with device = 'cuda'"
        )
    of_heads = f"divide the model's {heads} attention heads and share its {kv} key-value heads evenly"
    if config.engine == "megatron":
        rest = cut.pipeline * cut.context
        _need(
            config,
            "tensor_parallel",
            cut.tensor,
            lambda size: shape.divides(size) and world % (size * rest) == 0,
            f"{of_heads}, and with pipeline and context parallelism ({rest}) divide the {world} GPUs",
            world,
        )
        if cut.expert > 1 and not experts:
            raise ConfigError(f"expert_parallel = {cut.expert}, and the model has no experts; set it to 1")
        per_expert = cut.expert_tensor * cut.pipeline
        _need(
            config,
            "expert_parallel",
            cut.expert,
            lambda size: world % (size * per_expert) == 0 and experts % size == 0,
            f"divide the model's {experts} experts, and with the {per_expert} ranks that share an expert "
            f"(tensor_parallel, unless verl.{ACTOR}.megatron.expert_tensor_parallel_size is set) the {world} GPUs",
            world,
        )
        if shape.layers % cut.pipeline:
            raise ConfigError(
                f"verl.{ACTOR}.megatron.pipeline_model_parallel_size = {cut.pipeline} does not divide the model's "
                f"{shape.layers} layers; set it to {_listed(_divisors(shape.layers, world))}"
            )
    else:
        _need(
            config,
            "context_parallel",
            cut.context,
            lambda size: shape.divides(size) and world % size == 0,
            f"{of_heads} (Ulysses splits attention by heads), and divide the {world} processes",
            world,
        )
    if config.rollout != "transformers":
        _need(
            config,
            "rollout_tensor_parallel",
            cut.rollout_tensor,
            lambda size: shape.divides(size) and world % size == 0,
            f"{of_heads}, and divide the {world} GPUs",
            world,
        )


def _need(config: TrainConfig, key: str, value: int, works: Callable[[int], bool], why: str, world: int) -> None:
    if not works(value):
        raise ConfigError(
            f"{key} = {value} must {why}; set it to {_listed([s for s in _divisors(world, world) if works(s)])}"
        )


def _divisors(number: int, limit: int) -> list[int]:
    return [size for size in range(1, min(number, limit) + 1) if number % size == 0]


def _listed(sizes: list[Any]) -> str:
    return ", ".join(map(str, sizes[:-1])) + (" or " if len(sizes) > 1 else "") + str(sizes[-1]) if sizes else "1"


def check_batches(config: TrainConfig) -> None:
    """ConfigError when batches, mini batches or micro batches do not divide, with sizes that do.

    TrainConfig checks its own keys; this is about those that `verl` overrides. Symbols: B prompts per batch, n
    rollouts per prompt, m prompts per mini batch, D data-parallel copies. verl needs m x n divisible by D, and pads a
    batch that is no multiple of m, which leaves the last update with fewer prompts than the others; with fixed micro
    batches of u rollouts it needs m x n / D divisible by u.
    """
    cut = layout(config)
    batch = passed(config, "data.train_batch_size", config.prompts_per_batch)
    rollouts = passed(config, f"{ROLLOUT}.n", config.rollouts_per_prompt)
    mini = passed(config, MINI_BATCH, config.prompts_per_batch)
    whole = cut.tensor * cut.pipeline * cut.context
    if whole > cut.world or cut.world % whole:
        raise ConfigError(
            f"tensor x pipeline x context parallelism = {whole} must divide the {cut.world} processes; lower "
            f"tensor_parallel, context_parallel or verl.{ACTOR}.megatron.pipeline_model_parallel_size"
        )
    share = cut.data // math.gcd(cut.data, rollouts)
    fitting = [size for size in _divisors(batch, batch) if size % share == 0]
    if mini not in fitting:
        key = f"verl.{MINI_BATCH}" if MINI_BATCH in config.verl else "prompts_per_batch"
        if not fitting:
            raise ConfigError(
                f"a batch of {batch} prompts x {rollouts} rollouts does not spread over {cut.data} data-parallel "
                f"copies; set prompts_per_batch to a multiple of {share}"
            )
        raise ConfigError(
            f"{key} = {mini} must divide the {batch} prompts of a batch, and times {rollouts} rollouts be a multiple "
            f"of the {cut.data} data-parallel copies; set it to {_listed(fitting)}"
        )
    _check_micro_batch(config, mini * rollouts // cut.data, "ppo_micro_batch_size_per_gpu", ACTOR, "use_dynamic_bsz")
    _check_micro_batch(
        config,
        batch * rollouts // cut.data,
        "log_prob_micro_batch_size_per_gpu",
        ROLLOUT,
        "log_prob_use_dynamic_bsz",
    )
    generated = passed(config, "data.gen_batch_size", batch)
    if batch % generated:
        raise ConfigError(
            f"verl.data.gen_batch_size = {generated} must divide the {batch} prompts of a batch; set it to "
            f"{_listed(_divisors(batch, batch))}"
        )
    longest = config.longest
    if cut.tokens * cut.context < longest:
        raise ConfigError(
            f"verl.{ACTOR}.ppo_max_token_len_per_gpu = {cut.tokens} x context_parallel {cut.context} must hold one "
            f"sequence of max_prompt_tokens + max_response_tokens = {longest}; set it to {-(-longest // cut.context)}"
        )


def _check_micro_batch(config: TrainConfig, share: int, name: str, group: str, dynamic: str) -> None:
    """Fixed micro batches must divide a copy's `share` of rollouts; dynamic ones are cut by tokens."""
    micro = passed(config, f"{group}.{name}", 1)
    if not passed(config, f"{group}.{dynamic}", True) and share % micro:
        raise ConfigError(
            f"verl.{group}.{name} = {micro} must divide the {share} rollouts of one data-parallel copy; set it to "
            f"{_listed(_divisors(share, share))}"
        )

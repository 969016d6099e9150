"""The training configuration: what a person decides; everything else is derived from it or is verl's default."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from golongrl.core.config import PROJECT_FILE, Config, build, refuse_unknown_keys
from golongrl.core.errors import UsageError


class TrainConfig(Config):
    """One training run. Defaults are the recipe's (arXiv 2605.19577) where it states a value."""

    algo: Literal["grpo", "dr-grpo", "tmn", "tmn-reweight", "qwenlong"] = "tmn-reweight"
    """Advantage algorithm."""
    model: str
    """Model folder or hub id."""
    data: str
    """Training records, .parquet."""
    val_data: str | None = None
    """Validation records, .parquet; needed when validate_every is set."""

    rollout: Literal["sglang", "vllm", "transformers"] = "sglang"
    """Rollout engine; transformers is the one that runs on a CPU."""
    device: Literal["cuda", "cpu"] = "cuda"
    """Where the policy is trained."""
    engine: Literal["fsdp", "megatron"] = "fsdp"
    """verl's model engine."""
    nodes: int = Field(1, ge=1)
    """Machines."""
    gpus_per_node: int = Field(8, ge=1)
    """GPUs per machine; on a CPU the number of training processes."""
    ray_address: str | None = None
    """Ray cluster to join, "auto" or a URL; None starts one on this machine."""
    tensor_parallel: int = Field(1, ge=1)
    """Tensor parallel size of training (Megatron only)."""
    context_parallel: int = Field(1, ge=1)
    """Context parallel size of training (Ulysses under FSDP, ring attention under Megatron)."""
    expert_parallel: int = Field(1, ge=1)
    """Expert parallel size of training (Megatron only)."""
    rollout_tensor_parallel: int = Field(1, ge=1)
    """Tensor parallel size of one rollout server."""
    rollout_memory: float = Field(0.6, gt=0, lt=1)
    """Share of GPU memory for the rollout server."""
    offload: bool = False
    """Keep parameters and optimizer state in CPU memory while they are not used."""

    steps: int | None = Field(None, ge=1)
    """Training steps; None runs `epochs`."""
    epochs: int = Field(10, ge=1)
    """Passes over the data; with `steps` set, as many as those take."""
    prompts_per_batch: int = Field(128, ge=1)
    """Prompt groups per step; one policy update each, strictly on-policy."""
    rollouts_per_prompt: int = Field(16, ge=2)
    """Rollouts per prompt group."""
    max_prompt_tokens: int = Field(163_840, ge=1)
    """Longer prompts are filtered out before training."""
    max_response_tokens: int = Field(16_384, ge=1)
    """Rollouts are cut there."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature of rollouts."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling of rollouts."""
    think: Literal["template", "required", "optional"] = "template"
    """Whether an answer needs a closed think block; `template` reads it off the model's chat template."""

    micro_batch_tokens: int | None = Field(None, ge=1)
    """Most tokens that go through the model at once in one process; None is one sequence of full length."""

    learning_rate: float = Field(2e-6, gt=0)
    """Peak learning rate (AdamW)."""
    warmup_steps: int = Field(5, ge=0)
    """Linear warm-up."""
    weight_decay: float = Field(0.1, ge=0)
    """AdamW weight decay."""
    grad_clip: float = Field(1.0, gt=0)
    """Largest gradient norm."""
    clip_low: float = Field(0.2, gt=0)
    """Lower PPO clip."""
    clip_high: float = Field(0.28, gt=0)
    """Upper PPO clip."""
    icepop: bool = True
    """Give tokens whose train / rollout probability ratio lies outside [0.5, 5] no gradient."""

    alpha: float = Field(0.8, ge=0, le=1)
    """tmn-reweight: weight of the group's own mean in its bar."""
    gamma: float = Field(1.0, ge=0)
    """tmn-reweight: strength of the difficulty weight; 0 is plain tmn."""
    max_weight: float | None = Field(None, ge=1)
    """tmn-reweight: clamp of the difficulty weight."""
    task_stats: Literal["batch", "ema"] = "batch"
    """Task scale and mean from the batch alone, or a running mean that is saved with checkpoints."""
    ema_decay: float = Field(0.9, ge=0, lt=1)
    """Share of the running mean that stays per batch."""

    save_every: int = Field(5, ge=1)
    """Steps between checkpoints; the last step is always saved."""
    keep_checkpoints: int | None = Field(None, ge=1)
    """Keep this many newest checkpoints; None keeps all."""
    validate_every: int | None = Field(None, ge=1)
    """Steps between validations on val_data."""
    dump_rollouts: bool = False
    """Write every rollout's text to rollouts/STEP.jsonl."""
    loggers: list[str] = Field(default_factory=lambda: ["console", "tensorboard"])
    """verl's loggers; golongrl's own metrics.jsonl is always written."""
    seed: int = 0
    """Seed of data order and sampling."""
    verl: dict[str, Any] = Field(default_factory=dict)
    """Any further verl setting by its dotted path; wins over what golongrl derives."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        world = self.nodes * self.gpus_per_node
        if self.device == "cpu" and self.rollout != "transformers":
            raise ValueError(f"rollout {self.rollout!r} needs GPUs; on a CPU use rollout = 'transformers'")
        if self.device == "cpu" and self.engine != "fsdp":
            raise ValueError("engine 'megatron' needs GPUs; on a CPU use engine = 'fsdp'")
        if self.engine == "fsdp" and self.tensor_parallel * self.expert_parallel > 1:
            raise ValueError("tensor_parallel and expert_parallel need engine = 'megatron'")
        if world % (self.tensor_parallel * self.context_parallel):
            raise ValueError(f"tensor_parallel x context_parallel must divide the {world} processes")
        if world % self.rollout_tensor_parallel:
            raise ValueError(f"rollout_tensor_parallel must divide the {world} processes")
        samples = self.prompts_per_batch * self.rollouts_per_prompt
        data_parallel = world // (self.tensor_parallel * self.context_parallel)
        if samples % data_parallel:
            raise ValueError(
                f"prompts_per_batch x rollouts_per_prompt = {samples} must be a multiple of the "
                f"{data_parallel} data-parallel processes"
            )
        longest = self.max_prompt_tokens + self.max_response_tokens
        if self.micro_batch_tokens is not None and self.micro_batch_tokens < longest:
            raise ValueError(f"micro_batch_tokens must hold one sequence of max_prompt + max_response = {longest}")
        if self.validate_every and not self.val_data:
            raise ValueError("validate_every needs val_data")
        return self


def resolve(
    table: Mapping[str, Any], overrides: Mapping[str, Any], flags: Mapping[str, Any], where: str
) -> TrainConfig:
    """A checked TrainConfig from a TOML table, `--set` values and flags, in rising order.

    `--set verl.PATH=VALUE` goes to verl as it is. Where nothing says which device, a machine without an NVIDIA
    driver gets the CPU, one process and transformers rollouts.
    """
    merged = {**table, **overrides, **{key: value for key, value in flags.items() if value is not None}}
    passed = {key.removeprefix("verl."): merged.pop(key) for key in list(merged) if key.startswith("verl.")}
    merged["verl"] = {**flatten(merged.get("verl") or {}), **passed}
    refuse_unknown_keys(TrainConfig, merged, where)
    missing = [name for name in ("model", "data") if not merged.get(name)]
    if missing:
        raise UsageError(
            f"training needs {' and '.join(missing)}: pass "
            + " ".join({"model": "--model FOLDER_OR_HUB_ID", "data": "--data FILE.parquet"}[name] for name in missing)
            + f", or set {' and '.join(missing)} in the [train] table of ./{PROJECT_FILE} "
            "(`golongrl build-dataset` and `golongrl demo` write one)"
        )
    if "device" not in merged and not has_nvidia_driver():
        merged["device"] = "cpu"
    if merged.get("device") == "cpu":
        merged.setdefault("rollout", "transformers")
        merged.setdefault("gpus_per_node", 1)
    return build(TrainConfig, merged, where=where)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested TOML tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def has_nvidia_driver() -> bool:
    """Whether this machine can use an NVIDIA GPU."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None

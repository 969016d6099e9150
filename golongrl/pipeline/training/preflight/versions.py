"""Are the packages there that a configuration needs, in versions that work; the tables are in core/packages.py."""

from golongrl.core.errors import MissingPackageError
from golongrl.core.packages import MODULES, compare, importable, installed
from golongrl.pipeline.training.config import TrainConfig

LOGGERS: dict[str, str] = {name: name for name in ("wandb", "mlflow", "swanlab", "trackio", "tensorboard")}
"""Logger -> the package it writes with; the other loggers need none."""

ATTENTION: dict[str, tuple[str, str]] = {
    "flash_attention_2": ("flash_attn", "pip install flash-attn --no-build-isolation"),
    "flash_attention_3": ("flash_attn_interface", "build hopper/ of github.com/Dao-AILab/flash-attention"),
}
"""Attention of the FSDP engine -> (module, how to get it)."""

MEGATRON = ("megatron.core", "megatron.bridge", "transformer_engine")
"""Modules of verl's Megatron engine. No extra of golongrl brings them: they are built for the machine's CUDA."""

MEGATRON_ATTENTION = "actor_rollout_ref.actor.megatron.override_transformer_config.attention_backend"
"""verl's default is flash, for which Megatron forbids Transformer Engine its other kernels; `fused` is cuDNN's."""


def check_packages(config: TrainConfig) -> None:
    """MissingPackageError with the line that installs the first thing a run needs and does not find."""
    missing = [name for name in MODULES[config.rollout] if not importable(name)]
    if missing:
        raise MissingPackageError(
            f"{config.rollout} rollouts need {', '.join(missing)}; run: pip install 'golongrl[{extra(config)}]'"
        )
    for name in config.loggers:
        if name in LOGGERS and not importable(LOGGERS[name]):
            raise MissingPackageError(
                f"loggers names {name!r} and the package is not installed; run: pip install {LOGGERS[name]}, or take "
                "it out of loggers"
            )
    if config.engine == "fsdp" and config.attention in ATTENTION:
        module, get = ATTENTION[config.attention]
        if not importable(module):
            raise MissingPackageError(
                f"attention = {config.attention!r} needs the module {module}; {get}, or set attention = 'sdpa'"
            )
    if config.engine == "megatron":
        missing = [name for name in MEGATRON if not importable(name)]
        if missing:
            raise MissingPackageError(
                f"engine = 'megatron' needs {', '.join(missing)}; install megatron-core, megatron-bridge 0.5.2 and "
                "transformer-engine for this machine's CUDA (NVIDIA's NeMo containers have them), or set engine = "
                "'fsdp'"
            )
        flash = config.verl.get(MEGATRON_ATTENTION, "flash") == "flash"
        if flash and not any(importable(module) for module, _ in ATTENTION.values()):
            raise MissingPackageError(
                "engine = 'megatron' needs flash-attn for its attention; run: pip install flash-attn "
                f"--no-build-isolation, or set verl.{MEGATRON_ATTENTION} = 'fused' for cuDNN's"
            )


def extra(config: TrainConfig) -> str:
    """The extra of golongrl that brings what a configuration needs."""
    return "train" if config.rollout == "transformers" else config.rollout


def check_versions(config: TrainConfig) -> list[str]:
    """What was never checked; MissingPackageError for versions that cannot work, with the line that mends them."""
    broken, unchecked = compare(installed(config.rollout), config.rollout, config.device)
    if broken:
        raise MissingPackageError(
            f"rollout = {config.rollout!r}: {'; '.join(broken)}. In a fresh environment run: "
            f"pip install 'golongrl[{extra(config)}]'"
        )
    return unchecked

"""Is there a place for the run: a folder that can be written, and space for its checkpoints."""

import tempfile
from pathlib import Path

from golongrl.core import machine
from golongrl.core.errors import ConfigError, StorageError
from golongrl.core.memory.rows import gib
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.training import verl_overrides
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import ACTOR

CONTENTS = f"{ACTOR}.checkpoint.save_contents"

FSDP_BYTES = {"model": 4, "optimizer": 8, "hf_model": 4}
"""Bytes per parameter of what a checkpoint holds: fp32 shards, two fp32 moments, the fp32 transformers folder."""

MEGATRON_BYTES = {"model": 2, "optimizer": 12, "hf_model": 2}
"""The same under Megatron, which writes `model` and `hf_model` as one transformers folder in bf16."""


def checkpoint_bytes(shape: Shape, config: TrainConfig) -> int:
    """Size of one checkpoint: parameters x bytes of its contents; random states and the like are left out."""
    values = verl_overrides.settings(config, Path("run"), "optional")
    contents = set(values.get("++" + CONTENTS, values.get(CONTENTS)) or [])
    each = MEGATRON_BYTES if config.engine == "megatron" else FSDP_BYTES
    if config.engine == "megatron" and "hf_model" in contents:
        contents.discard("model")
    return shape.parameters.total * sum(each.get(name, 0) for name in contents)


def checkpoints_at_once(config: TrainConfig, steps: int) -> int:
    """Checkpoints that lie on the disk together; verl removes an old one before it writes, except the only one."""
    saves = -(-steps // config.save_every)
    kept = config.keep_checkpoints
    return saves if kept is None else min(saves, max(2, kept))


def check_out(out: Path, config: TrainConfig, size: int | None, steps: int) -> list[str]:
    """Hints about the output folder; `size` is that of a checkpoint, if known.

    StorageError when nothing can be written there, ConfigError when the checkpoints to keep do not fit, with a number
    that does. What another run has left there is `open_run`'s business.
    """
    hints = []
    if not out.exists() or out.is_dir():
        _check_writable(out)
    if size:
        free = machine.free_disk(out)
        # What a run to be resumed has written already takes no more space.
        at_once = max(1, checkpoints_at_once(config, steps) - len(list(out.glob("checkpoints/global_step_*"))))
        room = free // size
        need = f"a checkpoint takes about {gib(size)} and {gib(free)} are free for --out {out}"
        if room < min(2, at_once):
            once = f", or save once, at the end, with save_every = {steps}" if room else ""
            raise StorageError(
                f"{need}, too little for {min(2, at_once)}; free some space or choose another --out{once}"
            )
        if room < at_once and config.keep_checkpoints is not None:
            raise ConfigError(
                f"{need}, too little for keep_checkpoints = {config.keep_checkpoints}; set keep_checkpoints = {room}"
            )
        if room < at_once:
            hints.append(
                f"{need}: room for {room} of the {at_once} that {steps} steps with save_every = {config.save_every} "
                f"write; set keep_checkpoints = {room} or less"
            )
    return hints


def shared_folder_hint(out: Path, config: TrainConfig) -> list[str]:
    """What several machines must share; none of them can tell whether they do."""
    if config.nodes == 1:
        return []
    return [
        f"--out {out}, the data and a model folder must lie on a file system that all {config.nodes} machines share, "
        "under the same paths"
    ]


def _check_writable(out: Path) -> None:
    parent = machine.existing_parent(out)
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to {parent}, where --out {out} would be: {error.strerror}; choose another --out"
        ) from error

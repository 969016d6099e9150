"""verl's own merger, for checkpoints that hold only the shards of the training processes.

FSDP writes actor/model_world_size_N_rank_R.pt and merges on a CPU, to bfloat16. Megatron writes
actor/model/dist_ckpt; its merger needs megatron-core and a GPU.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from golongrl.core import watchdog
from golongrl.core.errors import CheckFailedError, StorageError
from golongrl.core.model_config import model_config
from golongrl.core.servers import log_tail
from golongrl.core.store import storage_errors
from golongrl.pipeline.training.model.base_model import model_folder

_SHARD = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")


def shard_files(actor: Path) -> list[Path]:
    """The files that hold a checkpoint's weights. CheckFailedError when there are none or some are missing."""
    matches = [match for file in actor.iterdir() if (match := _SHARD.fullmatch(file.name))]
    if matches:
        size = max(int(match[1]) for match in matches)
        missing = sorted(set(range(size)) - {int(match[2]) for match in matches})
        if missing:
            raise CheckFailedError(
                f"{actor} lacks the weights of {len(missing)} of {size} training processes (the first is "
                f"{missing[0]}); with several machines --out must be a folder that all of them share"
            )
        return sorted(actor / match[0] for match in matches)
    megatron = sorted(file for file in (actor / "model" / "dist_ckpt").glob("*") if file.is_file())
    if not megatron:
        raise CheckFailedError(
            f"{actor} holds no weights; verl.actor_rollout_ref.actor.checkpoint.save_contents must name model or "
            "hf_model"
        )
    return megatron


def merge_shards(actor: Path, into: Path, log: Path, base: str | Path) -> None:
    """Run the merger in a process of its own that writes the folder `into`.

    `base` gives the config where a Megatron checkpoint has none. Raises CheckFailedError with the end of the log when
    the merger fails, StorageError when the disk is full.
    """
    if shard_files(actor)[0].parent == actor:
        _run(["--backend", "fsdp", "--local_dir", str(actor)], into, log)
        return
    # verl reads the config beside the weights, where a run without an exported model has not written one.
    staging = into.with_name(f"{into.name}.verl")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        (staging / "model").mkdir(parents=True)
        (staging / "model" / "dist_ckpt").symlink_to((actor / "model" / "dist_ckpt").absolute())
        described = actor / "model" / "huggingface"
        if not (described / "config.json").is_file():
            described = model_folder(base, trained=True)
        shutil.copytree(
            described,
            staging / "model" / "huggingface",
            ignore=lambda folder, names: [name for name in names if not _describes(Path(folder) / name)],
        )
        tied = ["--tie-word-embedding"] if model_config(described).get("tie_word_embeddings") else []
        _run(["--backend", "megatron", "--local_dir", str(staging), *tied], into, log)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _describes(path: Path) -> bool:
    return path.is_file() and path.suffix in (".json", ".jinja", ".model", ".txt")


def _run(arguments: list[str], into: Path, log: Path) -> None:
    command = [sys.executable, "-P", "-m", "verl.model_merger", "merge", *arguments, "--target_dir", str(into)]
    with storage_errors(log), open(log, "wb") as handle:
        process = subprocess.Popen(
            [sys.executable, "-P", watchdog.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        # Leaving the block closes the process's input, which ends the merger when this program is interrupted.
        with process:
            code = process.wait()
    if code == 0:
        return
    if b"No space left on device" in log.read_bytes():
        raise StorageError(
            f"no space left while merging the checkpoint into {into.parent} (log: {log}); free some space and run "
            "the same command again"
        )
    raise CheckFailedError(
        f"verl's merger ended with exit code {code}; the checkpoint is as it was. Mend the cause and run the same "
        f"command again. Last lines of {log}:\n{log_tail(log)}"
    )

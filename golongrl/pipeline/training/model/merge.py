"""A run's checkpoint as one folder that transformers, vLLM and SGLang load: weights, config, tokenizer, template.

verl exports such a folder with every checkpoint unless it is told not to (save_contents without hf_model): FSDP to
actor/huggingface, Megatron to actor/model/huggingface. Where it did not, its merger makes one.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from golongrl.core.chat_template import read_template
from golongrl.core.errors import CheckFailedError, DataError
from golongrl.core.model_config import model_config
from golongrl.core.rope import both_forms
from golongrl.core.runs import set_aside
from golongrl.core.store import storage_errors, write_json, write_text
from golongrl.core.weight_files import has_weights, read_headers, weight_files
from golongrl.pipeline.training.model.base_model import model_folder
from golongrl.pipeline.training.model.verl_merger import merge_shards, shard_files

MARKER = "merge.json"
"""Written last into a merged folder: which checkpoint it was made of and how large its weights are."""

_VOCABULARY = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt")
_TOKENIZER = (*_VOCABULARY, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


def merged_model(checkpoint: Path, target: Path, base: str | Path) -> Path:
    """Make `target` from `checkpoint` (a folder global_step_N) and return it; it appears whole or not at all.

    Weights that verl exported are hard links where the file system allows them, everything else is a copy. Tokenizer,
    chat template and generation_config.json come from `base` (folder or hub id) where the checkpoint lacks them. A
    folder made of the same checkpoint is kept as it is, one of another checkpoint is replaced, and a folder that is
    not ours is set aside. One caller at a time.

    Raises CheckFailedError when the checkpoint holds no weights or verl's merger fails (its log is merge.log beside
    `target`), DataError when exported files are damaged, StorageError when the disk is full.
    """
    actor = checkpoint / "actor"
    if not actor.is_dir():
        raise CheckFailedError(
            f"{checkpoint} holds no checkpoint of a policy; with several machines --out must be a folder that all of "
            "them share"
        )
    exported = next((folder for folder in _exports(actor) if has_weights(folder)), None)
    sources = weight_files(exported) if exported else shard_files(actor)
    made_of = {
        "checkpoint": checkpoint.name,
        "made_by": "verl's export" if exported else "verl's merger",
        # Training the same step again writes files of the same size, at another time.
        "source": [[str(file.relative_to(checkpoint)), *_stamp(file)] for file in sources],
    }
    if _is_made_of(target, made_of):
        return target
    building, replaced = (target.with_name(f".{target.name}.{word}") for word in ("building", "replaced"))
    with storage_errors(target):
        for leftover in (building, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
        building.mkdir(parents=True)
        try:
            if exported:
                _take(exported, building)
            else:
                merge_shards(actor, building, target.with_name("merge.log"), base)
            _complete(building, base)
            sizes = {tensor.file.name: tensor.file.stat().st_size for tensor in read_headers(building).values()}
            write_json(building / MARKER, {**made_of, "weights": sizes})
            _replace(target, building, replaced)
        finally:
            for leftover in (building, replaced):
                shutil.rmtree(leftover, ignore_errors=True)
    return target


def _replace(target: Path, building: Path, replaced: Path) -> None:
    """Put the finished folder in the place of an older one; what golongrl did not make is kept under another name."""
    if target.exists():
        if (target / MARKER).is_file() or not any(target.iterdir()):
            target.rename(replaced)
        else:
            set_aside(target)
    building.rename(target)


def _exports(actor: Path) -> list[Path]:
    """Where verl's engines export a model."""
    return [actor / "huggingface", actor / "model" / "huggingface"]


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _is_made_of(target: Path, made_of: dict[str, Any]) -> bool:
    """Whether `target` is a whole folder that was made of just these files."""
    try:
        found = json.loads((target / MARKER).read_text(encoding="utf-8"))
        sizes = found.pop("weights")
        whole = all((target / name).stat().st_size == size for name, size in sizes.items())
        return found == made_of and whole and (target / "config.json").is_file()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def _take(exported: Path, building: Path) -> None:
    """Link the weights and copy the other files of an exported folder."""
    for file in sorted(exported.iterdir()):
        if not file.is_file():
            continue
        new = building / file.name
        if file.suffix == ".safetensors":
            try:
                os.link(file.resolve(), new)
                continue
            except OSError:
                # Another file system, or one without hard links.
                pass
        shutil.copyfile(file, new)


def _complete(folder: Path, base: str | Path) -> None:
    """Add what a model folder needs beside its weights and was not exported."""
    try:
        config = model_config(folder)
    except DataError as error:
        raise DataError(
            f"the exported model has no readable config.json ({error}); take an earlier checkpoint"
        ) from error
    write_json(folder / "config.json", both_forms(config))
    tokenizer = any((folder / name).is_file() for name in _VOCABULARY)
    template = read_template(folder)
    generation = (folder / "generation_config.json").is_file()
    if tokenizer and template and generation:
        return
    source = model_folder(base, trained=True)
    wanted = [*(() if tokenizer else _TOKENIZER), *(() if generation else ("generation_config.json",))]
    for name in wanted:
        if (source / name).is_file() and not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)
    if not any((folder / name).is_file() for name in _VOCABULARY):
        raise CheckFailedError(f"neither the checkpoint nor {base} holds a tokenizer; add its files to {base}")
    found = template or read_template(source)
    if found is not None and read_template(folder) is None:
        write_text(folder / "chat_template.jinja", found[0])

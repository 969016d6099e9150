"""Whether a model folder is of the same model as another: its config and the names and shapes of its tensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golongrl.core.errors import CheckFailedError, require
from golongrl.core.model_config import language_config, model_config
from golongrl.core.weight_files import Tensor
from golongrl.pipeline.training.model.weights import equal_values

SHOWN = 3
"""Tensors that an error names of each kind."""

_IDENTITY = ("architectures", "model_type", "vocab_size", "tie_word_embeddings")
_OF_THE_FILE = ("transformers_version", "_name_or_path")
_HEAD = "lm_head.weight"
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight")


def completed_config(folder: Path) -> dict[str, Any]:
    """A folder's config as transformers completes it, so that what is left to defaults compares equal to what is
    written out; as it stands in config.json where transformers does not know the model."""
    stated = model_config(folder)
    auto = require("transformers").AutoConfig
    try:
        return auto.from_pretrained(folder, trust_remote_code=False, local_files_only=True).to_dict()
    except (OSError, ValueError, KeyError):
        return stated


def has_tied_head(config: Mapping[str, Any]) -> bool:
    """Whether the output head is the embedding, so that its tensor may be left out."""
    return bool(config.get("tie_word_embeddings") or language_config(config).get("tie_word_embeddings"))


def config_changes(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, list[Any]]:
    """dotted key -> [the base's value, the config's] where they differ; None stands for a missing key."""
    new, old = _flat(config), _flat(base)
    keys = [key for key in sorted({*new, *old}) if key.rpartition(".")[2] not in _OF_THE_FILE]
    return {key: [old.get(key), new.get(key)] for key in keys if old.get(key) != new.get(key)}


def check_config(folder: Path, base: str | Path, changes: Mapping[str, list[Any]]) -> None:
    """CheckFailedError when what tells models apart differs."""
    told = [
        f"{key} {new!r}, base {old!r}"
        for key, (old, new) in changes.items()
        if key.removeprefix("text_config.") in _IDENTITY
    ]
    if told:
        raise CheckFailedError(
            f"config.json of {folder} is not of the base model {base}: {'; '.join(told)}. {_what_next(folder)}"
        )


def check_tensors(
    folder: Path, base: str | Path, tensors: Mapping[str, Tensor], others: Mapping[str, Tensor], tied: bool
) -> None:
    """CheckFailedError naming the first tensors that are missing, superfluous or of another shape than the base's.

    With a tied head either side may leave its tensor out; where it is there it must equal the embedding, because
    transformers 5 unties it otherwise, and what then runs is not what was trained.
    """
    heads = {name for name in {*tensors, *others} if tied and name.endswith(_HEAD)}
    kinds = {
        "missing": [f"{name} (base {list(others[name].shape)})" for name in set(others) - set(tensors) - heads],
        "not in the base": [f"{name} {list(tensors[name].shape)}" for name in set(tensors) - set(others) - heads],
        "of another shape": [
            f"{name} {list(tensors[name].shape)} (base {list(others[name].shape)})"
            for name in set(tensors) & set(others)
            if tensors[name].shape != others[name].shape
        ],
    }
    told = [
        f"{len(found)} {kind}: {', '.join(sorted(found)[:SHOWN])}{' ...' if len(found) > SHOWN else ''}"
        for kind, found in kinds.items()
        if found
    ]
    if told:
        raise CheckFailedError(
            f"{folder} has {len(tensors)} tensors, the base model {base} {len(others)}; {'; '.join(told)}. "
            f"{_what_next(folder)}"
        )
    for head in heads & set(tensors):
        embeddings = [name for name in tensors if name.endswith(_EMBEDDINGS)]
        if len(embeddings) == 1 and not equal_values(tensors, head, embeddings[0]):
            raise CheckFailedError(
                f"{folder} has a tied head, but {head} differs from {embeddings[0]}, and transformers 5 then unties "
                f"them. {_what_next(folder)}"
            )


def _what_next(folder: Path) -> str:
    return (
        "Either the run's `model` is not this base, or the checkpoint was not exported whole: delete "
        f"{folder} and run the same command again to make it anew, or go back to an earlier checkpoint"
    )


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of nested dicts, values as JSON gives them back."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.loads(json.dumps(value, default=str))
    return flat

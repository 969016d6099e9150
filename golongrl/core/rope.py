"""The rotary embedding in a model's config.json: read in every published form, and YaRN written in all of them.

transformers 4 keeps `rope_theta` beside `rope_scaling`, transformers 5 keeps everything in `rope_parameters`, and
multimodal models nest either in `text_config`. A program that looks for the other form finds nothing and goes on
with theta 10,000 and no scaling: wrong numbers, no error. So both forms are written, with equal content.

YaRN: arXiv 2309.00071. Its attention scale is left to the engine, which takes 0.1 ln(factor) + 1 from the paper.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, StorageError, UsageError
from golongrl.core.model_config import language_config, model_config
from golongrl.core.store import storage_errors, write_json, write_text

ORIGINAL = "config.original.json"
"""The config.json of a folder from before YaRN was written into it."""

_PLAIN = {"rope_type", "rope_theta", "partial_rotary_factor"}
_NOT_KEPT = {"type", "attention_factor"}


@dataclass(frozen=True)
class Rope:
    """The rotary embedding of a model."""

    kind: str
    """"default" is unscaled; "yarn", "linear", "llama3" ... are scaled."""
    theta: float
    """Base of the frequencies."""
    original_length: int
    """Tokens the frequencies were trained for."""
    length: int
    """Tokens the model takes: max_position_embeddings."""
    parameters: Mapping[str, Any]
    """The dict that the config holds, as it stands."""


@dataclass(frozen=True)
class Override:
    """YaRN for a model whose config stays as it is: what an engine is told to read in place of it."""

    parameters: Mapping[str, Any]
    """The whole rope dict: rope_type, rope_theta, factor, original_max_position_embeddings."""
    length: int
    """max_position_embeddings, in tokens."""
    nested: bool
    """Whether the config keeps its language model in `text_config`; beside it an override changes nothing."""


def rope_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rope dict of a model config as it stands, empty without one; DataError when it is no dict.

    Where a config has two, `rope_scaling` wins, as in transformers 4 and 5 (convert_rope_params_to_dict).
    """
    section = language_config(config)
    found = section.get("rope_scaling") or section.get("rope_parameters") or {}
    if not isinstance(found, dict):
        raise DataError(f"the model config's rope settings are a {type(found).__name__}, expected a dict; mend them")
    return found


def read_rope(config: Mapping[str, Any]) -> Rope:
    """The rotary embedding of a config dict. DataError when it is incomplete or contradicts itself."""
    section, found = language_config(config), rope_of(config)
    if any(isinstance(value, dict) for value in found.values()) or "rope_local_base_freq" in section:
        raise DataError(
            "the model has one rotary embedding per kind of layer, which golongrl does not scale; use the model "
            "within its own context"
        )
    theta = _agreed("rope_theta", found, section)
    if theta is None:
        raise DataError(
            "the model config names no rope_theta; add the value the model was trained with, because every engine "
            "assumes another one"
        )
    if not isinstance(theta, int | float) or not 0 < theta < math.inf:
        raise DataError(f"the model config's rope_theta is {theta!r}, expected a number above 0; mend it")
    length = section.get("max_position_embeddings")
    if not isinstance(length, int) or length < 1:
        raise DataError(f"the model config's max_position_embeddings is {length!r}, expected tokens; mend it")
    kind = found.get("rope_type") or found.get("type") or "default"
    original = _agreed("original_max_position_embeddings", found, section)
    if original is None and kind == "yarn":
        raise DataError(
            "the model config has YaRN without original_max_position_embeddings, which engines read differently; "
            "add the context the model was trained for"
        )
    if original is not None and (not isinstance(original, int) or original < 1):
        raise DataError(
            f"the model config's original_max_position_embeddings is {original!r}, expected tokens; mend it"
        )
    return Rope(kind, theta, length if original is None else original, length, found)


def own_length(config: Mapping[str, Any]) -> int | None:
    """Tokens that the model takes as its config stands, YaRN that it ships included; None when it names none."""
    length = language_config(config).get("max_position_embeddings")
    if not isinstance(length, int):
        return None
    found = rope_of(config)
    original, factor = found.get("original_max_position_embeddings"), found.get("factor")
    if isinstance(original, int) and isinstance(factor, int | float) and math.isfinite(original * factor):
        # Published configs keep max_position_embeddings at the original or at the scaled length.
        length = max(length, int(original * factor))
    return length


def yarn_parameters(rope: Rope, factor: float) -> dict[str, Any]:
    """The whole YaRN dict for a model, in the form that transformers, vLLM and SGLang agree on.

    Engines take it in the place of the model's own dict, hence theta and the original length are in it. UsageError
    when `factor` is not a finite number above 1 or the model already has another scaling.
    """
    if rope.kind not in ("default", "yarn"):
        raise UsageError(
            f"the model already scales its rotary embedding ({rope.kind}), which YaRN cannot be put on top of; use "
            f"the model within its {rope.length} tokens"
        )
    if not math.isfinite(factor) or factor <= 1:
        raise UsageError(f"a YaRN factor of {factor} does not lengthen the context; give a number above 1")
    kept = {key: value for key, value in rope.parameters.items() if key not in _NOT_KEPT}
    return {
        **kept,
        "rope_type": "yarn",
        "rope_theta": rope.theta,
        "factor": float(factor),
        "original_max_position_embeddings": rope.original_length,
    }


def yarn(config: Mapping[str, Any], factor: float, target_length: int | None = None) -> dict[str, Any]:
    """A copy of a model config with YaRN: `factor` times the tokens the model was trained for.

    YaRN that is already there is replaced, from the same original length. `target_length` (tokens, prompt and
    response) is checked to fit. Raises UsageError when it does not, when the factor is not above 1 or when the model
    has another scaling, DataError when the config is incomplete.
    """
    rope = read_rope(config)
    override = yarn_override(config, factor)
    if target_length is not None and target_length > override.length:
        raise UsageError(
            f"YaRN factor {factor} makes {override.length} tokens of {rope.original_length}, {target_length} are "
            f"needed; give at least {target_length / rope.original_length:g}"
        )
    return _overridden(config, override)


def yarn_override(config: Mapping[str, Any], factor: float) -> Override:
    """What an engine must read in place of a model config's own for YaRN; raises what `yarn` raises."""
    rope = read_rope(config)
    parameters = yarn_parameters(rope, factor)
    return Override(parameters, int(factor * rope.original_length), nested=language_config(config) is not config)


def shipped_override(config: Mapping[str, Any]) -> Override | None:
    """The YaRN that a config ships, unchanged, where its max_position_embeddings is still the unscaled length.

    Engines that take that key for the whole length refuse what the model can do. None where nothing is to be said.
    """
    section, found, length = language_config(config), rope_of(config), own_length(config)
    kind, theta = found.get("rope_type") or found.get("type"), found.get("rope_theta", section.get("rope_theta"))
    if kind != "yarn" or theta is None or length is None or length <= section["max_position_embeddings"]:
        return None
    kept = {key: value for key, value in found.items() if key != "type"}
    return Override({**kept, "rope_type": "yarn", "rope_theta": theta}, length, nested=section is not config)


def _overridden(config: Mapping[str, Any], override: Override) -> dict[str, Any]:
    changes = {"max_position_embeddings": override.length, "rope_parameters": dict(override.parameters)}
    return both_forms(_with_section(config, {**language_config(config), **changes}))


def both_forms(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which the rotary embedding of transformers 5 is also there for readers of transformers 4.

    A config without `rope_parameters`, or with one embedding per kind of layer, is returned as it is.
    """
    section = language_config(config)
    parameters = section.get("rope_parameters")
    if not isinstance(parameters, dict) or "rope_theta" not in parameters:
        return dict(config)
    added = {key: parameters[key] for key in ("rope_theta", "partial_rotary_factor") if key in parameters}
    if parameters.get("rope_type", "default") != "default" or set(parameters) - _PLAIN:
        added["rope_scaling"] = dict(parameters)
    return _with_section(config, {**section, **added})


def write_yarn(folder: str | Path, factor: float, target_length: int | None = None) -> int:
    """Write YaRN into a model folder's config.json; returns the new context length in tokens.

    The file is replaced atomically; the one from before the first YaRN stays beside it as config.original.json,
    which no engine reads. Raises what `yarn` raises, and DataError when the folder has no readable config.json.
    """
    path = Path(folder) / "config.json"
    changed = yarn(model_config(folder), factor, target_length)
    original = path.with_name(ORIGINAL)
    if not original.exists():
        write_text(original, path.read_text(encoding="utf-8"))
    write_json(path, changed)
    return language_config(changed)["max_position_embeddings"]


def link_with_yarn(model: str | Path, folder: str | Path, override: Override) -> Path:
    """Make `folder` a model folder whose files are those of `model`, by symbolic link, but whose config has YaRN.

    For engines that take no override. Links that were there before are replaced. Raises DataError when `model` has no
    readable config.json, StorageError when the links cannot be made or `folder` holds files of its own.
    """
    source, target = Path(model).resolve(), Path(folder).absolute()
    changed = _overridden(model_config(source), override)
    remove_links(target)
    with storage_errors(target):
        target.mkdir(parents=True)
        for file in source.iterdir():
            if file.name != "config.json":
                (target / file.name).symlink_to(file)
    write_json(target / "config.json", changed)
    return target


def remove_links(folder: Path) -> None:
    """Remove what `link_with_yarn` made, if it is there; StorageError when the folder holds anything else."""
    if folder.is_symlink():
        folder.unlink()
    if not folder.exists():
        return
    with storage_errors(folder):
        for file in folder.iterdir():
            if not file.is_symlink() and file.name != "config.json":
                raise StorageError(f"{folder} holds {file.name}, which golongrl did not put there; move it elsewhere")
            file.unlink()
        folder.rmdir()


def _with_section(config: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with another language model part."""
    if language_config(config) is config:
        return dict(section)
    return {**config, "text_config": dict(section)}


def _agreed(key: str, *places: Mapping[str, Any]) -> Any:
    """The value of a key that may stand in several places, or None; DataError when the places disagree."""
    values = [place[key] for place in places if place.get(key) is not None]
    if any(value != values[0] for value in values):
        raise DataError(
            f"the model config has two values of {key} ({', '.join(map(str, values))}), so engines read different "
            "models; keep the one the model was trained with"
        )
    return values[0] if values else None

"""The proof that a merged folder is the trained base model: same tensors, same config, finite, loads, generates."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import CheckFailedError
from golongrl.core.model_config import language_config
from golongrl.core.runs import package_versions
from golongrl.core.store import write_json
from golongrl.core.weight_files import Tensor, read_headers
from golongrl.pipeline.training.model.base_model import model_folder
from golongrl.pipeline.training.model.same_model import (
    SHOWN,
    check_config,
    check_tensors,
    completed_config,
    config_changes,
    has_tied_head,
)
from golongrl.pipeline.training.model.speak import speak
from golongrl.pipeline.training.model.weights import Values, compare_values

FILE = "proof.json"
"""Where a proof lies in the folder it is about; transformers, vLLM and SGLang do not read it."""
PROMPT = "Say hello in one short sentence."
TOKENS = 8

_EXPECTED_CHANGES = ("dtype", "use_cache", "bos_token_id", "eos_token_id", "pad_token_id")
"""Config keys that verl sets itself."""


@dataclass(frozen=True)
class Proof:
    """What was found out about a merged folder; a folder that fails a check has none."""

    tensors: int
    parameters: int
    bytes: int
    dtypes: dict[str, int]
    """Tensors per dtype as stored; engines load them as config.json's dtype."""
    base_dtypes: dict[str, int]
    changed: int
    """Tensors that differ from the base model's, rounded to this folder's dtype."""
    largest_change: float
    """Largest absolute difference of a weight from the base model's."""
    architectures: list[str]
    vocab_size: int | None
    tied_head: bool
    """Whether the output head is the embedding; its tensor may then be left out of a folder."""
    config_changes: dict[str, list[Any]]
    """Config keys that differ: [the base model's value, this folder's]."""
    loaded: bool | None
    """None when loading was not tried."""
    skipped: str | None
    """Why it was not tried."""
    prompt: str
    text: str | None
    """The folder's greedy answer to `prompt`, its first tokens, special tokens included."""
    warnings: list[str]
    """What does not speak against the folder but should be known."""
    versions: dict[str, str]


def prove(
    folder: Path,
    base: str | Path,
    prompt: str = PROMPT,
    *,
    tokens: int = TOKENS,
    on_tensor: Callable[[int, int], None] | None = None,
) -> Proof:
    """Check a merged folder against its base model (folder or hub id) and write `folder`/proof.json.

    `on_tensor` sees (tensors read, tensors in all). Raises CheckFailedError that names the first tensors or config
    keys which do not fit, or NaN and infinite values, or what transformers says; ConfigError when the base model
    cannot be had.
    """
    (folder / FILE).unlink(missing_ok=True)
    origin = model_folder(base, weights=True, trained=True)
    tensors, others = read_headers(folder), read_headers(origin)
    config = completed_config(folder)
    changes = config_changes(config, completed_config(origin))
    check_config(folder, base, changes)
    check_tensors(folder, base, tensors, others, has_tied_head(config))
    values = compare_values(tensors, others, on_tensor)
    _check_finite(folder, values, len(tensors))
    size = sum(tensor.size for tensor in tensors.values())
    spoken = speak(folder, size, prompt, tokens)
    proof = Proof(
        tensors=len(tensors),
        parameters=sum(math.prod(tensor.shape) for tensor in tensors.values()),
        bytes=size,
        dtypes=_dtypes(tensors),
        base_dtypes=_dtypes(others),
        changed=values.changed,
        largest_change=values.largest_change,
        architectures=list(config.get("architectures") or []),
        vocab_size=language_config(config).get("vocab_size"),
        tied_head=has_tied_head(config),
        config_changes=changes,
        loaded=spoken.loaded,
        skipped=spoken.skipped,
        prompt=prompt,
        text=spoken.text,
        warnings=_warnings(values, changes, spoken.skipped),
        versions=package_versions(),
    )
    write_json(folder / FILE, asdict(proof))
    return proof


def _check_finite(folder: Path, values: Values, count: int) -> None:
    if not values.not_finite:
        return
    first = [f"{name} ({bad} values)" for name, bad in list(values.not_finite.items())[:SHOWN]]
    raise CheckFailedError(
        f"{len(values.not_finite)} of {count} tensors of {folder} hold NaN or infinite values: {', '.join(first)}; "
        "the training diverged. Go back to an earlier checkpoint and lower learning_rate or grad_clip"
    )


def _dtypes(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    return dict(Counter(tensor.dtype for tensor in tensors.values()))


def _warnings(values: Values, changes: Mapping[str, Any], skipped: str | None) -> list[str]:
    warnings = []
    if not values.changed:
        warnings.append(
            "no tensor differs from the base model's: the run trained nothing, or its learning_rate and steps were "
            "too small for the dtype"
        )
    unexpected = [key for key in changes if key.rpartition(".")[2] not in _EXPECTED_CHANGES]
    if unexpected:
        warnings.append(f"config.json differs from the base model's in {', '.join(unexpected)}")
    if skipped:
        warnings.append(f"not loaded: {skipped}")
    return warnings

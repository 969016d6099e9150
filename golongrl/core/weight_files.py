"""The files of a model's weights: names, dtypes and shapes of tensors from safetensors headers, without the values.

The format: 8 bytes with the header's size, the header as JSON (name -> dtype, shape, offsets), the data.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.store import content_key

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
HEADER_LIMIT = 100_000_000
"""Bytes; the limit of the safetensors library."""
BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
"""Per value of a dtype."""
_EDGE = 1 << 20


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file."""

    file: Path
    dtype: str
    """safetensors' name: F32, BF16, F8_E4M3 ..."""
    shape: tuple[int, ...]
    size: int
    """Bytes."""


def has_weights(folder: Path) -> bool:
    """Whether a folder holds the weights of a transformers model as safetensors."""
    return (folder / SINGLE).is_file() or (folder / INDEX).is_file()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers loads from a folder.

    Raises DataError when there are none, or when the index of a sharded model is damaged or leads elsewhere.
    """
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if not (folder / INDEX).is_file():
        raise DataError(
            f"{folder} holds no {SINGLE} and no {INDEX}; load the model with transformers and save_pretrained() it, "
            "which writes safetensors"
        )
    return [folder / name for name in sorted(set(_index(folder).values()))]


def read_headers(folder: Path) -> dict[str, Tensor]:
    """name -> Tensor of every tensor of a model folder, in one file or sharded; no values are read.

    Raises DataError when a file is missing, cut off or no safetensors file, or when the index names a tensor that no
    file holds.
    """
    tensors: dict[str, Tensor] = {}
    for file in weight_files(folder):
        tensors |= _header(file)
    if not (folder / SINGLE).is_file():
        lost = sorted(set(_index(folder)) - set(tensors))
        if lost:
            raise DataError(
                f"{folder / INDEX} names tensors that no file holds ({', '.join(lost[:3])}); copy the folder again"
            )
    return tensors


def fingerprint(folder: Path) -> str:
    """Hash of a model folder's settings and of size, first and last MiB of each weight file.

    Not of whole weights: those are tens of gigabytes, and training changes them everywhere.
    """
    parts = []
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.suffix not in (".json", ".jinja", ".safetensors", ".bin", ".model"):
            continue
        size = file.stat().st_size
        with open(file, "rb") as handle:
            digest = hashlib.sha256(handle.read(_EDGE))
            if size > _EDGE:
                handle.seek(max(_EDGE, size - _EDGE))
                digest.update(handle.read())
        parts.append([file.name, size, digest.hexdigest()])
    return content_key(parts)


def _index(folder: Path) -> dict[str, str]:
    """tensor name -> file name of a sharded model."""
    path = folder / INDEX
    try:
        found = json_text.loads(path.read_text(encoding="utf-8"))["weight_map"]
        names = set(found.values())
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not the index of a sharded model; copy the folder again") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise DataError(f"{path} names the file {name!r}, which is not a file of this folder; mend or remove it")
    return found


def _header(file: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file."""
    try:
        with open(file, "rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            header = json_text.loads(handle.read(length)) if length <= HEADER_LIMIT else {}
        header.pop("__metadata__", None)
        spans = {name: entry["data_offsets"] for name, entry in header.items()}
        tensors = {
            name: Tensor(file, entry["dtype"], tuple(entry["shape"]), spans[name][1] - spans[name][0])
            for name, entry in header.items()
        }
        complete = file.stat().st_size == 8 + length + _end_of(spans.values())
        misfit = next((name for name, tensor in tensors.items() if not _fits(tensor)), None)
    except FileNotFoundError as error:
        raise DataError(f"{file} is missing; copy the folder again") from error
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); mend its permissions or copy it again") from error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"{file} is no safetensors file; copy it again") from error
    if not complete:
        raise DataError(f"{file} is cut off; copy it again")
    if misfit is not None:
        raise DataError(f"{file} holds {misfit} in other bytes than its shape and dtype take; copy it again")
    return tensors


def _end_of(spans: Iterable[tuple[int, int]]) -> int:
    """Where the last tensor ends; ValueError where there is none, or where they overlap or leave gaps, which the
    format forbids."""
    ordered, ends = sorted(spans), 0
    if not ordered:
        raise ValueError("no tensors")
    for start, end in ordered:
        if start != ends or end < start:
            raise ValueError(f"a tensor starts at {start}, and the one before it ends at {ends}")
        ends = end
    return ends


def _fits(tensor: Tensor) -> bool:
    """Whether the bytes of a tensor are those of its shape; true for a dtype that is not known here."""
    bits = BITS.get(tensor.dtype)
    return min(tensor.shape, default=0) >= 0 and (bits is None or 8 * tensor.size == bits * math.prod(tensor.shape))

"""The tensors of a transformers folder: names and shapes from safetensors headers, values block by block.

The format: 8 bytes with the header's size, the header as JSON (name -> dtype, shape, offsets), the data.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, require

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
HEADER_LIMIT = 100_000_000
"""Bytes; the limit of the safetensors library."""
BLOCK = 1 << 24
"""Values of a tensor that are held in memory at once."""


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file."""

    file: Path
    dtype: str
    """safetensors' name: F32, BF16, F8_E4M3 ..."""
    shape: tuple[int, ...]
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Values:
    """What the values of a model's tensors say beside those of another."""

    changed: int
    """Tensors whose values differ from the other's, which are rounded to this one's dtype first."""
    largest_change: float
    """Largest absolute difference of two values."""
    not_finite: Mapping[str, int]
    """Tensors with NaN or infinite values, and how many they hold."""


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


def compare_values(
    tensors: Mapping[str, Tensor],
    others: Mapping[str, Tensor],
    on_tensor: Callable[[int, int], None] | None = None,
) -> Values:
    """Read every tensor once, beside the one of that name and shape in `others` where there is one.

    Memory: a few blocks of a tensor, 64 MiB each. `on_tensor` sees (tensors read, tensors in all).
    """
    torch = require("torch", "train")
    changed, largest, not_finite = 0, 0.0, {}
    with ExitStack() as stack:
        slices = _Slices(stack)
        for done, (name, tensor) in enumerate(tensors.items(), 1):
            other = others.get(name)
            if other is not None and other.shape != tensor.shape:
                other = None
            gap, bad = 0.0, 0
            for part in _blocks(tensor.shape):
                stored = slices.read(name, tensor, part)
                block = _exact(stored)
                # The smallest and the largest value take one pass over the memory, and NaN comes through.
                if block.numel() and not all(math.isfinite(end) for end in _ends(block)):
                    bad += int((~torch.isfinite(block)).sum())
                if block.numel() and other is not None:
                    reference = slices.read(name, other, part).to(stored.dtype)
                    low, high = _ends(_exact(reference) - block)
                    gap = max(gap, -low, high) if math.isfinite(low) and math.isfinite(high) else math.inf
            changed += gap > 0
            largest = max(largest, gap)
            if bad:
                not_finite[name] = bad
            if on_tensor is not None:
                on_tensor(done, len(tensors))
    return Values(changed, largest, not_finite)


def equal_values(tensors: Mapping[str, Tensor], first: str, second: str) -> bool:
    """Whether two tensors of a model hold the same values."""
    torch = require("torch", "train")
    if tensors[first].shape != tensors[second].shape:
        return False
    with ExitStack() as stack:
        slices = _Slices(stack)
        return all(
            torch.equal(*(_exact(slices.read(name, tensors[name], part)) for name in (first, second)))
            for part in _blocks(tensors[first].shape)
        )


def _exact(block: Any) -> Any:
    """The same values in a dtype that torch calculates in, and fast: float32, or float64 where that is not enough."""
    return block.float() if block.is_floating_point() and block.element_size() < 8 else block.double()


def _ends(block: Any) -> tuple[float, float]:
    """Smallest and largest value; NaN when there is one."""
    low, high = block.aminmax()
    return float(low), float(high)


class _Slices:
    """Open safetensors files, by path, for as long as the stack lives."""

    def __init__(self, stack: ExitStack):
        self._stack = stack
        self._files: dict[Path, Any] = {}

    def read(self, name: str, tensor: Tensor, part: slice | None) -> Any:
        """Rows of a tensor, or all of it."""
        if tensor.file not in self._files:
            opened = require("safetensors").safe_open(str(tensor.file), framework="pt")
            self._files[tensor.file] = self._stack.enter_context(opened)
        file = self._files[tensor.file]
        return file.get_tensor(name) if part is None else file.get_slice(name)[part]


def _blocks(shape: tuple[int, ...]) -> Iterator[slice | None]:
    """Row ranges of about BLOCK values; None is a tensor that is read whole."""
    if math.prod(shape) <= BLOCK:
        yield None
        return
    rows = max(1, BLOCK // math.prod(shape[1:]))
    for start in range(0, shape[0], rows):
        yield slice(start, min(start + rows, shape[0]))


def _index(folder: Path) -> dict[str, str]:
    """tensor name -> file name of a sharded model."""
    path = folder / INDEX
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
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
            header = json.loads(handle.read(length)) if length <= HEADER_LIMIT else {}
        header.pop("__metadata__", None)
        spans = {name: entry["data_offsets"] for name, entry in header.items()}
        tensors = {
            name: Tensor(file, entry["dtype"], tuple(entry["shape"]), spans[name][1] - spans[name][0])
            for name, entry in header.items()
        }
        complete = file.stat().st_size == 8 + length + max(end for _, end in spans.values())
    except FileNotFoundError as error:
        raise DataError(f"{file} is missing; copy the folder again") from error
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"{file} is no safetensors file; copy it again") from error
    if not complete:
        raise DataError(f"{file} is cut off; copy it again")
    return tensors

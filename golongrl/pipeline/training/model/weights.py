"""The values of a transformers folder's tensors, read block by block and compared with another's."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import require
from golongrl.core.weight_files import Tensor

BLOCK = 1 << 24
"""Values of a tensor that are held in memory at once."""


@dataclass(frozen=True)
class Values:
    """What the values of a model's tensors say beside those of another."""

    changed: int
    """Tensors whose values differ from the other's, which are rounded to this one's dtype first."""
    largest_change: float
    """Largest absolute difference of two values."""
    not_finite: Mapping[str, int]
    """Tensors with NaN or infinite values, and how many they hold."""


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

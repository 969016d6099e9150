"""What people type: lengths such as 128k and 1m, GPUs such as 8xH100 and 16x8xH100."""

import math
import re
from dataclasses import dataclass, replace

from golongrl.core.errors import UsageError
from golongrl.core.gpus import GpuType, gpu_type

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
PER_NODE = 8
"""GPUs of a machine where more are asked for than that and nothing else is said."""


@dataclass(frozen=True)
class Gpus:
    """GPUs of one kind; tensor parallelism stays within a machine."""

    type: GpuType
    nodes: int
    per_node: int

    @property
    def world(self) -> int:
        """All of them."""
        return self.nodes * self.per_node

    def __str__(self) -> str:
        machines = f"{self.nodes} machines x " if self.nodes > 1 else ""
        return f"{machines}{self.per_node} x {self.type.name}"


def parse_length(text: str) -> int:
    """Tokens of `131072`, `128k` (x 1024) or `1m` (x 1024 x 1024); UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([km]?)", text.strip().lower().replace(",", "").replace("_", ""))
    tokens = round(float(match[1]) * _UNITS[match[2]]) if match else 0
    if tokens < 1:
        raise UsageError(f"{text!r} is no length in tokens; write 131072, 128k or 1m (k is 1,024, m is 1,048,576)")
    return tokens


def parse_gpus(
    text: str, memory: float | None = None, flops: float | None = None, bandwidth: float | None = None
) -> Gpus:
    """`8xH100`, `16x8xH100` (machines x GPUs), `H100`. Without machines, more than 8 are 8 to a machine.

    `memory` (GiB), `flops` (TFLOP/s, dense bf16) and `bandwidth` (GB/s) replace those of the table; all three
    together make a GPU that it does not have. UsageError for a form or a name that is not known, or such a figure
    that is not above 0.
    """
    match = re.fullmatch(r"(?:(\d+)\s*x\s*)?(?:(\d+)\s*x\s*)?(.*\S)", text.strip(), re.IGNORECASE)
    first, second, name = (match[1], match[2], match[3]) if match else (None, None, "")
    if not name or "0" in (first, second):
        raise UsageError(f"--gpus {text!r}: write 8xH100, or 16x8xH100 for machines of 8")
    for option, figure in (("--gpu-memory", memory), ("--gpu-flops", flops), ("--gpu-bandwidth", bandwidth)):
        if figure is not None and not 0 < figure < math.inf:
            raise UsageError(f"{option} {figure:g} is no figure of a GPU; give one above 0")
    given = {
        "memory": None if memory is None else round(memory * (1 << 30)),
        "flops": None if flops is None else flops * 1e12,
        "bandwidth": None if bandwidth is None else bandwidth * 1e9,
    }
    stated = {key: value for key, value in given.items() if value is not None}
    kind = GpuType(name, **stated) if len(stated) == len(given) else replace(gpu_type(name), **stated)
    if second is not None:
        return Gpus(kind, int(first or 1), int(second))
    number = int(first or 1)
    if number <= PER_NODE:
        return Gpus(kind, 1, number)
    if number % PER_NODE:
        raise UsageError(
            f"--gpus {text!r}: {number} GPUs do not make machines of {PER_NODE}; say how many machines there are, as "
            f"in 2x{number // 2}x{name}"
        )
    return Gpus(kind, number // PER_NODE, PER_NODE)

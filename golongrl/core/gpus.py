"""GPUs by name: memory, arithmetic and bandwidth of what runs are planned for.

memory: bytes, as nvidia-smi or rocm-smi report them where that is known, else the makers' figure; about 2 % of what a
card's name says is not there. flops: dense bf16 tensor FLOP/s with fp32 accumulation. bandwidth: bytes/s of its
memory. Sources: the makers' data sheets (NVIDIA A100, H100, H200, L4, L40S, DGX B200, white papers of GeForce RTX 30,
40 and 50; AMD Instinct MI300X, MI325X). H20 and H800 have no public one: theirs are the figures that vendors quote.
"""

import difflib
import re
from dataclasses import dataclass

from golongrl.core.errors import UsageError

_MIB = 1 << 20


@dataclass(frozen=True)
class GpuType:
    """One kind of GPU."""

    name: str
    memory: int
    flops: float
    bandwidth: float


GPUS: dict[str, GpuType] = {
    gpu.name: gpu
    for gpu in (
        GpuType("A100-40", 40_960 * _MIB, 312e12, 1.555e12),
        GpuType("A100-80", 81_920 * _MIB, 312e12, 2.039e12),
        GpuType("H100", 81_559 * _MIB, 989e12, 3.35e12),
        GpuType("H100-PCIE", 81_559 * _MIB, 756e12, 2.0e12),
        GpuType("H100-NVL", 95_830 * _MIB, 835e12, 3.9e12),
        GpuType("H800", 81_559 * _MIB, 989e12, 3.35e12),
        GpuType("H20", 97_871 * _MIB, 148e12, 4.0e12),
        GpuType("H200", 143_771 * _MIB, 989e12, 4.8e12),
        GpuType("B200", 183_359 * _MIB, 2250e12, 8.0e12),
        GpuType("L4", 23_034 * _MIB, 121e12, 0.3e12),
        GpuType("L40S", 46_068 * _MIB, 362e12, 0.864e12),
        GpuType("RTX3090", 24_576 * _MIB, 71e12, 0.936e12),
        GpuType("RTX4090", 24_564 * _MIB, 165.2e12, 1.008e12),
        GpuType("RTX5090", 32_607 * _MIB, 209.5e12, 1.792e12),
        GpuType("MI300X", 196_592 * _MIB, 1307e12, 5.3e12),
        GpuType("MI325X", 262_128 * _MIB, 1307e12, 6.0e12),
    )
}

_OTHER_NAMES = {
    "A100": "A100-80",
    "A800": "A100-80",
    "H100-80": "H100",
    "H200-141": "H200",
    "3090": "RTX3090",
    "4090": "RTX4090",
    "5090": "RTX5090",
}
_AROUND_NAMES = re.compile(r"nvidia|geforce|amd|instinct|sxm\d?|hbm\w*")
"""What drivers and shops write around a name: NVIDIA H100 80GB HBM3, A100-SXM4-80GB."""


def gpu_type(name: str) -> GpuType:
    """The GPU of that name, as in GPUS or as nvidia-smi writes it, in any case; UsageError listing all."""
    wanted = _plain(name)
    for known in (*GPUS, *_OTHER_NAMES):
        if wanted in (_plain(known), _plain(known) + "gb"):
            return GPUS[_OTHER_NAMES.get(known, known)]
    near = difflib.get_close_matches(wanted, {_plain(known): known for known in GPUS}, n=1)
    hint = f"did you mean {next(known for known in GPUS if _plain(known) == near[0])}? " if near else ""
    raise UsageError(
        f"no GPU {name!r} is known; {hint}known: {', '.join(GPUS)}. For another one give --gpu-memory, --gpu-flops "
        "and --gpu-bandwidth"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", _AROUND_NAMES.sub("", name.lower()))

"""What a checkpoint's weights are stored in, by the quantization_config that its config.json carries."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from golongrl.core.model_config import language_config


@dataclass(frozen=True)
class Stored:
    """How a checkpoint is stored."""

    dtype: str = "bf16"
    """A key of request.BYTES."""
    method: str | None = None
    """The quantization method in the config's word; None where the weights are not quantized."""
    recognised: bool = True
    """Whether the width of the weights follows from the config; else `dtype` is bf16, an upper bound."""


def stored_weights(config: Mapping[str, Any]) -> Stored:
    """What the config says of its weights: fp8, 8 or 4 bits, or none of these."""
    found = config.get("quantization_config") or language_config(config).get("quantization_config")
    if not isinstance(found, dict):
        return Stored()
    method = str(found.get("quant_method") or found.get("quant_algo") or "unnamed")
    if "fp8" in f"{method} {found.get('quant_algo')}".lower():
        return Stored("fp8", method)
    bits = {"mxfp4": 4}.get(method) or next(_bits(found), None)
    dtype = {4: "int4", 8: "fp8" if "float" in str(found.get("config_groups")) else "int8"}.get(bits or 0)
    return Stored(dtype, method) if dtype else Stored("bf16", method, recognised=False)


def _bits(found: Mapping[str, Any]) -> Iterator[int]:
    """The width of a weight as AWQ and GPTQ, bitsandbytes, or compressed-tensors state it."""
    groups = found.get("config_groups")
    weights = [group.get("weights") for group in groups.values()] if isinstance(groups, dict) else []
    stated = [found.get("bits"), found.get("w_bit"), *(part.get("num_bits") for part in weights if part)]
    yield from (bits for bits in stated if isinstance(bits, int))
    yield from (width for width in (4, 8) if found.get(f"load_in_{width}bit"))

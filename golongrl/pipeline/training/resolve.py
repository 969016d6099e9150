"""From presets, TOML tables, `--set` and flags to one checked TrainConfig."""

import difflib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golongrl.core.config import PROJECT_FILE, SET, build, read_toml, refuse_unknown_keys
from golongrl.core.errors import ConfigError, UsageError
from golongrl.pipeline.training.config import TrainConfig

PRESETS = {file.stem: file for file in sorted((Path(__file__).parent / "presets").glob("*.toml"))}
"""Name -> file of the packaged presets."""


def resolve(
    table: Mapping[str, Any], overrides: Mapping[str, Any], flags: Mapping[str, Any], where: str
) -> TrainConfig:
    """A checked TrainConfig from a preset, a TOML table, `--set` values and flags, in rising order.

    A preset that the table names (`preset = "NAME"`) is what the table builds on; one that is named on the command
    line takes its place and wins over the table. `--set verl.PATH=VALUE` goes to verl as it is.
    Where nothing says which device, a machine without an NVIDIA driver gets the CPU, one process, transformers
    rollouts and no dynamic sampling.
    """
    flags = {key: value for key, value in flags.items() if value is not None}
    given = {**overrides, **flags}
    named_here = given.get("preset")
    name = named_here if named_here is not None else table.get("preset")
    base = {} if name is None else preset(name)
    layers = [table, base] if named_here is not None else [base, table]
    merged: dict[str, Any] = {"verl": {}}
    for layer in (*layers, given):
        plain = {key: value for key, value in layer.items() if key != "verl" and not key.startswith("verl.")}
        dotted = {key.removeprefix("verl."): value for key, value in layer.items() if key.startswith("verl.")}
        merged = {**merged, **plain, "verl": {**merged["verl"], **flatten(layer.get("verl") or {}), **dotted}}
    merged.pop("preset", None)
    refuse_unknown_keys(TrainConfig, [key for key in merged if key not in given], where)
    refuse_unknown_keys(TrainConfig, [key for key in overrides if key in merged], SET)
    missing = [key for key in ("model", "data") if not merged.get(key)]
    if missing:
        raise UsageError(
            f"training needs {' and '.join(missing)}: pass "
            + " ".join({"model": "--model FOLDER_OR_HUB_ID", "data": "--data FILE.parquet"}[key] for key in missing)
            + f", or set {' and '.join(missing)} in the [train] table of ./{PROJECT_FILE} "
            "(`golongrl build-dataset` and `golongrl demo` write one). `--preset cpu-smoke` needs neither"
        )
    if "device" not in merged and not has_nvidia_driver():
        merged["device"] = "cpu"
    if merged.get("device") == "cpu":
        merged.setdefault("rollout", "transformers")
        merged.setdefault("gpus_per_node", 1)
        # A CPU generates too slowly, and its models solve too little, to replace every group without signal.
        merged.setdefault("filter_groups", False)
    # Once more as what they are, so that an error names who gave the value.
    set_, flagged = ({key: merged[key] for key in layer if key in merged} for layer in (overrides, flags))
    return build(TrainConfig, merged, set_, flagged, where)


def preset(name: str) -> dict[str, Any]:
    """The table of a packaged preset; ConfigError naming all of them for an unknown name."""
    if name not in PRESETS:
        near = difflib.get_close_matches(str(name), PRESETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no preset {name!r}; {hint}presets: {', '.join(PRESETS)}")
    return read_toml(PRESETS[name])


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested TOML tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def has_nvidia_driver() -> bool:
    """Whether this machine can use an NVIDIA GPU."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None

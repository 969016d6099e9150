"""verl 0.9.1's configuration tree, read from its packaged files without importing verl (which imports torch).

Paths are dotted. A setting can be checked against the tree, and a whole configuration compared with verl's defaults.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from golongrl.core.errors import ConfigError, MissingPackageError, require

OPEN_NODES = (
    "actor_rollout_ref.rollout.engine_kwargs",
    "actor_rollout_ref.actor.megatron.override_transformer_config",
    "actor_rollout_ref.actor.fsdp_config.mixed_precision",
    "ray_kwargs.ray_init",
    "reward.custom_reward_function.reward_kwargs",
)
"""Nodes that take keys of other programs (SGLang, Megatron, Ray), besides those that are empty in verl's tree."""


def compose(config_name: str, overrides: list[str]) -> Any:
    """verl's configuration with Hydra overrides; ConfigError with Hydra's own words when they do not fit."""
    hydra = require("hydra", "train")
    folder = find_spec("verl")
    if folder is None or folder.origin is None:
        raise MissingPackageError("verl is not installed; run: pip install 'golongrl[train]'")
    where = str(Path(folder.origin).parent / "trainer" / "config")
    with hydra.initialize_config_dir(where, version_base=None):
        try:
            return hydra.compose(config_name, overrides)
        except (hydra.errors.HydraException, ValueError) as error:
            raise ConfigError(f"verl's configuration does not take these settings: {error}") from error


@cache
def defaults(config_name: str) -> dict[str, Any]:
    """Every leaf of verl's own tree by its dotted path; interpolations stand as they are written."""
    return leaves(plain(compose(config_name, [])))


def plain(tree: Any) -> dict[str, Any]:
    """A composed configuration as dicts and lists."""
    return require("omegaconf", "train").OmegaConf.to_container(tree, resolve=False)


def leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted path -> value; an empty mapping is a leaf."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= leaves(value, path + ".")
        else:
            flat[path] = value
    return flat


def check_paths(settings: Mapping[str, Any], config_name: str, where: str) -> None:
    """ConfigError for the first setting that verl's tree has no place for, with the likely intended path."""
    known = defaults(config_name)
    nodes = {path.rsplit(".", depth)[0] for path in known for depth in range(1, path.count(".") + 1)}
    for path, value in settings.items():
        if path in known or is_open(path, known) or (path in nodes and isinstance(value, Mapping)):
            continue
        if path in nodes:
            raise ConfigError(f"{where}: verl.{path} is a group of settings; set one of {_children(path, known)}")
        raise ConfigError(f"{where}: verl has no setting {path!r}{_suggestion(path, known)}")


def is_open(path: str, known: Mapping[str, Any]) -> bool:
    """Whether a path lies below a node that takes any key."""
    parents = [path.rsplit(".", depth)[0] for depth in range(1, path.count(".") + 1)]
    return any(known.get(parent) == {} or parent in OPEN_NODES for parent in parents)


def _suggestion(path: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.8)
    # A path whose last part is right but whose group is wrong is no near match as text.
    near = near or [other for other in known if other.rsplit(".", 1)[-1] == path.rsplit(".", 1)[-1]][:3]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else f"; its groups: {_groups(known)}"


def _children(path: str, known: Mapping[str, Any]) -> str:
    names = dict.fromkeys(other[len(path) + 1 :].split(".")[0] for other in known if other.startswith(path + "."))
    return ", ".join(names)


def _groups(known: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys(path.split(".")[0] for path in known))


@dataclass(frozen=True)
class Difference:
    """One setting that is not verl's default."""

    path: str
    default: Any
    """verl's value; ABSENT for a key that verl's tree does not have."""
    value: Any


ABSENT = "(absent)"


def differences(config_name: str, overrides: list[str]) -> list[Difference]:
    """What a configuration changes against verl's defaults, in the order of verl's tree."""
    before, after = defaults(config_name), leaves(plain(compose(config_name, overrides)))
    return [
        Difference(path, before.get(path, ABSENT), value)
        for path, value in after.items()
        if path not in before or before[path] != value
    ]

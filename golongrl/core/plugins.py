"""Rewards, algorithms and benchmarks of your own, without a fork: Python files named in $GOLONGRL_PLUGINS.

A plugin is a Python file (or an importable module) that puts something into a registry when it is imported:
`golongrl.rewards.register`, ALGORITHMS of `golongrl.core.advantages`, BENCHMARKS of
`golongrl.pipeline.evaluation.benchmarks`. `load` is called where a process begins: by the command line, and by the
modules that worker processes and Ray actors import first; a script of yours calls it too. A plugin is code that you
chose to run; nothing else is ever imported.
"""

import hashlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path

from golongrl.core.errors import UsageError

VARIABLE = "GOLONGRL_PLUGINS"
"""Environment variable: paths ending in .py, or module names, separated by commas."""

_loaded: set[str] = set()


def names() -> list[str]:
    """The plugins that the environment names; paths are absolute."""
    listed = (name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    return [str(Path(name).expanduser().absolute()) if name.endswith(".py") else name for name in listed if name]


def load() -> None:
    """Import the plugins that are not imported yet. UsageError for one that is missing or fails."""
    for name in names():
        if name in _loaded:
            continue
        _loaded.add(name)
        try:
            _import_file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
        except Exception as error:
            _loaded.discard(name)
            raise UsageError(
                f"the plugin {name} cannot be imported ({type(error).__name__}: {error}); mend it, or take it out of "
                f"{VARIABLE}"
            ) from error


def _import_file(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"golongrl_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError("no Python file")
    module = importlib.util.module_from_spec(spec)
    # Functions of a plugin travel to worker processes by the name of their module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)


def fingerprints() -> dict[str, str]:
    """ "plugin NAME" -> sha256 of its file: a run with another plugin is another run."""
    found = {}
    for name in names():
        path = Path(name)
        if not name.endswith(".py"):
            spec = importlib.util.find_spec(name)
            path = Path(spec.origin) if spec is not None and spec.origin else path
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        found[f"plugin {Path(name).name}"] = digest
    return found

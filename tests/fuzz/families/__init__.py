"""What is fuzzed: a module per family of parsers, each with READ_BY (valid inputs, by the parser that reads them) and
`check`, which gives the names of the parsers that read an input, and raises where one does something else than read
or refuse it by name. FOUND holds inputs that once broke one."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

NAMES = ("answers", "archives", "benchmarks", "configs", "documents", "judged", "models", "records", "replies")

# Rows in published schemas, which other tests share.
sys.path.append(str(Path(__file__).parents[2] / "pipeline"))


def seeds(module: ModuleType) -> list[bytes]:
    """All valid inputs of a family."""
    return [seed for by_one in module.READ_BY.values() for seed in by_one]


def family(name: str) -> ModuleType:
    """The module of a family."""
    return importlib.import_module(f"families.{name}")

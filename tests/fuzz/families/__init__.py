"""What is fuzzed: a module per family of parsers, each with SEEDS (valid inputs) and `check`, which raises where a
parser does something else than read an input or refuse it by name. FOUND holds inputs that once broke one."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

NAMES = ("answers", "archives", "benchmarks", "configs", "documents", "judged", "models", "records", "replies")

# Rows in published schemas, which other tests share.
sys.path.append(str(Path(__file__).parents[2] / "pipeline"))


def family(name: str) -> ModuleType:
    """The module of a family."""
    return importlib.import_module(f"families.{name}")

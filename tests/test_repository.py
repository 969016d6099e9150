"""What holds for the whole source tree: layers, sizes, import costs, nothing left over."""

import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import golongrl.core

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "golongrl").rglob("*.py"))
HEAVY = (
    *("torch", "ray", "verl", "datasets", "transformers", "tokenizers", "sklearn", "pyarrow", "openai", "pandas"),
    *("huggingface_hub", "jinja2", "jieba", "rouge_score", "bs4", "lxml", "math_verify", "sympy", "rich", "typer"),
)
CORE_MODULES = sorted(m.name for m in pkgutil.walk_packages(golongrl.core.__path__, "golongrl.core."))


def test_layers_and_independence_hold():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        **{"cwd": ROOT, "capture_output": True, "text": True, "check": False},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_no_source_file_is_long():
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in SOURCES}
    assert len(lengths) > 30
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_nothing_is_left_over():
    # Put together here, so that this file does not hold what it looks for.
    markers = ["TO" + "DO", "FIX" + "ME", "not " + "implemented"]
    done = subprocess.run(
        ["git", "grep", "--untracked", "-nE", "|".join(markers)],
        **{"cwd": ROOT, "capture_output": True, "text": True, "check": False},
    )
    if done.returncode > 1:
        pytest.skip("not a git checkout")
    assert done.stdout == ""


@pytest.mark.parametrize("module", CORE_MODULES)
def test_core_modules_import_only_what_is_light(module):
    code = f"import sys, {module}\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_subpackage_is_importable_by_name():
    for file in SOURCES:
        assert (file.parent / "__init__.py").exists(), f"{file.parent} has no __init__.py"


def test_every_toml_of_ours_is_for_one_of_our_commands_or_the_project():
    files = [ROOT / "pyproject.toml", *(ROOT / "examples").glob("*.toml")]
    assert len(files) >= 3
    for file in files:
        tables = set(tomllib.loads(file.read_text(encoding="utf-8")))
        assert tables & {"project", "train", "eval", "build-dataset"}, file


def test_nothing_of_a_run_lies_in_the_tree():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folders = {".ci", "benchmarks", "docs", "examples", "golongrl", "lint", "tests"}
    files = {".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile"}
    files |= {"README.md", "constraints.txt", "mkdocs.yml", "pyproject.toml"}
    assert {name.partition("/")[0] for name in listed.stdout.splitlines()} <= folders | files

"""The checks of `make lint` that are ours."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def script(name):
    spec = importlib.util.spec_from_file_location(f"lint_{name}", ROOT / "lint" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_installed_has_a_free_licence():
    done = subprocess.run([sys.executable, str(ROOT / "lint" / "licences.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0", True),
        ("MIT AND GPL-3.0", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("BSD License; GNU General Public License (GPL)", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_is_free_when_all_that_applies_is(licence, free):
    assert script("licences").free(licence) is free


def test_the_tree_holds_no_secrets(monkeypatch, capsys, tmp_path):
    secrets = script("secrets")
    assert secrets.main() == 0
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "notes.md").write_text("first\ntoken: " + "ghp_" + "a1B2" * 10 + "\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    monkeypatch.setattr(secrets, "ROOT", tmp_path)
    assert secrets.main() == 1
    said = capsys.readouterr().out
    assert "notes.md: holds what looks like a GitHub token" in said
    assert "ghp_" not in said

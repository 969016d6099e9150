"""The documents: they build, the commands' pages are the commands' own help, worked examples are right."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from golongrl.core.advantages import compute

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_pages_of_the_commands_are_their_help():
    spec = importlib.util.spec_from_file_location("cli_pages", DOCS / "cli_pages.py")
    cli_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cli_pages)
    written = {file.name: file.read_text(encoding="utf-8") for file in (DOCS / "cli").glob("*.md")}
    assert written == cli_pages.pages(), "run make docs"


def test_the_site_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": 300, "check": False},
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    # Included files are there as text, not as the line that includes them.
    assert "--8&lt;--" not in (tmp_path / "site" / "recipes" / "index.html").read_text()


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    assert {page for page in pages if not re.search(rf"[ :]{re.escape(page)}$", navigation, re.MULTILINE)} == set()


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_of_the_repository_lead_somewhere(file):
    links = re.findall(r"\]\(([^)#]+)", (ROOT / file).read_text())
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_advantages_worked_by_hand_are_what_the_code_computes():
    rewards = [0, 0, 0, 1, 0, 1, 1, 1]
    table = (DOCS / "tmn_reweight.md").read_text()
    rows = re.findall(r"(?m)^\| u[₁₂], .*$", table)[2:]
    for number, algo in enumerate(("grpo", "tmn", "tmn-reweight"), start=2):
        values = compute(algo, rewards, ["u1"] * 4 + ["u2"] * 4, ["em"] * 8).values
        stated = [float(re.findall(r"[−\d.]+", row.split("|")[number])[-1].replace("−", "-")) for row in rows]
        assert stated == pytest.approx([values[3], values[0], values[5], values[4]], abs=5e-4)

"""Builds of the tests: documents to build from, what came out, and builds that are killed on their way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from golongrl.core.records import read_records
from golongrl.core.store import file_sha256
from golongrl.pipeline.dataset.settings import BuildConfig

ANIMALS = ["ant", "bear", "crane", "dove", "eagle", "falcon", "goose", "heron", "ibis", "jackal", "koala", "llama"]
PLACES = ["harbour", "orchard", "quarry", "meadow", "tunnel", "bridge", "chapel", "market", "stable", "tower"]
OUTPUTS = (
    "train.parquet",
    "val.parquet",
    "README.md",
    "report.html",
    "rejects.jsonl",
    "assigned.jsonl",
    "documents.jsonl",
)
SCRIPT = """
import sys
from pathlib import Path
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig
if __name__ == "__main__":
    build(BuildConfig.model_validate_json(sys.argv[1]), Path("data"))
"""
"""Builds what its argument says into the folder `data`."""


def write_corpus(folder: Path, count: int = 14) -> Path:
    """English guides in Markdown, tables in CSV and one Chinese text, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        animals = [ANIMALS[(number + step) % 12] for step in range(5)]
        parts = [f"# Guide {number} to the {PLACES[number % 10]}\n"]
        parts.append(
            f"This guide tells how the {animals[0]} and the {animals[1]} live near the {PLACES[number % 10]} in year "
            f"{1900 + number}. Visitors learn where every {animals[2]} sleeps and what the keepers of the park do.\n"
        )
        for step, animal in enumerate(animals):
            place = PLACES[(number + 3 * step) % 10]
            parts.append(f"## Where the {animal} lives {number}\n")
            parts.append(
                f"The {animal} of guide {number} sleeps beside the old {place} until the sun is up. "
                f"Keepers of the park bring {number + 20 + step} buckets of food to the {animal} before noon. "
                f"Nobody has ever seen this {animal} cross the {place} in the {'drizzle ' * (step + 1)}of autumn.\n"
            )
            parts.append(f"- food for the {animal}\n- water from the {place}\n- straw number {step}\n")
        (folder / f"guide{number:02}.md").write_text("\n".join(parts))
    for number in range(4):
        rows = [f"{a}{number},{i * 3 + number},{PLACES[(i * i) % 10]}" for i, a in enumerate(ANIMALS)]
        (folder / f"table{number}.csv").write_text("name,weight,home\n" + "\n".join(rows) + "\n")
    text = "# 园区手册\n\n" + "".join(
        f"## {name}区\n\n{name}区的管理员每天清晨打开大门并清点全部动物。"
        f"{name}区在冬季提前两个小时关闭以节约用电。\n\n"
        for name in ("水鸟", "猛兽", "爬虫", "昆虫", "灵长")
    )
    (folder / "手册.md").write_text(text)
    return folder


def digests(out):
    """Digests of the files that a build of the same must give again."""
    return {name: file_sha256(out / name) for name in OUTPUTS}


def records(out):
    """All records, training first."""
    files = (out / f"{name}.parquet" for name in ("train", "val"))
    return [record for file in files if file.exists() for record in read_records(file)]


def command(folder: Path, config: BuildConfig, before: str = "") -> list[str]:
    """What builds into `folder`/data in a process of its own, after the code `before`."""
    (folder / "script.py").write_text(before + SCRIPT)
    return [sys.executable, "script.py", config.model_dump_json(exclude_defaults=True)]


def kill_until_done(
    folder: Path, config: BuildConfig, seconds: Callable[[int], float], *, from_first_file: bool = False
) -> int:
    """Build into `folder`/data again and again; how many times it was killed before it came to its end.

    A build is killed after `seconds`, given how many were before, of its start or of the first file of its work,
    however slow the start is.
    """
    kills = 0
    while True:
        process = subprocess.Popen(command(folder, config), cwd=folder)
        while from_first_file and process.poll() is None and not (folder / "data" / "work").exists():
            time.sleep(0.01)
        deadline = time.monotonic() + seconds(kills)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.returncode == 0
            return kills
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1

"""Documents and records per second of `golongrl build-dataset`, on the language reference that Python ships.

The peer of the reading step is `datasets.load_dataset("text")` with the same token count mapped over it; it keeps
lines where golongrl builds headings, lists, tables and offsets.
Run: python benchmarks/build_dataset.py
"""

import os
import platform
import pydoc_data.topics
import tempfile
import time
from pathlib import Path

from golongrl.core import tokens
from golongrl.pipeline.dataset.build import build, plan
from golongrl.pipeline.dataset.collect import find_files
from golongrl.pipeline.dataset.settings import BuildConfig

TARGET = 300


def write_documents(folder: Path) -> int:
    """Every topic of the language reference as an RST file; returns how many."""
    folder.mkdir()
    for name, text in pydoc_data.topics.topics.items():
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")
    return len(pydoc_data.topics.topics)


def peer(folder: Path, cache: Path) -> float:
    """Seconds of `datasets` for loading the same files whole and counting their tokens."""
    import datasets

    datasets.disable_progress_bars()
    files = [str(file.path) for file in find_files([str(folder)], 40)[0]]
    started = time.perf_counter()
    rows = datasets.load_dataset("text", data_files=files, sample_by="document", split="train", cache_dir=str(cache))
    counter = tokens.load("approx")
    rows.map(lambda row: {"n_tokens": counter.count(row["text"])})
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        count = write_documents(work / "docs")
        config = BuildConfig(sources=(str(work / "docs"),), target=TARGET, length_bins=(512, 1024, 2048))
        os.chdir(work)
        started = time.perf_counter()
        plan(config)
        read = time.perf_counter() - started
        started = time.perf_counter()
        facts = build(config, work / "out").facts
        whole = time.perf_counter() - started
        loaded = peer(work / "docs", work / "cache")
    made = facts["train"] + facts["val"]
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'step':<52}{'documents/s':>14}{'records/s':>12}{'seconds':>10}")
    print(f"{'golongrl: read and assign':<52}{count / read:>14.0f}{'-':>12}{read:>10.2f}")
    print(f"{'datasets: load as text and count':<52}{count / loaded:>14.0f}{'-':>12}{loaded:>10.2f}")
    print(f"{f'golongrl: whole build, {made} records':<52}{count / whole:>14.0f}{made / whole:>12.0f}{whole:>10.2f}")


if __name__ == "__main__":
    main()

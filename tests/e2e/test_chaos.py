"""The whole path under chaos: commands killed with SIGKILL at random points, writes that meet a full disk, servers
that die and cut connections. Each command is run again until it ends; what comes out is what a calm run gives."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import chaos_server
import pytest

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))
from builds import write_corpus

SEED = 7
MOST_ATTEMPTS = 25
ENVIRONMENT = 3
"""Exit code of a command that met a full disk, or whose server is gone."""
COMMAND = [sys.executable, "-m", "golongrl.cli.app"]
TIMES = ("seconds", "seconds_per_1000")
"""Keys of results that tell when and how fast, not what."""
EVAL = ["eval", "--bench", "mrcr-mini", "--data", "docs", "--max-length", "1k", "--limit", "12", "--concurrency", "2"]

STEPS: dict[str, list[str]] = {
    "data": ["build-dataset", "docs", "--capabilities", "T1,T3,T5,T9", "--target", "24", "--length-bins", "1k"],
    "audit": ["verify-rewards", "data/train.parquet"],
    "first": [*EVAL, "--model", "one"],
    "second": [*EVAL, "--model", "two"],
    "comparison": ["compare", "first", "second"],
}
"""Output folder -> the command that makes it."""
OUTPUTS = {
    "data": ("train.parquet", "val.parquet", "rejects.jsonl", "README.md", "documents.jsonl", "report.html"),
    "audit": ("audit.json", "failures.jsonl"),
    "first": ("samples.jsonl", "results.json"),
    "second": ("samples.jsonl", "results.json"),
    "comparison": ("compare.json",),
}


def command(name: str, port: int) -> list[str]:
    evaluates = STEPS[name][0] == "eval"
    address = ["--base-url", f"http://127.0.0.1:{port}/v1", "--set", "retries=1"] if evaluates else []
    return [*COMMAND, *STEPS[name], *address, "--out", name]


def start(name: str, folder: Path, port: int, limit: int | None = None) -> subprocess.Popen:
    """The command as a process group; `limit` is the largest file in bytes, which a write meets as a full disk."""
    return subprocess.Popen(
        command(name, port),
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))),
    )


def grown(folder: Path) -> int:
    """What changes whenever a command writes: bytes and files of its folder, temporary ones included."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += 1 + path.stat().st_size
    return total


def kill_after(process: subprocess.Popen, folder: Path, changes: int) -> bool:
    """Kill the command's processes after so many changes of its folder; False when it ended before."""
    before, seen = grown(folder), 0
    while process.poll() is None:
        now = grown(folder)
        seen, before = seen + (now != before), now
        if seen >= changes:
            os.killpg(process.pid, signal.SIGKILL)
            return True
        time.sleep(0.001)
    return False


def server_of(kind: str, rng: random.Random, attempt: int) -> list[str]:
    """A server that dies, later each time, or one that cuts every connection once, or is busy."""
    if kind == "server":
        return ["--die-after", str(rng.randint(1, 3 + attempt))]
    return ["--fail-first", "1", "--delay", "0.02", "--status", rng.choice(("0", "503"))]


def disturbed(name: str, folder: Path, rng: random.Random) -> Counter:
    """Run a command again and again under disturbances until it ends; how often which one stopped it."""
    stopped: Counter = Counter()
    port = 0
    kinds = ["kill", "full disk", *(["server"] if STEPS[name][0] == "eval" else [])]
    for attempt in range(MOST_ATTEMPTS):
        # Each kind once, then at random.
        kind = kinds[attempt] if attempt < len(kinds) else rng.choice(kinds)
        with chaos_server.start("--port", port, *server_of(kind, rng, attempt)) as server:
            port = server.port
            # Bounds rise, so that a command that does the same again each time gets further.
            limit = rng.randint(200, 3000 << min(attempt, 12)) if kind == "full disk" else None
            process = start(name, folder, port, limit)
            killed = kind == "kill" and kill_after(process, folder / name, rng.randint(1, 4 + 4 * attempt))
            errors = process.communicate(timeout=120)[1]
            died = server.process.poll() is not None
        if process.returncode == 0:
            return stopped
        stopped[kind] += 1
        if killed:
            assert process.returncode == -signal.SIGKILL, errors
            continue
        # Nothing but the disturbance may end a command, and it says what to do next.
        assert process.returncode == ENVIRONMENT, f"{name}, {kind}: {process.returncode}\n{errors}"
        assert "no space left" in errors if kind == "full disk" else died, f"{name}, {kind}:\n{errors}"
        assert "Traceback" not in errors, errors
        assert "run the same command again" in errors, errors
    raise AssertionError(f"{name} did not end in {MOST_ATTEMPTS} attempts: {stopped}")


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in TIMES}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def outputs(folder: Path) -> dict[str, object]:
    """Every final output: JSON without times, other files byte by byte."""
    found: dict[str, object] = {}
    for name, files in OUTPUTS.items():
        for file in files:
            data = (folder / name / file).read_bytes()
            found[f"{name}/{file}"] = without_times(json.loads(data)) if file.endswith(".json") else data
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    write_corpus(folder / "docs", 6)
    with chaos_server.start() as server:
        for name in STEPS:
            process = start(name, folder, server.port)
            errors = process.communicate(timeout=120)[1]
            assert process.returncode == 0, errors
    return outputs(folder)


@pytest.mark.slow
def test_a_disturbed_run_of_everything_gives_what_a_calm_one_gives(calm, tmp_path):
    write_corpus(tmp_path / "docs", 6)
    rng = random.Random(SEED)
    stopped = {name: disturbed(name, tmp_path, rng) for name in STEPS}
    assert outputs(tmp_path) == calm, stopped
    total = sum(stopped.values(), Counter())
    assert min(total["kill"], total["full disk"], total["server"]) >= 1, stopped
    # What was killed or cut off in between leaves nothing behind that a calm run does not have.
    assert not list(tmp_path.rglob("*.tmp")), stopped

"""A Ray cluster of two nodes on one machine, each with one training process: the CLI joins it and trains across both.

The nodes are two real raylets with loopback addresses, sessions and logs of their own.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from golongrl.core.records import write_parquet
from golongrl.pipeline.training.metrics import read_steps
from golongrl.pipeline.training.smoke import build_smoke_model, smoke_records
from golongrl.pipeline.training.supervise import RUN_VARIABLE

HEAD, OTHER = "127.0.0.2", "127.0.0.3"
STEPS = 3
CLUSTER_VARIABLE = "GOLONGRL_TEST_CLUSTER"
RAY_NODE = ("--num-gpus", "1", "--num-cpus", "8", "--object-store-memory", "200000000")
TRAIN = (
    *(sys.executable, "-m", "golongrl.cli.app", "train", "--preset", "cpu-smoke", "--json"),
    *("--model", "model", "--data", "train.parquet", "--out", "run", "--steps", str(STEPS)),
    *("--nodes", "2", "--gpus-per-node", "1", "--set", "rollouts_per_prompt=4", "--algo", "grpo"),
)


@dataclass(frozen=True)
class Outcome:
    """What one run across two nodes left."""

    folder: Path
    done: subprocess.CompletedProcess
    logs: dict[str, str]
    """Node -> everything its workers printed."""
    after_run: list[str]
    """Processes of the run that were still there when the cluster stood idle."""
    after_cluster: list[str]
    """Processes of the cluster after it was stopped."""


def processes(variable: str, value: Path) -> list[psutil.Process]:
    """Live processes that were started with this environment variable."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(variable) == str(value) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def left_after(seconds: float, variable: str, value: Path) -> list[str]:
    """Command lines of the processes that are there after at most that time."""
    deadline = time.monotonic() + seconds
    while (found := processes(variable, value)) and time.monotonic() < deadline:
        time.sleep(0.2)
    lines = []
    for process in found:
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return lines


def free_port(address: str) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            pytest.skip(f"this system has no second loopback address {address}")
        return probe.getsockname()[1]


def start_node(root: Path, name: str, environment: dict[str, str], *options: str) -> None:
    """`ray start` with a folder of its own; its daemons outlive the command."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--temp-dir", str(root / name), *options]
    log = root / f"{name}.log"
    with open(log, "wb") as handle:
        code = subprocess.run(
            [*command, *RAY_NODE],
            **{"env": environment, "stdin": subprocess.DEVNULL, "stdout": handle, "stderr": handle},
            **{"timeout": 180, "check": False},
        ).returncode
    assert code == 0, log.read_text(errors="replace")


def stop_cluster(root: Path) -> None:
    """Kill both nodes; `ray stop` would end every Ray cluster on the machine."""
    deadline = time.monotonic() + 30
    while (found := processes(CLUSTER_VARIABLE, root)) and time.monotonic() < deadline:
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.2)


def worker_logs(session: Path) -> str:
    return "".join(file.read_text(errors="replace") for file in session.glob("session_2*/logs/worker-*"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("two nodes")  # the space in the path is on purpose
    build_smoke_model(folder / "model", steps=100)
    write_parquet(folder / "train.parquet", smoke_records())
    port = free_port(HEAD)
    free_port(OTHER)
    # Socket paths have at most 107 characters, and Ray adds 70 to this.
    root = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    environment = {
        **os.environ,
        CLUSTER_VARIABLE: str(root),
        # Ray listens on all addresses of the machine; only who has the token may speak to it.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(16),
        "RAY_USAGE_STATS_ENABLED": "0",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    address = f"{HEAD}:{port}"
    try:
        start_node(
            *(root, "head", environment, "--head", "--node-ip-address", HEAD, "--port", str(port)),
            *("--include-dashboard", "false"),
        )
        start_node(root, "other", environment, "--address", address, "--node-ip-address", OTHER)
        done = subprocess.run(
            [*TRAIN, "--ray-address", address],
            **{"cwd": folder, "env": environment, "capture_output": True, "text": True},
            **{"timeout": 480, "check": False},
        )
        after_run = left_after(60, RUN_VARIABLE, folder / "run")
        logs = {name: worker_logs(root / name) for name in ("head", "other")}
        stop_cluster(root)
        yield Outcome(folder, done, logs, after_run, left_after(5, CLUSTER_VARIABLE, root))
    finally:
        stop_cluster(root)
        shutil.rmtree(root, ignore_errors=True)


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_it_trains_to_the_end(outcome):
    assert outcome.done.returncode == 0, outcome.done.stderr
    assert json.loads(outcome.done.stdout)["steps"] == STEPS
    assert [step.step for step in read_steps(outcome.folder / "run")] == list(range(1, STEPS + 1))


def test_each_node_trains_one_half(outcome):
    ranks = [set(re.findall(r"\[Rank (\d)\] Saved model to", text)) for text in outcome.logs.values()]
    assert sorted(map(sorted, ranks)) == [["0"], ["1"]]


def test_each_node_serves_the_rollouts_of_its_half(outcome):
    for name, text in outcome.logs.items():
        # Ray writes the name of an actor into both logs of its process.
        assert text.count(":actor_name:TransformersServer") == 2, name


def test_rollouts_and_training_agree_across_nodes(outcome):
    for step in read_steps(outcome.folder / "run"):
        assert step.metrics["training/rollout_probs_diff_valid"] == 1
        assert 0 <= step.metrics["training/rollout_probs_diff_max"] < 1e-3, step.step


def test_the_environment_reaches_processes_on_any_node(outcome):
    # TENSORBOARD_DIR is known to the process on whichever node the trainer ran through Ray alone.
    assert list((outcome.folder / "run" / "tensorboard").rglob("events.out.tfevents.*"))


def test_the_halves_make_one_model_that_loads_and_has_changed(outcome):
    path = outcome.folder / "run" / "model"
    AutoTokenizer.from_pretrained(path)
    before = AutoModelForCausalLM.from_pretrained(outcome.folder / "model", dtype=torch.float32).state_dict()
    after = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).state_dict()
    assert before.keys() == after.keys()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(moved) == len(before)
    assert all(tensor.isfinite().all() for tensor in after.values())


def test_nothing_is_left_running(outcome):
    assert outcome.after_run == []
    assert outcome.after_cluster == []

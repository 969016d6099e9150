"""No subcommand opens a connection beyond this machine unasked: an audit hook in every process watches."""

import json
import os
import subprocess
import sys

import chat_server
import pytest

GUARD = """
import os
import sys


def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host and not host.startswith("127.") and host not in ("localhost", "::1", "0.0.0.0", "::"):
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(f"{event} {host} by {' '.join(sys.argv)[:200]}\\n")


sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Runs a command in a folder of its own with the guard; returns what it did and whom it called."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    (folder / "docs").mkdir()
    for number in range(6):
        paragraphs = [
            f"Pier {number}{line} was built in {1800 + line} by the sons of keeper {line * 7 + number}, who brought "
            f"timber from the northern islands and asked {line * 75 + 20} crowns for it, of which the town paid half."
            for line in range(12)
        ]
        text = f"# Harbour {number}\n\n" + "\n\n".join(f"## Part {n}\n\n{one}" for n, one in enumerate(paragraphs))
        (folder / "docs" / f"harbour{number}.md").write_text(text)
    kept = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    environment = {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder / "guard"), os.environ.get("PYTHONPATH")])),
        "GUARD_LOG": str(folder / "log"),
        "GOLONGRL_HOME": str(folder / "cache"),
    }

    def run(*command):
        (folder / "log").write_text("")
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            **{"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 300},
            check=False,
        )
        return done, (folder / "log").read_text().splitlines()

    return run


def golongrl(guarded, *arguments):
    done, called = guarded("-m", "golongrl.cli.app", *arguments)
    assert done.returncode == 0, done.stderr
    return called


def test_the_guard_sees_a_connection(guarded):
    code = "import socket; socket.create_connection(('192.0.2.99', 9), timeout=0.01)"
    _, called = guarded("-c", code)
    assert any("192.0.2.99" in line for line in called)


@pytest.mark.slow
def test_building_auditing_and_simulating_call_nobody(guarded):
    build = ["build-dataset", "docs", "--out", "data", "--length-bins", "2k", "--target", "12", "--workers", "2"]
    assert golongrl(guarded, *build) == []
    assert golongrl(guarded, "verify-rewards", "data/train.parquet") == []
    assert golongrl(guarded, "simulate", "--batches", "1", "--prompts", "8") == []
    assert golongrl(guarded, "report", "data") == []


@pytest.mark.slow
def test_planning_a_run_and_asking_the_doctor_call_nobody(guarded):
    assert golongrl(guarded, "train", "--preset", "cpu-smoke", "--dry-run") == []
    assert golongrl(guarded, "doctor", "--json") == []


@pytest.mark.slow
def test_an_evaluation_calls_only_its_endpoint(guarded):
    with chat_server.start() as server:
        ask = ["eval", "--bench", "mrcr-mini", "--data", "docs", "--max-length", "1k", "--base-url", server.base_url]
        for name in ("one", "two"):
            assert golongrl(guarded, *ask, "--model", name, "--out", f"runs/{name}") == []
    assert golongrl(guarded, "compare", "runs/one", "runs/two", "--out", "runs/compare") == []


def test_a_plan_reads_a_config_and_calls_nobody(guarded, tmp_path):
    shape = {"model_type": "qwen3", "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32}
    shape |= {"num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 9728, "vocab_size": 151936}
    shape |= {"max_position_embeddings": 40960, "rope_theta": 1e6, "tie_word_embeddings": True}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    assert golongrl(guarded, "plan", "--model", tmp_path, "--length", "128k", "--gpus", "8xH100") == []

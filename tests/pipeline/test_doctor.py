"""What `doctor` finds, on systems made to lack something."""

import re
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import chat_server
import local_hub
import pytest

from golongrl.core import kv_pool, machine
from golongrl.core.errors import DataError, UsageError
from golongrl.core.packages import Pin
from golongrl.pipeline.doctor import network, packages, run, system
from golongrl.pipeline.doctor.config import DoctorConfig
from golongrl.pipeline.doctor.findings import Finding

ROOT = Path(__file__).parents[2]


def by_name(found) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


def test_this_environment_has_all_that_training_needs(tmp_path):
    found = run.examine(DoctorConfig(purposes=["train"], rollout="transformers", folder=str(tmp_path)))
    assert [f for f in found if f.status == "missing"] == []
    assert by_name(found)["math comparison"].status == "ok"
    assert by_name(found)["torch built for"].value.startswith(("CPU", "CUDA"))


def test_the_table_says_what_pyproject_requires_and_constraints_pin():
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    for name, pin in packages.CORE.items():
        assert pinned[name.lower()] in pin.checked, name
        if name != "antlr4-python3-runtime":
            assert any(re.sub(r"\[.*\]", "", line) == name + pin.works for line in required), name


def test_a_wrong_version_is_missing_with_its_fix_and_an_untested_one_a_note():
    table = {
        "antlr4-python3-runtime": Pin("==4.9.3", ("4.9.3",)),
        "verl": Pin("==0.9.1", ("0.9.1",)),
        "ray": Pin(">=2.41", ("2.60.0",)),
        "openai": Pin(">=2.6", ("3.54.0",)),
        "jieba": Pin(">=0.42", ("0.42.1",)),
    }
    have = {"antlr4-python3-runtime": "4.13.2", "verl": "0.8.0", "ray": "2.99.0", "openai": "3.54.0"}
    found = by_name(packages._against(table, "golongrl[train]", have))
    assert found["antlr4-python3-runtime"].status == "missing"
    assert "math-verify[antlr4_9_3]==0.9.0" in found["antlr4-python3-runtime"].fix
    assert found["verl"].status == "missing"
    assert found["verl"].fix.startswith("pip install 'verl==0.9.1': ")
    assert "numpy below 2" in found["verl"].fix
    assert (found["ray"].status, found["ray"].fix) == ("note", "tested: 2.60.0")
    assert found["openai"].status == "ok"
    assert (found["jieba"].value, found["jieba"].fix) == ("not installed", "pip install 'golongrl[train]'")


def test_another_interpreter_is_asked_for_its_engines():
    found = by_name(packages._server(sys.executable))["server interpreter"]
    assert found.status == "ok"
    assert "transformers 5." in found.value
    with pytest.raises(UsageError, match="no such interpreter"):
        list(packages._server("/nowhere/python"))


def test_an_interpreter_without_engine_is_said_to_need_one(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    found = by_name(packages._server(str(bare)))["server interpreter"]
    assert found.status == "missing"
    assert "pip install vllm" in found.fix


def test_what_the_machine_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "host_memory", lambda: machine.HostMemory(1 << 30, 1 << 29))
    monkeypatch.setattr(machine, "free_disk", lambda place: 100 << 20)
    found = by_name(system.check("train", tmp_path))
    assert (found["memory"].status, found["memory"].value) == ("missing", "0.5 GiB of 1.0 GiB available")
    assert found["disk, cache"].status == "missing"
    assert "GOLONGRL_HOME" in found["disk, cache"].fix
    assert (found["shared memory"].status, found["shared memory"].value) == ("note", "0.1 GiB free")
    assert "--shm-size" in found["shared memory"].fix


def test_the_driver_is_read_from_the_head_of_nvidia_smi():
    head = "| NVIDIA-SMI 570.86.15    Driver Version: 570.86.15    CUDA Version: 12.8     |"
    assert machine.parse_driver(head) == machine.Driver("570.86.15", "12.8")
    assert machine.parse_driver("Driver Version: 580.1  CUDA UMD Version: 13.0") == machine.Driver("580.1", "13.0")
    assert machine.parse_driver("no devices were found") is None


def test_the_hub_token_is_never_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    found = by_name(network.check("eval", ask_hub=False))["hub login"]
    assert found.status == "ok"
    assert "hf_" not in found.value + found.fix


@pytest.mark.parametrize(
    ("status", "value", "fix"),
    [
        (401, "token in HF_TOKEN, refused (401)", "hf auth login with a new token"),
        (503, "token in HF_TOKEN, the hub answers 503", "try again later"),
        (None, "the hub cannot be reached (ConnectError)", "check the network, HF_ENDPOINT and proxies"),
    ],
)
def test_a_login_that_was_tried_in_vain_says_what_to_do(monkeypatch, tmp_path, status, value, fix):
    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, tmp_path)
        assert by_name(network.check("eval", ask_hub=True))["hub login"].value == "token in HF_TOKEN, as org"
        if status is None:
            monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        else:
            hub.faults = [local_hub.Fault("whoami", status, 99)]
        found = by_name(network.check("eval", ask_hub=True))["hub login"]
    assert (found.status, found.value, found.fix) == ("missing", value, fix)


def test_a_hub_that_is_switched_off_is_missing(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = by_name(network.check("eval", ask_hub=True))["hub login"]
    assert found.status == "missing"
    assert "hf_" not in found.value + found.fix


def test_an_endpoint_is_held_against_the_longest_record():
    with chat_server.start("--model-len", "4096") as server:
        fits = by_name(network.check_endpoint(server.base_url, "echo", 4000))
        assert fits["max_model_len"].status == "ok"
        assert fits["KV cache"].value == "the server does not say"
        long = by_name(network.check_endpoint(server.base_url, "echo", 5000))
        assert long["max_model_len"].value == "4,096 tokens, 5,000 are needed"
        assert long["max_model_len"].status == "missing"
        other = by_name(network.check_endpoint(server.base_url, "gpt", None))
        assert other["model"].status == "missing"
        assert "echo" in other["model"].fix
    gone = list(network.check_endpoint(server.base_url, None, None))
    assert [f.status for f in gone] == ["missing"]
    assert "cannot be reached" in gone[0].fix


VLLM = (
    "# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig\n"
    'vllm:cache_config_info{block_size="16",cache_dtype="auto",num_cpu_blocks="None",num_gpu_blocks="5832"} 1.0\n'
)
SGLANG = '{"max_total_num_tokens": 90000, "internal_states": [{"max_total_num_tokens": 60000}, {}]}'


def test_the_kv_cache_by_each_engines_own_words():
    assert kv_pool.of_vllm_metrics(VLLM) == 5832 * 16
    assert kv_pool.of_vllm_metrics("process_cpu_seconds_total 3.0\n") is None
    assert kv_pool.of_sglang_info(SGLANG) == 60_000
    assert kv_pool.of_sglang_info("<html>") is None


@pytest.mark.parametrize(
    ("path", "text", "tokens"),
    [("/metrics", VLLM, 93_312), ("/server_info", SGLANG, 60_000), ("/get_server_info", SGLANG, 60_000)],
)
def test_the_kv_cache_over_http(path, text, tokens, monkeypatch):
    # A proxy set for the internet must not see it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == path
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(text.encode() if known else b"not found")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert kv_pool.kv_tokens(f"http://127.0.0.1:{server.server_port}/v1") == tokens
    finally:
        server.shutdown()
        server.server_close()


def test_the_longest_record_counts(tmp_path):
    prompt = '[{"role": "user", "content": "q"}]'
    row = f'{{"data_source": "golongrl", "prompt": {prompt}, "reward_model": {{"ground_truth": "a"}}'
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f'{row}, "extra_info": {{"metric": "em", "n_tokens": {n}}}}}\n' for n in (70, 900, 12)))
    longest, finding = run.longest_record(str(file))
    assert longest == 900
    assert finding.value == "3 records, the longest prompt has 900 tokens"
    file.write_text(row + ', "extra_info": {"metric": "em"}}\n')
    assert run.longest_record(str(file))[1].status == "note"
    file.write_text("")
    with pytest.raises(DataError, match="no record"):
        run.longest_record(str(file))

"""What this machine has: packages and their versions, GPUs, memory, a place for checkpoints."""

import re
from pathlib import Path

import pytest

from golongrl.core import machine, packages
from golongrl.core.errors import ConfigError, MissingPackageError, StorageError
from golongrl.core.machine import Gpu, HostMemory
from golongrl.core.model_shape.parts import Attention, FeedForward
from golongrl.core.model_shape.shape import Layers, Shape
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.preflight import output as output_check
from golongrl.pipeline.training.preflight import versions

ATTENTION = Attention(heads=32, kv_heads=8, head_dim=128, qk_norm=True)
QWEN3_4B = Shape(2560, 151_936, True, (Layers(36, ATTENTION, FeedForward(9728)),))
H100 = Gpu("NVIDIA H100 80GB HBM3", 81_559 << 20, 81_000 << 20)


def settings(**changes) -> TrainConfig:
    return TrainConfig.model_validate({"model": "m", "data": "d", **changes})


def test_gpus_are_read_from_nvidia_smi(tmp_path, monkeypatch):
    script = tmp_path / "nvidia-smi"
    lines = ["NVIDIA H100 80GB HBM3, 81559, 81000", "Odd, name, 1024, 512", "GB10, [N/A], [N/A]"]
    script.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.gpus({}) == [H100, Gpu("Odd, name", 1 << 30, 512 << 20), Gpu("GB10", 0, 0)]
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": "1,0"})[1] == H100
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": "0,7,1"}) == [H100]
    assert machine.gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    script.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' ; exit 9\n")
    assert machine.gpus({}) == []
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(machine, "QUERY_SECONDS", 0.1)
    assert machine.gpus({}) == []


def test_a_containers_limit_is_what_there_is(tmp_path):
    proc = tmp_path / "meminfo"
    proc.write_text(
        "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\nHugePages_Total:   0\n"
    )
    assert machine.host_memory(proc, tmp_path) == HostMemory(1_024_000, 614_400)
    (tmp_path / "memory.max").write_text("500000\n")
    (tmp_path / "memory.current").write_text("300000\n")
    (tmp_path / "memory.stat").write_text("anon 100000\nactive_file 50000\ninactive_file 150000\n")
    assert machine.host_memory(proc, tmp_path) == HostMemory(500_000, 400_000)
    (tmp_path / "memory.current").write_text("800000\n")
    assert machine.host_memory(proc, tmp_path) == HostMemory(500_000, 0)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.host_memory(proc, tmp_path).total == 1_024_000
    assert machine.host_memory(tmp_path / "none", tmp_path) is None


# Packages and versions.

SOUND = {"verl": "0.9.1", "ray": "2.60.0", "tensordict": "0.10.0", "TransferQueue": "0.1.11", "numpy": "2.3.5"}


@pytest.mark.parametrize(
    ("engine", "found", "device", "broken"),
    [
        ("sglang", {"sglang": "0.5.14", "torch": "2.11.0+cu130", "transformers": "5.8.1"}, "cuda", []),
        ("vllm", {"vllm": "0.24.0", "torch": "2.11.0", "transformers": "5.10.4"}, "cuda", []),
        ("transformers", {"torch": "2.13.0+cpu", "transformers": "5.19.0"}, "cpu", []),
        (
            "transformers",
            {"torch": "2.13.0+cpu", "transformers": "5.10.4"},
            "cuda",
            [r"torch 2.13.0\+cpu is built for"],
        ),
        ("transformers", {"verl": "0.8.0"}, "cpu", ["verl 0.8.0 does not work here, verl==0.9.1 does: it has no"]),
        ("sglang", {"sglang": "0.5.12"}, "cuda", ["sglang 0.5.12 .*pins transformers to 5.6.0"]),
        ("sglang", {"sglang": "0.5.23"}, "cuda", ["sglang 0.5.23 .*pins transformers to 5.12.1"]),
        ("sglang", {"torch": "2.13.0"}, "cuda", ["torch 2.13.0 does not work here, torch==2.11.0 does"]),
        ("vllm", {"vllm": "0.33.0", "torch": "2.14.0"}, "cuda", ["vllm 0.33.0 .*torch 2.14", "torch 2.14.0"]),
        ("transformers", {"transformers": "5.6.0"}, "cpu", ["transformers 5.6.0 .*excludes it"]),
        ("transformers", {"tensordict": "0.9.0"}, "cpu", ["tensordict 0.9.0 .*excludes it"]),
        ("transformers", {"TransferQueue": "0.1.9"}, "cpu", ["TransferQueue 0.1.9"]),
    ],
)
def test_versions_that_cannot_work_say_why(engine, found, device, broken):
    said, unchecked = packages.compare(SOUND | found, engine, device)
    assert unchecked == []
    assert len(said) == len(broken)
    for text, expected in zip(said, broken, strict=True):
        assert re.search(expected, text), text


def test_a_version_that_was_never_run_is_no_more_than_a_warning():
    broken, unchecked = packages.compare(SOUND | {"ray": "2.99.0", "torch": "2.12.1"}, "transformers", "cpu")
    assert broken == []
    assert unchecked == [
        "ray 2.99.0 was not checked with golongrl, 2.60.0 was",
        "torch 2.12.1 was not checked with golongrl, 2.13.0 was",
    ]


def test_the_versions_installed_here_are_in_the_table():
    assert packages.compare(packages.installed("transformers"), "transformers", "cpu") == ([], [])


def test_the_wrong_engine_version_names_rollout_and_the_extra(tmp_path, monkeypatch):
    installed = tmp_path / "vllm-0.33.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.33.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match=r"rollout = 'vllm': vllm 0.33.0 .*pip install 'golongrl\[vllm\]'"):
        versions.check_versions(settings(rollout="vllm"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loggers": ["console", "mlflow"]}, r"loggers names 'mlflow' .*pip install mlflow"),
        ({"loggers": ["trackio"]}, r"loggers names 'trackio' .*pip install trackio"),
        ({"attention": "flash_attention_2"}, r"attention = 'flash_attention_2' needs .*flash_attn.*'sdpa'"),
        ({"attention": "flash_attention_3"}, r"attention = 'flash_attention_3' needs .*flash_attn_interface"),
        ({"engine": "megatron"}, r"engine = 'megatron' needs megatron.core, megatron.bridge.*engine = 'fsdp'"),
        ({"rollout": "vllm"}, r"vllm rollouts need vllm; run: pip install 'golongrl\[vllm\]'"),
    ],
)
def test_a_missing_package_names_the_key_and_how_to_get_it(changes, message):
    config = settings(**{"rollout": "transformers", "gpus_per_node": 1, **changes})
    with pytest.raises(MissingPackageError, match=message):
        versions.check_packages(config)


def test_megatron_needs_flash_attn_unless_another_attention_is_asked_for(tmp_path, monkeypatch):
    for name in ("megatron/core", "megatron/bridge", "transformer_engine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    config = settings(rollout="transformers", gpus_per_node=1, engine="megatron")
    with pytest.raises(MissingPackageError, match=r"needs flash-attn .*attention_backend = 'fused'"):
        versions.check_packages(config)
    fused = {versions.MEGATRON_ATTENTION: "fused"}
    versions.check_packages(config.model_copy(update={"verl": fused}))
    (tmp_path / "flash_attn").mkdir()
    (tmp_path / "flash_attn" / "__init__.py").touch()
    versions.check_packages(config)


# The output folder.


def test_checkpoints_on_the_disk_together():
    def at_once(steps, **changes):
        return output_check.checkpoints_at_once(settings(save_every=5, **changes), steps)

    assert at_once(23) == 5
    # verl writes the next one before it removes the only one, and removes the oldest first otherwise.
    assert at_once(23, keep_checkpoints=1) == 2
    assert at_once(23, keep_checkpoints=3) == 3
    assert at_once(4, keep_checkpoints=3) == 1


def test_bytes_of_a_checkpoint():
    total = QWEN3_4B.parameters.total
    assert output_check.checkpoint_bytes(QWEN3_4B, settings()) == 16 * total
    assert output_check.checkpoint_bytes(QWEN3_4B, settings(engine="megatron")) == 14 * total
    contents = {output_check.CONTENTS: ["model", "extra"]}
    assert output_check.checkpoint_bytes(QWEN3_4B, settings(verl=contents)) == 4 * total


def test_a_full_disk_is_told_before_the_first_checkpoint(tmp_path):
    free = machine.free_disk(tmp_path)
    config = settings(save_every=5)
    with pytest.raises(StorageError, match=r"too little for 2; .*another --out, or .*save_every = 20"):
        output_check.check_out(tmp_path / "run", config, int(free / 1.5), steps=20)
    assert output_check.check_out(tmp_path / "run", config, int(free / 1.5), steps=5) == []
    (hint,) = output_check.check_out(tmp_path / "run", config, int(free / 2.5), steps=20)
    assert "room for 2 of the 4" in hint
    assert "set keep_checkpoints = 2" in hint
    keeps = settings(save_every=5, keep_checkpoints=3)
    with pytest.raises(ConfigError, match=r"keep_checkpoints = 3; set keep_checkpoints = 2"):
        output_check.check_out(tmp_path / "run", keeps, int(free / 2.5), steps=20)


def test_checkpoints_that_are_there_need_no_more_room(tmp_path):
    free = machine.free_disk(tmp_path)
    config = settings(save_every=5)
    for step in range(5, 36, 5):
        (tmp_path / "run" / "checkpoints" / f"global_step_{step}").mkdir(parents=True)
    # The eighth of eight is missing, and there is room for one.
    assert output_check.check_out(tmp_path / "run", config, int(free / 1.5), steps=40) == []


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write to /proc.*choose another --out"):
        output_check.check_out(Path("/proc/golongrl/run"), settings(), None, steps=1)
    output_check.check_out(tmp_path / "a" / "run", settings(), None, steps=1)
    assert list(tmp_path.iterdir()) == []


def test_several_machines_need_a_shared_folder(tmp_path):
    (hint,) = output_check.shared_folder_hint(tmp_path, settings(nodes=2, ray_address="auto"))
    assert "all 2 machines" in hint
    assert output_check.shared_folder_hint(tmp_path, settings()) == []

"""Merged folders are made whole or not at all: of verl's export, or by its merger from shards."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from model_folders import folder_like, names, trained
from safetensors.torch import load_file

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import CheckFailedError, DataError
from golongrl.core.rope import write_yarn
from golongrl.pipeline.training.model.merge import MARKER, merged_model
from golongrl.pipeline.training.model.prove import prove

NORM = "model.norm.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("base") / "bytes")


def exported(out, base, step=5, change=trained):
    """A checkpoint as verl leaves it with hf_model among save_contents."""
    checkpoint = out / "checkpoints" / f"global_step_{step}"
    folder_like(base, checkpoint / "actor" / "huggingface", change)
    return checkpoint


def test_an_exported_model_is_linked_and_described(tmp_path, base):
    checkpoint = exported(tmp_path, base)
    source = checkpoint / "actor" / "huggingface"
    (source / "adapter").mkdir()
    model = merged_model(checkpoint, tmp_path / "model", base)
    assert model == tmp_path / "model"
    assert names(model) == sorted({*names(base), MARKER})
    assert (model / "model.safetensors").stat().st_ino == (source / "model.safetensors").stat().st_ino
    # What may be edited later must not be the checkpoint's own file.
    for name in ("config.json", "tokenizer.json", "chat_template.jinja"):
        assert (model / name).stat().st_ino != (source / name).stat().st_ino
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (source, model))
    # For readers of transformers 4, which would otherwise take theta 10,000 for any model.
    assert after == {**before, "rope_theta": before["rope_parameters"]["rope_theta"]}
    assert names(tmp_path) == ["checkpoints", "model"]


def test_megatron_exports_to_another_folder(tmp_path, base):
    checkpoint = exported(tmp_path, base)
    (checkpoint / "actor" / "model").mkdir()
    shutil.move(checkpoint / "actor" / "huggingface", checkpoint / "actor" / "model" / "huggingface")
    assert (merged_model(checkpoint, tmp_path / "model", base) / "model.safetensors").is_file()


def test_a_finished_folder_is_kept_and_another_checkpoint_replaces_it(tmp_path, base):
    first, second = exported(tmp_path, base, 5), exported(tmp_path, base, 10, change=lambda tensors: None)
    model = merged_model(first, tmp_path / "model", base)
    write_yarn(model, 2)
    merged_model(first, model, base)
    assert (model / "config.original.json").is_file()
    merged_model(second, model, base)
    assert not (model / "config.original.json").exists()
    assert json.loads((model / MARKER).read_text())["checkpoint"] == "global_step_10"
    assert torch.equal(*(load_file(f / "model.safetensors")[NORM] for f in (model, base)))


def test_the_same_step_trained_again_replaces_it(tmp_path, base):
    model = merged_model(exported(tmp_path, base), tmp_path / "model", base)
    shutil.rmtree(tmp_path / "checkpoints")
    merged_model(exported(tmp_path, base, change=lambda tensors: None), model, base)
    assert torch.equal(*(load_file(f / "model.safetensors")[NORM] for f in (model, base)))


@pytest.mark.parametrize("lost", ["model.safetensors", "config.json", MARKER])
def test_a_half_written_folder_is_made_anew(tmp_path, base, lost):
    checkpoint = exported(tmp_path, base)
    model = merged_model(checkpoint, tmp_path / "model", base)
    whole = names(model)
    (model / lost).unlink()
    merged_model(checkpoint, model, base)
    assert names(model) == whole
    # Without the marker nobody can tell whose files those are.
    assert names(tmp_path) == ["checkpoints", "model", *(["model.old-1"] if lost == MARKER else [])]


def test_what_a_kill_left_behind_is_cleared_away(tmp_path, base):
    checkpoint = exported(tmp_path, base)
    for word in ("building", "replaced"):
        (tmp_path / f".model.{word}").mkdir()
        (tmp_path / f".model.{word}" / "model.safetensors").write_bytes(b"half")
    (tmp_path / "model").mkdir()
    merged_model(checkpoint, tmp_path / "model", base)
    assert names(tmp_path) == ["checkpoints", "model"]
    assert prove(tmp_path / "model", base).changed == 24


def test_the_base_gives_what_the_checkpoint_lacks(tmp_path, base):
    checkpoint = exported(tmp_path, base)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        (checkpoint / "actor" / "huggingface" / name).unlink()
    model = merged_model(checkpoint, tmp_path / "model", base)
    assert names(model) == sorted({*names(base), MARKER})
    assert (model / "chat_template.jinja").read_bytes() == (base / "chat_template.jinja").read_bytes()


def test_a_template_inside_the_bases_tokenizer_config_is_taken_out(tmp_path, base):
    old = tmp_path / "old"
    shutil.copytree(base, old)
    settings = json.loads((old / "tokenizer_config.json").read_text())
    settings["chat_template"] = (old / "chat_template.jinja").read_text()
    (old / "tokenizer_config.json").write_text(json.dumps(settings))
    (old / "chat_template.jinja").unlink()
    checkpoint = exported(tmp_path, base)
    (checkpoint / "actor" / "huggingface" / "chat_template.jinja").unlink()
    model = merged_model(checkpoint, tmp_path / "model", old)
    assert (model / "chat_template.jinja").read_text() == settings["chat_template"]


def test_no_tokenizer_anywhere_is_an_error(tmp_path, base):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copyfile(base / "config.json", bare / "config.json")
    checkpoint = exported(tmp_path, base)
    (checkpoint / "actor" / "huggingface" / "tokenizer.json").unlink()
    with pytest.raises(CheckFailedError, match=r"neither the checkpoint nor .*bare holds a tokenizer"):
        merged_model(checkpoint, tmp_path / "model", bare)
    assert names(tmp_path) == ["bare", "checkpoints"]


def test_another_file_system_gets_copies(tmp_path, base):
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system at hand")
    checkpoint = exported(tmp_path, base)
    out = memory / f"golongrl-{os.getpid()}"
    try:
        model = merged_model(checkpoint, out / "model", base)
        weights = checkpoint / "actor" / "huggingface" / "model.safetensors"
        assert (model / "model.safetensors").read_bytes() == weights.read_bytes()
    finally:
        shutil.rmtree(out)


def test_damaged_weights_are_not_merged(tmp_path, base):
    checkpoint = exported(tmp_path, base)
    weights = checkpoint / "actor" / "huggingface" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"model\.safetensors is cut off"):
        merged_model(checkpoint, tmp_path / "model", base)
    assert names(tmp_path) == ["checkpoints"]


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, base):
    """The folder that fsdp_checkpoint.py fills."""
    out = tmp_path_factory.mktemp("fsdp")
    script = Path(__file__).with_name("fsdp_checkpoint.py")
    command = [sys.executable, str(script), str(base), str(out), str(out / "rendezvous")]
    logs = [open(out / f"{rank}.log", "wb") for rank in range(2)]  # noqa: SIM115  closed below
    ranks = [subprocess.Popen([*command, str(rank)], stdout=log, stderr=log) for rank, log in enumerate(logs)]
    codes = [rank.wait(timeout=300) for rank in ranks]
    for log in logs:
        log.close()
    assert codes == [0, 0], (out / "0.log").read_text()
    return out


def test_shards_of_two_processes_become_the_model_that_verl_exports(tmp_path, base, sharded):
    checkpoint = sharded / "shards" / "global_step_3"
    assert not (checkpoint / "actor" / "huggingface" / "model.safetensors").exists()
    model = merged_model(checkpoint, tmp_path / "model", base)
    told = json.loads((model / MARKER).read_text())
    assert (told["checkpoint"], told["made_by"]) == ("global_step_3", "verl's merger")
    assert [entry[0] for entry in told["source"]] == [f"actor/model_world_size_2_rank_{rank}.pt" for rank in range(2)]
    merged = load_file(model / "model.safetensors")
    whole = load_file(sharded / "exported" / "global_step_4" / "actor" / "huggingface" / "model.safetensors")
    start = load_file(base / "model.safetensors")
    assert merged.keys() == whole.keys() == start.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, start[name] + 0.01)
        assert torch.equal(merged[name], tensor.bfloat16())
    assert names(tmp_path) == ["merge.log", "model"]
    proof = prove(model, base)
    assert (proof.changed, proof.loaded, proof.dtypes, proof.base_dtypes) == (24, True, {"BF16": 24}, {"F32": 24})


def test_verls_export_is_proven(tmp_path, base, sharded):
    proof = prove(merged_model(sharded / "exported" / "global_step_4", tmp_path / "model", base), base)
    assert (proof.changed, proof.loaded) == (24, True)
    assert proof.largest_change == pytest.approx(0.01, rel=1e-5)
    # verl keeps the weights in the dtype it trains in and writes another one to the config.
    assert proof.dtypes == {"F32": 24}
    assert proof.config_changes == {"dtype": ["float32", "bfloat16"]}
    assert proof.warnings == []


def test_a_killed_merge_leaves_no_model_and_no_merger(tmp_path, base, sharded):
    import psutil

    checkpoint, target = sharded / "shards" / "global_step_3", tmp_path / "model"
    call = f"merged_model(Path({str(checkpoint)!r}), Path({str(target)!r}), {str(base)!r})"
    code = f"from pathlib import Path\nfrom golongrl.pipeline.training.model.merge import merged_model\n{call}"
    process = subprocess.Popen([sys.executable, "-c", code])
    merger, deadline = [], time.monotonic() + 60
    # The process that ends the merger with its starter, and the merger.
    while len(merger) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        merger = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(merger, timeout=20)
    assert (len(gone), alive) == (2, [])
    assert (tmp_path / ".model.building").is_dir()
    assert not target.exists()
    assert prove(merged_model(checkpoint, target, base), base).loaded
    assert names(tmp_path) == ["merge.log", "model"]


@pytest.mark.skipif(find_spec("megatron") is not None, reason="Megatron is installed, so its merger runs")
def test_a_merger_that_fails_is_told_with_its_log(tmp_path, base):
    actor = tmp_path / "checkpoints" / "global_step_2" / "actor"
    (actor / "model" / "dist_ckpt").mkdir(parents=True)
    (actor / "model" / "dist_ckpt" / "common.pt").write_bytes(b"")
    with pytest.raises(CheckFailedError, match=r"(?s)exit code 1; .*merge\.log:.*No module named 'megatron'"):
        merged_model(actor.parent, tmp_path / "model", base)
    assert names(tmp_path) == ["checkpoints", "merge.log"]


def test_checkpoints_without_weights_say_what_is_missing(tmp_path, base):
    actor = tmp_path / "global_step_1" / "actor"
    with pytest.raises(CheckFailedError, match="holds no checkpoint of a policy; with several machines"):
        merged_model(actor.parent, tmp_path / "model", base)
    (actor / "huggingface").mkdir(parents=True)
    with pytest.raises(CheckFailedError, match=r"holds no weights; verl.*save_contents must name model or hf_model"):
        merged_model(actor.parent, tmp_path / "model", base)
    for rank in (0, 3):
        (actor / f"model_world_size_4_rank_{rank}.pt").write_bytes(b"")
    with pytest.raises(CheckFailedError, match=r"lacks the weights of 2 of 4 training processes \(the first is 1\)"):
        merged_model(actor.parent, tmp_path / "model", base)

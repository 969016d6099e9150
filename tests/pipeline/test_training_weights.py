"""Tensors read from safetensors headers, values compared in blocks, and where the base model lies."""

import json
import shutil

import pytest
import torch
from model_folders import folder_like, trained
from safetensors.torch import save_file

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import ConfigError, DataError
from golongrl.core.weight_files import INDEX, read_headers
from golongrl.pipeline.training.model import weights
from golongrl.pipeline.training.model.base_model import model_folder
from golongrl.pipeline.training.model.prove import prove
from golongrl.pipeline.training.model.weights import compare_values


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("base") / "bytes")


def test_headers_are_read_without_the_data(tmp_path):
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros(5, dtype=torch.bfloat16), "c": torch.tensor(1.5)}
    save_file(tensors, tmp_path / "model.safetensors")
    found = read_headers(tmp_path)
    assert {name: (t.dtype, t.shape, t.size) for name, t in found.items()} == {
        "a": ("F32", (2, 3), 24),
        "b": ("BF16", (5,), 10),
        "c": ("F32", (), 4),
    }


def test_values_are_compared_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "BLOCK", 8)
    first = {"rows": torch.arange(30.0).reshape(10, 3), "eight": torch.ones(4).to(torch.float8_e4m3fn)}
    first["int"] = torch.arange(20)
    second = {name: tensor.clone() for name, tensor in first.items()}
    second["rows"][9, 2] += 2
    second["int"][19] -= 5
    second["only"] = torch.full((9,), float("-inf"))
    for name, tensors in (("first", first), ("second", second)):
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "model.safetensors")
    values = compare_values(read_headers(tmp_path / "second"), read_headers(tmp_path / "first"))
    assert (values.changed, values.largest_change, values.not_finite) == (2, 5.0, {"only": 9})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no safetensors file"),
        (b"<html>not found</html>", "is no safetensors file"),
        ((2).to_bytes(8, "little") + b"[]", "is no safetensors file"),
        ((2).to_bytes(8, "little") + b"{}", "is no safetensors file"),
        ((1 << 62).to_bytes(8, "little"), "is no safetensors file"),
    ],
)
def test_what_is_no_safetensors_file_is_named(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_headers(tmp_path)


@pytest.mark.parametrize(
    ("spans", "shape", "message"),
    [
        ([(0, 8), (4, 12)], [2], "is no safetensors file"),
        ([(0, 8), (12, 20)], [2], "is no safetensors file"),
        ([(0, 8), (8, 0)], [2], "is no safetensors file"),
        ([(0, 8), (8, 12)], [2], "holds b in other bytes than its shape and dtype take"),
        ([(0, 8), (8, 16)], [-1, -2], "holds a in other bytes than its shape and dtype take"),
    ],
)
def test_a_header_that_lies_is_named(tmp_path, spans, shape, message):
    entries = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": span} for name, span in zip("ab", spans, strict=True)
    }
    header = json.dumps(entries).encode()
    data = bytes(max(end for _, end in spans))
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    with pytest.raises(DataError, match=message):
        read_headers(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{", "is not the index"),
        ("[]", "is not the index"),
        ({"a": "../other.safetensors"}, "names the file '../other.safetensors', which is not a file of this folder"),
        ({"a": "lost.safetensors"}, "lost.safetensors is missing"),
        ({"a": "one.safetensors", "b": "one.safetensors"}, r"names tensors that no file holds \(b\)"),
    ],
)
def test_a_damaged_index_is_named(tmp_path, index, message):
    save_file({"a": torch.zeros(1)}, tmp_path / "one.safetensors")
    (tmp_path / INDEX).write_text(index if isinstance(index, str) else json.dumps({"weight_map": index}))
    with pytest.raises(DataError, match=message):
        read_headers(tmp_path)


def test_a_folder_without_safetensors_says_how_to_get_them(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"holds no model\.safetensors .*save_pretrained\(\) it"):
        read_headers(tmp_path)


def test_a_hub_id_is_found_in_the_cache(tmp_path, base, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    cached, commit = tmp_path / "models--some--bytes", "0" * 40
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(base, cached / "snapshots" / commit)
    for trained_before in (True, False):
        assert model_folder("some/bytes", weights=True, trained=trained_before) == cached / "snapshots" / commit
    assert prove(folder_like(base, tmp_path / "m", trained), "some/bytes").changed == 24
    # Without weights it is enough for a tokenizer, not for a proof.
    (cached / "snapshots" / commit / "model.safetensors").unlink()
    assert model_folder("some/bytes", trained=True) == cached / "snapshots" / commit
    with pytest.raises(ConfigError, match=r"cannot fetch 'some/bytes' .*its cache does not hold it whole"):
        model_folder("some/bytes", weights=True, trained=True)
    with pytest.raises(ConfigError, match=r"cannot fetch 'some/other' .*check the name and the network, or pass"):
        model_folder("some/other")


def test_a_base_that_is_nowhere_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"no such model folder: .*gone; pass --model FOLDER or a hub id"):
        model_folder(tmp_path / "gone", trained=True)
    with pytest.raises(ConfigError, match=r"holds no config\.json, so it is not a model folder"):
        model_folder(tmp_path)

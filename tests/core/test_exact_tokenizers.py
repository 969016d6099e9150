"""Tokenizer files that passed the check of the fast counter are opened without it, and no others."""

import json
import shutil

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from golongrl.core import exact_tokenizers, fast_bpe
from golongrl.core.tokens import load


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GOLONGRL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(exact_tokenizers, "LEAST_BYTES", 1000)
    return tmp_path / "home" / "exact-tokenizers"


@pytest.fixture
def folder(tmp_path):
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(["the thing in the other inn", "and another thing"], trainer)
    (tmp_path / "model").mkdir()
    backend.save(str(tmp_path / "model" / "tokenizer.json"))
    return tmp_path / "model"


def checks(monkeypatch):
    """Counts how often a file is looked into."""
    seen = []
    usual = fast_bpe.unsupported
    monkeypatch.setattr(fast_bpe, "unsupported", lambda content: seen.append(1) or usual(content))
    return seen


def test_a_file_that_passed_is_not_checked_again(cache, folder, monkeypatch):
    seen = checks(monkeypatch)
    first, second = load(str(folder)), load(str(folder))
    assert len(seen) == 1
    assert len(list(cache.iterdir())) == 1
    text = "the other thing, and a \U0001f9d1"
    assert first.backend == second.backend == "fastokens"
    assert first.encode(text) == second.encode(text)
    assert second.decode(second.encode(text)) == text
    # What only `tokenizers` takes is still counted.
    assert first.count("'\u017f") == second.count("'\u017f") > 0


def test_another_file_another_version_and_another_check_are_checked(cache, folder, monkeypatch):
    load(str(folder))
    seen = checks(monkeypatch)
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(content) + " ")
    load(str(folder))
    assert len(seen) == 1
    monkeypatch.setattr(exact_tokenizers.importlib.metadata, "version", lambda name: "0.0.1")
    load(str(folder))
    assert len(seen) == 2
    check = folder / "check.py"
    shutil.copy(exact_tokenizers.CHECK, check)
    check.write_text(check.read_text() + "# changed")
    monkeypatch.setattr(exact_tokenizers, "CHECK", check)
    load(str(folder))
    assert len(seen) == 3


def test_a_file_that_did_not_pass_is_never_noted(cache, folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    content["normalizer"] = {"type": "NFKC"}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert load(str(folder)).backend == load(str(folder)).backend == "tokenizers"
    assert not cache.exists()


def test_small_files_are_not_noted(cache, folder, monkeypatch):
    monkeypatch.setattr(exact_tokenizers, "LEAST_BYTES", 1 << 20)
    assert load(str(folder)).backend == "fastokens"
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_changes_nothing(cache, folder, monkeypatch):
    cache.parent.mkdir()
    cache.write_text("a file in the folder's place")
    seen = checks(monkeypatch)
    assert load(str(folder)).backend == load(str(folder)).backend == "fastokens"
    assert len(seen) == 2

"""The collected documents on disk: an index in memory, texts read when needed and kept as long as they fit."""

import functools
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

from golongrl.core import tokens
from golongrl.core.documents import Document
from golongrl.core.store import atomic_path, file_sha256, read_jsonl
from golongrl.pipeline.dataset.encoding import Entry, decode
from golongrl.pipeline.dataset.excerpt import Measured

INDEX = "index.jsonl"
CACHED_CHARACTERS = 24_000_000
"""Characters of document text that one process keeps."""


class Library:
    """Documents by number, in the order of the index."""

    def __init__(self, folder: Path, entries: Sequence[Entry], tokenizer: tokens.Tokenizer):
        self.folder, self.entries, self.tokenizer = folder, entries, tokenizer
        self._cache: OrderedDict[int, Measured] = OrderedDict()
        self._cached = 0
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()

    def row(self, number: int) -> bytes:
        """The stored JSON row of a document, as bytes."""
        entry = self.entries[number]
        handle = self._open.get(entry.shard)
        if handle is None:
            handle = self._open[entry.shard] = open(self.folder / entry.shard, "rb")  # noqa: SIM115  kept open
            if len(self._open) > 32:
                self._open.popitem(last=False)[1].close()
        handle.seek(entry.offset)
        return handle.read(entry.size)

    def measured(self, number: int) -> Measured:
        """A document ready to be cut by tokens."""
        found = self._cache.get(number)
        if found is not None:
            self._cache.move_to_end(number)
            return found
        found = Measured(decode(json.loads(self.row(number))), self.tokenizer, self.entries[number].n_tokens)
        self._cache[number] = found
        self._cached += len(found.document.text)
        while self._cached > CACHED_CHARACTERS and len(self._cache) > 1:
            self._cached -= len(self._cache.popitem(last=False)[1].document.text)
        return found

    def document(self, number: int) -> Document:
        """A document."""
        return self.measured(number).document

    @functools.cached_property
    def by_language(self) -> dict[str, tuple[int, ...]]:
        """Numbers of the documents of each language."""
        found: dict[str, list[int]] = {}
        for number, entry in enumerate(self.entries):
            found.setdefault(entry.language, []).append(number)
        return {language: tuple(numbers) for language, numbers in found.items()}


def write_index(folder: Path, entries: Sequence[Entry]) -> None:
    """Write the index for worker processes, atomically."""
    with atomic_path(folder / INDEX) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        for entry in entries:
            handle.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


def read_index(folder: Path) -> Iterator[Entry]:
    """The entries that `write_index` wrote."""
    for _, row in read_jsonl(folder / INDEX):
        yield Entry(**row)


def absolute(tokenizer: str) -> str:
    """A tokenizer's path as every process finds it, whatever its working folder; a hub id as it is."""
    path = Path(tokenizer).expanduser()
    return str(path.resolve()) if path.exists() else tokenizer


def tokenizer_digest(tokenizer: str) -> dict[str, str]:
    """The sha256 of a tokenizer's file, for the inputs that a run folder remembers; nothing for a name."""
    path = Path(tokenizer).expanduser()
    path = path / "tokenizer.json" if path.is_dir() else path
    return {"tokenizer": file_sha256(path)} if path.is_file() else {}


@functools.lru_cache(maxsize=1)
def load_tokenizer(name: str) -> tokens.Tokenizer:
    """A tokenizer, once per process."""
    return tokens.load(name)


@functools.lru_cache(maxsize=1)
def open_library(folder: str, tokenizer: str) -> Library:
    """The library in a folder, once per process."""
    return Library(Path(folder), tuple(read_index(Path(folder))), load_tokenizer(tokenizer))


def hold_out(entries: Sequence[Entry], numbers: Sequence[int]) -> list[Entry]:
    """The entries with those of the given numbers marked as validation documents."""
    chosen = set(numbers)
    return [replace(entry, held_out=number in chosen) for number, entry in enumerate(entries)]

"""The collected documents on disk: an index in memory, texts read when needed and kept as long as they fit."""

import functools
import random
import sys
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from golongrl.core import tokens
from golongrl.core.documents import Document
from golongrl.core.store import file_sha256
from golongrl.pipeline.dataset.encoding import Entry, decode, unpack
from golongrl.pipeline.dataset.excerpt import Measured
from golongrl.pipeline.dataset.index import Group, Index, group_of

CACHED_BYTES = 24_000_000
"""Memory, about, of the documents that one process keeps."""
UNIT_BYTES = 400
"""Memory of a block or table row beside its text."""


class Library:
    """Documents by number, in the order of the index."""

    def __init__(self, folder: Path, entries: Sequence[Entry], tokenizer: tokens.Tokenizer):
        self.folder, self.entries, self.tokenizer = folder, entries, tokenizer
        self._cache: OrderedDict[int, Measured] = OrderedDict()
        self._cached = 0
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()

    def text(self, number: int) -> str:
        """The text of a document."""
        return str(self.row(number)["text"])

    def row(self, number: int) -> dict[str, Any]:
        """The row of a document (`encoding.encode`)."""
        entry = self.entries[number]
        handle = self._open.get(entry.shard)
        if handle is None:
            handle = self._open[entry.shard] = open(self.folder / entry.shard, "rb")  # noqa: SIM115  kept open
            if len(self._open) > 32:
                self._open.popitem(last=False)[1].close()
        handle.seek(entry.offset)
        return unpack(handle.read(entry.size))

    def measured(self, number: int) -> Measured:
        """A document ready to be cut by tokens."""
        found = self._cache.get(number)
        if found is not None:
            self._cache.move_to_end(number)
            return found
        found = Measured(decode(self.row(number)), self.tokenizer, self.entries[number].n_tokens)
        self._cache[number] = found
        self._cached += _memory(found)
        while self._cached > CACHED_BYTES and len(self._cache) > 1:
            self._cached -= _memory(self._cache.popitem(last=False)[1])
        return found

    def document(self, number: int) -> Document:
        """A document."""
        return self.measured(number).document

    @functools.cached_property
    def groups(self) -> dict[Group, Sequence[int]]:
        """Numbers of the documents of each language, kind and side."""
        if isinstance(self.entries, Index):
            return self.entries.groups()
        found: dict[Group, array[int]] = {}
        for number, entry in enumerate(self.entries):
            found.setdefault(group_of(entry), array("I")).append(number)
        return dict(sorted(found.items()))

    def neighbours(self, number: int, held_out: bool, rng: random.Random) -> Iterator[Measured]:
        """Other documents in the language of document `number`, those of its kind first, in a random order; without
        `held_out` no validation documents."""
        target = self.entries[number]
        same = {group: found for group, found in self.groups.items() if group[0] == target.language}
        for alike in (True, False):
            pools = [
                found
                for (_, kind, held), found in same.items()
                if (kind == target.kind) == alike and (held_out or not held)
            ]
            for other in drawn(pools, rng):
                if other != number:
                    yield self.measured(other)


def drawn(pools: Sequence[Sequence[int]], rng: random.Random) -> Iterator[int]:
    """All numbers of some pools in a random order, each drawn when it is asked for."""
    total = sum(map(len, pools))
    # A shuffle of which only the places that were touched are written down.
    moved: dict[int, int] = {}
    for place in range(total):
        at = rng.randrange(place, total)
        chosen = moved.get(at, at)
        last = moved.pop(place, place)
        if at != place:
            moved[at] = last
        for pool in pools:
            if chosen < len(pool):
                yield pool[chosen]
                break
            chosen -= len(pool)


def _memory(measured: Measured) -> int:
    return sys.getsizeof(measured.document.text) + UNIT_BYTES * len(measured.units)


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
    return Library(Path(folder), Index(Path(folder)), load_tokenizer(tokenizer))


def hold_out(entries: Sequence[Entry], numbers: Sequence[int]) -> list[Entry]:
    """The entries with those of the given numbers marked as validation documents."""
    chosen = set(numbers)
    return [
        replace(entry, held_out=number in chosen) if (number in chosen) != entry.held_out else entry
        for number, entry in enumerate(entries)
    ]

"""Prompts as the JSON that is sent: hashed once, and kept on disk, so that a run may ask more than fits in memory.

A prompt is the list of its messages as compact UTF-8 JSON with sorted keys. Prompts that begin alike are equal bytes
so far: running hashes at fixed marks tell how much two of them share, and a long common start is kept once.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from golongrl.core.store import storage_errors

Messages = Sequence[Mapping[str, str]]

_DIGEST = 16
_KEPT_ONCE = 1 << 15
"""Bytes of a common start that is worth an entry in the table of what is kept already."""
MARKS = (
    *(int(256 * 2 ** (step / 2)) for step in range(14)),
    *(int(_KEPT_ONCE * 2 ** (step / 16)) for step in range(16 * 20)),
)
"""Where the running hash is noted, in bytes: coarsely up to 32 KiB, above that every 16th of a doubling."""


def encode(messages: Messages) -> bytes:
    """Messages as compact JSON in UTF-8 with sorted keys; texts with lone surrogates are escaped."""
    import orjson

    plain = [dict(message) for message in messages]
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Prompt:
    """A prompt by its content: `key` is its hash, `chain` the running hashes at the MARKS within its `n_bytes`.

    `extents` are the places (offset, length) of its bytes in `file`; a prompt that was only measured has none.
    """

    key: str
    n_bytes: int
    chain: bytes = field(repr=False)
    extents: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    file: "PromptFile | None" = field(default=None, repr=False, compare=False)

    def parts(self) -> list[bytes]:
        """The JSON in pieces. ValueError for a prompt that was only measured."""
        if self.file is None:
            raise ValueError("the prompt was measured, not kept")
        return [self.file.read(offset, length) for offset, length in self.extents]

    def messages(self) -> list[dict[str, str]]:
        """The conversation."""
        found: list[dict[str, str]] = json.loads(b"".join(self.parts()))
        return found


def measure(messages: Messages) -> Prompt:
    """Hash a conversation without keeping it."""
    return _hashed(encode(messages))[0]


def _hashed(data: bytes) -> tuple[Prompt, list[bytes]]:
    """The prompt of some JSON, and its running hashes."""
    running, start, chain = hashlib.sha256(), 0, []
    view = memoryview(data)
    for mark in MARKS:
        if mark > len(data):
            break
        running.update(view[start:mark])
        chain.append(running.digest()[:_DIGEST])
        start = mark
    running.update(view[start:])
    return Prompt(running.hexdigest()[:32], len(data), b"".join(chain)), chain


def common_bytes(one: Prompt, other: Prompt) -> int:
    """How many bytes two prompts share at their start, down to the last mark."""
    low, high = 0, min(len(one.chain), len(other.chain)) // _DIGEST
    while low < high:
        middle = (low + high + 1) // 2
        part = slice((middle - 1) * _DIGEST, middle * _DIGEST)
        # Running hashes that differ once differ ever after.
        if one.chain[part] == other.chain[part]:
            low = middle
        else:
            high = middle - 1
    return MARKS[low - 1] if low else 0


class PromptFile:
    """Keeps prompts in a file without a name in `folder`: it is gone with the process, however that ends."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        with storage_errors(self.folder):
            self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115  closed by `close`
        self.size = 0
        self._kept: dict[bytes, int] = {}

    def add(self, messages: Messages) -> Prompt:
        """Keep a conversation. StorageError when the disk is full."""
        data = encode(messages)
        prompt, chain = _hashed(data)
        return Prompt(prompt.key, prompt.n_bytes, prompt.chain, self._place(data, chain), self)

    def _place(self, data: bytes, chain: list[bytes]) -> tuple[tuple[int, int], ...]:
        """Write what is new of a prompt; returns where all of it is."""
        marked = [(mark, digest) for mark, digest in zip(MARKS, chain, strict=False) if mark >= _KEPT_ONCE]
        places: list[tuple[int, int]] = []
        start = 0
        # Where running hashes part once, all that follows is new.
        while marked and marked[0][1] in self._kept:
            mark, digest = marked.pop(0)
            places.append((self._kept[digest], mark - start))
            start = mark
        offset = self._append(memoryview(data)[start:])
        places.append((offset, len(data) - start))
        for mark, digest in marked:
            self._kept[digest] = offset
            offset, start = offset + mark - start, mark
        return _joined(places)

    def _append(self, part: memoryview) -> int:
        """Write a part behind all others; returns where it starts."""
        start = self.size
        with storage_errors(self.folder):
            while part:
                written = os.pwrite(self._file.fileno(), part, self.size)
                self.size += written
                part = part[written:]
        return start

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on; any thread may ask."""
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Give the space back; what was kept can no longer be read."""
        self._file.close()


def _joined(places: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Places with neighbours in the file made one."""
    found: list[tuple[int, int]] = []
    for offset, length in places:
        if found and sum(found[-1]) == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        elif length:
            found.append((offset, length))
    return tuple(found)

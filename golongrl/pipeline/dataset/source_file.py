"""A file of the sources and a part of it, as plain data that any process can read again."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any


@dataclass(frozen=True)
class SourceFile:
    """What is to be read: `size` bytes of the file `path` from byte `start`, the whole of it or an archive's member.

    `name` is relative to the source it was found in and unique (`archive.zip!folder/file.txt` for a member), `stem`
    and `suffix` (in lower case) are those of the content, `sha256` is the content's digest.
    """

    path: str
    name: str
    licence: str
    sha256: str
    size: int
    stem: str
    suffix: str
    start: int = 0


@dataclass(frozen=True)
class Part:
    """Work for one process: some whole files, or (`end` >= 0) a piece of one file of rows.

    The piece are the bytes (row groups of a parquet file) from `start` to `end`; its first line or row has the
    number `row`.
    """

    files: tuple[SourceFile, ...]
    start: int = 0
    end: int = -1
    row: int = 1

    @classmethod
    def from_job(cls, stored: Mapping[str, Any]) -> "Part":
        """The part of its `dataclasses.asdict`, also after a way through JSON."""
        return cls(**{**stored, "files": tuple(SourceFile(**file) for file in stored["files"])})


def open_source(file: SourceFile) -> IO[bytes]:
    """A buffered binary stream over exactly the file's bytes, which can be sought in."""
    raw = open(file.path, "rb", buffering=0)  # noqa: SIM115  the caller closes it
    return io.BufferedReader(_Region(raw, file.start, file.size), buffer_size=1 << 18)


def read_bytes(file: SourceFile) -> bytes:
    """The file's whole content."""
    with open_source(file) as stream:
        return stream.read()


class _Region(io.RawIOBase):
    """A stretch of an open file as a file of its own."""

    def __init__(self, raw: io.FileIO, start: int, size: int):
        self.raw, self.start, self.size, self.at = raw, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self.size - self.at))
        self.raw.seek(self.start + self.at)
        got = self.raw.readinto(memoryview(buffer)[:wanted]) if wanted else 0
        self.at += got or 0
        return got or 0

    def close(self) -> None:
        if not self.closed:
            self.raw.close()
        super().close()

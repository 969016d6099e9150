"""A file that is to be published: where its bytes are, and the names by which the hub knows them."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from golongrl.core.errors import DataError

_BLOCK = 1 << 20
_LARGEST_IN_GIT = 50 << 20
"""Bytes; the hub stores files above 10 MB in LFS or Xet."""


@dataclass(frozen=True)
class Content:
    """`source` is a file here, or the bytes themselves of a file that is made for the occasion."""

    source: Path | bytes
    size: int
    """Bytes."""
    sha256: str
    """How the hub names what it stores in LFS or Xet."""
    blob_id: str
    """How git names it otherwise: SHA-1 over "blob SIZE\\0" and the bytes; empty for what is too large for git."""

    def text(self) -> str:
        """The bytes as UTF-8; what is none is replaced."""
        return (self.source if isinstance(self.source, bytes) else self.source.read_bytes()).decode(errors="replace")

    def lines(self) -> Iterator[str]:
        """The bytes as lines of UTF-8, one after the other; what is none is replaced, not passed over."""
        with io.BytesIO(self.source) if isinstance(self.source, bytes) else open(self.source, "rb") as handle:
            for line in handle:
                yield line.decode(errors="replace").rstrip("\n")


def content_of(source: Path | bytes) -> Content:
    """Read a file once for its names; DataError when it cannot be read."""
    if isinstance(source, bytes):
        digests = hashlib.sha256(source), hashlib.sha1(_prefix(len(source)) + source, usedforsecurity=False)
        return Content(source, len(source), digests[0].hexdigest(), digests[1].hexdigest())
    try:
        size = source.stat().st_size
        sha256, blob = hashlib.sha256(), hashlib.sha1(_prefix(size), usedforsecurity=False)
        in_git = size <= _LARGEST_IN_GIT
        with open(source, "rb") as handle:
            while block := handle.read(_BLOCK):
                sha256.update(block)
                if in_git:
                    blob.update(block)
    except OSError as error:
        raise DataError(
            f"{source} cannot be read ({error.strerror}); mend its permissions or take it away"
        ) from error
    return Content(source, size, sha256.hexdigest(), blob.hexdigest() if in_git else "")


def _prefix(size: int) -> bytes:
    return b"blob %d\0" % size

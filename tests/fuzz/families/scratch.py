"""A folder for inputs of parsers that read files; it goes when the process ends."""

import functools
import tempfile
from pathlib import Path


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="golongrl-fuzz-")


def file(name: str, data: bytes) -> Path:
    """A file with this content in the place of the one of the same name before it."""
    path = Path(_folder().name) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def text(data: bytes) -> str:
    """Bytes as text; what is no UTF-8 becomes lone surrogates, which JSON may hold too."""
    return data.decode("utf-8", "surrogateescape")

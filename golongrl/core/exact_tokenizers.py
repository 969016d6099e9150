"""Which tokenizer files passed the check of `fast_bpe`: noted in the cache folder, since it takes half a second."""

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

from golongrl.core.cache import cache_folder
from golongrl.core.store import content_key, file_sha256

LEAST_BYTES = 1 << 20
"""Smaller files are checked in no time."""
CHECK = Path(__file__).with_name("fast_bpe.py")


def noted(path: Path) -> bool:
    """Whether a file of this very content passed this very check with these versions of both packages."""
    place = _place(path)
    return place is not None and os.path.exists(place)


def note(path: Path) -> None:
    """Note that a file passed; where the cache folder cannot be written it is checked again next time."""
    place = _place(path)
    if place is not None:
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            # An empty file is there or not, however often this is interrupted.
            place.touch()


def _place(path: Path) -> Path | None:
    if path.stat().st_size < LEAST_BYTES:
        return None
    try:
        folder = cache_folder() / "exact-tokenizers"
        versions = [importlib.metadata.version(name) for name in ("tokenizers", "fastokens")]
    # RuntimeError: this user has no home.
    except (RuntimeError, importlib.metadata.PackageNotFoundError):
        return None
    return folder / content_key(file_sha256(path), file_sha256(CHECK), versions, platform.machine())

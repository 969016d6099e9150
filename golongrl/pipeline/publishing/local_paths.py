"""Absolute paths of a machine in a text: they tell who made the data and where, and lead nowhere for anybody else."""

import functools
import os
import re
from collections.abc import Iterator

_ROOTS = r"home|Users|root|tmp|mnt|media|scratch|workspace|private/var|var/folders|var/tmp|gpfs|lustre|nfs"
_EVERYWHERE = {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "opt", "proc", "run", "sbin", "srv", "sys"}
_EVERYWHERE |= {"usr", "var"}
"""Folders that are the same on every machine."""
_PART = r"[\w.@+\-]+"
# The look behind comes after the slash, so that the search can jump from slash to slash; a path that goes on from
# another word is part of an address or a relative path.
_PATH = re.compile(rf"/(?<![\w.:~\-\\/}}\]]/)(?:{_PART}/)+{_PART}|(?<=file://)/(?:{_PART}/)+{_PART}")
_PERSONAL = re.compile(rf"/(?:{_ROOTS})/{_PART}.*", re.DOTALL)
_WINDOWS = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\{1,2}(?:Users|Documents and Settings)\\{1,2}[^\\\s\"']+")


def paths_in(text: str) -> Iterator[str]:
    """Absolute paths in a text of ours (a card, settings, a report): those below a person's or a machine's folders,
    and those that exist here."""
    for match in _PATH.finditer(text):
        if _PERSONAL.match(match[0]) or _is_here(match[0]):
            yield match[0]
    if ":\\" in text:
        yield from (match[0] for match in _WINDOWS.finditer(text))


def paths_in_content(text: str) -> Iterator[str]:
    """Absolute paths in the content of data, which may well write about paths: a value that is one as a whole, and
    those that exist here."""
    if len(text) < 1024 and ((_PERSONAL.fullmatch(text) and _PATH.fullmatch(text)) or _WINDOWS.fullmatch(text)):
        yield text
        return
    if "/" in text:
        yield from (match[0] for match in _PATH.finditer(text) if _is_here(match[0]))


def _is_here(path: str) -> bool:
    """Whether it exists on this machine, and would not on any other. Dot files tell nothing."""
    parts = path.split("/")
    if parts[1] not in _own_folders() or parts[-1].startswith("."):
        return False
    return _exists(path)


@functools.lru_cache(maxsize=1)
def _own_folders() -> frozenset[str]:
    return frozenset(os.listdir("/")) - _EVERYWHERE


@functools.lru_cache(maxsize=65536)
def _exists(path: str) -> bool:
    # A sentence may end right behind a path.
    return os.path.exists(path.rstrip("."))

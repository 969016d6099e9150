"""Archives of documents: members become documents or are refused by name, and none leads out of the archive."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator

from families.documents import TEXTS, read

_MEMBERS = {
    "a.md": TEXTS[".md"],
    "b/c.jsonl": TEXTS[".jsonl"],
    "licences.toml": '"*.md" = "MIT"\n',
    "空.txt": "一二三。",
}


def _zip(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, text in _MEMBERS.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _tar(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, text in _MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("link.md")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return stream.getvalue()


def _seeds() -> Iterator[bytes]:
    yield b".zip\n" + _zip(zipfile.ZIP_STORED)
    yield b".zip\n" + _zip(zipfile.ZIP_DEFLATED)
    yield b".tar\n" + _tar("w:")
    yield b".tar.gz\n" + _tar("w:gz")
    yield b".tar.bz2\n" + _tar("w:bz2")
    yield b".tar.xz\n" + _tar("w:xz")
    for suffix, pack in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        yield f"{suffix}\n".encode() + pack(TEXTS[".md"].encode() * 20)


SEEDS = list(_seeds())
_SUFFIXES = {seed.partition(b"\n")[0] for seed in SEEDS}


def check(data: bytes) -> None:
    """An archive by its suffix in the first line."""
    suffix, _, content = data.partition(b"\n")
    name = suffix.decode() if suffix in _SUFFIXES else ".zip"
    read(f"archive{'' if name.startswith(('.tar', '.zip')) else '.md'}{name}", content)

"""Archives of documents: members become documents or are refused by name, and none leads out of the archive."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

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


_PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
_TARS = {".tar": "w:", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
READ_BY = {
    "all of it": [
        *(b".zip\n" + _zip(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
        *(suffix.encode() + b"\n" + pack(TEXTS[".md"].encode() * 20) for suffix, pack in _PACKED.items()),
    ],
    # All but a link that leads out.
    "documents": [suffix.encode() + b"\n" + _tar(mode) for suffix, mode in _TARS.items()],
}
_SUFFIXES = {suffix.encode() for suffix in (".zip", *_PACKED, *_TARS)}


def check(data: bytes) -> set[str]:
    """An archive by its suffix in the first line."""
    suffix, _, content = data.partition(b"\n")
    name = suffix.decode() if suffix in _SUFFIXES else ".zip"
    return read(f"archive{'' if name.startswith(('.tar', '.zip')) else '.md'}{name}", content)

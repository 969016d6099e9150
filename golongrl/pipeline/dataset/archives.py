"""Archives as sources: every member that may be read becomes a region of a file, the rest is refused with a reason.

A plain tar is read where it lies. What is compressed is unpacked once, one behind the other, into a single file (the
store), so that any process can read any member without unpacking the others first. No member's name ever becomes a
path.
"""

import hashlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from golongrl.core.errors import StorageError
from golongrl.core.store import file_sha256, storage_errors
from golongrl.pipeline.dataset.readers import RefusedError

MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 32 * 1024**3
"""Unpacked size of one archive above which the rest of it is not read."""
MAX_RATIO = 200
"""Unpacked over packed size above which a member is no plausible text."""
RATIO_FROM_BYTES = 32 * 1024**2
"""Members that unpack to less than this are not asked for their ratio."""
BLOCK = 1024**2

_TARS = {
    ".tar": "",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "lzma",
    ".txz": "lzma",
}
_SINGLE = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}
SUFFIXES = (".zip", *_TARS, *_SINGLE)

Accept = Callable[[str, int | None], None]
"""Called with a member's name and stated size (None: unknown); RefusedError says why it is not read."""

# ValueError: names that are not in their encoding, sizes and offsets below 0.
_MEMBER_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError)
_DAMAGE = (*_MEMBER_DAMAGE, tarfile.TarError, OSError)


class _RestRefusedError(RefusedError):
    """The rest of the archive is not read."""


@dataclass(frozen=True)
class Member:
    """A member's content: `size` bytes of the file `path` from byte `start`."""

    name: str
    path: str
    start: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Unread:
    """A member that is not read, or (`name` is empty) the archive as a whole, and why."""

    name: str
    reason: str


def is_archive(name: str) -> bool:
    """Whether a file is opened as an archive, by its name."""
    return name.lower().endswith(SUFFIXES)


def is_one_file(name: str) -> bool:
    """Whether an archive is one compressed file, such as `talks.jsonl.gz`, whose member needs no name of its own."""
    return _kind(name) in _SINGLE


def _kind(name: str) -> str:
    return max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len)


def members(path: Path, folder: Path, accept: Accept) -> Iterator[Member | Unread]:
    """The members of an archive in its order, read or not.

    Unpacked bytes go to a file in `folder` that is named by the archive's content. StorageError when that is full.
    """
    kind = _kind(path.name)
    store = _Store(folder, path)
    try:
        if kind == ".zip":
            yield from _zip(path, store, accept)
        elif kind == ".tar":
            yield from _tar(path, store, accept)
        elif kind in _TARS:
            yield from _compressed_tar(path, _TARS[kind], store, accept)
        else:
            yield from _single(path, path.name[: -len(kind)], _SINGLE[kind], store, accept)
    except RefusedError as error:
        yield Unread("", str(error))
    except StorageError:
        raise
    except _DAMAGE as error:
        yield Unread("", f"corrupt archive, read up to here: {_reason(error)}")
    finally:
        store.close()


def _zip(path: Path, store: "_Store", accept: Accept) -> Iterator[Member | Unread]:
    with zipfile.ZipFile(path) as archive:
        for number, info in enumerate(archive.infolist()):
            _count(number)
            name = _zip_name(info)
            if not name or name.endswith("/") or _ignored(name):
                continue
            try:
                _check_name(name)
                # Unix mode bits, which only some writers fill in.
                mode = info.external_attr >> 16
                if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                    raise RefusedError("a link or a device, not a file")
                if info.flag_bits & 1:
                    raise RefusedError("encrypted; unpack the archive with its password and pass the folder")
                accept(name, info.file_size)
                _check_ratio(info.file_size, info.compress_size)
                _check_whole(store.size + info.file_size, path.stat().st_size)
                with archive.open(info) as stream:
                    yield store.add(name, stream, info.file_size)
            except _RestRefusedError:
                raise
            except RefusedError as error:
                yield Unread(name, str(error))
            except _MEMBER_DAMAGE as error:
                yield Unread(name, f"corrupt or unknown compression: {_reason(error)}")


def _tar(path: Path, store: "_Store", accept: Accept) -> Iterator[Member | Unread]:
    """A plain tar: regions of the archive itself; only sparse members have to be written out."""
    with tarfile.open(path, "r:") as archive, open(path, "rb") as raw:
        for info in _tar_members(archive, accept):
            if isinstance(info, Unread):
                yield info
            elif info.issparse():
                yield _extracted(archive, info, store)
            else:
                raw.seek(info.offset_data)
                digest, size = hashlib.sha256(), 0
                while block := raw.read(min(BLOCK, info.size - size)):
                    digest.update(block)
                    size += len(block)
                if size < info.size:
                    raise EOFError(f"{info.name} is cut off")
                yield Member(info.name, str(path), info.offset_data, info.size, digest.hexdigest())


def _compressed_tar(path: Path, method: str, store: "_Store", accept: Accept) -> Iterator[Member | Unread]:
    with (
        _opened(path, method) as stream,
        tarfile.open(fileobj=_Guarded(stream, path.stat().st_size), mode="r|") as archive,
    ):
        for info in _tar_members(archive, accept):
            yield info if isinstance(info, Unread) else _extracted(archive, info, store)


def _tar_members(archive: tarfile.TarFile, accept: Accept) -> Iterator[tarfile.TarInfo | Unread]:
    number = 0
    while (info := archive.next()) is not None:
        _count(number)
        number += 1
        # What is behind the reader is not needed again, and would add up.
        archive.members = []
        if info.isdir() or _ignored(info.name):
            continue
        info.name = info.name.encode("utf-8", "backslashreplace").decode().removeprefix("./")
        try:
            _check_name(info.name)
            if not info.isreg():
                raise RefusedError("a link or a device, not a file")
            accept(info.name, info.size)
        except RefusedError as error:
            yield Unread(info.name, str(error))
        else:
            yield info


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo, store: "_Store") -> Member:
    stream = archive.extractfile(info)
    if stream is None:
        raise RefusedError(f"{info.name} is no file")
    return store.add(info.name, stream, info.size)


def _single(path: Path, name: str, method: str, store: "_Store", accept: Accept) -> Iterator[Member | Unread]:
    """One compressed file; its content has its own name less the suffix."""
    accept(name, None)
    with _opened(path, method) as stream:
        member = store.add(name, _Guarded(stream, path.stat().st_size), None)
    accept(name, member.size)
    yield member


def _opened(path: Path, method: str) -> Any:
    import importlib

    return importlib.import_module(method).open(path, "rb")


class _Guarded:
    """A stream that refuses to go on when it grows out of proportion to what is compressed."""

    def __init__(self, stream: IO[bytes], packed: int):
        self.stream, self.packed, self.read_bytes = stream, packed, 0

    def read(self, size: int = BLOCK) -> bytes:
        data = self.stream.read(size)
        self.read_bytes += len(data)
        _check_ratio(self.read_bytes, self.packed)
        _check_total(self.read_bytes)
        return data


class _Store:
    """The file that takes unpacked members; written under a temporary name until the archive is read."""

    def __init__(self, folder: Path, archive: Path):
        self.folder, self.archive = folder, archive
        self.handle: IO[bytes] | None = None
        self.path = self.temporary = Path()
        self.size = 0

    def add(self, name: str, stream: Any, stated: int | None) -> Member:
        """Append a member's bytes; RefusedError when they are not as many as stated."""
        self._open()
        start, digest = self.size, hashlib.sha256()
        try:
            while block := stream.read(BLOCK):
                digest.update(block)
                self._write(block)
                _check_total(self.size)
        except (RefusedError, *_DAMAGE):
            self.handle.seek(start)
            self.handle.truncate()
            self.size = start
            raise
        size = self.size - start
        if stated is not None and size != stated:
            raise RefusedError(f"{name} unpacks to {size} bytes where the archive states {stated}")
        return Member(name, str(self.path), start, size, digest.hexdigest())

    def _open(self) -> None:
        if self.handle is None:
            self.path = self.folder / file_sha256(self.archive)[:32]
            self.temporary = self.path.with_suffix(f".{os.getpid()}")
            with storage_errors(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                self.handle = open(self.temporary, "wb")  # noqa: SIM115  closed by `close`

    def _write(self, block: bytes) -> None:
        with storage_errors(self.folder):
            self.handle.write(block)
        self.size += len(block)

    def close(self) -> None:
        """Give the file its final name."""
        if self.handle is not None:
            with storage_errors(self.folder):
                self.handle.close()
                os.replace(self.temporary, self.path)
            self.handle = None


def _count(number: int) -> None:
    if number >= MAX_MEMBERS:
        raise _RestRefusedError(f"it holds more than {MAX_MEMBERS:,} members; the rest is not read, split it")


def _check_total(size: int) -> None:
    if size > MAX_TOTAL_BYTES:
        raise _RestRefusedError(
            f"it unpacks to more than {MAX_TOTAL_BYTES // 1024**3} GB; the rest is not read, "
            "unpack it and pass the folder"
        )


def _check_ratio(size: int, packed: int) -> None:
    if size > RATIO_FROM_BYTES and size > MAX_RATIO * max(packed, 1):
        raise RefusedError(f"it unpacks to more than {MAX_RATIO} times its size, which no text does")


def _check_whole(size: int, packed: int) -> None:
    """Many members that each look harmless may be a bomb together."""
    if size > RATIO_FROM_BYTES and size > MAX_RATIO * max(packed, 1):
        raise _RestRefusedError(
            f"it unpacks to more than {MAX_RATIO} times its size, which no text does; the rest is not read"
        )


def _check_name(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":"):
        raise RefusedError("its path leads out of the archive")
    if is_archive(name):
        raise RefusedError("an archive inside an archive; unpack the outer one and pass the folder")


def _ignored(name: str) -> bool:
    """Hidden files, and what macOS adds, as in folders."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The member's name; names without the UTF-8 flag are cp437 to Python, but UTF-8 or GB 18030 in practice."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__

"""Where documents come from: files, folders, globs, archives and `hf://` data sets become a list of files to read."""

import atexit
import functools
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import content_key, file_sha256
from golongrl.pipeline.dataset import archives, hub, licences
from golongrl.pipeline.dataset.readers import READERS, Refusal, RefusedError
from golongrl.pipeline.dataset.reading import ROWS, known
from golongrl.pipeline.dataset.source_file import SourceFile

PACKED = 4
"""How many times as large as an archive its content is, about."""
ON_HUB = 100_000_000
"""Bytes that a data set on the hub counts as before it is here."""


@dataclass(frozen=True)
class _Found:
    """A file on this disk, before it is looked into; `table` is the licences.toml that speaks of it."""

    path: Path
    name: str
    licence: str = "unknown"
    table: dict[str, str] = field(default_factory=dict)


def find_files(
    sources: Sequence[str], max_document_mb: float, out: Path | None = None, *, keep_unpacked: bool = True
) -> tuple[list[SourceFile], list[Refusal]]:
    """Every file that the sources hold, in the order of their names, and what is refused before reading.

    What an earlier build left in `out` or beside it (`NAME.old-N`) is no source. Archives are unpacked beside `out`,
    where `discard_unpacked` deletes them, or (without `keep_unpacked`) for this process only. DataError when a source
    does not exist or a glob matches nothing, UsageError when one lies in `out`.
    """
    files: list[SourceFile] = []
    refused: list[Refusal] = []
    known: set[Path] = set()
    target = out.resolve() if out is not None else None
    # Once per folder: a thousand files may lie in it.
    resolved, of_build = functools.cache(Path.resolve), functools.cache(functools.partial(_is_output, target))
    for source in sources:
        if target is not None and Path(source).exists() and Path(source).resolve().is_relative_to(target):
            raise UsageError(f"the source {source} lies in --out {out}; choose an output folder outside the sources")
        for item in _expand(source, max_document_mb):
            if isinstance(item, Refusal):
                refused.append(item)
                continue
            path = item.path
            real = path.resolve() if path.is_symlink() else resolved(path.parent) / path.name
            if path.name == licences.FILE or real in known or of_build(real.parent):
                continue
            known.add(real)
            for outcome in _look_into(item, max_document_mb, out if keep_unpacked else None):
                (refused if isinstance(outcome, Refusal) else files).append(outcome)
    return _distinct_names(sorted(files, key=lambda file: (file.name, file.sha256))), refused


def rough_size(sources: Sequence[str]) -> int:
    """Bytes of text that the sources hold, about, by the names and sizes of their files alone; 0 when one of them
    does not exist."""
    total = 0
    for source in sources:
        if source.startswith(hub.PREFIX):
            total += ON_HUB
            continue
        found = [source] if Path(source).exists() else glob.glob(source, recursive=True)
        if not found:
            return 0
        for path in map(Path, found):
            total += _rough_size(path)
            for folder, subfolders, names in os.walk(path):
                subfolders[:] = [name for name in subfolders if not name.startswith(".")]
                total += sum(_rough_size(Path(folder, name)) for name in names)
    return total


def _rough_size(path: Path) -> int:
    packed = archives.is_archive(path.name)
    if not packed and path.suffix.lower() not in READERS:
        return 0
    try:
        return path.stat().st_size * (PACKED if packed else 1)
    except OSError:
        return 0


def input_digests(files: Sequence[SourceFile]) -> dict[str, str]:
    """One digest over the names, contents and licences of all files: what a run folder remembers of its inputs."""
    return {"documents": content_key([[file.name, file.sha256, file.licence] for file in files])}


def discard_unpacked(out: Path) -> None:
    """Delete what `find_files` unpacked beside `out`; archive members it returned cannot be read afterwards."""
    shutil.rmtree(_unpack_folder(out), ignore_errors=True)


def _expand(source: str, max_document_mb: float) -> Iterator[_Found | Refusal]:
    """The files of one source argument."""
    path = Path(source)
    if source.startswith(hub.PREFIX):
        accept = functools.partial(_accept, max_document_mb=max_document_mb)
        for item in hub.fetch(source, accept):
            yield item if isinstance(item, Refusal) else _Found(item.path, item.name, item.licence)
    elif path.is_dir():
        yield from _folder(path)
    elif path.exists():
        yield _Found(path, _printable(path.name), table=licences.of_folder(path.parent))
    elif glob.has_magic(source):
        matches = sorted(glob.glob(source, recursive=True))
        if not matches:
            raise DataError(f"no file matches {source!r}; check the pattern, and quote it")
        for match in matches:
            yield from _expand(match, max_document_mb)
    else:
        raise DataError(f"no such file or folder: {source}; check the path")


def _folder(root: Path) -> Iterator[_Found | Refusal]:
    table = licences.of_folder(root)
    unreadable: list[OSError] = []
    for folder, subfolders, names in os.walk(root, onerror=unreadable.append):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in (Path(folder) / name for name in subfolders):
            if path.is_symlink():
                yield Refusal(_relative(path, root), "a link to a folder; name that folder as a source of its own")
        for path in (Path(folder) / name for name in sorted(names) if not name.startswith(".")):
            yield _Found(path, _relative(path, root), table=table)
    for error in unreadable:
        yield Refusal(_relative(Path(error.filename), root), f"unreadable folder: {error.strerror}")


def _look_into(item: _Found, max_document_mb: float, out: Path | None) -> Iterator[SourceFile | Refusal]:
    """The file itself, or the members of an archive."""
    try:
        size = _size(item.path)
        if archives.is_archive(item.name):
            yield from _members(item, max_document_mb, out)
            return
        _accept(item.name, size, max_document_mb)
        digest = file_sha256(item.path)
        licence = licences.look_up(item.table, item.name) or item.licence
        yield _source_file(str(item.path), item.name, item.name, licence, digest, size)
    except RefusedError as error:
        yield Refusal(item.name, str(error))


def _members(item: _Found, max_document_mb: float, out: Path | None) -> Iterator[SourceFile | Refusal]:
    """The members of an archive; its own licences.toml goes before the folder's, which may name member or archive."""

    def accept(name: str, size: int | None) -> None:
        if PurePosixPath(name).name != licences.FILE:
            _accept(name, size, max_document_mb)
        elif size is not None and size > licences.MAX_BYTES:
            raise RefusedError("too large for a table of licences")

    found = list(archives.members(item.path, _unpack_folder(out), accept))
    if not found:
        yield Refusal(item.name, "the archive holds no file")
    inside, own = _own_licences(item, found)
    for member in found:
        single = archives.is_one_file(item.name) or not member.name
        name = item.name if single else f"{item.name}!{_printable(member.name)}"
        if isinstance(member, archives.Unread):
            yield Refusal(name, member.reason)
        elif PurePosixPath(member.name).name != licences.FILE:
            licence = (
                licences.look_up(own, member.name.removeprefix(inside))
                or licences.look_up(item.table, name)
                or licences.look_up(item.table, item.name)
                or item.licence
            )
            yield _source_file(member.path, name, member.name, licence, member.sha256, member.size, member.start)


def _own_licences(item: _Found, found: Sequence[archives.Member | archives.Unread]) -> tuple[str, dict[str, str]]:
    """(the folder that the archive's topmost licences.toml speaks of, its table)."""
    tables = [m for m in found if isinstance(m, archives.Member) and PurePosixPath(m.name).name == licences.FILE]
    if not tables:
        return "", {}
    first = min(tables, key=lambda member: (member.name.count("/"), member.name))
    with open(first.path, "rb") as handle:
        handle.seek(first.start)
        table = licences.parse(handle.read(first.size), f"{item.name}!{first.name}")
    return first.name.removesuffix(licences.FILE), table


def _source_file(
    path: str, name: str, own_name: str, licence: str, sha256: str, size: int, start: int = 0
) -> SourceFile:
    own = PurePosixPath(_printable(own_name))
    return SourceFile(path, name, licence, sha256, size, own.stem, own.suffix.lower(), start)


def _accept(name: str, size: int | None, max_document_mb: float) -> None:
    """RefusedError when a file of this name and size is not read."""
    suffix = PurePosixPath(name).suffix.lower()
    known(suffix)
    if size == 0:
        raise RefusedError("empty file (0 bytes)")
    # One document of a file of rows is one row, whose size is checked when it is read.
    if size is not None and size > max_document_mb * 1024**2 and suffix not in ROWS:
        raise RefusedError(
            f"{size / 1024**2:.1f} MB, above max_document_mb = {max_document_mb:g}; split it, or raise the limit"
        )


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RefusedError(f"unreadable: {error.strerror}") from error
    if not path.is_file():
        raise RefusedError("not a plain file")
    if not os.access(path, os.R_OK):
        raise RefusedError("unreadable: permission denied")
    return size


def _relative(path: Path, root: Path) -> str:
    return _printable(path.relative_to(root).as_posix())


def _printable(name: str) -> str:
    """The name without bytes that are no UTF-8, which no parquet file takes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _is_output(target: Path | None, folder: Path) -> bool:
    """Whether a folder belongs to the build at `target` or to an earlier one beside it."""
    if target is None:
        return False
    beside = [parent for parent in (folder, *folder.parents) if parent.parent == target.parent]
    return any(parent == target or parent.name.startswith(f"{target.name}.old-") for parent in beside)


def _unpack_folder(out: Path | None) -> Path:
    return _temporary_folder() if out is None else out.parent / f".{out.name}.unpacked"


@functools.cache
def _temporary_folder() -> Path:
    """For calls without an output folder: one that goes when this process ends."""
    folder = tempfile.mkdtemp(prefix="golongrl-unpacked-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _distinct_names(files: list[SourceFile]) -> list[SourceFile]:
    """Files of different sources may share a name; later ones are told apart by a number."""
    taken = {file.name for file in files}
    counts: dict[str, int] = {}
    distinct = []
    for file in files:
        counts[file.name] = number = counts.get(file.name, 0) + 1
        name = file.name
        while number > 1 and (name := f"{file.name} ({number})") in taken:
            number = counts[file.name] = number + 1
        taken.add(name)
        distinct.append(replace(file, name=name))
    return distinct

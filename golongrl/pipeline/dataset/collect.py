"""Phase 1, collect: find files, refuse what cannot be used with a reason, parse the rest, drop exact duplicates."""

import fnmatch
import glob
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core.documents import Document
from golongrl.core.errors import DataError
from golongrl.core.store import content_key, file_sha256
from golongrl.pipeline.dataset.readers import READERS, Origin, Refusal, RefusedError, reader_of

LICENCES_FILE = "licences.toml"
DETECT_BYTES = 65_536
CONTROL_SHARE = 0.02
"""Share of control characters in the first bytes above which a file counts as binary."""

Progress = Callable[[str, int | None], AbstractContextManager[Any]]


@dataclass(frozen=True)
class SourceFile:
    """A file to read: where it lies, its name relative to the source it was found in, and its licence."""

    path: Path
    name: str
    licence: str
    sha256: str


@dataclass
class Collection:
    """What collecting yields: documents in order of their names, and what was refused or dropped, with reasons."""

    documents: list[Document] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    files: int = 0
    duplicates: int = 0


def find_files(
    sources: Sequence[str], max_document_mb: float, out: Path | None = None
) -> tuple[list[SourceFile], list[Refusal]]:
    """Every file below the sources (files, folders, globs), those refused before reading apart.

    What an earlier build left in `out` or beside it (`NAME.old-N`) is no source. DataError when a source does not
    exist or a glob matches nothing.
    """
    found: dict[Path, SourceFile] = {}
    refused: list[Refusal] = []
    for source in sources:
        for base, path in _expand(source):
            # A file name may hold bytes that are no UTF-8, which no parquet file takes.
            name = path.relative_to(base).as_posix().encode("utf-8", "backslashreplace").decode()
            if path.name == LICENCES_FILE or (out is not None and _is_output(path, out)):
                continue
            try:
                _check_file(path, max_document_mb)
            except RefusedError as error:
                refused.append(Refusal(name, str(error)))
                continue
            if path.resolve() not in found:
                found[path.resolve()] = SourceFile(path, name, _licence(base, name), file_sha256(path))
    return _distinct_names(sorted(found.values(), key=lambda f: (f.name, f.sha256))), refused


def input_digests(files: Sequence[SourceFile]) -> dict[str, str]:
    """One digest over the names, contents and licences of all files: what a run folder remembers of its inputs."""
    return {"documents": content_key([[f.name, f.sha256, f.licence] for f in files])}


def collect(
    files: Sequence[SourceFile],
    refused: Sequence[Refusal],
    *,
    text_column: str | None,
    progress: Progress,
) -> Collection:
    """Parse the files. DataError when not one usable document is left, saying what was found instead."""
    result = Collection(refused=list(refused), files=len(files) + len(refused))
    seen: set[str] = set()
    with progress("collect", len(files)) as bar:
        for file in files:
            for outcome in _parse(file, text_column):
                if isinstance(outcome, Refusal):
                    result.refused.append(outcome)
                elif outcome.sha256 in seen:
                    result.duplicates += 1
                    result.refused.append(Refusal(outcome.source, "duplicate: the same text was read before"))
                else:
                    seen.add(outcome.sha256)
                    result.documents.append(outcome)
            bar.advance(1)
    if not result.documents:
        raise DataError(nothing_usable(result))
    return result


def nothing_usable(result: Collection) -> str:
    """The message when no document is left."""
    reasons = [f"{refusal.source}: {refusal.reason}" for refusal in result.refused[:5]]
    more = f" (and {len(result.refused) - 5} more)" if len(result.refused) > 5 else ""
    return (
        f"no usable document among {result.files} file(s): "
        + ("; ".join(reasons) or "the folder is empty")
        + more
        + f". Pass files or folders with {', '.join(sorted(READERS))}"
    )


def _expand(source: str) -> Iterator[tuple[Path, Path]]:
    """(base folder, file) pairs of one source argument."""
    path = Path(source)
    if path.is_dir():
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield path, Path(folder) / name
    elif path.exists():
        yield path.parent, path
    elif glob.has_magic(source):
        matches = [Path(match) for match in sorted(glob.glob(source, recursive=True))]
        if not matches:
            raise DataError(f"no file matches {source!r}; check the pattern, and quote it")
        for match in matches:
            yield from _expand(str(match))
    else:
        raise DataError(f"no such file or folder: {source}; check the path")


def _is_output(path: Path, out: Path) -> bool:
    target = out.resolve()
    inside = [parent for parent in path.resolve().parents if parent.parent == target.parent]
    return any(parent == target or parent.name.startswith(f"{target.name}.old-") for parent in inside)


def _check_file(path: Path, max_document_mb: float) -> None:
    reader_of(path.suffix)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RefusedError(f"unreadable: {error.strerror}") from error
    if not path.is_file():
        raise RefusedError("not a plain file")
    if size == 0:
        raise RefusedError("empty file (0 bytes)")
    if size > max_document_mb * 1024 * 1024:
        raise RefusedError(
            f"{size / 1024 / 1024:.1f} MB, above max_document_mb = {max_document_mb:g}; split it, or raise the limit"
        )
    if not os.access(path, os.R_OK):
        raise RefusedError("unreadable: permission denied")


def _licence(base: Path, name: str) -> str:
    table = _licence_table(base)
    return next((table[pattern] for pattern in table if fnmatch.fnmatch(name, pattern)), "unknown")


def _licence_table(base: Path) -> dict[str, str]:
    path = base / LICENCES_FILE
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f'{path} is not valid TOML ({error}); write lines like "*.md" = "CC-BY-4.0"') from error
    for pattern, licence in table.items():
        if not isinstance(licence, str):
            raise DataError(f'{path}: {pattern!r} must be a text like "CC-BY-4.0", not {licence!r}')
    return table


def _distinct_names(files: list[SourceFile]) -> list[SourceFile]:
    """Files of different sources may share a relative name; later ones are told apart by a number."""
    counts: dict[str, int] = {}
    distinct = []
    for file in files:
        counts[file.name] = number = counts.get(file.name, 0) + 1
        name = file.name if number == 1 else f"{file.name} ({number})"
        distinct.append(SourceFile(file.path, name, file.licence, file.sha256))
    return distinct


def _parse(file: SourceFile, text_column: str | None) -> Iterator[Document | Refusal]:
    origin = Origin(file.name, file.path.stem, file.path.suffix.lower(), file.licence, text_column)
    try:
        text = decode(file.path.read_bytes())
        for outcome in reader_of(origin.suffix)(text, origin):
            if isinstance(outcome, Document) and not outcome.text.strip():
                yield Refusal(outcome.source, "it holds no text")
            else:
                yield outcome
    except RefusedError as error:
        yield Refusal(file.name, str(error))
    except OSError as error:
        yield Refusal(file.name, f"unreadable: {error.strerror}")
    except RecursionError:
        yield Refusal(file.name, "nested too deeply to parse")


def decode(data: bytes) -> str:
    """Bytes as text: byte order mark, UTF-8, else the encoding charset-normalizer is sure of; RefusedError else."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decode_as(data, encoding)
    head = data[:DETECT_BYTES]
    control = sum(head.count(byte) for byte in (*range(9), *range(14, 27), *range(28, 32)))
    if b"\x00" in head or control > CONTROL_SHARE * len(head):
        raise RefusedError("binary file: it holds NUL or control bytes, no text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        from charset_normalizer import from_bytes

        best = from_bytes(data[: 4 * DETECT_BYTES], threshold=0.1).best()
        if best is None or best.encoding in ("ascii", "utf_8"):
            raise RefusedError(
                f"undecodable: not UTF-8 (byte {error.start}) and no other encoding fits; convert it to UTF-8"
            ) from error
        return _decode_as(data, best.encoding)


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError(f"undecodable: byte {error.start} is not {encoding}; convert it to UTF-8") from error

"""Append-only journals and atomic files: what makes every command resumable after a kill -9.

A journal is a JSONL file whose rows carry a content `key`. A row counts once its newline is on disk; a torn last
line is cut off when the journal is opened again and its work is owed again.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from golongrl.core import json_text
from golongrl.core.errors import DataError, StorageError

_TEMPORARY = re.compile(r"\..+\.(\d{1,9})\.\d+\.tmp")
"""Name of a file that `atomic_path` writes: target, process, thread."""

_HALVES = re.compile("[\ud800-\udfff]")
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)


def content_key(*parts: Any) -> str:
    """Hex digest (128 bit) of JSON-serialisable parts; equal content gives equal keys on every machine."""
    return hashlib.sha256(_canonical(parts)).hexdigest()[:32]


def _canonical(value: Any) -> bytes:
    """JSON with sorted keys in UTF-8: by orjson, ten times as fast with long documents, where it writes the same."""
    if _writes_alike(value):
        import orjson

        # TypeError: lone surrogates, or whole numbers of more than 64 bits.
        with contextlib.suppress(TypeError):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _writes_alike(value: Any) -> bool:
    """Whether json and orjson write the same: they spell some floats, and what is no plain type, differently."""
    kind = type(value)
    if kind in (list, tuple):
        return all(map(_writes_alike, value))
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_writes_alike, value.values()))
    return kind in (str, int, bool, type(None))


def file_sha256(path: str | os.PathLike[str]) -> str:
    """sha256 of a file's bytes, read in blocks."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextlib.contextmanager
def storage_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's write failures into one clear StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StorageError(
                f"no space left while writing {path} ({error.strerror}); free some space and run the same command "
                "again, finished work is kept"
            ) from error
        if error.errno in NO_PLACE:
            raise StorageError(f"cannot write {path}: {error.strerror}; choose another --out folder") from error
        raise


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling of `path` to write to; it replaces `path` on success and is removed on failure."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def discard_temporaries(folder: str | os.PathLike[str]) -> None:
    """Remove what killed processes left of `atomic_path` in a folder; temporary files of living ones stay."""
    for path in Path(folder).glob(".*.tmp"):
        made_by = _TEMPORARY.fullmatch(path.name)
        if made_by and not _lives(int(made_by[1])):
            path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically (UTF-8)."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write indented JSON atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)
    # Half of a surrogate pair is no UTF-8; as an escape it is valid JSON.
    write_text(path, _HALVES.sub(lambda half: f"\\u{ord(half[0]):x}", text) + "\n")


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of a JSONL file; lines end at "\\n" only, blank lines are skipped.

    A byte order mark before the first line is allowed.
    """
    # Lines may hold megabytes, which would be put together from pieces of the usual 8 KB.
    with open(path, "rb", buffering=1 << 20) as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            yield number, parse_line(line, number, path)


def read_journal(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Objects of a journal that may be growing: a last line without its end is left out; nothing where no file is."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            if line.endswith(b"\n") and line.strip():
                # A journal may hold halves of surrogate pairs, which models write.
                yield parse_line(line, number, path, "surrogatepass")


def parse_line(
    line: bytes, number: int, path: str | os.PathLike[str], errors: Literal["strict", "surrogatepass"] = "strict"
) -> dict[str, Any]:
    """One line of a JSONL file as an object; DataError names file, line and problem.

    `errors` says how bytes are read that are no UTF-8.
    """
    try:
        value = json_text.loads(line.decode("utf-8-sig" if number == 1 else "utf-8", errors))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} line {number} is not UTF-8 (byte {error.start} of the line); convert the file to UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path} line {number} is not JSON ({error.msg}); mend or remove it") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} line {number} is a JSON {type(value).__name__}, expected an object")
    return value


class Journal:
    """Append-only JSONL with one row per key; thread-safe; the last row of a key wins.

    `on_disk=True` is for rows that are many and long: each is read when it is asked for, `rows` stays empty.
    `keep_rows=False` is for logs that are only written: rows are checked on opening but not held in memory.
    """

    def __init__(self, path: str | os.PathLike[str], *, keep_rows: bool = True, on_disk: bool = False):
        self.path = Path(path)
        self.keep_rows = keep_rows
        self.rows: dict[str, dict[str, Any]] = {}
        self._places: dict[str, tuple[int, int]] | None = {} if on_disk else None
        """Offset and length of each row in the file."""
        self._lock = threading.Lock()
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._recover()
            # Unbuffered: what a full disk refused must not stay behind in a buffer and reach the file later.
            self._handle = open(self.path, "a+b", buffering=0)  # noqa: SIM115  held open for the journal's life

    def _recover(self) -> None:
        """Load complete rows and cut a torn tail, so that the next append starts on a fresh line."""
        if not self.path.exists():
            return
        good = 0
        with open(self.path, "rb") as handle:
            for number, line in enumerate(handle, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json_text.loads(line)
                    self._keep(row["key"], row, good, len(line))
                except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
                    raise DataError(
                        f"{self.path} line {number} is not a journal row; it was edited by hand or is another "
                        "program's file. Move it away or choose another --out"
                    ) from error
                good += len(line)
        if good < self.path.stat().st_size:
            os.truncate(self.path, good)

    def append(self, key: str, **row: Any) -> None:
        """Write one row and hand it to the operating system before returning."""
        text = json.dumps({"key": key, **row}, ensure_ascii=False, separators=(",", ":")) + "\n"
        data = memoryview(text.encode("utf-8", "surrogatepass"))
        length = len(data)
        with self._lock, storage_errors(self.path):
            start = self._handle.seek(0, os.SEEK_END)
            try:
                while data:
                    data = data[self._handle.write(data) :]
            except OSError:
                # A partly written row would glue itself to the next one.
                with contextlib.suppress(OSError):
                    os.truncate(self.path, start)
                raise
            self._keep(key, {"key": key, **row}, start, length)

    def _keep(self, key: str, row: dict[str, Any], start: int, length: int) -> None:
        if self._places is not None:
            self._places[key] = (start, length)
        elif self.keep_rows:
            self.rows[key] = row

    def __contains__(self, key: str) -> bool:
        return key in (self.rows if self._places is None else self._places)

    def __len__(self) -> int:
        return len(self.rows if self._places is None else self._places)

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key, or None."""
        if self._places is None:
            return self.rows.get(key)
        if key not in self._places:
            return None
        start, length = self._places[key]
        row: dict[str, Any] = json_text.loads(os.pread(self._handle.fileno(), length, start))
        return row

    def close(self) -> None:
        """Close the file; appends after this fail."""
        self._handle.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

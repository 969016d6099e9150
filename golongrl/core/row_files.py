"""Rows of a data file: parquet, JSONL, JSON (a list, or objects one after the other), CSV, TSV, and zips of these.

Every form is streamed, a JSON list too: published ones have hundreds of megabytes.
"""

import csv
import fnmatch
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from golongrl.core import records
from golongrl.core.errors import DataError
from golongrl.core.store import parse_line

SUFFIXES = (".parquet", ".jsonl", ".json", ".csv", ".tsv", ".zip")
LARGEST_ARCHIVE = 8 << 30
"""Bytes that the read members of a zip may unpack to."""

_CHUNK = 1 << 22
_DAMAGED = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError)


def files_at(path: str | Path, what: str = "data file") -> list[Path]:
    """The file itself, or all files below a folder that can hold rows, in order of their names.

    DataError where there is none; `what` is what the message calls it.
    """
    found = Path(path).expanduser()
    if not found.is_dir():
        return [records.existing_file(found, what)]
    files = sorted(file for file in found.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not files:
        raise DataError(f"{path} holds no file that ends in {', '.join(SUFFIXES)}; name another {what} or folder")
    return files


def read_rows(path: Path, members: Sequence[str] = ("*",)) -> Iterator[tuple[str, dict[str, Any]]]:
    """(number from 1, row); for a zip the number stands behind the member's name, and `members` chooses these.

    DataError naming file, row and problem where a row cannot be read.
    """
    if path.suffix in (".parquet", ".jsonl"):
        for number, row in records.read_record_rows(path):
            yield str(number), row
    elif path.suffix == ".zip":
        yield from _zip_rows(path, members)
    elif path.suffix in (".json", ".csv", ".tsv"):
        with open(records.existing_file(path, "data file"), "rb") as stream:
            yield from _stream_rows(stream, path.suffix, str(path))
    else:
        raise DataError(f"{path}: data files end in {', '.join(SUFFIXES)}, not {path.suffix or 'nothing'}")


def _stream_rows(stream: IO[bytes], suffix: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if suffix == ".jsonl":
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield str(number), parse_line(line, number, name)
        return
    # newline="": a line break inside a quoted field of a table stays as it is.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        if suffix == ".json":
            yield from _json_rows(text, name)
        else:
            yield from _table_rows(text, "\t" if suffix == ".tsv" else ",", name)
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not UTF-8 (byte {error.start}); convert the file to UTF-8") from error


def _table_rows(text: IO[str], delimiter: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(1 << 28)
    reader = csv.DictReader(text, delimiter=delimiter)
    try:
        for number, row in enumerate(reader, 1):
            if None in row or None in row.values():
                raise DataError(
                    f"{name} row {number} has more or fewer fields than the {len(reader.fieldnames or ())} of its "
                    "first line; mend or remove it"
                )
            yield str(number), row
    except csv.Error as error:
        raise DataError(f"{name} is not a readable table ({error}); convert it to JSONL") from error


def _json_rows(text: IO[str], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    decoder = json.JSONDecoder()
    buffer, position, number, size = "", 0, 0, _CHUNK
    ended = listed = False
    last = ""
    while True:
        # Between rows stand white space, a comma, and the brackets of the list.
        while position < len(buffer) and buffer[position] in " \t\r\n,[]":
            last = buffer[position].strip() or last
            listed = listed or last == "["
            position += 1
        if position == len(buffer) and ended:
            if listed and last != "]":
                raise DataError(f"{name} is cut off: its list does not end; download the file again")
            return
        try:
            if position == len(buffer):
                raise json.JSONDecodeError("the file ends", "", 0)
            value, end = decoder.raw_decode(buffer, position)
            # A number may go on in the next chunk; objects say where they end.
            complete = isinstance(value, dict) or end < len(buffer) or ended
        except (ValueError, RecursionError) as error:
            if ended:
                where = f"{name} row {number + 1}"
                problem = getattr(error, "msg", "nested too deeply, or a number of too many digits")
                raise DataError(f"{where} is not JSON ({problem}); mend it or download the file again") from error
            complete = False
        if not complete:
            more = text.read(size)
            # What is already held is decoded again with each chunk, so chunks grow with it.
            buffer, position, ended = buffer[position:] + more, 0, not more
            size = max(_CHUNK, len(buffer))
            continue
        number, position = number + 1, end
        if not isinstance(value, dict):
            kind = type(value).__name__
            raise DataError(f"{name} row {number} is a JSON {kind}, expected an object; mend or remove it")
        yield str(number), value


def _zip_rows(path: Path, members: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            chosen = [
                info
                for info in sorted(archive.infolist(), key=lambda info: info.filename)
                if any(fnmatch.fnmatch(info.filename, pattern) for pattern in members)
                and Path(info.filename).suffix in (".jsonl", ".json", ".csv", ".tsv")
            ]
            if not chosen:
                raise DataError(f"{path} holds no {', '.join(members)} with rows; name another file")
            if sum(info.file_size for info in chosen) > LARGEST_ARCHIVE:
                size = LARGEST_ARCHIVE >> 30
                raise DataError(f"{path} unpacks to more than {size} GB; unpack it and pass the folder")
            for info in chosen:
                with archive.open(info) as stream:
                    name = f"{path}: {info.filename}"
                    for number, row in _stream_rows(stream, Path(info.filename).suffix, name):
                        yield f"{number} of {info.filename}", row
    except _DAMAGED as error:
        raise DataError(f"{path} is a damaged archive ({error}); download it again") from error

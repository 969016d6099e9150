"""The rows of a file of questions, one at a time: JSON lines, JSON (also the list in `{"data": [...]}`), parquet."""

from collections.abc import Iterator
from typing import IO, Any

from golongrl.core import json_text
from golongrl.pipeline.dataset.readers import Refusal, RefusedError
from golongrl.pipeline.dataset.readers import json as json_reader
from golongrl.pipeline.dataset.readers import parquet as parquet_reader
from golongrl.pipeline.dataset.source_file import SourceFile, open_source

BLOCK = 1024**2
BATCH_ROWS = 16
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
_BLANK = " \t\r\n"
_MARK = b"\xef\xbb\xbf"


def read_rows(file: SourceFile, max_row_mb: float) -> Iterator[tuple[int, Any] | Refusal]:
    """(number from 1, row) of a file, and what of it is refused; RefusedError where the rest cannot be read."""
    limit = int(max_row_mb * 1024**2)
    if file.suffix not in SUFFIXES:
        raise RefusedError(f"rows of questions are read from {', '.join(SUFFIXES)}, not {file.suffix or '(none)'}")
    with open_source(file) as stream:
        if file.suffix == ".parquet":
            yield from _parquet(stream)
            return
        head = stream.read(BLOCK)
        stream.seek(0)
        # JSON lines often bear the name of JSON.
        if file.suffix != ".json" or json_reader.is_lines(head):
            yield from _lines(stream, file.name, limit)
        else:
            yield from _json(stream, limit)


def _lines(stream: IO[bytes], name: str, limit: int) -> Iterator[tuple[int, Any] | Refusal]:
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        whole = len(line) <= limit or line.endswith(b"\n")
        while not line.endswith(b"\n") and (rest := stream.readline(BLOCK)):
            line = rest
        if not whole:
            yield Refusal(f"{name}#{number}", f"too large: above max_document_mb = {limit / 1024**2:.4g}")
        elif line.strip():
            try:
                yield number, json_text.loads(line.removeprefix(_MARK) if number == 1 else line)
            except ValueError as error:
                yield Refusal(f"{name}#{number}", f"not JSON: {error}")


def _parquet(stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    opened = parquet_reader.opened_file(stream)
    number = 0
    try:
        for batch in opened.iter_batches(batch_size=BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(f"corrupt parquet file: read up to row {number} ({error})") from error


def _json(stream: IO[bytes], limit: int) -> Iterator[tuple[int, Any]]:
    """The elements of a list, of the first list of objects inside an object that is no row, or the one row."""
    source = json_reader.Characters(stream)
    source.skip(_BLANK)
    if source.starts("["):
        yield from _elements(source, limit)
        return
    if not source.starts("{"):
        raise RefusedError("neither a list of rows nor an object")
    source.skip("{", most=1)
    row: dict[str, Any] = {}
    while True:
        source.skip(_BLANK + ",")
        if source.starts("}"):
            break
        key, _ = source.value(limit)
        source.skip(_BLANK)
        source.skip(":", most=1)
        source.skip(_BLANK)
        if key in json_reader.LIST_KEYS and source.starts("["):
            yield from _elements(source, limit)
            return
        row[key] = source.value(limit)[0]
    yield 1, row


def _elements(source: Any, limit: int) -> Iterator[tuple[int, Any]]:
    source.skip("[", most=1)
    number = 0
    while True:
        source.skip(_BLANK + ",")
        if source.starts("]"):
            return
        number += 1
        value, size = source.value(limit)
        if size > limit:
            raise RefusedError(f"row {number} is above max_document_mb = {limit / 1024**2:.4g}; the rest is not read")
        yield number, value

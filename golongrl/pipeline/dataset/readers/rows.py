"""JSON lines, read as a stream: every line is a document, and a line that is none is refused alone."""

from collections.abc import Iterator
from typing import IO, Any

from golongrl.core import json_text
from golongrl.core.documents import Document
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, shapes
from golongrl.pipeline.dataset.source_file import Part, SourceFile, open_source

BLOCK = 1024**2
_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def split(file: SourceFile, target_bytes: int) -> list[Part]:
    """The file in parts of about `target_bytes` that start at lines."""
    parts: list[Part] = []
    start = at = 0
    row = lines = 1
    blank = True
    with open_source(file) as stream:
        while block := stream.read(BLOCK):
            seen = 0
            blank = blank and block.isspace()
            while (end := block.find(b"\n", max(seen, start + target_bytes - at - 1))) >= 0:
                lines += block.count(b"\n", seen, end + 1)
                seen = end + 1
                parts.append(Part((file,), start, at + seen, row))
                start, row = at + seen, lines
            lines += block.count(b"\n", seen)
            at += len(block)
    if blank:
        return [Part((file,))]
    return [*parts, Part((file,), start, at, row)] if start < at else parts


def read_part(part: Part, file: SourceFile, origin: Origin, max_bytes: int) -> Iterator[Document | Refusal]:
    """One document per line, named `file.jsonl#line`; no line longer than `max_bytes` is held in memory."""
    with open_source(file) as stream:
        stream.seek(part.start)
        end = part.end if part.end >= 0 else file.size
        yield from read_lines(stream, end - part.start, part.row, origin, max_bytes)


def read(text: str, origin: Origin) -> Iterator[Document | Refusal]:
    """The documents of a decoded text."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _outcome(line, number, origin)


def read_lines(
    stream: IO[bytes], size: int, number: int, origin: Origin, max_bytes: int
) -> Iterator[Document | Refusal]:
    """The documents of the next `size` bytes of a stream, whose first line has this number."""
    first = number == 1
    while size > 0 and (line := stream.readline(min(max_bytes, size) + 1)):
        length = len(line)
        if len(line) > max_bytes and not line.endswith(b"\n"):
            while size > length and (rest := stream.readline(BLOCK)):
                length += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield Refusal(
                f"{origin.name}#{number}",
                f"line {number} has {length / 1024**2:.1f} MB, above max_document_mb = {max_bytes / 1024**2:.4g}; "
                "split it, or raise the limit",
            )
        elif line.strip():
            if first and line.startswith(_WIDE_MARKS):
                raise RefusedError("UTF-16, but JSON is UTF-8; convert it")
            yield _outcome(line.removeprefix(_MARK) if first else line, number, origin)
        size -= length
        number += 1
        first = False


def _outcome(line: bytes | str, number: int, origin: Origin) -> Document | Refusal:
    try:
        value = _value(line, number)
    except RefusedError as error:
        return Refusal(f"{origin.name}#{number}", str(error))
    return shapes.outcome(value, number, origin)


def _value(line: bytes | str, number: int) -> Any:
    if isinstance(line, bytes):
        if b"\0" in line:
            raise RefusedError(f"row {number} holds NUL bytes")
        try:
            line = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RefusedError(f"row {number} is not UTF-8 (byte {error.start} of the line); convert it") from error
    try:
        return json_text.loads(line)
    except ValueError as error:
        raise RefusedError(f"row {number} is not JSON ({error})") from error

"""JSON: a list of rows (read as a stream), an object that holds such a list, JSON lines under another name, or one
row."""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.charset import decode
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, rows, shapes
from golongrl.pipeline.dataset.source_file import Part, SourceFile, open_source

BLOCK = 1024**2
_BLANK = " \t\r\n"
LIST_KEYS = ("data", "rows", "examples", "documents", "records", "items")


def split(file: SourceFile, target_bytes: int) -> list[Part]:
    """One part: where a row begins shows only when all before it are parsed."""
    return [Part((file,))]


def read_part(part: Part, file: SourceFile, origin: Origin, max_bytes: int) -> Iterator[Document | Refusal]:
    """One document per row, named `file.json#number`, or `file.json` when the file is one row.

    `max_bytes` holds for a row of a list or a line, and for the whole file otherwise.
    """
    with open_source(file) as stream:
        head = stream.read(BLOCK)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            _check_size(file.size, max_bytes)
            yield from read(decode(head + stream.read()), origin)
        elif head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[" and not is_lines(head):
            stream.seek(0)
            yield from _read_list(stream, origin, max_bytes)
        elif is_lines(head):
            stream.seek(0)
            yield from rows.read_lines(stream, file.size, 1, origin, max_bytes)
        else:
            _check_size(file.size, max_bytes)
            yield from read(decode(head + stream.read()), origin)


def read(text: str, origin: Origin) -> Iterator[Document | Refusal]:
    """The documents of a decoded text."""
    try:
        value = json.loads(text)
    except ValueError as error:
        if is_lines(text.encode("utf-8", "surrogatepass")[:BLOCK]):
            yield from rows.read(text, origin)
            return
        raise RefusedError(f"not JSON ({error})") from error
    found = value if isinstance(value, list) else _rows_in(value)
    if found is None:
        yield shapes.document(value, origin.name, 1, origin)
        return
    for number, row in enumerate(found, 1):
        yield shapes.outcome(row, number, origin)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise RefusedError(
            f"{size / 1024**2:.1f} MB in one JSON object, above max_document_mb = {max_bytes / 1024**2:.4g}; "
            "write it as JSON lines, or raise the limit"
        )


def is_lines(head: bytes) -> bool:
    """Whether the first line is a whole object and another line follows."""
    first, _, rest = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    if not rest.strip() or not first.startswith(b"{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _rows_in(value: Any) -> list[Any] | None:
    """The rows that an object holds; None when it is a row itself."""
    if not isinstance(value, dict) or shapes.holds_text(value):
        return None
    lists = [key for key, held in value.items() if isinstance(held, list) and held and isinstance(held[0], dict)]
    named = next((key for key in LIST_KEYS if key in lists), None)
    if named is not None or len(lists) == 1:
        return value[named or lists[0]]
    if len(value) > 1 and all(isinstance(held, dict) for held in value.values()):
        return [{"title": key, **row} for key, row in value.items()]
    return None


def _read_list(stream: IO[bytes], origin: Origin, max_bytes: int) -> Iterator[Document | Refusal]:
    """The elements of a list one after the other, holding no more than one of them and a block."""
    source = Characters(stream)
    source.skip(_BLANK)
    source.skip("[", most=1)
    number = 0
    while True:
        source.skip(_BLANK + ",")
        if source.starts("]"):
            return
        number += 1
        try:
            value, size = source.value(max_bytes)
        except RecursionError:
            raise RefusedError(f"row {number} is nested too deeply to parse; the rest is not read") from None
        except ValueError as error:
            raise RefusedError(f"row {number} is not JSON ({error}); the rest is not read") from error
        if size > max_bytes:
            yield Refusal(f"{origin.name}#{number}", f"row {number} has {size / 1024**2:.1f} MB, {_above(max_bytes)}")
        else:
            yield shapes.outcome(value, number, origin)


def _above(max_bytes: int) -> str:
    return f"above max_document_mb = {max_bytes / 1024**2:.4g}; split it, or raise the limit"


class Characters:
    """A window on a stream of UTF-8 that grows while a value is not whole."""

    def __init__(self, stream: IO[bytes]):
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.json = json.JSONDecoder()
        self.text, self.at, self.ended = "", 0, False

    def skip(self, characters: str, most: int | None = None) -> None:
        """Pass over characters of this kind."""
        while most is None or most > 0:
            if self.at == len(self.text) and not self._more(BLOCK):
                return
            if self.text[self.at] not in characters:
                return
            self.at += 1
            most = None if most is None else most - 1

    def starts(self, character: str) -> bool:
        """Whether this character comes next; ValueError at the end of the stream."""
        if self.at == len(self.text) and not self._more(BLOCK):
            raise RefusedError("cut off: the list does not end")
        return self.text[self.at] == character

    def value(self, max_bytes: int) -> tuple[Any, int]:
        """The next value and its size in bytes; ValueError when it is no JSON, RefusedError when it is so long that
        it would have to be held in parts."""
        while True:
            try:
                value, end = self.json.raw_decode(self.text, self.at)
                # A number at the end of the window may go on behind it.
                if end < len(self.text) or self.ended:
                    break
            except ValueError:
                if self.ended:
                    raise
            if len(self.text) - self.at > max_bytes:
                raise RefusedError(
                    f"a row is larger than max_document_mb = {max_bytes / 1024**2:.4g}, or is no JSON; the rest is "
                    "not read, mend it or write the rows as JSON lines"
                )
            self._more(max(BLOCK, len(self.text) - self.at))
        size = len(self.text[self.at : end].encode("utf-8", "surrogatepass"))
        self.at = end
        return value, size

    def _more(self, size: int) -> bool:
        data = self.stream.read(size)
        self.ended = len(data) < size
        try:
            self.text, self.at = self.text[self.at :] + self.decoder.decode(data, final=self.ended), 0
        except UnicodeDecodeError as error:
            raise RefusedError(f"undecodable: not UTF-8 ({error.reason}); convert it to UTF-8") from error
        return bool(self.text)

"""Bytes as text: byte order mark, UTF-8, the charset an HTML page declares, else the one that surely fits."""

import codecs
import re

from golongrl.pipeline.dataset.readers import RefusedError

DETECT_BYTES = 65_536
CONTROL_SHARE = 0.02
"""Share of control characters in the first bytes above which a file counts as binary."""
_CONTROL = bytes((*range(9), *range(14, 27), *range(28, 32)))
DECLARED_WITHIN = 2_048
"""Bytes at the start of an HTML page in which its charset may be declared."""
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_BROWSERS_READ = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252"}
"""What browsers read under a declared name that pages use for a larger set."""


def decode(data: bytes, *, html: bool = False) -> str:
    """The text of a whole file; RefusedError when it is binary or in no known encoding."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, encoding)
    head = data[:DETECT_BYTES]
    control = len(head) - len(head.translate(None, _CONTROL))
    if b"\x00" in head or control > CONTROL_SHARE * len(head):
        raise RefusedError("binary file: it holds NUL or control bytes, no text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        encoding = (_declared(data) if html else None) or _detected(data)
        if encoding is None:
            raise RefusedError(
                f"undecodable: not UTF-8 (byte {error.start}) and no other encoding fits; convert it to UTF-8"
            ) from error
        return _decode_as(data, encoding)


def _declared(data: bytes) -> str | None:
    match = _DECLARED.search(data[:DECLARED_WITHIN])
    if match is None:
        return None
    name = match[1].decode("ascii", "replace").lower()
    name = _BROWSERS_READ.get(name, name)
    try:
        return name if codecs.lookup(name).name != "utf-8" else None
    except LookupError:
        return None


def _detected(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data[: 4 * DETECT_BYTES], threshold=0.1).best()
    return None if best is None or best.encoding in ("ascii", "utf_8") else best.encoding


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise RefusedError(f"undecodable: byte {error.start} is not {encoding}; convert it to UTF-8") from error
    except LookupError as error:
        raise RefusedError(f"undecodable: {encoding} is no text encoding; convert it to UTF-8") from error

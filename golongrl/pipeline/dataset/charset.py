"""Bytes as text: byte order mark, UTF-16 that shows, UTF-8, the charset an HTML page declares, else the one that
surely fits."""

import codecs
import re

from golongrl.pipeline.dataset.readers import RefusedError

DETECT_BYTES = 65_536
CONTROL_SHARE = 0.02
"""Share of control characters in the first bytes above which a file counts as binary."""
_CONTROL = bytes((*range(9), *range(14, 27), *range(28, 32)))
UTF16_SHARE = 0.6
"""Share of characters whose upper byte is NUL from which bytes are UTF-16."""
DECLARED_WITHIN = 2_048
"""Bytes at the start of an HTML page in which its charset may be declared."""
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
MOSTLY = 0.8
"""Share of bytes beyond ASCII from which those that are UTF-8 say that the text is meant to be."""
WESTERN_SHARE = 0.05
"""Share of bytes beyond ASCII up to which a text may be English."""
_ASCII = bytes(range(128))
_WESTERN = bytes((0x80, 0x85, *range(0x91, 0x9A), *range(0xA0, 0xC0), 0xC9, *range(0xE0, 0x100)))
"""The euro sign, the ellipsis, quotation marks, dashes, signs and accented small letters of cp1252."""
_BROWSERS_READ = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin-1": "cp1252"}
"""What browsers read under a declared name that pages use for a larger set."""


def decode(data: bytes, *, html: bool = False) -> str:
    """The text of a whole file; RefusedError when it is binary or in no known encoding."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, encoding)
    head = data[:DETECT_BYTES]
    if encoding := _unmarked_utf16(head):
        return _decode_as(data, encoding)
    if b"\x00" in head or _is_binary(head):
        raise RefusedError("binary file: it holds NUL or control bytes, no text; UTF-16 needs its byte order mark")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        encoding = (_declared(data) if html else None) or _guessed(data)
        if encoding is None:
            raise RefusedError(
                f"undecodable: not UTF-8 (byte {error.start}) and no other encoding fits; convert it to UTF-8"
            ) from error
        return _decode_as(data, encoding)


def _is_binary(head: bytes) -> bool:
    return len(head) - len(head.translate(None, _CONTROL)) > CONTROL_SHARE * len(head)


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a byte order mark, where most characters are Latin: the upper byte of each is NUL."""
    for encoding, lower, upper in (("utf-16-le", head[::2], head[1::2]), ("utf-16-be", head[1::2], head[::2])):
        if upper.count(0) >= UTF16_SHARE * len(upper) > 0 and not _is_binary(
            bytes(low for low, high in zip(lower, upper, strict=False) if high == 0)
        ):
            return encoding
    return None


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


def _guessed(data: bytes) -> str | None:
    share = _utf8_share(data)
    if share >= MOSTLY:
        # No other encoding makes sense of what is UTF-8 but for a few bytes.
        return None
    return "cp1252" if share < 1 - MOSTLY and _is_western(data) else _detected(data)


def _utf8_share(data: bytes) -> float:
    """The share of the first bytes beyond ASCII that are UTF-8; a third of GB 18030 is by chance."""
    head = data[: 4 * DETECT_BYTES]
    high = head.translate(None, _ASCII)
    valid = head.decode("utf-8", "ignore").encode().translate(None, _ASCII)
    return len(valid) / len(high) if high else 0.0


def _is_western(data: bytes) -> bool:
    """Whether bytes are English as Windows writes it: ASCII but for a few quotation marks, dashes and accents, which
    are too few for a guess from their frequency."""
    high = data.translate(None, _ASCII)
    return len(high) <= WESTERN_SHARE * len(data) and not high.translate(None, _WESTERN)


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

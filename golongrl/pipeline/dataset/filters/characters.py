"""What the characters of a text are, counted many at a time."""

import functools
import re

import numpy as np
from numpy.typing import NDArray

LETTER, HAN, KANA, UNSPACED, GARBLED, SPACE = 1, 2, 4, 8, 16, 32
"""Classes of characters, as bits. Unspaced scripts put no spaces between words; garbled are replacement and
private-use characters and control characters of other code pages."""
_CLASSES = {
    LETTER: re.compile(r"[^\W\d_]+"),
    HAN: re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+"),
    KANA: re.compile(r"[\u3041-\u30ff]+"),
    UNSPACED: re.compile(r"[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+"),
    GARBLED: re.compile(r"[\ufffd\ue000-\uf8ff\x80-\x9f]+"),
    SPACE: re.compile(r"\s+"),
}


def classes(text: str) -> NDArray[np.uint8]:
    """The classes of every character of a text, as sums of bits."""
    if text.isascii():
        return _table().take(np.frombuffer(text.encode(), np.uint8))
    return _table().take(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32))


def count(found: NDArray[np.uint8], kind: int) -> int:
    """How many characters are of a class."""
    return int(np.count_nonzero(found & kind))


@functools.lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    # Above are tags and private use alone.
    everything = np.arange(0x40000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    table = np.zeros(0x110000, np.uint8)
    for kind, pattern in _CLASSES.items():
        for match in pattern.finditer(everything):
            table[match.start() : match.end()] |= kind
    return table

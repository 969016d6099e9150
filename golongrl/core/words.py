"""Texts as comparable words with 64-bit hashes: what the n-gram index is made of.

A word is a run of letters and digits in NFKC form, without case and diacritics; every Han or kana character is a word
of its own. Everything else separates words, so punctuation, markup and layout make no difference; combining marks
and invisible characters (soft hyphens, zero-width spaces) neither count nor separate. Numbers fall apart at their
points and commas ("1,000" is two words), simplified and traditional Chinese count as different.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Raised whenever the words or hashes of any text change, so that indexes on disk are built again."""

_BLOCK = 1 << 16
_BASE, _STEP = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
_FIRST_CJK, _END_CJK, _ASTRAL_HAN = 0x3040, 0xA000, 0x20000
_IGNORED, _LONGER = 0x110000, 0x110001
_HAN = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (_ASTRAL_HAN, 0x32000))
_OTHERS = ((0, 0x3400), (0xA000, 0xD800), (0xF900, 0x20000), (0x2F800, 0x2FA20), (0xE0000, 0xE01F0))


@dataclass(frozen=True)
class Words:
    """The words of a text: `codes` are its comparable characters (0 between words; uint8 where all are ASCII), word i
    is the `length[i]` codes from `first[i]` on, and `hashes[i]` its hash. `origin` says where in the text a code
    comes from, where that is not its own place."""

    codes: NDArray[Any]
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    origin: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.first)

    def span(self, start: int, count: int) -> tuple[int, int]:
        """Where words `start` to `start + count` stand in the text, in characters."""
        last = start + count - 1
        begin, end = int(self.first[start]), int(self.first[last] + self.length[last]) - 1
        if self.origin is not None:
            begin, end = int(self.origin[begin]), int(self.origin[end])
        return begin, end + 1

    def texts(self) -> list[str]:
        """The words in comparable form."""
        if not len(self):
            return []
        letters = within(self.first, self.length)
        spaced = np.full(len(letters) + len(self) - 1, ord(" "), np.dtype("<u4"))
        spaced[np.arange(len(letters)) + np.repeat(np.arange(len(self)), self.length)] = self.codes[letters]
        return spaced.tobytes().decode("utf-32-le").split(" ")

    def cjk(self, start: int, count: int) -> int:
        """How many of `count` words from word `start` on are single Han or kana characters."""
        codes = self.codes[self.first[start : start + count]]
        return int(_is_cjk(codes).sum()) if codes.dtype != np.uint8 else 0


def split(text: str, bits: int = 64) -> Words:
    """The words of a text of any size; `bits` below 64 shortens the hashes (for tests of collisions)."""
    codes, origin = _folded(text)
    inside = codes != 0
    starts, ends = inside.copy(), inside.copy()
    starts[1:] &= ~inside[:-1]
    ends[:-1] &= ~inside[1:]
    if codes.dtype != np.uint8:
        single = _is_cjk(codes)
        starts |= single
        ends |= single
        starts[1:] |= inside[1:] & single[:-1]
        ends[:-1] |= inside[:-1] & single[1:]
    first, last = np.flatnonzero(starts), np.flatnonzero(ends)
    return Words(codes, first, last - first + 1, _hashes(codes, first, last) >> np.uint64(64 - bits), origin)


def split_all(texts: Sequence[str], bits: int = 64) -> tuple[Words, NDArray[np.int64]]:
    """The words of several texts one after the other, which is many times faster for short ones, and the number of
    each text's first word, with that of all words at the end. Spans count from the start of the texts joined by one
    character."""
    split_up = split("\n".join(texts), bits)
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    places = split_up.first if split_up.origin is None else split_up.origin[split_up.first]
    return split_up, np.searchsorted(places, starts)


def hashed(hashes: NDArray[np.uint64], n: int, bits: int = 64) -> NDArray[np.uint64]:
    """Hashes of all runs of n words, by the number of their first word."""
    count = len(hashes) - n + 1
    if count < 1:
        return np.empty(0, np.uint64)
    rolled = hashes[:count].copy()
    for offset in range(1, n):
        rolled *= np.uint64(_STEP)
        rolled += hashes[offset : offset + count]
    return mixed(rolled) >> np.uint64(64 - bits)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def within(first: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers first[i] ... first[i] + length[i] - 1 of all i, one after the other."""
    before = np.cumsum(length) - length
    return np.arange(int(length.sum())) + np.repeat(first - before, length)


def _is_cjk(codes: NDArray[Any]) -> NDArray[np.bool_]:
    return ((codes >= _FIRST_CJK) & (codes < _END_CJK)) | (codes >= _ASTRAL_HAN)


def _hashes(codes: NDArray[Any], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A polynomial hash of every word: differences of prefix sums, shifted back to the word's own start."""
    powers, inverses = _powers()
    found = np.empty(len(first), np.uint64)
    begin = 0
    while begin < len(first):
        start = first[begin]
        end = max(begin + 1, int(np.searchsorted(last, start + _BLOCK)))
        # A single word longer than a block is hashed by its beginning.
        stop = min(int(last[end - 1]) + 1, int(start) + _BLOCK)
        terms = codes[start:stop] * powers[: stop - start]
        sums = np.cumsum(terms)
        low, high = first[begin:end] - start, np.minimum(last[begin:end], stop - 1) - start
        found[begin:end] = (sums[high] - sums[low] + terms[low]) * inverses[low]
        begin = end
    return mixed(found)


@functools.lru_cache(maxsize=1)
def _powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base and of its inverse modulo 2^64."""
    both = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        factors = np.full(_BLOCK, base, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]


def _folded(text: str) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """The comparable characters of a text and where each comes from (None: from the same place)."""
    if text.isascii():
        return _ascii()[np.frombuffer(text.encode("ascii"), np.uint8)], None
    table, spellings = _tables()
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    codes = table[raw]
    if not (codes >= _IGNORED).any():
        return codes, None
    origin = np.arange(len(codes))
    longer = codes == _LONGER
    if longer.any():
        spelled = [spellings[code] for code in raw[longer].tolist()]
        sizes = np.ones(len(codes), np.int64)
        sizes[longer] = [len(letters) for letters in spelled]
        origin, codes = np.repeat(origin, sizes), np.repeat(codes, sizes)
        codes[codes == _LONGER] = np.concatenate(spelled)
    kept = codes != _IGNORED
    return codes[kept], origin[kept]


@functools.lru_cache(maxsize=1)
def _ascii() -> NDArray[np.uint8]:
    return np.array([ord(chr(code).lower()) if chr(code).isalnum() else 0 for code in range(128)], np.uint8)


@functools.lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint32], dict[int, NDArray[np.uint32]]]:
    """For every code point what it stands for in comparable form: one letter or digit, 0 for what separates words,
    _IGNORED, or _LONGER for several, which the second table spells out."""
    table = np.zeros(0x110002, np.uint32)
    spellings: dict[int, NDArray[np.uint32]] = {}
    for first, end in _HAN:
        table[first:end] = np.arange(first, end)
    for first, end in _OTHERS:
        for code in range(first, end):
            letters = _spelled(chr(code))
            if len(letters) > 1 and any(letters):
                table[code] = _LONGER
                spellings[code] = np.array(letters, np.uint32)
            else:
                table[code] = letters[0] if letters else _IGNORED
    return table, spellings


def _spelled(char: str) -> list[int]:
    parts = unicodedata.normalize("NFKD", char)
    bare = "".join(part for part in parts if unicodedata.category(part) not in ("Mn", "Mc", "Me", "Cf"))
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", bare).casefold())
    return [ord(letter) if letter.isalnum() else 0 for letter in plain]

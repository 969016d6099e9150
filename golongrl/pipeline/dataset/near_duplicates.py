"""Near-duplicate texts by MinHash (Broder 1997) and banding (Leskovec, Rajaraman, Ullman, Mining of Massive
Datasets, chapter 3): signatures of word shingles, and which text repeats which earlier one.

Words are compared without case, compatibility forms, punctuation and markup; every Han or kana character is a word.
A text that is part of a much longer one is not found, and simplified and traditional Chinese count as different.
"""

import functools
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golongrl.core.words import mixed

Signatures = NDArray[np.uint32]

PERMUTATIONS = 128
"""Values of a signature; the standard error of an estimated Jaccard similarity J is sqrt(J (1 - J) / 128)."""
THRESHOLD = 0.8
"""Similarity from which two documents count as copies, as in Lee et al. 2022 (arXiv 2107.06499)."""
SHINGLE = {"en": 5, "zh": 8}
"""Words of a document's shingle; eight Han characters are about five words."""
QUESTION_SHINGLE = {"en": 3, "zh": 4}
"""The same for questions, which hold a few dozen words."""
MISSED = 0.001
"""Share of pairs exactly at the threshold that banding may fail to compare."""
BUCKET = 64
"""Most kept texts that one bucket of a band compares later texts with, so that templates stay affordable."""

_CHUNK = 1 << 16
_REACH = 1 << 10
_BLOCK = 1 << 12
_BUFFER = 1 << 10
_BASE, _STEP = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
_FIRST_CJK, _END_CJK, _ASTRAL_HAN = 0x3040, 0xA000, 0x20000
_MARKED = 1 << 31
_SETTLED = ((0, 0x3400), (0xFF00, 0xFFF0), (0x1F000, 0x1FB00))
"""Ranges of which each character is looked at; of the others all but Han and Hangul take the longer way."""
_SPELLED = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\xad": "", "\u200b": ""}


def signature(text: str, language: str) -> Signatures:
    """The document signature uint32[128] of a text of any size; without a single word every value is 2^32 - 1.

    Memory stays bounded beside the text itself. The value is the same in every process and on every machine.
    """
    return _signature(text, SHINGLE[language])


def question_signature(text: str, language: str) -> Signatures:
    """The signature of a question: like `signature`, with short shingles."""
    return _signature(text, QUESTION_SHINGLE[language])


def similarity(first: Signatures, second: Signatures) -> float:
    """Estimated Jaccard similarity of the shingles of two texts: the share of equal values."""
    return float(np.mean(first == second))


def groups(signatures: Signatures, threshold: float = THRESHOLD) -> NDArray[np.int64]:
    """For each text of uint32[N, 128] the number of the earlier one it repeats, or -1.

    The first of several copies is kept: a text repeats the most similar *kept* earlier text (the first of equals)
    whose estimated similarity reaches the threshold. Texts without words repeat nothing.
    """
    repeats = np.full(len(signatures), -1, np.int64)
    need = int(np.ceil(threshold * PERMUTATIONS - 1e-9))
    buckets = _shared_buckets(signatures, threshold)
    kept: dict[int, list[int]] = {}
    # A plain loop over texts that share a bucket: comparing with kept ones alone keeps clusters of copies linear.
    for number in np.flatnonzero((buckets >= 0).any(axis=1)).tolist():
        own = [bucket for bucket in buckets[number].tolist() if bucket >= 0]
        earlier = sorted({other for bucket in own for other in kept.get(bucket, ())})
        if earlier:
            agreeing = (signatures[earlier] == signatures[number]).sum(axis=1)
            best = int(agreeing.argmax())
            if agreeing[best] >= need:
                repeats[number] = earlier[best]
                continue
        for bucket in own:
            members = kept.setdefault(bucket, [])
            if len(members) < BUCKET:
                members.append(number)
    return repeats


def bands(threshold: float) -> tuple[int, int]:
    """(bands, values per band): the widest bands with which at most `MISSED` of the pairs at the threshold are never
    compared. A pair of similarity s is compared with probability 1 - (1 - s^rows)^bands."""
    for rows in range(PERMUTATIONS, 1, -1):
        if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= MISSED:
            return PERMUTATIONS // rows, rows
    return PERMUTATIONS, 1


def _shared_buckets(signatures: Signatures, threshold: float) -> NDArray[np.int64]:
    """Bucket numbers int64[N, bands]; -1 where a text has a band's bucket for itself."""
    count, rows = bands(threshold)
    found = np.full((len(signatures), count), -1, np.int64)
    worded = np.flatnonzero((signatures != np.uint32(0xFFFFFFFF)).any(axis=1))
    total = 0
    for band in range(count):
        key = np.zeros(len(worded), np.uint64)
        for column in range(band * rows, (band + 1) * rows):
            key = mixed(key ^ signatures[worded, column])
        _, bucket, sizes = np.unique(key, return_inverse=True, return_counts=True)
        shared = sizes[bucket] > 1
        found[worded[shared], band] = bucket[shared] + total
        total += len(sizes)
    return found


def _signature(text: str, width: int) -> Signatures:
    lowest = np.full(PERMUTATIONS, 0xFFFFFFFF, np.uint32)
    factors = _factors()[:, None]
    values = np.empty((PERMUTATIONS, _BLOCK), np.uint32)
    for shingles in _shingles(text, width):
        for start in range(0, len(shingles), _BLOCK):
            block = shingles[start : start + _BLOCK]
            room = values[:, : len(block)]
            # With its usual buffer of 8192 values numpy takes three times as long for shorter blocks.
            usual = np.setbufsize(_BUFFER)
            np.multiply(block, factors, out=room)
            np.setbufsize(usual)
            np.minimum(lowest, room.min(axis=1), out=lowest)
    return lowest


def _shingles(text: str, width: int) -> Iterator[NDArray[np.uint32]]:
    """Hashes of all runs of `width` words, piece by piece; a shorter text is one shingle."""
    before = np.empty(0, np.uint64)
    complete = False
    for piece in _pieces(text):
        words = np.concatenate([before, _words(piece)])
        if len(words) >= width:
            complete = True
            yield _hashed(words, width)
            before = words[len(words) - width + 1 :]
        else:
            before = words
    if not complete and len(before):
        yield _hashed(before, len(before))


def _hashed(words: NDArray[np.uint64], width: int) -> NDArray[np.uint32]:
    last = len(words) - width + 1
    rolled = words[:last]
    for offset in range(1, width):
        rolled = rolled * np.uint64(_STEP) + words[offset : offset + last]
    # Odd numbers times odd factors are a permutation without the fixed points 0 and 2^31.
    return (mixed(rolled) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces cut at white space where there is some near the end of a piece."""
    start = 0
    while start < len(text):
        end = start + _CHUNK
        if end < len(text):
            near = max(text.rfind(" ", end - _REACH, end), text.rfind("\n", end - _REACH, end))
            end = near if near > start else end
        yield text[start:end]
        start = end


def _words(piece: str) -> NDArray[np.uint64]:
    """A polynomial hash of every word: a sum over the piece's powers, shifted back to the word's own start."""
    if piece.isascii():
        codes: NDArray[Any] = np.frombuffer(piece.encode().translate(_folded_ascii()), np.uint8)
        first = _word_starts(codes != 0)
    else:
        codes = _folded().take(np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), np.uint32))
        highest = codes.max()
        if highest >= _MARKED:
            codes = _spelled_out(piece)
            highest = codes.max(initial=0)
        starts = codes != 0
        if highest < _FIRST_CJK:
            first = _word_starts(starts)
        else:
            single = ((codes >= _FIRST_CJK) & (codes < _END_CJK)) | (codes >= _ASTRAL_HAN)
            starts[1:] &= ~starts[:-1] | single[1:] | single[:-1]
            first = np.flatnonzero(starts)
    if not len(first):
        return np.empty(0, np.uint64)
    powers, inverses = _powers(len(codes))
    # What stands between words is 0, so that a word's sum may go on to the start of the next one.
    sums = codes * powers
    np.cumsum(sums, out=sums)
    before = sums[first - 1]
    if first[0] == 0:
        before[0] = 0
    return np.diff(before, append=sums[-1:]) * inverses[first]


def _spelled_out(piece: str) -> NDArray[np.uint32]:
    """The comparable characters of a text that holds some which stand for none or several, or which may compose with
    the one before."""
    if not unicodedata.is_normalized("NFC", piece):
        piece = unicodedata.normalize("NFC", piece)
    for form, plain in _SPELLED.items():
        if form in piece:
            piece = piece.replace(form, plain)
    raw = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _folded().take(raw) & np.uint32(_MARKED - 1)


def _word_starts(inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where runs of True begin."""
    inside[1:] &= ~inside[:-1]
    return np.flatnonzero(inside)


def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Powers of the base and of its inverse modulo 2^64."""
    # Spelling out a ligature can lengthen a piece threefold.
    forth, back = _all_powers(_CHUNK if count <= _CHUNK else 3 * _CHUNK)
    return forth[:count], back[:count]


@functools.lru_cache(maxsize=2)
def _all_powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    both = []
    for base in (_BASE, pow(_BASE, -1, 1 << 64)):
        factors = np.full(count, base, np.uint64)
        factors[0] = 1
        both.append(np.cumprod(factors))
    return both[0], both[1]


@functools.lru_cache(maxsize=1)
def _factors() -> NDArray[np.uint32]:
    """The odd factors of the permutations h -> factor * h modulo 2^32."""
    seeds = np.arange(1, PERMUTATIONS + 1, dtype=np.uint64) * np.uint64(_BASE)
    return (mixed(seeds) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


@functools.lru_cache(maxsize=1)
def _folded() -> NDArray[np.uint32]:
    """For every code point the letter or digit it stands for in comparable form; 0 for everything else. Added is
    `_MARKED` wherever a text that holds the character needs a closer look (`_spelled_out`)."""
    table = np.full(0x110000, _MARKED, np.uint32)
    for first, end in ((0x3400, 0xA000), (0xAC00, 0xD7A4)):
        table[first:end] = np.arange(first, end)
    table[_ASTRAL_HAN:0x32000] |= np.arange(_ASTRAL_HAN, 0x32000, dtype=np.uint32)
    for first, end in ((0, 0x3400), (0xA000, 0xAC00), (0xF900, 0x10000), (0x1D400, 0x1D800)):
        for code in range(first, end):
            letters = filter(str.isalnum, unicodedata.normalize("NFKC", chr(code)).lower())
            table[code] = ord(next(letters, "\0")) | _MARKED
    composing = _composing()
    for first, end in _SETTLED:
        for code in range(first, end):
            char = chr(code)
            settled = code not in composing and not unicodedata.combining(char) and char not in _SPELLED
            if settled and unicodedata.is_normalized("NFC", char):
                table[code] &= _MARKED - 1
    return table


def _composing() -> set[int]:
    """The characters that compose with the one before, as far as they are of those in `_SETTLED`."""
    found = set(range(0x1100, 0x1200))
    for code in range(0x3400):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(int(parts[1], 16))
    return found


@functools.lru_cache(maxsize=1)
def _folded_ascii() -> bytes:
    return bytes(_folded()[:128].tolist()) + bytes(128)

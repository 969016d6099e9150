"""Which n-grams of words a set of texts holds: an index on disk, built once in bounded memory and read by mmap.

An n-gram is found by its 64-bit hash and then compared word by word, so that a collision of hashes never counts.
Memory while building: the distinct words, about 50 bytes per character of the longest text, and 100 MB for sorting;
the disk holds 4 bytes per word and 24 per distinct n-gram.
"""

import contextlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golongrl.core.errors import DataError
from golongrl.core.store import storage_errors
from golongrl.core.words import Words, hashed, split, within

RUN = 1 << 21
"""N-grams that are sorted in memory before they go to disk."""
RANGE = 1 << 20
"""N-grams that are merged at once."""
SPARSE = 16
"""Bits of the filter per n-gram; a sixteenth of foreign n-grams pass it and are looked up."""

Integers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
_ARRAYS = {
    "words": np.int32,
    "letters": np.uint32,
    "word_starts": np.int64,
    "text_starts": np.int64,
    "text_rows": np.int32,
    "hashes": np.uint64,
    "first": np.int64,
    "rows": np.int32,
    "filter": np.uint8,
    "anchor_hashes": np.uint64,
    "anchors": np.int64,
}


def build(
    folder: Path,
    texts: Iterable[tuple[int, str]],
    n: int,
    *,
    anchor: int = 0,
    bits: int = 64,
    run: int = RUN,
    merged: int = RANGE,
) -> None:
    """Write the index of (row, text) pairs, rows never falling, into an empty folder; meta.json is written last.

    With `anchor`, all runs of that many words are kept too, which `whole` and `inside` need. `bits` shortens the
    hashes, `run` and `merged` the pieces of the sorting (for tests).
    """
    vocabulary: dict[str, int] = defaultdict(itertools.count().__next__)
    starts, rows, total = [0], [], 0
    grams, anchors = _Sorter(folder, "run", run, bits), _Sorter(folder, "anchor_run", run, bits)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "words.bin", "wb") as stream:
            for row, text in texts:
                words = split(text, bits)
                if not len(words):
                    continue
                numbers = map(vocabulary.__getitem__, words.texts())
                stream.write(np.fromiter(numbers, np.int32, len(words)).tobytes())
                grams.add(hashed(words.hashes, n, bits), total)
                if anchor:
                    anchors.add(hashed(words.hashes, anchor, bits), total)
                total += len(words)
                starts.append(total)
                rows.append(row)
        _write(folder, "letters", np.frombuffer("".join(vocabulary).encode("utf-32-le"), np.dtype("<u4")))
        _write(folder, "word_starts", np.cumsum([0, *map(len, vocabulary)]))
        _write(folder, "text_starts", np.array(starts))
        _write(folder, "text_rows", np.array(rows))
        distinct = _merge(folder, grams, n, merged, np.array(starts), np.array(rows))
        with _appending(folder, "anchor_hashes", "anchors") as (hashes, places):
            for part in anchors.ranges(merged):
                hashes(part[0])
                places(part[1])
        _write_filter(folder, distinct, bits)
        meta = {"n": n, "anchor": anchor, "bits": bits, "texts": len(rows), "words": total, "ngrams": distinct}
        (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


@dataclass(frozen=True)
class NGrams:
    """An index as `build` wrote it.

    `words` are all texts, one number per word; text t is the words from `text_starts[t]` on and belongs to row
    `text_rows[t]`. N-gram g stands first at word `first[g]`, in `rows[g]` different rows.
    """

    n: int
    anchor: int
    bits: int
    words: NDArray[np.int32]
    letters: NDArray[np.uint32]
    word_starts: Integers
    text_starts: Integers
    text_rows: NDArray[np.int32]
    hashes: Hashes
    first: Integers
    rows: NDArray[np.int32]
    filter: NDArray[np.uint8]
    anchor_hashes: Hashes
    anchors: Integers

    def __len__(self) -> int:
        return len(self.hashes)

    def split(self, text: str) -> Words:
        """The words of a text as this index compares them."""
        return split(text, self.bits)

    def find(self, words: Words, bounds: Integers | None = None) -> tuple[Integers, Integers]:
        """(at, gram): at word at[i] of the text begins n-gram gram[i] of the index; `at` rises. With the bounds of
        several texts (`words.split_all`) those that reach into the next text are left out."""
        sought = hashed(words.hashes, self.n, self.bits)
        if not len(sought) or not len(self.hashes):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        top = sought >> np.uint64(_shift(len(self.filter), self.bits))
        byte = self.filter[(top >> np.uint64(3)).view(np.int64)]
        maybe = _within(np.flatnonzero((byte >> (top & np.uint64(7)).astype(np.uint8)) & 1), self.n, bounds)
        at, gram = _equal(self.hashes, sought[maybe])
        at = maybe[at]
        same = self._same(words, at, self.first[gram], self.n)
        return at[same], gram[same]

    def inside(self, words: Words) -> Integers:
        """Where in the index the whole text stands within one of its texts, as word numbers; it needs at least
        `anchor` words."""
        size = len(words)
        sought = hashed(words.hashes[: self.anchor], self.anchor, self.bits)
        places = self.anchors[_equal(self.anchor_hashes, sought)[1]]
        places = places[places + size <= self.text_starts[self.text_of(places) + 1]]
        return places[self._same(words, np.zeros(len(places), np.int64), places, size)]

    def whole(self, words: Words, bounds: Integers | None = None) -> tuple[Integers, Integers]:
        """(at, text): at word at[i] of the text begins the whole text number text[i] of the index, for texts of
        `anchor` to n - 1 words; `bounds` as for `find`."""
        at, anchor = _equal(self.anchor_hashes, hashed(words.hashes, self.anchor, self.bits))
        places = self.anchors[anchor]
        text = self.text_of(places)
        size = self.text_starts[text + 1] - self.text_starts[text]
        end = len(words) if bounds is None else bounds[np.searchsorted(bounds, at, "right")]
        fits = (places == self.text_starts[text]) & (size < self.n) & (at + size <= end)
        at, places, text, size = at[fits], places[fits], text[fits], size[fits]
        order = np.argsort(at, kind="stable")
        at, places, text, size = at[order], places[order], text[order], size[order]
        same = np.zeros(len(at), bool)
        for length in np.unique(size).tolist():
            equal = size == length
            same[equal] = self._same(words, at[equal], places[equal], length)
        return at[same], text[same]

    def text_of(self, places: Integers) -> Integers:
        """The numbers of the texts that these words belong to."""
        return np.searchsorted(self.text_starts, places, "right") - 1

    def gram(self, place: int) -> str:
        """The n-gram at a word of the index in comparable form."""
        numbers = self.words[place : place + self.n].tolist()
        spelled = [self.letters[self.word_starts[number] : self.word_starts[number + 1]] for number in numbers]
        return " ".join("".join(map(chr, letters.tolist())) for letters in spelled)

    def _same(self, words: Words, at: Integers, places: Integers, size: int) -> NDArray[np.bool_]:
        """Whether the `size` words from at[i] on are those of the index from places[i] on."""
        same = np.ones(len(at), bool)
        if not len(at):
            return same
        # Of several numbers that a word may have, one is compared letter by letter; runs that need another one are
        # compared one by one below, which happens where hashes collide.
        guess = np.full(len(words), -1, np.int64)
        for offset in range(size):
            guess[at + offset] = self.words[places + offset]
        known = np.flatnonzero(guess >= 0)
        guess[known[~self._spelled(words, known, guess[known])]] = -1
        for offset in range(size):
            same &= guess[at + offset] == self.words[places + offset]
        rest = np.flatnonzero(~same)
        for number in rest.tolist():
            run = np.arange(size)
            same[number] = self._spelled(words, at[number] + run, self.words[places[number] + run]).all()
        return same

    def _spelled(self, words: Words, at: Integers, numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether word at[i] of the text is word numbers[i] of the vocabulary, letter by letter."""
        start = self.word_starts[numbers]
        length = words.length[at]
        equal = length == self.word_starts[numbers + 1] - start
        if equal.any():
            first, start, length = words.first[at[equal]], start[equal], length[equal]
            letters = words.codes[within(first, length)] == self.letters[within(start, length)]
            equal[equal] = np.logical_and.reduceat(letters, np.cumsum(length) - length)
        return equal


def load(folder: Path) -> NGrams:
    """The index in a folder, mapped into memory; DataError where it is incomplete."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        arrays = {name: _mapped(folder / f"{name}.bin", kind) for name, kind in _ARRAYS.items()}
        sizes = {"words": meta["words"], "hashes": meta["ngrams"], "first": meta["ngrams"], "rows": meta["ngrams"]}
        whole = all(len(arrays[name]) == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder} is no complete index ({error}); remove the folder, it is built again") from error
    if not whole:
        raise DataError(f"{folder} is no complete index (files are cut off); remove the folder, it is built again")
    return NGrams(meta["n"], meta["anchor"], meta["bits"], **arrays)


class _Sorter:
    """Sorts (hash, place) pairs on disk: sorted runs first, then merged range by range."""

    def __init__(self, folder: Path, name: str, run: int, bits: int):
        self.folder, self.name, self.run, self.bits = folder, name, run, bits
        self.pending: list[tuple[Hashes, Integers]] = []
        self.held = self.total = self.runs = 0

    def add(self, hashes: Hashes, start: int) -> None:
        """Hashes of the places from `start` on."""
        self.pending.append((hashes, np.arange(start, start + len(hashes))))
        self.held += len(hashes)
        self.total += len(hashes)
        if self.held >= self.run:
            self._flush()

    def ranges(self, size: int) -> Iterator[tuple[Hashes, Integers]]:
        """All pairs by rising hash and then place, in pieces of about `size` that part no equal hashes."""
        self._flush()
        files = [[self.folder / f"{self.name}{run}.{part}" for part in ("hash", "place")] for run in range(self.runs)]
        runs = [(_mapped(one, np.uint64), _mapped(two, np.int64)) for one, two in files]
        pieces = max(1, min(self.total // size, 1 << min(self.bits, 20)))
        edges = [(piece << self.bits) // pieces for piece in range(1, pieces)]
        cuts = [np.searchsorted(hashes, np.array(edges, np.uint64)) for hashes, _ in runs]
        bounds = [[0, *cut.tolist(), len(hashes)] for cut, (hashes, _) in zip(cuts, runs, strict=True)]
        for piece in range(pieces if runs else 0):
            slices = [slice(bound[piece], bound[piece + 1]) for bound in bounds]
            hashes = np.concatenate([run[0][part] for run, part in zip(runs, slices, strict=True)])
            places = np.concatenate([run[1][part] for run, part in zip(runs, slices, strict=True)])
            order = np.argsort(hashes, kind="stable")
            yield hashes[order], places[order]
        for file in (file for pair in files for file in pair):
            file.unlink()

    def _flush(self) -> None:
        if not self.held:
            return
        hashes = np.concatenate([hashes for hashes, _ in self.pending])
        places = np.concatenate([places for _, places in self.pending])
        order = np.argsort(hashes, kind="stable")
        hashes[order].tofile(self.folder / f"{self.name}{self.runs}.hash")
        places[order].tofile(self.folder / f"{self.name}{self.runs}.place")
        self.pending, self.held, self.runs = [], 0, self.runs + 1


def _merge(folder: Path, grams: _Sorter, n: int, size: int, starts: Integers, rows: Integers) -> int:
    """Write hash, first place and number of rows of every distinct n-gram; returns how many there are."""
    texts = _mapped(folder / "words.bin", np.int32)
    count = 0
    with _appending(folder, "hashes", "first", "rows") as (to_hashes, to_first, to_rows):
        for hashes, places in grams.ranges(size):
            first = _firsts(hashes, places, texts, n)
            row = rows[np.searchsorted(starts, places, "right") - 1]
            if ((hashes[1:] == hashes[:-1]) & (first[1:] != first[:-1])).any():
                order = np.lexsort((places, first, hashes))
                hashes, first, row = hashes[order], first[order], row[order]
            begins = np.r_[True, (hashes[1:] != hashes[:-1]) | (first[1:] != first[:-1])][: len(hashes)]
            changes = begins.copy()
            changes[1:] |= row[1:] != row[:-1]
            begin = np.flatnonzero(begins)
            to_hashes(hashes[begin])
            to_first(first[begin])
            if len(begin):
                to_rows(np.add.reduceat(changes.astype(np.int64), begin))
            count += len(begin)
    return count


def _firsts(hashes: Hashes, places: Integers, texts: NDArray[np.int32], n: int) -> Integers:
    """For pairs by rising hash and place: the first place where the very same n-gram stands."""
    first = places.copy()
    left = np.arange(len(hashes))
    while len(left):
        begins = np.r_[True, hashes[left[1:]] != hashes[left[:-1]]]
        group = np.maximum.accumulate(np.where(begins, np.arange(len(left)), 0))
        candidate = places[left[group]]
        same = np.ones(len(left), bool)
        again = np.flatnonzero(~begins)
        for offset in range(n):
            same[again] &= texts[places[left[again]] + offset] == texts[candidate[again] + offset]
        first[left[same]] = candidate[same]
        # What is left collides with the first n-gram of its hash and is grouped again without it.
        left = left[~same]
    return first


def _write_filter(folder: Path, distinct: int, bits: int) -> None:
    size = 1 << max(6, (SPARSE * max(distinct, 1) - 1).bit_length())
    size = min(size, 1 << max(bits, 3))
    table = np.zeros(size // 8, np.uint8)
    hashes = _mapped(folder / "hashes.bin", np.uint64)
    shift = np.uint64(_shift(len(table), bits))
    for start in range(0, distinct, RANGE):
        top = hashes[start : start + RANGE] >> shift
        bit = np.uint8(1) << (top & np.uint64(7)).astype(np.uint8)
        np.bitwise_or.at(table, (top >> np.uint64(3)).view(np.int64), bit)
    _write(folder, "filter", table)


def _shift(size: int, bits: int) -> int:
    """How far a hash is shifted to number a bit of a filter of `size` bytes."""
    return max(0, bits - (8 * size).bit_length() + 1)


def _within(at: Integers, n: int, bounds: Integers | None) -> Integers:
    """Those of the word numbers from which on n words stand in one text."""
    return at if bounds is None else at[at + n <= bounds[np.searchsorted(bounds, at, "right")]]


def _equal(table: Hashes, sought: Hashes) -> tuple[Integers, Integers]:
    """(number in `sought`, number in the sorted table) of all equal pairs."""
    low, high = np.searchsorted(table, sought, "left"), np.searchsorted(table, sought, "right")
    return np.repeat(np.arange(len(sought)), high - low), within(low, high - low)


@contextlib.contextmanager
def _appending(folder: Path, *names: str):
    """Functions that append values to the named arrays."""
    with contextlib.ExitStack() as stack:
        yield [_appender(stack.enter_context(open(folder / f"{name}.bin", "wb")), _ARRAYS[name]) for name in names]


def _appender(stream, kind):
    return lambda values: stream.write(np.ascontiguousarray(values, kind).tobytes())


def _write(folder: Path, name: str, values: NDArray) -> None:
    values.astype(_ARRAYS[name]).tofile(folder / f"{name}.bin")


def _mapped(path: Path, kind: type) -> NDArray:
    # An empty file cannot be mapped.
    return np.memmap(path, kind, "r").view(np.ndarray) if path.stat().st_size else np.empty(0, kind)

"""Words of Chinese text: jieba's dictionary and its most probable segmentation (`lcut(text, HMM=False)`) without its
guesses at unknown words, which join a name's end to the verb behind it; in half the time and memory.

The dictionary is read from the package: jieba's own loader would take a cache from the shared temporary folder, which
anybody on the machine can write.
"""

import functools
import importlib.resources
import math
import re
from collections import Counter

_BLOCK = re.compile(r"[\u4e00-\u9fd5a-zA-Z0-9+#&._%\-]+")
"""What jieba segments at a time; everything else stands between words."""
_NONE = float("-inf")
BLOCKS_KEPT, LONGEST_KEPT = 16_384, 64
"""Blocks, mostly clauses, whose words one process keeps, and their characters at most: questions about one document
count its words again."""


def count_words(text: str) -> Counter[str]:
    """Words of two characters or more with their counts, in the order in which they first occur; a few hold Latin
    letters and digits."""
    words: list[str] = []
    for block in _BLOCK.findall(text):
        if not block.isascii():
            words += _kept(block) if len(block) <= LONGEST_KEPT else _words(block)
    return Counter(words)


@functools.lru_cache(maxsize=BLOCKS_KEPT)
def _kept(block: str) -> tuple[str, ...]:
    return _words(block)


def _words(block: str) -> tuple[str, ...]:
    """The longer words of the segmentation with the largest product of word probabilities; of equal ones the one
    whose first word is longest."""
    scores, longer, unknown = _dictionary()
    score_of, longer_of = scores.get, longer.get
    size = len(block)
    # From the end: the best score of every tail of the block and where the first word of the tail ends.
    best = [0.0] * (size + 1)
    ends = [0] * size
    tail = 0.0
    for start in range(size - 1, -1, -1):
        end = start + 1
        score = score_of(block[start])
        value = _NONE if score is None else score + tail
        pair = block[start : start + 2]
        score = score_of(pair)
        if score is not None and start + 2 <= size and (score := score + best[start + 2]) >= value:
            value, end = score, start + 2
        lengths = longer_of(pair)
        if lengths is not None:
            for length in lengths:
                score = score_of(block[start : start + length])
                if score is not None and start + length <= size and (score := score + best[start + length]) >= value:
                    value, end = score, start + length
        ends[start] = end
        tail = best[start] = unknown + tail if value == _NONE else value
    found = []
    start = 0
    while start < size:
        end = ends[start]
        if end - start > 1:
            found.append(block[start:end])
        start = end
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _dictionary() -> tuple[dict[str, float], dict[str, tuple[int, ...]], float]:
    """Log probability of every word, lengths above two of the words with given first two characters, log probability
    of a character that is no word."""
    text = (importlib.resources.files("jieba") / "dict.txt").read_text(encoding="utf-8")
    fields = text.split()
    words, counts = fields[0::3], list(map(int, fields[1::3]))
    total = math.log(sum(counts))
    logs = {count: math.log(count) - total for count in set(counts) if count}
    scores = {word: logs[count] for word, count in zip(words, counts, strict=True) if count}
    longer: dict[str, tuple[int, ...]] = {}
    for word in scores:
        if len(word) > 2:
            known = longer.get(word[:2], ())
            if len(word) not in known:
                longer[word[:2]] = _rising(known, len(word))
    return scores, longer, math.log(1) - total


@functools.cache
def _rising(known: tuple[int, ...], more: int) -> tuple[int, ...]:
    """The same tuple wherever the lengths are the same, to save memory."""
    return tuple(sorted((*known, more)))

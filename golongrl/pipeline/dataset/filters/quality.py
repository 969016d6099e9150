"""What makes a text useless as a document: measured on its running text (paragraphs, list items, turns).

After the heuristics of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A1) and C4 (Raffel et al. 2020), loosened
where documents of a company or a library need it: tables, code, dialogues, statutes that are one list, and texts
full of names and numbers are good documents here.
"""

import bisect
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.filters import characters

SAMPLES, SAMPLE_CHARACTERS = 8, 750
"""Stretches of running text, evenly spread, that character and word counts are taken from."""
MIN_SAMPLE = 400
"""Characters of running text below which only what holds for any text is checked."""
GARBLED = 0.02
"""Largest share of replacement, private-use and undrawable characters."""
MIN_LETTERS = 0.4
"""Smallest share of letters among the characters other than white space; running text has 0.9 (Gopher instead: 80% of
the words hold a letter)."""
WORD_LENGTH = (2.5, 20.0)
"""Mean length of the words of a text in alphabetic script (Gopher: 3 to 10): less is text set with a space behind
every letter, more is text without spaces or lists of addresses; references of programs have up to 18."""
SYMBOLS = 0.1
"""Most "#" (that number nothing) and ellipses per word (Gopher)."""
REPEATED = 0.4
"""Largest share of the running text that stands in blocks seen before (Gopher: 0.2 to 0.3 of lines or paragraphs;
forms and minutes repeat more)."""
REPEATED_BLOCK = 20
"""Fewest characters of a block that counts as repeated: short answers and captions repeat in any text."""
CUT_OFF, CUT_OFF_BLOCKS = 0.3, 10
"""Largest share of paragraphs, items and turns, where there are so many, that end in an ellipsis (Gopher): previews
of other pages."""
LIST_SHARE, LIST_ITEMS, LIST_CHARACTERS = 0.9, 20, 25
"""A text is a mere list of links when this share of it is items, at least so many, of at most so many characters in
the mean, of which hardly one ends as a sentence does (Gopher: 90% bulleted lines, which statutes have too)."""
LIST_SENTENCES = 0.1
PLACEHOLDER, PLACEHOLDER_EVERY = "lorem ipsum", 2_000
"""Text of page templates (C4), when it occurs at least once in so many characters."""

_GARBLED_GLYPH = re.compile(r"\(cid:\d+\)")
_LONE_DASH = re.compile(r"-(?<!\S-)(?!\S)")
"""Begins with the dash for speed."""
_SENTENCE_END = (".", "。", "!", "！", "?", "？", ";", "；")


@dataclass(frozen=True)
class Stats:
    """Measures of a document's running text; shares are of characters unless said otherwise."""

    blocks: int
    characters: int
    placeholders: int
    garbled: float
    letters: float
    word_length: float
    symbols: float
    repeated: float
    cut_off: float
    items: int
    item_share: float
    item_characters: float
    item_sentences: float


def fault(document: Document) -> str | None:
    """Why a document is of no use, in words and numbers; None when nothing is wrong with it."""
    stats = measure(document)
    if stats.garbled > GARBLED:
        return f"garbled: {stats.garbled:.0%} of its characters are replacements or of no known script"
    if stats.placeholders * PLACEHOLDER_EVERY >= max(1, len(document.text)):
        return f'placeholder text: {stats.placeholders} times "{PLACEHOLDER}"'
    if stats.characters < MIN_SAMPLE:
        return None
    if stats.letters < MIN_LETTERS:
        return f"hardly any words: {stats.letters:.0%} of the characters are letters"
    low, high = WORD_LENGTH
    if not low <= stats.word_length <= high:
        return f"no normal words: they have {stats.word_length:.1f} characters in the mean"
    if stats.symbols > SYMBOLS:
        return f"mostly symbols: {stats.symbols:.2f} hash signs and ellipses per word"
    if stats.repeated > REPEATED:
        return f"repeats itself: {stats.repeated:.0%} of the text stands in it before"
    if stats.cut_off > CUT_OFF and stats.blocks >= CUT_OFF_BLOCKS:
        return f"cut off: {stats.cut_off:.0%} of the paragraphs end in an ellipsis"
    if _is_link_list(stats):
        return f"a mere list: {stats.items} items of {stats.item_characters:.0f} characters in the mean"
    return None


def measure(document: Document) -> Stats:
    """Measure a document."""
    text = document.text
    contents = [
        text[block.content.start : block.content.end]
        for block in document.blocks
        if block.kind in ("paragraph", "item", "turn")
    ]
    items = [text[b.content.start : b.content.end] for b in document.blocks if b.kind == "item"]
    total = sum(map(len, contents))
    # Tables and code have few words; what is garbled shows in them too.
    sample = "\n".join(_samples(contents, total)) if total else ""
    any_sample = sample or text[: SAMPLES * SAMPLE_CHARACTERS]
    kinds = characters.classes(any_sample)
    words, dense = _words(kinds) if sample else (0, 0)
    dashes = _lone_dashes(sample)
    size = sum(map(len, items))
    return Stats(
        blocks=len(contents),
        characters=total,
        placeholders=_placeholders(text),
        garbled=_garbled(any_sample, kinds) / max(1, len(any_sample)),
        letters=characters.count(kinds, characters.LETTER) / max(1, dense) if sample else 0.0,
        word_length=_word_length(kinds, words - dashes, dense - dashes),
        symbols=_symbols(sample) / max(1, words - dashes, dense // 8),
        repeated=_repeated(contents) / max(1, total),
        cut_off=sum(content.endswith(("...", "…")) for content in contents) / max(1, len(contents)),
        items=len(items),
        item_share=size / max(1, len(text) - 2 * len(document.blocks)),
        item_characters=size / max(1, len(items)),
        item_sentences=sum(item.endswith(_SENTENCE_END) for item in items) / max(1, len(items)),
    )


def _placeholders(text: str) -> int:
    # One look spares nearly every text the other two.
    if PLACEHOLDER[1:] not in text:
        return 0
    return text.count(PLACEHOLDER) + text.count(PLACEHOLDER.capitalize())


def _garbled(sample: str, kinds: NDArray[np.uint8]) -> int:
    """Garbled characters, and those that spell the number of a glyph of which no character is known."""
    glyphs = _GARBLED_GLYPH.findall(sample) if "(cid:" in sample else []
    return characters.count(kinds, characters.GARBLED) + sum(map(len, glyphs))


def _words(kinds: NDArray[np.uint8]) -> tuple[int, int]:
    """(words between white space, characters other than white space)."""
    inside = (kinds & characters.SPACE) == 0
    words = int(inside[0]) + int(np.count_nonzero(inside[1:] & ~inside[:-1]))
    return words, int(np.count_nonzero(inside))


def _lone_dashes(sample: str) -> int:
    """Dashes between white space, which are no words."""
    return len(_LONE_DASH.findall(sample))


def _symbols(sample: str) -> int:
    hashes = sum(not behind[:1].isdecimal() for behind in sample.split("#")[1:])
    return hashes + _runs(sample, "…") + _runs(sample, "...")


def _runs(sample: str, mark: str) -> int:
    """How often a mark stands in a text, once where it follows itself."""
    parts = sample.split(mark)
    return len(parts) - 1 - parts[1:-1].count("")


def _samples(contents: list[str], total: int) -> Iterator[str]:
    """Evenly spread stretches; whole blocks up to `SAMPLE_CHARACTERS` each."""
    if total <= SAMPLES * SAMPLE_CHARACTERS:
        yield from contents
        return
    ends = list(itertools.accumulate(map(len, contents)))
    step = total / SAMPLES
    wanted, number = 0.0, 0
    while (number := bisect.bisect_right(ends, wanted, number)) < len(contents):
        left, wanted = SAMPLE_CHARACTERS, wanted + step
        while left > 0 and number < len(contents):
            content = contents[number]
            size = len(content)
            start = 0 if size <= left else max(0, min(size - left, int(wanted - step) - ends[number] + size))
            yield content[start : start + left]
            left -= size
            number += 1


def _word_length(kinds: NDArray[np.uint8], words: int, letters: int) -> float:
    """Mean characters of a word, given words and their characters; a middling value where words are not told apart by
    spaces."""
    if characters.count(kinds, characters.UNSPACED) > 0.1 * len(kinds):
        return sum(WORD_LENGTH) / 2
    return letters / max(1, words)


def _repeated(contents: list[str]) -> int:
    """Characters of the blocks that were seen before."""
    if len(set(contents)) == len(contents):
        return 0
    seen: set[str] = set()
    count = 0
    for content in contents:
        if len(content) < REPEATED_BLOCK:
            continue
        if content in seen:
            count += len(content)
        seen.add(content)
    return count


def _is_link_list(stats: Stats) -> bool:
    return (
        stats.item_share >= LIST_SHARE
        and stats.items >= LIST_ITEMS
        and stats.item_characters <= LIST_CHARACTERS
        and stats.item_sentences <= LIST_SENTENCES
    )

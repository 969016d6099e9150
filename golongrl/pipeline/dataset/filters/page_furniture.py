"""Page numbers and running heads that stayed in a text when pages were put one after another."""

import itertools
import re
import statistics
from collections import defaultdict

from golongrl.core.documents import Document
from golongrl.core.text import normalise

NUMBERS = 5
"""Fewest page numbers that count."""
RISING = 0.8
"""Share of successive numbers that must rise by at most `STEP`."""
STEP = 3
PAGE_CHARACTERS = (800, 8_000)
"""Median distance of page numbers, in characters: numbered stanzas are nearer, chapters further apart."""
HEADS = 5
"""Fewest repetitions of a running head."""
HEAD_CHARACTERS = 100

_BARE = re.compile(r"[-–—\[(|\s]*(\d{1,4})[-–—\])|\s]*")
_SAID = re.compile(
    r"[-–—\[(|\s]*(?:page|p\.|pg\.?)\s*(\d{1,4})(?:\s*(?:of|/)\s*\d{1,4})?[-–—\])|\s]*"
    r"|[-–—\[(|\s]*第\s*(\d{1,4})\s*页(?:[\s,，/]*共\s*\d{1,4}\s*页)?[-–—\])|\s]*",
    re.IGNORECASE,
)
_OTHER = re.compile(r"[\W\d_]+")
_DIGITS = re.compile(r"\d+")
_STOPPED = tuple(".。!！?？;；:：,，\"”'’)）")


def find(document: Document, short: list[str]) -> set[int]:
    """The blocks that are page numbers or running heads."""
    bare: dict[int, int] = {}
    said: dict[int, int] = {}
    heads: defaultdict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(short):
        if not text or len(text) > HEAD_CHARACTERS or document.blocks[number].kind != "paragraph":
            continue
        if match := _BARE.fullmatch(text):
            bare[number] = int(match[1])
        elif match := _SAID.fullmatch(text):
            said[number] = int(match[1] or match[2])
        elif not text.endswith(_STOPPED):
            heads[_DIGITS.sub("#", text)].append(number)
    found = set(said) if len(said) >= NUMBERS else set()
    if _are_pages(document, bare):
        found |= bare.keys()
    return found | _running_heads(document, heads, found)


def _are_pages(document: Document, numbers: dict[int, int]) -> bool:
    if len(numbers) < NUMBERS:
        return False
    values = list(numbers.values())
    places = [document.blocks[number].span.start for number in numbers]
    rises = sum(0 < after - before <= STEP for before, after in itertools.pairwise(values))
    gaps = [after - before for before, after in itertools.pairwise(places)]
    low, high = PAGE_CHARACTERS
    return rises >= RISING * (len(values) - 1) and low <= statistics.median(gaps) <= high


def _running_heads(document: Document, heads: dict[str, list[int]], numbers: set[int]) -> set[int]:
    """Lines that come again and again: most of them beside a page number, or with one inside, or the title."""
    title = _letters(document.title)
    found: set[int] = set()
    for text, places in heads.items():
        if len(places) < HEADS:
            continue
        beside = sum(number - 1 in numbers or number + 1 in numbers for number in places)
        titled = len(title) >= 2 and title == _letters(text)
        if 2 * beside >= len(places) or titled or ("#" in text and _counts_pages(document, places)):
            found.update(places)
    return found


def _letters(text: str) -> str:
    return normalise(_OTHER.sub(" ", text))


def _counts_pages(document: Document, places: list[int]) -> bool:
    """Whether the number at the start or the end of these lines counts pages."""
    for last in (False, True):
        numbers: dict[int, int] = {}
        for number in places:
            text = document.slice(document.blocks[number].content)
            match = re.search(r"(?:^|\s)(\d{1,4})$", text) if last else re.match(r"(\d{1,4})\s", text)
            if match:
                numbers[number] = int(match[1])
        if len(numbers) == len(places) and _are_pages(document, numbers):
            return True
    return False

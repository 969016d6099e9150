"""Which lines of a PDF are headings: those the outline names, else those larger than the body or bold and alone."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from golongrl.pipeline.dataset.readers.pdf_layout import Layout
from golongrl.pipeline.dataset.readers.pdf_lines import Line

_WORDS = re.compile(r"\W+")
_PREFIX = re.compile(
    r"(?:chapter|part|section|appendix|annex|第)?\s*(?:[\dA-Z]+(?:[.\-][\dA-Z]+)*|[IVXLC]+)?[.:章节]?\s*", re.I
)
_OPENER = re.compile(
    r"(?:(?:chapter|part|appendix|book)\b.{0,20}|[a-z]{3,9}(?:-[a-z]{3,5})?|[\divxlc.]{1,6}|第.{1,5}[章节篇编])", re.I
)
_STOPPED = tuple(".。;；,，:：")
LARGER = 1.12
"""Size, in those of the body, from which a line is a heading."""
MATCHED = 0.5
"""Share of outline entries that must be found on their pages for the outline to be believed."""
MAX_HEADING = 160


@dataclass(frozen=True)
class Entry:
    """An outline entry: depth from 0, title, page index, and the height on the page it points at, if it says so."""

    depth: int
    title: str
    page: int
    height: float | None


@dataclass(frozen=True)
class Heading:
    """A heading made of consecutive lines; a document's title has level 1."""

    text: str
    level: int


def by_outline(entries: Sequence[Entry], pages: Sequence[Sequence[Line]]) -> dict[int, Heading | None]:
    """Headings by the `id` of their first line; other lines that belong to one have None. Empty where the outline
    does not describe the pages."""
    found: dict[int, Heading | None] = {}
    hits = 0
    squeezed: dict[int, list[str]] = {}
    for entry in entries:
        if not 0 <= entry.page < len(pages):
            continue
        page = pages[entry.page]
        if entry.page not in squeezed:
            squeezed[entry.page] = [_squeeze(line.text) for line in page]
        lines = squeezed[entry.page]
        wanted = _squeeze(entry.title)
        places = [
            (start, count)
            for start in range(len(lines))
            if id(page[start]) not in found
            for count in (1, 2, 3, 4)
            if wanted and _names(page, lines, start, count, wanted)
        ]
        if not places:
            continue
        hits += 1
        if entry.height is not None:
            height = entry.height
            start, count = min(places, key=lambda place: abs(page[place[0]].base - height))
        else:
            start, count = places[0]
        text = " ".join(line.text for line in page[start : start + count])
        if text.isupper() and not entry.title.isupper():
            text = entry.title
        first = _openers(page, start)
        opener = " ".join(line.text for line in page[first:start])
        if any(map(str.isdigit, opener)):
            text = f"{opener} {text}"
        for line in page[first : start + count]:
            found[id(line)] = None
        found[id(page[first])] = Heading(text, min(entry.depth + 2, 6))
    return found if hits >= max(2, MATCHED * len(entries)) else {}


def _names(page: Sequence[Line], squeezed: Sequence[str], start: int, count: int, wanted: str) -> bool:
    if start + count > len(page) or (count > 1 and abs(page[start].size - page[start + count - 1].size) > 1):
        return False
    text = "".join(squeezed[start : start + count])
    if text == wanted:
        return True
    extra = len(text) - len(wanted)
    if not 0 < extra <= 20 or not text.endswith(wanted):
        return False
    prefix = _PREFIX.match(page[start].text)
    return prefix is not None and len(_squeeze(prefix[0])) == extra


def _openers(page: Sequence[Line], start: int) -> int:
    """Where the lines above a chapter's title begin that only number it ("CHAPTER", "ONE")."""
    first = start
    while first > 0 and first > start - 3:
        line = page[first - 1]
        if not (_OPENER.fullmatch(line.text) and (line.bold or line.size >= page[start].size)):
            break
        first -= 1
    return first if first == 0 else start


def by_size(layout: Layout, pages: Sequence[Sequence[Line]]) -> dict[int, Heading | None]:
    """The same from font sizes, and from bold lines that stand alone."""
    large = [line for page in pages for line in page if _large(layout, line)]
    total = sum(len(line.text) for page in pages for line in page)
    if sum(len(line.text) for line in large) > 0.2 * total:
        return {}
    groups = _groups(layout, pages)
    sizes = Counter(round(group[0].size) for group in groups)
    opening = [group for group in groups if group[0].page == groups[0][0].page] if groups else []
    title = max(opening, key=lambda group: group[0].size, default=[])
    if title and sizes[round(title[0].size)] > 1:
        title = []
    ranks = sorted((size for size in sizes if not title or size != round(title[0].size)), reverse=True)
    found: dict[int, Heading | None] = {}
    for group in groups:
        text = " ".join(line.text for line in group)
        if len(text) > MAX_HEADING:
            continue
        for line in group:
            found[id(line)] = None
        level = 1 if group is title else min(2 + ranks.index(round(group[0].size)), 6)
        found[id(group[0])] = Heading(text, level)
    _add_bold(layout, pages, found, min(2 + len(ranks), 6))
    return found


def _groups(layout: Layout, pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Consecutive large lines of one size."""
    groups: list[list[Line]] = []
    for page in pages:
        fresh = True
        for line in page:
            if not _large(layout, line):
                fresh = True
                continue
            last = groups[-1][-1] if groups else line
            joined = not fresh and abs(last.size - line.size) < 0.5 and 0 < last.base - line.base < 2.2 * line.size
            if joined:
                groups[-1].append(line)
            else:
                groups.append([line])
            fresh = False
    return groups


def _large(layout: Layout, line: Line) -> bool:
    letters = sum(map(str.isalnum, line.text))
    return line.size >= LARGER * layout.body and letters > 1 and not line.mono


def _add_bold(layout: Layout, pages: Sequence[Sequence[Line]], found: dict[int, Heading | None], level: int) -> None:
    bold = sum(len(line.text) for page in pages for line in page if line.bold)
    if bold > 0.2 * sum(len(line.text) for page in pages for line in page):
        return
    for page in pages:
        for number, line in enumerate(page):
            if not line.bold or line.mono or id(line) in found or not 2 < len(line.text) <= 90:
                continue
            above = page[number - 1] if number else None
            below = page[number + 1] if number + 1 < len(page) else None
            spaced = above is None or not 0 < above.base - line.base < 1.3 * layout.usual(line.size)
            alone = below is None or not below.bold or below.base >= line.base
            if spaced and alone and line.size >= 0.95 * layout.body and not line.text.endswith(_STOPPED):
                found[id(line)] = Heading(line.text, level)


def _squeeze(text: str) -> str:
    return _WORDS.sub("", text).casefold()

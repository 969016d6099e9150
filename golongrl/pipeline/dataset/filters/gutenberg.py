"""The licence and header that Project Gutenberg puts before and after its books, the "small print" of old etexts
included."""

import re
from dataclasses import dataclass

from golongrl.core.documents import Block, Document, Span

LICENCE = "public domain (Project Gutenberg)"
"""Licence of a book whose frame does not say that it is copyrighted; it holds for the United States."""
OPENING = 60_000
"""Characters within which the frame at the start ends."""
KEPT_REST = 200
"""Fewest characters before or behind a mark, in its own block, that are the book's and stay."""

_START = re.compile(
    r"\*{2,} ?START OF (?:THE|THIS) PROJECT GUTENBERG[^*]{0,300}\*{2,}"
    r"|\*?END\*? ?\*?THE SMALL PRINT!?[^\n]{0,80}?\*END\*"
)
_NAMES = ("Project Gutenberg", "PROJECT GUTENBERG")
_CUES = (*_NAMES, "THE SMALL PRINT")
"""A text that holds none of them has no frame."""
_END = re.compile(r"(?:\*{2,} ?|(?:^|\n)[#\s-]*)end of (?:the |this )?$", re.IGNORECASE)
_BOOK = re.compile(r"(?:'s|’s)?,? ?(?:e-?book|e-?text|of )", re.IGNORECASE)
_CREDIT = re.compile(r"(?:This )?(?:e-?text (?:was )?)?(?:produced|prepared|transcribed|scanned) by\b", re.IGNORECASE)
_NAME = re.compile(r"^(?:The )?Project Gutenberg(?:'s|’s)? ?(?:E-?Book|E-?text)?(?: of|,)? ?", re.IGNORECASE)
_SAID_TITLE = re.compile(r"(?:^|\s)Title: +(\S.{0,120}?)(?=\s+(?:Author|Release Date|Translator|Editor|Language):|$)")


@dataclass(frozen=True)
class Frame:
    """The blocks that are frame, those of which only a part of the document's text stays, the title the frame leaves
    and the licence it states."""

    blocks: frozenset[int]
    shortened: dict[int, Span]
    title: str
    licence: str


def find(document: Document) -> Frame | None:
    """The frame of a book of Project Gutenberg; None when there is none."""
    text, blocks = document.text, document.blocks
    if not any(cue in text for cue in _CUES):
        return None
    start = _last_start(text)
    end = _first_end(text, start[1] if start else 0)
    if start is None and end is None:
        return None
    frame: set[int] = set()
    shortened: dict[int, Span] = {}
    low, high = (start[1] if start else 0), (len(text) if end is None else end)
    for number, block in enumerate(blocks):
        if block.span.end <= low or block.span.start >= high:
            frame.add(number)
        elif block.span.start < low or block.span.end > high:
            rest = _trimmed(text, max(block.content.start, low), min(block.content.end, high))
            if block.kind in ("paragraph", "code") and rest.end - rest.start >= KEPT_REST:
                shortened[number] = rest
            else:
                frame.add(number)
    if start is not None:
        _add_credit(document, frame, shortened)
    said = text[:low] + text[high:]
    return Frame(frozenset(frame), shortened, _title(document, text[:low]), licence(said))


def _last_start(text: str) -> tuple[int, int] | None:
    marks = [mark.span() for mark in _START.finditer(text, 0, OPENING)]
    return marks[-1] if marks else None


def _first_end(text: str, low: int) -> int | None:
    """Where the first "End of the Project Gutenberg EBook of ..." behind `low` begins."""
    ends = []
    for name in _NAMES:
        at = text.find(name, low)
        while at >= 0:
            said = _END.search(text, max(low, at - 30), at)
            if said and _BOOK.match(text, at + len(name)):
                ends.append(said.end() - len(said[0].lstrip("\n")))
                break
            at = text.find(name, at + 1)
    return min(ends, default=None)


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, max(start, end))


def _add_credit(document: Document, frame: set[int], shortened: dict[int, Span]) -> None:
    """The line that names who typed the book, first thing behind the mark."""
    first = next((n for n in range(len(document.blocks)) if n not in frame and n not in shortened), None)
    if first is not None and _is_credit(document, document.blocks[first]):
        frame.add(first)


def _is_credit(document: Document, block: Block) -> bool:
    content = document.slice(block.content)
    return block.kind in ("paragraph", "code") and len(content) <= 300 and bool(_CREDIT.match(content))


def _title(document: Document, header: str) -> str:
    """The book's name where the document is named after the frame, or after nothing but its file."""
    name = _NAME.match(document.title)
    said = _SAID_TITLE.search(header)
    if said and (name or document.title in document.source):
        return " ".join(said[1].split())
    if name and len(document.title) > name.end():
        return re.sub(r",? by [^,]+$", "", document.title[name.end() :]).strip() or document.title
    return document.title


def licence(frame: str) -> str:
    """The licence of a book by what its frame says."""
    copyrighted = re.search(r"this is a \**copyrighted\**", frame, re.IGNORECASE)
    return "unknown" if copyrighted else LICENCE

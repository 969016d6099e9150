"""Plain text: paragraphs by blank lines, underlined and chapter headings, list items, indented code."""

import re
import statistics
from collections.abc import Iterator

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.text import is_chinese
from golongrl.pipeline.dataset.readers import Origin

_UNDERLINE = re.compile(r"^([=*\-~^#+])\1{2,}\s*$")
_LEVEL = {"#": 1, "*": 1, "=": 2, "-": 3, "~": 4, "^": 5, "+": 5}
_CHAPTER = re.compile(
    r"^(?:(?:chapter|book|part|act|scene|letter|volume)\s+(?:[ivxlcdm]+|\d+|the\s+\w+)\b[.:]?.{0,80}"
    r"|第\s?[一二三四五六七八九十百千零〇两\d]+\s?[章回节卷部篇编][^。！？；]{0,40})$",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s{0,6}(?:[-*+•]|\(?\d{1,3}[.)])\s+(?=\S)")
_HYPHEN = re.compile(r"\w-$")
_SUSPENDED = re.compile(r"(?:and|or|to)\b")
HARD_WRAP = 100
"""Widest line, in columns, of a text whose lines are broken by hand."""


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    yield parse(text).build(source=origin.name, fallback=origin.stem, licence=origin.licence)


def parse(text: str) -> DocumentBuilder:
    """The blocks of a plain text."""
    lines = text.splitlines()
    lengths = [len(line) for line in lines if line.strip()]
    wrapped = len(lengths) < 4 or statistics.quantiles(lengths, n=20)[-1] <= HARD_WRAP
    chinese = is_chinese(text[:20_000])
    builder, group = DocumentBuilder(), 0
    for chunk in _chunks(lines, wrapped):
        first = chunk[0].strip()
        if len(chunk) >= 2 and _UNDERLINE.match(chunk[1]) and len(first) <= 160 and not _UNDERLINE.match(chunk[0]):
            builder.heading(first, _LEVEL[chunk[1][0]])
            chunk = chunk[2:]
        elif len(chunk) == 1 and _CHAPTER.match(first):
            builder.heading(first, 2)
            continue
        if not chunk:
            continue
        if _ITEM.match(chunk[0]):
            group += not builder.ends_with_item()
            for item in _items(chunk, chinese):
                builder.item(item, group)
        elif len(chunk) > 1 and all(line.startswith(("   ", "\t")) or not line.strip() for line in chunk):
            builder.code("\n".join(chunk))
        elif not all(_UNDERLINE.match(line) for line in chunk):
            builder.paragraph(_joined(chunk, chinese))
    return builder


def _chunks(lines: list[str], wrapped: bool) -> Iterator[list[str]]:
    chunk: list[str] = []
    for number, line in enumerate(lines):
        underlines = bool(chunk) and bool(_UNDERLINE.match(line))
        starts_heading = number + 1 < len(lines) and bool(_UNDERLINE.match(lines[number + 1])) and line.strip()
        if chunk and (not line.strip() or starts_heading or (not wrapped and not underlines)):
            yield chunk
            chunk = []
        if line.strip():
            chunk.append(line)
    if chunk:
        yield chunk


def _items(chunk: list[str], chinese: bool) -> list[str]:
    items: list[list[str]] = []
    for line in chunk:
        if marker := _ITEM.match(line):
            items.append([line[marker.end() :]])
        else:
            items[-1].append(line)
    return [_joined(item, chinese) for item in items]


def _joined(lines: list[str], chinese: bool) -> str:
    """Lines broken by hand as one: a space between them, but none after a hyphen inside a word ("father-in-" and
    "law"), nor beside a Chinese character."""
    joined = lines[0].strip()
    for line in map(str.strip, lines[1:]):
        latin = joined[-1:].isascii() and line[:1].isascii()
        hyphenated = _HYPHEN.search(joined) and line[:1].islower() and not _SUSPENDED.match(line)
        joined += ("" if hyphenated or (chinese and not latin) else " ") + line
    return joined

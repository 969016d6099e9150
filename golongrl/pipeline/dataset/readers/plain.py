"""Plain text: paragraphs by blank lines, underlined, numbered and chapter headings, list items, drawn tables,
indented code; the licence that frames a Project Gutenberg book goes."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.text import is_chinese
from golongrl.pipeline.dataset.filters import gutenberg
from golongrl.pipeline.dataset.readers import Origin, grid
from golongrl.pipeline.dataset.readers.drawn_table import is_rule, read_table, width

_UNDERLINE = re.compile(r"([=*\-~^#+])\1{2,}\s*")
_LEVEL = {"#": 1, "*": 1, "=": 2, "-": 3, "~": 4, "^": 5, "+": 5}
_PART = re.compile(
    r"(?:book|part|volume)\s+(?:[ivxlcdm]+|\d+|the\s+\w+|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|thirteen|fourteen|fifteen)\b.{0,80}|第\s?[一二三四五六七八九十百千零〇两\d]+\s?[卷部篇编][^。！？；]{0,40}",
    re.IGNORECASE,
)
_CHAPTER = re.compile(
    r"(?:chapter|act|scene|letter)\s+(?:[ivxlcdm]+|\d+|the\s+\w+)\b[.:]?.{0,80}"
    r"|(?:(?:first|second)\s+epilogue|epilogue|prologue)\b.{0,20}"
    r"|第\s?[一二三四五六七八九十百千零〇两\d]+\s?[章回节][^。！？；]{0,40}|楔子|尾声",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"((?:\d{1,3}|[A-Z])(?:\.\d{1,3})+\.?|\d{1,3}\.)\s+\S")
_ITEM = re.compile(r"\s{0,12}(?:[-*+•]|\(?\d{1,3}[.)])\s+(?=\S)")
_FOOTNOTE = re.compile(r"\[\d{1,3}\]\s+(?=\S)")
_SHELL = re.compile(r"[$#>] \S")
_STOPPED = tuple(".。!！?？;；:：,，")
_HYPHEN = re.compile(r"\w-$")
_SUSPENDED = re.compile(r"(?:and|or|to)\b")
_BOOK_START = re.compile(r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*\n", re.MULTILINE)
_BOOK_END = re.compile(r"^(?:End of (?:the )?Project Gutenberg[^\n]*\s+)?\*\*\* ?END OF (?:THE|THIS) PROJECT G", re.M)
_BOOK_CREDIT = re.compile(r"\s*(?:Produced by|E-text prepared by)[^\n]*\n(?:[^\n]*\S[^\n]*\n)*", re.IGNORECASE)
_BOOK_TITLE = re.compile(r"^Title: *(\S[^\n]*)", re.MULTILINE)
HARD_WRAP = 100
"""Widest line, in columns, of a text whose lines are broken by hand."""
MAX_HEADING = 90
"""Most characters of a numbered or free-standing heading."""
FILLED = 0.6
"""Share of full lines from which lines that are not full count as broken on purpose."""
CODE_INDENT = 3
"""Columns by which code is set in from the body of the text."""
FREE_GAP = 3
"""Blank lines above a lone line that make it a heading."""


@dataclass(frozen=True)
class _Chunk:
    """Consecutive non-blank lines, their smallest indentation, and how many blank lines stand above them."""

    lines: list[str]
    indent: int
    gap: int

    @property
    def alone(self) -> bool:
        return len(self.lines) == 1


@dataclass(frozen=True)
class _Habits:
    """What holds for the whole text: Chinese; lines broken by hand, at which column, and whether they take as many
    words as they can; the indentation of its body; levels added below a title; whether chapters stand inside parts,
    and the chapter lines that are not indented."""

    chinese: bool
    wrapped: bool
    column: int
    filled: bool
    base: int
    shift: int
    parts: bool
    chapters: frozenset[str]


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    title, licence = "", origin.licence
    if start := _BOOK_START.search(text, 0, 30_000):
        said = _BOOK_TITLE.search(text, 0, start.start())
        title = said[1].strip() if said else ""
        end = _BOOK_END.search(text, start.end())
        credit = _BOOK_CREDIT.match(text, start.end())
        frame = text[: start.end()] + (text[end.start() :] if end else "")
        licence = gutenberg.licence(frame) if licence == "unknown" else licence
        text = text[(credit or start).end() : end.start() if end else len(text)]
    yield parse(text).build(source=origin.name, title=title, fallback=origin.stem, licence=licence)


def parse(text: str) -> DocumentBuilder:
    """The blocks of a plain text."""
    lines = text.splitlines()
    habits = _habits(lines, text)
    builder = DocumentBuilder()
    chunks = list(_chunks(lines, habits.wrapped))
    _Parser(builder, habits).add(chunks)
    return builder


def _habits(lines: list[str], text: str) -> _Habits:
    filled = [line for line in lines if line and not line.isspace()]
    widths = sorted(map(width, filled))
    column = widths[len(widths) * 19 // 20] if len(widths) >= 4 else 0
    wrapped = column <= HARD_WRAP
    indents = sorted(map(_indent, filled)) if wrapped else []
    # Page-like texts set their whole body in and leave only headings at the margin.
    base = indents[len(indents) * 3 // 10] if indents else 0
    heads = {line.rstrip() for line in filled if len(line) <= MAX_HEADING and not line[0].isspace()}
    parts = {line for line in heads if _PART.fullmatch(line)}
    tops = sum(line[0] in "#*" and _is_underline(line) for line in filled)
    pairs = [
        (a, b) for a, b in itertools.pairwise(lines[:4000]) if a.lstrip()[:1].isalpha() and b and not b.isspace()
    ]
    full = sum(_full(a, b, column) for a, b in pairs)
    return _Habits(
        chinese=is_chinese(text[:20_000]),
        wrapped=wrapped,
        column=column,
        filled=column >= 50 and full >= FILLED * len(pairs),
        base=base if base >= 2 else 0,
        shift=int(tops > 1),
        parts=bool(parts),
        chapters=frozenset(parts | {line for line in heads if _CHAPTER.fullmatch(line)}),
    )


class _Parser:
    def __init__(self, builder: DocumentBuilder, habits: _Habits):
        self.builder, self.habits = builder, habits
        self.group = 0
        self.code: list[str] = []
        self.code_indent = 0

    def add(self, chunks: list[_Chunk]) -> None:
        """Add all blocks in order; code parted only by blank lines is one block."""
        if len(chunks) > 1 and self._title(chunks[0]):
            self.builder.heading(chunks[0].lines[0], 1)
            chunks = chunks[1:]
        for chunk in chunks:
            if self._is_code(chunk):
                if self.code:
                    self.code += [""] * min(chunk.gap, 2)
                else:
                    self.code_indent = chunk.indent
                self.code += chunk.lines
                continue
            self._end_code()
            self._chunk(chunk)
        self._end_code()

    def _end_code(self) -> None:
        if not self.code:
            return
        cut = min((_indent(line) for line in self.code if line), default=0)
        self.builder.code("\n".join(line.expandtabs(8)[cut:].rstrip() for line in self.code))
        self.code = []

    def _title(self, chunk: _Chunk) -> bool:
        line = chunk.lines[0].strip()
        return (
            chunk.alone
            and len(line) <= 60
            and not line.endswith(_STOPPED)
            and any(map(str.isalnum, line))
            and not (self._chapter_level(line) or _NUMBERED.match(line) or _ITEM.match(line))
        )

    def _chunk(self, chunk: _Chunk) -> None:
        lines = chunk.lines
        first = lines[0].strip()
        if len(lines) >= 2 and len(first) <= 160 and _is_underline(lines[1]) and not _is_underline(lines[0]):
            level = _LEVEL[lines[1].lstrip()[0]]
            self.builder.heading(first, level + self.habits.shift if len(self.builder) else level)
            lines = lines[2:]
        elif chunk.alone and (level := self._lone_heading(chunk, first)):
            self.builder.heading(first, level)
            return
        if not lines or all(map(_is_underline, lines)):
            return
        if is_rule(lines[0]) and (rows := read_table(lines)):
            cells = [[_joined(cell, self.habits.chinese) if cell else "" for cell in row] for row in rows]
            grid.add(self.builder, cells)
        elif items := self._items(lines):
            self.group += not self.builder.ends_with_item()
            for item, more in items:
                self.builder.item(item, self.group)
                self.builder.paragraph(more)
        elif is_rule(lines[0]):
            self.builder.code("\n".join(lines))
        else:
            self._paragraph(lines)

    def _chapter_level(self, line: str) -> int:
        if _PART.fullmatch(line):
            return 2
        return 2 + self.habits.parts if _CHAPTER.fullmatch(line) else 0

    def _lone_heading(self, chunk: _Chunk, line: str) -> int:
        """The level of a single line that is a heading by its wording, its number or its place; 0 for none."""
        if level := self._chapter_level(line):
            # An indented chapter line that stands at the margin elsewhere is an entry of the table of contents.
            return 0 if chunk.indent and line in self.habits.chapters else level
        if not self.habits.wrapped or len(line) > MAX_HEADING or line.endswith(_STOPPED) or line[0] in "-*+•":
            return 0
        outdented = chunk.indent < self.habits.base
        free = chunk.gap >= FREE_GAP and chunk.indent <= self.habits.base and len(self.builder) > 0
        number = _NUMBERED.match(line)
        if number and chunk.indent <= self.habits.base:
            depth = number[1].rstrip(".").count(".")
            if depth or outdented or free:
                return min(2 + depth, 6)
        if (outdented or free) and (line[0].isupper() or line[0].isdigit() or not line[0].isascii()):
            return 2 + (self.habits.parts and free)
        return 0

    def _is_code(self, chunk: _Chunk) -> bool:
        lines = chunk.lines
        if not self.habits.wrapped or is_rule(lines[0]) or _is_underline(lines[-1]):
            return False
        inner = chunk.indent - self.habits.base
        if chunk.alone:
            line = lines[0].strip()
            follows = bool(self.code) and chunk.indent >= max(self.code_indent, self.habits.base + CODE_INDENT)
            return follows and not _ITEM.match(line) and not line.endswith((".", "。", ":", "："))
        pairs = list(itertools.pairwise(lines))
        if inner >= CODE_INDENT:
            return not self._prose(lines) and not self._items(lines)
        if not self.habits.filled or inner < 0:
            return False
        # Lines that could have taken the next one's first word were broken on purpose.
        full = sum(_full(line, after, self.habits.column) for line, after in pairs)
        short = full < 0.5 * len(pairs) and (len(pairs) >= 2 or _SHELL.match(lines[0].strip()) is not None)
        return short and not self._items(lines)

    def _prose(self, lines: list[str]) -> bool:
        """Whether lines are filled: no line could have taken the next one's first word."""
        if any(line.endswith("\\") for line in lines):
            return False
        body = lines[1:] if len(lines) > 2 and _indent(lines[1]) > _indent(lines[0]) else lines
        full = sum(_full(line, after, self.habits.column) for line, after in itertools.pairwise(body))
        letters = sum(map(str.isalpha, "".join(body)))
        return full >= 0.8 * (len(body) - 1) and letters >= 0.6 * sum(len("".join(line.split())) for line in body)

    def _items(self, lines: list[str]) -> list[tuple[str, str]]:
        """The items of a list or of a numbered table of contents, each with the explanation that stands below a term
        of its own; none when the lines are neither."""
        cut = self.habits.base
        marks = [_ITEM.match(line[cut:] if _indent(line) >= cut else line) for line in lines]
        numbers = sum(_NUMBERED.match(line.lstrip()) is not None for line in lines)
        if len(lines) >= 3 and numbers >= 0.6 * len(lines):
            return [(line.strip(), "") for line in lines]
        if marks[0] is None:
            return []
        items: list[list[str]] = []
        for line, mark in zip(lines, marks, strict=True):
            if mark:
                items.append([line.lstrip()[len(mark[0].lstrip()) :]])
            else:
                items[-1].append(line)
        return [self._item(item, mark) for item, mark in zip(items, filter(None, marks), strict=True)]

    def _item(self, lines: list[str], mark: re.Match[str]) -> tuple[str, str]:
        head = " " * mark.end() + lines[0]
        if self.habits.filled and len(lines) > 1 and not _full(head, lines[1], self.habits.column):
            return lines[0], _joined(lines[1:], self.habits.chinese)
        return _joined(lines, self.habits.chinese), ""

    def _paragraph(self, lines: list[str]) -> None:
        head, indent = lines[0], _indent(lines[0])
        inner = [_indent(line) for line in lines[1:]]
        if (
            inner
            and min(inner) >= indent + 2
            and not _full(head, lines[1], self.habits.column)
            and not _FOOTNOTE.match(head.strip())
        ):
            # A term on a line of its own above its explanation.
            self.builder.paragraph(head)
            lines = lines[1:]
        self.builder.paragraph(_joined(lines, self.habits.chinese))


def _full(line: str, after: str, column: int) -> bool:
    """Whether a line had no room for the first word of the next one, give or take four places."""
    have = width(line.rstrip())
    if have > column - 4:
        return True
    word = after.split(None, 1)[0]
    return have + 1 + min(width(word), 14 if word.isascii() else 4) > column - 4


def _indent(line: str) -> int:
    bare = line.lstrip(" ")
    if bare[:1] == "\t":
        line = line.expandtabs(8)
        bare = line.lstrip(" ")
    return len(line) - len(bare)


def _is_underline(line: str) -> bool:
    return line.lstrip()[:1] in _LEVEL and _UNDERLINE.fullmatch(line.strip()) is not None


def _chunks(lines: list[str], wrapped: bool) -> Iterator[_Chunk]:
    chunk: list[str] = []
    gap = above = 0
    for number, line in enumerate(lines):
        blank = not line.strip()
        underlines = bool(chunk) and not blank and _is_underline(line)
        starts = not blank and number + 1 < len(lines) and _is_underline(lines[number + 1])
        if chunk and (blank or starts or (not wrapped and not underlines)):
            yield _Chunk(chunk, min(map(_indent, chunk)), above)
            chunk, gap = [], 0
        if blank:
            gap += 1
        else:
            above = above if chunk else gap
            chunk.append(line)
    if chunk:
        yield _Chunk(chunk, min(map(_indent, chunk)), above)


def _joined(lines: list[str], chinese: bool) -> str:
    """Lines broken by hand as one: a space between them, but none after a hyphen inside a word ("father-in-" and
    "law"), nor beside a Chinese character."""
    joined = [lines[0].strip()]
    for line in map(str.strip, lines[1:]):
        before = joined[-1]
        latin = before[-1:].isascii() and line[:1].isascii()
        hyphenated = line[:1].islower() and _HYPHEN.search(before[-2:]) and not _SUSPENDED.match(line)
        if not (hyphenated or (chinese and not latin)):
            joined.append(" ")
        joined.append(line)
    return "".join(joined)

"""The text lines of a PDF page with place, size and font, read from pdfium. Units are points; y grows upwards."""

import ctypes
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_BREAK = re.compile(r"\r\n|\r|\n|\ufffe")
_MARK = re.compile(r"(?<=[^\s\d(\[{/=+^_-])(\d{1,3})(?=[\s.,;:)]|$)")
_MONO = re.compile(r"mono|courier|consol|typewriter|cmtt|sftt|menlo|monaco|fixed", re.IGNORECASE)
_BOLD = re.compile(r"bold|black|heavy|semib|demi|cmbx|sfbx", re.IGNORECASE)
CELL_GAP = 1.0
"""Width, in font sizes, of a gap that parts two cells."""
RAISED = 0.82
"""Size, as a share of its line's, below which a number is a footnote mark."""


@dataclass(frozen=True)
class Cell:
    """A part of a line between wide gaps, and its left and right end."""

    text: str
    left: float
    right: float


@dataclass(frozen=True)
class Line:
    """A line of a page: its left and right end, its baseline, its font size; `hyphen` says that its last word goes on
    in the next line, `cells` are its parts where wide gaps stand in it."""

    text: str
    page: int
    left: float
    right: float
    base: float
    size: float
    mono: bool
    bold: bool
    hyphen: bool = False
    cells: tuple[Cell, ...] = ()

    @property
    def advance(self) -> float:
        """Mean width of a character."""
        return (self.right - self.left) / max(len(self.text), 1)


class PageText:
    """Reads pages of one document with buffers that are made once."""

    def __init__(self, raw: Any):
        self.raw = raw
        self.box = [ctypes.c_double() for _ in range(4)]
        self.origin = (ctypes.c_double(), ctypes.c_double())
        self.matrix = raw.FS_MATRIX()
        self.name = ctypes.create_string_buffer(128)
        self.flags = ctypes.c_int()
        self.fonts: dict[tuple[bytes, int], tuple[bool, bool]] = {}

    def lines(self, textpage: Any, page: int) -> list[Line]:
        """The upright lines of a page in content order."""
        text = textpage.get_text_range()
        place = _places(text)
        found: list[Line] = []
        start = 0
        for stop in [*_BREAK.finditer(text), None]:
            end = stop.start() if stop else len(text)
            line = self._line(textpage, text[start:end], place(start), page, bool(stop) and stop[0] == "\ufffe")
            if line is not None:
                if found and _same_line(found[-1], line):
                    line = _merged(found.pop(), line)
                found.append(line)
            start = stop.end() if stop else end
        return found

    def _line(self, textpage: Any, text: str, start: int, page: int, hyphen: bool) -> Line | None:
        raw, bare = self.raw, text.strip()
        if not bare:
            return None
        first = raw.FPDFText_GetCharIndexFromTextIndex(textpage, start + len(text) - len(text.lstrip()))
        last = first + len(bare) - 1
        middle = _letter(bare, len(bare) // 2)
        if first < 0 or not raw.FPDFText_GetMatrix(textpage, first + middle, self.matrix):
            return None
        scale = abs(self.matrix.d) or abs(self.matrix.a)
        if abs(self.matrix.b) > 0.3 * scale:
            return None
        size = self._size(textpage, first + middle)
        left, right, bottom, top = self.box
        if not raw.FPDFText_GetCharBox(textpage, last, left, right, bottom, top):
            return None
        end = right.value
        raw.FPDFText_GetCharBox(textpage, first, left, right, bottom, top)
        begin = left.value
        raw.FPDFText_GetCharOrigin(textpage, first + middle, *self.origin)
        mono, bold = self._font(textpage, first + middle)
        for at in (_letter(bare, 0), _letter(bare, -1)):
            other_mono, other_bold = self._font(textpage, first + at)
            mono, bold = mono and other_mono, bold and other_bold
        marked = bare if mono else self._marked(textpage, bare, first, size)
        cells = () if mono else self._cells(textpage, bare, first, end - begin, size)
        return Line(marked, page, begin, end, self.origin[1].value, size, mono, bold, hyphen, cells)

    def _size(self, textpage: Any, index: int) -> float:
        self.raw.FPDFText_GetMatrix(textpage, index, self.matrix)
        scale = (self.matrix.c**2 + self.matrix.d**2) ** 0.5 or 1.0
        return round(self.raw.FPDFText_GetFontSize(textpage, index) * scale, 1)

    def _font(self, textpage: Any, index: int) -> tuple[bool, bool]:
        size = self.raw.FPDFText_GetFontInfo(textpage, index, self.name, 128, self.flags)
        key = (self.name.raw[: min(size, 128)], self.flags.value)
        known = self.fonts.get(key)
        if known is None:
            name = key[0].rstrip(b"\0").decode("latin-1")
            known = self.fonts[key] = (bool(self.flags.value & 1 or _MONO.search(name)), bool(_BOLD.search(name)))
        return known

    def _cells(self, textpage: Any, text: str, first: int, length: float, size: float) -> tuple[Cell, ...]:
        """The parts between gaps wider than a cell gap; none in a line that its text fills."""
        raw = self.raw
        wide = 0 if text.isascii() else sum(char >= "\u2e80" for char in text)
        if " " not in text or length < 1.1 * size * (0.42 * (len(text) - wide) + wide):
            return ()
        count = raw.FPDFText_CountRects(textpage, first, len(text))
        left, right, bottom, top = self.box
        ends: list[tuple[float, float]] = []
        for number in range(count):
            raw.FPDFText_GetRect(textpage, number, left, top, right, bottom)
            ends.append((left.value, right.value))
        if all(b[0] - a[1] < CELL_GAP * size for a, b in itertools.pairwise(ends)):
            return ()
        cells, start, begin = [], 0, ends[0][0]
        for space in (at for at, char in enumerate(text) if char == " "):
            raw.FPDFText_GetCharBox(textpage, first + space - 1, left, right, bottom, top)
            stop = right.value
            raw.FPDFText_GetCharBox(textpage, first + space + 1, left, right, bottom, top)
            if left.value - stop >= CELL_GAP * size:
                cells.append(Cell(text[start:space].strip(), begin, stop))
                start, begin = space + 1, left.value
        cells.append(Cell(text[start:].strip(), begin, ends[-1][1]))
        return tuple(cell for cell in cells if cell.text) if len(cells) > 1 else ()

    def _marked(self, textpage: Any, text: str, first: int, size: float) -> str:
        """The line with raised numbers, which refer to footnotes, in brackets."""
        parts, done = [], 0
        digits = len(text) - len(text.lstrip("0123456789"))
        if 0 < digits <= 3 and digits < len(text) and self._size(textpage, first) < RAISED * size:
            parts.append(f"[{text[:digits]}] ")
            done = digits + (text[digits] == " ")
        for mark in _MARK.finditer(text, done):
            at = mark.start(1)
            if self._size(textpage, first + at) < RAISED * size:
                parts += [text[done:at], f" [{mark[1]}]"]
                done = mark.end(1)
        return "".join([*parts, text[done:]])


def _letter(text: str, near: int) -> int:
    """The place of a character that is no blank, at or after a place; the last one for -1."""
    if near < 0:
        return len(text) - 1
    while near < len(text) - 1 and not text[near].isalnum():
        near += 1
    return near


def _places(text: str) -> Callable[[int], int]:
    """From places in a text to UTF-16 units, in which pdfium counts."""
    if text.isascii() or max(text) < "\U00010000":
        return lambda at: at
    before = [0]
    for char in text:
        before.append(before[-1] + 1 + (char > "\uffff"))
    return before.__getitem__


def _same_line(before: Line, line: Line) -> bool:
    """Whether pdfium broke one line into two, as it does beside a raised number."""
    near = abs(before.base - line.base) < 0.45 * max(before.size, line.size)
    return near and not before.hyphen and -2 <= line.left - before.right < 40 * max(before.size, line.size)


def _merged(before: Line, line: Line) -> Line:
    text = before.text + " " + line.text
    if before.text.isdigit() and before.size < RAISED * line.size:
        text = f"[{before.text}] {line.text}"
    elif line.text.isdigit() and line.size < RAISED * before.size:
        text = f"{before.text} [{line.text}]"
    main = before if len(before.text) >= len(line.text) else line
    cells: tuple[Cell, ...] = ()
    if line.left - before.right >= CELL_GAP * main.size:
        first = before.cells or (Cell(before.text, before.left, before.right),)
        cells = first + (line.cells or (Cell(line.text, line.left, line.right),))
    return Line(
        text,
        line.page,
        before.left,
        line.right,
        main.base,
        main.size,
        before.mono and line.mono,
        before.bold and line.bold,
        line.hyphen,
        cells,
    )

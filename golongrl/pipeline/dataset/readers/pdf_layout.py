"""Paragraphs from the lines of a PDF: which line goes on with the one before it, by gap, indentation and by whether
its first word would have fitted there."""

import dataclasses
import itertools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from golongrl.pipeline.dataset.readers.pdf_lines import Line

_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_TAIL = re.compile(r"[A-Za-z-]+$")
_HEAD = re.compile(r"[A-Za-z-]+")
_TOKEN = re.compile(r"[!-~‘’“”]+|.")
_BULLET = re.compile(r"[•●▪◦‣∙·■□➢➤✓]\s*(?=\S)|[-–*]\s+(?=\S)")
_NUMBERED = re.compile(r"\(?\d{1,3}[.)]\s+(?=\S)")
_PATH = re.compile(r"(?<!\S)(?!(?:[A-Za-z]\.)+$)(?=\S*[._/:=]\S*[./_=]$)\S+$")
_ENDS = re.compile(r"[.!?:。！？：；][\"'”’)\]」』）]*(?: \[\d{1,3}\])?$")
WIDE = "\u2e80"
"""First character of the Chinese and other wide scripts, which have no spaces between words."""
SAME_SIZE = 0.06
"""Relative difference of two font sizes that are one."""
GAP = 1.35
"""Baseline distance, in those usual for the size, above which a new paragraph begins."""
INDENT = 0.7
"""Indentation, in font sizes, that means something."""


@dataclass(frozen=True)
class Column:
    """Left and right end of the text of a column on the pages of one side."""

    left: float
    right: float


@dataclass(frozen=True)
class Layout:
    """What holds for the whole document: the size of its body, whether that is set in a typewriter font, usual
    baseline distances by size, columns by (side, number), indentations by (size, points) that begin a paragraph, the
    pages set in two columns with the middle between them, and by the `id` of a line where the block ends that it
    stands in, as far as its neighbours show that."""

    body: float
    mono: bool
    pitch: dict[int, float]
    columns: dict[tuple[int, int], Column]
    indents: frozenset[tuple[int, int]]
    double: frozenset[int]
    middle: float
    ends: dict[int, float]

    def column(self, line: Line) -> tuple[int, int]:
        """Side of the page and number of the column a line stands in; lines across both count as the right one."""
        number = 0
        if line.page in self.double:
            number = 1 if line.right <= self.middle + line.size else 2
        return line.page % 2, number

    def bounds(self, line: Line) -> Column:
        """The column of a line."""
        return self.columns.get(self.column(line)) or Column(line.left, line.right)

    def fits(self, line: Line, after: Line) -> bool:
        """Whether the first word of the next line had room at the end of this one."""
        if line.hyphen:
            return False
        token = _TOKEN.match(after.text)
        word = min(len(token[0]), 18) * after.advance if token else 0.0
        return self.ends.get(id(line), self.bounds(line).right) - line.right > word + 0.65 * line.size

    def indented(self, line: Line) -> bool:
        """Whether a line stands where first lines of paragraphs do."""
        inset = round(line.left - self.bounds(line).left)
        return any((round(line.size), inset + d) in self.indents for d in (-1, 0, 1))

    def usual(self, size: float) -> float:
        """Baseline distance within a paragraph of this size."""
        return self.pitch.get(round(size), 1.25 * size)


def measure(pages: Sequence[Sequence[Line]]) -> Layout:
    """The habits of a document's pages."""
    sizes: Counter[float] = Counter()
    monos = total = 0
    for page in pages:
        for line in page:
            sizes[round(line.size * 2) / 2] += len(line.text)
            monos += len(line.text) * line.mono
            total += len(line.text)
    body = max(sizes, key=lambda size: (sizes[size], -size), default=10.0)
    double, middle = _double(pages)
    gaps: defaultdict[int, Counter[float]] = defaultdict(Counter)
    for page in pages:
        for before, line in itertools.pairwise(page):
            gap = before.base - line.base
            if 0.6 * line.size < gap < 3 * line.size and same_size(before, line):
                gaps[round(line.size)][round(gap * 2) / 2] += 1
    pitch = {
        # Gaps between paragraphs may outnumber those within them; the smallest frequent one is the latter.
        size: min(gap for gap, count in counts.items() if count >= 0.2 * max(counts.values()))
        for size, counts in gaps.items()
    }
    rough = Layout(body, monos > 0.5 * total, pitch, {}, frozenset(), double, middle, _ends(pages))
    placed = dataclasses.replace(rough, columns=_columns(pages, rough))
    return dataclasses.replace(placed, indents=_indents(pages, placed))


def _ends(pages: Sequence[Sequence[Line]]) -> dict[int, float]:
    """Right ends of blocks narrower than their column: runs of lines of one left end, most of them ending alike."""
    ends: dict[int, float] = {}
    for page in pages:
        start = 0
        for at in range(1, len(page) + 1):
            if at < len(page) and abs(page[at].left - page[start].left) <= 2 and same_size(page[at], page[start]):
                continue
            run, start = page[start:at], at
            if len(run) < 3:
                continue
            right = max(line.right for line in run)
            full = sum(right - line.right < 0.6 * line.size for line in run)
            if full >= 3 and full >= 0.6 * len(run):
                ends.update((id(line), right) for line in run)
    return ends


def _double(pages: Sequence[Sequence[Line]]) -> tuple[frozenset[int], float]:
    lefts = [line.left for page in pages for line in page]
    rights = [line.right for page in pages for line in page]
    if len(lefts) < 20:
        return frozenset(), 0.0
    low, high = sorted(lefts)[len(lefts) // 20], sorted(rights)[len(rights) * 19 // 20]
    middle = (low + high) / 2
    found = set()
    for page in pages:
        left = sum(line.right <= middle + 3 and line.right > low + 0.3 * (middle - low) for line in page)
        right = sum(line.left >= middle - 3 and line.left < middle + 0.2 * (high - middle) for line in page)
        if min(left, right) >= max(8, 0.25 * len(page)):
            found.add(page[0].page)
    return frozenset(found), middle


def _columns(pages: Sequence[Sequence[Line]], layout: Layout) -> dict[tuple[int, int], Column]:
    lefts: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    rights: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for page in pages:
        for line in page:
            if abs(line.size - layout.body) <= SAME_SIZE * layout.body:
                lefts[layout.column(line)].append(line.left)
                rights[layout.column(line)].append(line.right)
    columns = {}
    for key in lefts:
        common = Counter(round(left) for left in lefts[key])
        # The margin is the outermost of the frequent beginnings of lines.
        left = min(at for at, count in common.items() if count >= 0.25 * max(common.values()))
        ends = sorted(rights[key])
        columns[key] = Column(left, ends[len(ends) * 9 // 10])
    return columns


def _indents(pages: Sequence[Sequence[Line]], layout: Layout) -> frozenset[tuple[int, int]]:
    """Indentations from which full lines go back to the margin."""
    back: Counter[tuple[int, int]] = Counter()
    seen: Counter[tuple[int, int]] = Counter()
    for page in pages:
        for before, line in itertools.pairwise(page):
            inset = before.left - layout.bounds(before).left
            if not 0.6 * before.size < inset < 6 * before.size or _BULLET.match(before.text):
                continue
            gap = before.base - line.base
            if not 0 < gap < GAP * layout.usual(line.size) or layout.fits(before, line):
                continue
            key = (round(before.size), round(inset))
            seen[key] += 1
            back[key] += abs(line.left - layout.bounds(line).left) < 0.5 * line.size
    return frozenset(key for key, count in back.items() if count >= 4 and count >= 0.6 * seen[key])


def same_size(a: Line, b: Line) -> bool:
    """Whether two lines are set in one size."""
    return abs(a.size - b.size) <= SAME_SIZE * max(a.size, b.size)


def goes_on(layout: Layout, paragraph: Sequence[Line], line: Line) -> bool:
    """Whether a line belongs to the paragraph of the lines before it."""
    before = paragraph[-1]
    if not same_size(before, line) or _BULLET.match(line.text):
        return False
    turned = before.page != line.page or layout.column(before) != layout.column(line) or before.base <= line.base
    if before.hyphen:
        return True
    if layout.fits(before, line) or (layout.indented(line) and not starts_item(paragraph[0])):
        return False
    if turned:
        return not _ENDS.search(before.text) or bool(layout.indents) or line.text[:1].islower()
    if before.base - line.base > GAP * layout.usual(line.size):
        return False
    step = line.left - before.left
    if _NUMBERED.match(line.text) and (_NUMBERED.match(paragraph[0].text) or abs(step) > INDENT * line.size):
        return False
    return len(paragraph) == 1 or abs(step) <= INDENT * line.size


def starts_item(line: Line) -> bool:
    """Whether a line begins with a bullet or a number."""
    return bool(_BULLET.match(line.text) or _NUMBERED.match(line.text))


class Joiner:
    """Puts lines together as running text; a hyphen at the end of a line stays where the document's other words say
    so."""

    def __init__(self, pages: Sequence[Sequence[Line]]):
        self.words: set[str] = set()
        for page in pages:
            broken = False
            for line in page:
                found = _WORD.findall(line.text.lower())
                # The halves of a broken word are no words.
                first, broken = int(broken), _is_broken(line)
                self.words.update(found[first : len(found) - broken])

    def text(self, lines: Sequence[Line]) -> str:
        """One paragraph."""
        parts = [lines[0].text]
        for before, line in itertools.pairwise(lines):
            last, first = parts[-1], line.text
            if before.hyphen or (_is_broken(before) and first[:1].islower()):
                parts[-1] = last.removesuffix("-")
                parts.append(self._hyphen(parts[-1], first))
            elif last[-1:] in "./_=" and first[:1].islower() and _PATH.search(last):
                pass
            elif last[-1:] < WIDE and first[:1] < WIDE and not (last[-1:] in "—/" and last[-2:-1].isalnum()):
                parts.append(" ")
            parts.append(first)
        return "".join(parts)

    def _hyphen(self, last: str, first: str) -> str:
        left, right = _TAIL.search(last), _HEAD.match(first)
        if not left or not right or not first[:1].islower():
            return "-"
        a, b = left[0].lower(), right[0].lower()
        if a + b in self.words:
            return ""
        whole = a in self.words and b in self.words and min(len(a), len(b)) > 2
        return "-" if f"{a}-{b}" in self.words or "-" in a or whole else ""


def _is_broken(line: Line) -> bool:
    return line.hyphen or (line.text.endswith("-") and line.text[-2:-1].isalpha())


def code_text(lines: Sequence[Line]) -> str:
    """Code with the indentation that the places of its lines show."""
    margin = min(line.left for line in lines)
    advance = statistics.median(line.advance for line in lines) or 1.0
    return "\n".join(" " * round((line.left - margin) / advance) + line.text for line in lines)


def without_mark(text: str) -> str:
    """An item's text without its bullet or number."""
    mark = _BULLET.match(text) or _NUMBERED.match(text)
    return text[mark.end() :] if mark else text

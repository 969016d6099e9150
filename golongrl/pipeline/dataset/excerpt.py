"""A stretch of a document cut at block boundaries (tables between rows), and what questions are asked about: its
sections, sentences, lists and tables. Offsets stay those of the whole document."""

import bisect
import functools
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from golongrl.core.documents import Block, Document, Span, Table
from golongrl.core.text import normalise
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset import prose

GAP_TOKENS = 2
"""Tokens reserved for the line breaks between two blocks; the finished prompt is counted exactly."""


@dataclass(frozen=True)
class Sentence:
    """A quotable sentence, the block it stands in and the nearest heading before it."""

    text: str
    span: Span
    block: int
    heading: Block | None
    speaker: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it up to the next heading."""

    heading: Block
    title: str
    blocks: tuple[Block, ...]
    body: str

    @property
    def span(self) -> Span:
        """From the heading to the end of the section's last block."""
        return Span(self.heading.span.start, self.blocks[-1].span.end if self.blocks else self.heading.span.end)


class Excerpt:
    """Consecutive blocks of one document; equal to the whole document when nothing is cut."""

    def __init__(self, document: Document, blocks: Sequence[Block]):
        self.document = document
        self.blocks = tuple(blocks)
        self.language = document.language

    @functools.cached_property
    def text(self) -> str:
        """What the prompt shows."""
        parts: list[str] = []
        for before, block in zip((None, *self.blocks), self.blocks, strict=False):
            if before is not None:
                parts.append("\n" if before.kind == block.kind == "item" else "\n\n")
            parts.append(self._rendered(block))
        return "".join(parts)

    def _rendered(self, block: Block) -> str:
        if block.table is None:
            return self.document.slice(block.span)
        rows = [self.document.slice(row.span) for row in block.table.rows]
        return "\n".join([self.document.slice(block.table.header), *rows])

    @functools.cached_property
    def flat(self) -> str:
        """The text normalised, for counting occurrences."""
        return normalise(self.text)

    @functools.cached_property
    def _starts(self) -> list[int]:
        """Where each block starts in `text`."""
        starts, at = [], 0
        for before, block in zip((None, *self.blocks), self.blocks, strict=False):
            if before is not None:
                at += 1 if before.kind == block.kind == "item" else 2
            starts.append(at)
            at += len(self._rendered(block))
        return starts

    def locate(self, span: Span) -> Span | None:
        """Where a span of the document stands in `text`; None when an end of it is not shown."""
        start, end = self._offset(span.start), self._offset(span.end - 1)
        return None if start is None or end is None else Span(start, end + 1)

    def _offset(self, position: int) -> int | None:
        index = bisect.bisect_right(self._blocks_at, position) - 1
        if index < 0 or position >= self.blocks[index].span.end:
            return None
        block, at = self.blocks[index], self._starts[index]
        if block.table is None:
            return at + position - block.span.start
        for part in (block.table.header, *(row.span for row in block.table.rows)):
            if part.start <= position < part.end:
                return at + position - part.start
            at += part.end - part.start + 1
        return None

    @functools.cached_property
    def _blocks_at(self) -> list[int]:
        return [block.span.start for block in self.blocks]

    def once(self, text: str) -> bool:
        """Whether a text occurs exactly once, ignoring case and spacing."""
        return self.flat.count(normalise(text)) == 1

    def content(self, block: Block) -> str:
        """A block's text without its marker."""
        return self.document.slice(block.content)

    def without(self, removed: Sequence[Block]) -> "Excerpt":
        """The same stretch with some blocks left out."""
        return Excerpt(self.document, [block for block in self.blocks if block not in removed])

    @functools.cached_property
    def sections(self) -> list[Section]:
        """Every heading with its own blocks; sections without a body are left out."""
        found: list[Section] = []
        heads = [i for i, block in enumerate(self.blocks) if block.kind == "heading"]
        for start, end in itertools.pairwise([*heads, len(self.blocks)]):
            blocks = self.blocks[start + 1 : end]
            if blocks:
                body = Excerpt(self.document, blocks).text
                found.append(Section(self.blocks[start], self.content(self.blocks[start]), blocks, body))
        return found

    @functools.cached_property
    def words(self) -> Counter[str]:
        """Content words of the whole excerpt with their counts."""
        return prose.content_words(self.text, self.language)

    @functools.cached_property
    def headings(self) -> list[Block]:
        """Headings in order."""
        return [block for block in self.blocks if block.kind == "heading"]

    def distinct_heading(self, heading: Block) -> bool:
        """Whether no other heading of the excerpt, and not the title, reads the same."""
        name = normalise(self.content(heading))
        same = sum(normalise(self.content(other)) == name for other in self.headings)
        return same == 1

    @functools.cached_property
    def sentences(self) -> list[Sentence]:
        """Quotable sentences of paragraphs and turns, none of them twice."""
        found: list[Sentence] = []
        heading = None
        for number, block in enumerate(self.blocks):
            if block.kind == "heading":
                heading = block
            elif block.kind in ("paragraph", "turn"):
                for span in prose.sentences(self.document.text, block.content, self.language):
                    text = self.document.slice(span)
                    if prose.quotable(text, self.language):
                        found.append(Sentence(text, span, number, heading, block.speaker))
        counts = Counter(normalise(sentence.text) for sentence in found)
        return [sentence for sentence in found if counts[normalise(sentence.text)] == 1]

    @functools.cached_property
    def tables(self) -> list[Table]:
        """Regular tables whose column names no other table of the excerpt shares, cut to the rows shown."""
        shown = [block.table for block in self.blocks if block.table is not None]
        names = [tuple(map(normalise, table.columns)) for table in shown]
        return [t for t, n in zip(shown, names, strict=True) if t.regular and names.count(n) == 1 and len(t.rows) > 1]

    def names_table(self, table: Table) -> bool:
        """Whether the table is the only one shown, so that a question need not tell it apart."""
        return sum(block.table is not None for block in self.blocks) == 1


class Measured:
    """A document whose units (blocks, table rows) are counted once, when first needed."""

    def __init__(self, document: Document, tokenizer: Tokenizer, n_tokens: int | None = None):
        self.document, self.tokenizer, self.n_tokens = document, tokenizer, n_tokens
        self.units: list[tuple[int, int | None]] = []
        for index, block in enumerate(document.blocks):
            rows = [None] if block.table is None else range(len(block.table.rows))
            self.units += [(index, row) for row in rows]
        self._counts: list[int | None] = [None] * len(self.units)
        self._headers: dict[int, int] = {}
        self._places: dict[str, tuple[int, ...]] = {}

    def places(self, name: str, find: Callable[[Document], Sequence[int]]) -> Sequence[int]:
        """What `find` finds in the document, looked for once per name."""
        if name not in self._places:
            self._places[name] = tuple(find(self.document))
        return self._places[name]

    def count(self, unit: int) -> int:
        """Tokens of one unit with the gap before it; a table's first shown row also pays for the header."""
        known = self._counts[unit]
        if known is None:
            index, row = self.units[unit]
            block = self.document.blocks[index]
            span = block.span if row is None or block.table is None else block.table.rows[row].span
            known = self._counts[unit] = self.tokenizer.count(self.document.slice(span)) + GAP_TOKENS
        return known

    def _header(self, unit: int) -> int:
        index, _ = self.units[unit]
        table = self.document.blocks[index].table
        if table is None:
            return 0
        if index not in self._headers:
            self._headers[index] = self.tokenizer.count(self.document.slice(table.header)) + GAP_TOKENS
        return self._headers[index]

    def from_block(self, block: int, budget: int) -> tuple[Excerpt, int] | None:
        """The longest stretch from a block on within the budget; None when not even that block fits."""
        start = bisect.bisect_left(self.units, block, key=lambda unit: unit[0])
        end, used = self._extend(start, budget)
        return (self._cut(start, end), used) if end > start else None

    def window(self, budget: int, rng: random.Random) -> tuple[Excerpt, int] | None:
        """An excerpt of at most about `budget` tokens and its measured size: the whole document when it fits, else
        a stretch from a random place, starting at a heading when one is near. None when not one block fits."""
        if self.n_tokens is None or self.n_tokens <= budget:
            whole = self._extend(0, budget)
            if whole[0] == len(self.units):
                return self._cut(0, whole[0]), whole[1]
        for _ in range(6):
            start = self._near_heading(rng.randrange(len(self.units)), budget)
            end, used = self._extend(start, budget)
            while end == len(self.units) and start > 0:
                enters_table = self.units[start - 1][0] != self.units[start][0]
                more = self.count(start - 1) + (self._header(start - 1) if enters_table else 0)
                if used + more > budget:
                    break
                start, used = start - 1, used + more
            # A heading that closes a stretch heads nothing the reader can see.
            while end > start and self.document.blocks[self.units[end - 1][0]].kind == "heading":
                used -= self.count(end - 1)
                end -= 1
            if end > start:
                return self._cut(start, end), used
        return None

    def opening(self, budget: int) -> tuple[Excerpt, int] | None:
        """The longest stretch from the document's beginning within the budget."""
        end, used = self._extend(0, budget)
        return (self._cut(0, end), used) if end else None

    def _extend(self, start: int, budget: int) -> tuple[int, int]:
        used, end, table = 0, start, -1
        units, counts = self.units, self._counts
        while end < len(units):
            known = counts[end]
            more = self.count(end) if known is None else known
            index, row = units[end]
            if row is not None and index != table:
                more += self._header(end)
            if used + more > budget:
                break
            used += more
            table = index
            end += 1
        return end, used

    def _near_heading(self, unit: int, budget: int) -> int:
        back, used = unit, 0
        while back > 0 and used <= budget // 3:
            if self.document.blocks[self.units[back][0]].kind == "heading":
                return back
            back -= 1
            used += self.count(back)
        return unit

    def _cut(self, start: int, end: int) -> Excerpt:
        document = self.document
        blocks: list[Block] = []
        at = start
        while at < end:
            index, row = self.units[at]
            block = document.blocks[index]
            stop = at + 1
            if row is not None and block.table is not None:
                while stop < end and self.units[stop][0] == index:
                    stop += 1
                block = block._replace(table=replace(block.table, rows=block.table.rows[row : row + stop - at]))
            blocks.append(block)
            at = stop
        return Excerpt(document, blocks)


NUMBERED = re.compile(
    r"^\W*(?:\d|[ivxlcdm]+[.)]\s|(?:chapter|book|part|section|appendix|article|act|scene|letter|volume|step)\b"
    r"|第\s?[一二三四五六七八九十百千零〇两\d]+|[一二三四五六七八九十]+[、)）]|附录)",
    re.IGNORECASE,
)
"""Headings, and sentences of numbered clauses, whose own words give their place away."""

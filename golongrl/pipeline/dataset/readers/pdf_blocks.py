"""The pages of a PDF as blocks in reading order: headings, paragraphs, items, code, tables, notes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from golongrl.pipeline.dataset.readers.pdf_layout import Layout, goes_on, same_size, starts_item
from golongrl.pipeline.dataset.readers.pdf_lines import Line
from golongrl.pipeline.dataset.readers.pdf_table import Grid, continues, find_table


@dataclass(frozen=True)
class Piece:
    """The lines of one block; a table has its grid."""

    kind: Literal["heading", "paragraph", "item", "code", "note", "table"]
    lines: list[Line]
    grid: Grid | None = None


def pieces(layout: Layout, pages: Sequence[Sequence[Line]], headings: set[int]) -> Iterator[Piece]:
    """Blocks in order; each line whose `id` is among the headings comes alone. Notes at the foot of a page come after
    the paragraph that runs over its end, and a table that runs over it is one."""
    done: list[Piece] = []
    paragraph: list[Line] = []
    notes: list[list[Line]] = []
    for page in pages:
        text, feet = _split(layout, page)
        at = 0
        while at < len(text):
            line = text[at]
            grid = find_table(layout, text, at, headings)
            open_end = grid is None and bool(paragraph) and id(line) not in headings
            if open_end and (_code_goes_on(layout, paragraph, line) or goes_on(layout, paragraph, line)):
                paragraph.append(line)
                at += 1
                continue
            if paragraph:
                done.append(Piece(_kind(layout, paragraph), paragraph))
            last = done[-1] if done else None
            if grid is not None:
                if last and last.grid and not paragraph and at == 0 and continues(last.grid, grid):
                    last.grid.rows += grid.rows[grid.rows[0] == last.grid.rows[0] :]
                else:
                    done.append(Piece("table", text[at : at + grid.lines], grid))
                paragraph = []
                at += grid.lines
                continue
            done += [Piece("note", note) for note in notes]
            notes = []
            paragraph = [line]
            if id(line) in headings:
                done.append(Piece("heading", paragraph))
                paragraph = []
            at += 1
        notes += feet
        # The last piece may be a table that goes on overleaf.
        yield from done[:-1]
        done = done[-1:]
    if paragraph:
        done.append(Piece(_kind(layout, paragraph), paragraph))
    yield from done
    yield from (Piece("note", note) for note in notes)


def _code_goes_on(layout: Layout, paragraph: Sequence[Line], line: Line) -> bool:
    before = paragraph[-1]
    if layout.mono or not line.mono or not all(other.mono for other in paragraph[:3]) or not same_size(before, line):
        return False
    return before.page != line.page or 0 < before.base - line.base < 1.6 * layout.usual(line.size)


def _kind(layout: Layout, paragraph: Sequence[Line]) -> Literal["paragraph", "item", "code"]:
    if not layout.mono and len(paragraph) > 1 and all(line.mono for line in paragraph):
        return "code"
    return "item" if starts_item(paragraph[0]) else "paragraph"


def _split(layout: Layout, page: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """A page's lines without the notes at its foot, and those notes; a note is smaller than the body and is, with
    all that follows it, begun by a mark."""
    text = list(page)
    small: list[Line] = []
    while text and text[-1].size < 0.9 * layout.body:
        small.append(text.pop())
    small.reverse()
    if not text or not any(line.text.startswith("[") or line.text[:1] in "*†‡" for line in small):
        return list(page), []
    while small and not (small[0].text.startswith("[") or small[0].text[:1] in "*†‡"):
        text.append(small.pop(0))
    notes: list[list[Line]] = []
    for line in small:
        marked = line.text.startswith("[") or line.text[:1] in "*†‡"
        if notes and not marked and goes_on(layout, notes[-1], line):
            notes[-1].append(line)
        else:
            notes.append([line])
    return text, notes

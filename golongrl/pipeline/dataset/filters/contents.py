"""Tables of contents: lines with dot leaders, lists announced as contents, lists of the document's own headings."""

import bisect
import re
from collections.abc import Iterator, Sequence

from golongrl.core.documents import Block, Document, Table
from golongrl.core.text import normalise

LEADERS = 3
"""Fewest lines with dot leaders."""
ENTRIES = 3
"""Fewest entries below a heading that announces them."""
OWN_HEADINGS = 5
"""Fewest successive short blocks that repeat headings further down."""
OWN_SHARE = 0.6
"""Share of such a run that must repeat headings."""
MARKED_SHARE = 0.4
"""Share of announced entries that must be numbered, end in a page number or come again below."""
FRONT = 0.2
"""Part of a document, in characters, in which contents are looked for; lines with dot leaders are anywhere."""
ENTRY_CHARACTERS = 120
"""Most characters of an entry."""
PAGE_NUMBER_CHARACTERS = 8

_LEADER = re.compile(
    r".*?\S\s*(?:(?:(?:[.·_]\s?){4,}|…{2,})[\s-]*(?:\d{1,4}|[ivxlc]{1,7})[\s-]*|(?:[.·_]\s?){12,}|…{6,})",
    re.IGNORECASE,
)
_ROW_OF_MARKS = re.compile(r"[.·_]\s?[.·_]\s?[.·_]\s?[.·_]|……")
_LEADERS = ("....", ". . .", "···", "· · ·", "……", "____")
_ENDS = frozenset("0123456789ivxlcIVXLC.·_…- ")
_CUE = re.compile(
    r"(?:table of |list of |brief |detailed )?contents[.:]?|\[toc\]|目\s{0,3}[录錄次][:：]?", re.IGNORECASE
)
_MARKED = re.compile(
    r"^\W*(?:\d|[ivxlc]+[.\s]|[A-Z][.\d]|(?:chapter|part|book|section|appendix|act)\s|第.{1,6}[章回节卷部篇编条])"
    r"|[\s.·…_\t]\d{1,4}$",
    re.IGNORECASE,
)
_PAGE = re.compile(r"[\s.·…_]*(?:(?<=[\s.·…_])\d{1,4})?$")
_STOPPED = tuple('.。!！?？;；,，:："”')
_NUMBERED_STOP = re.compile(r"(?:^|\s)[\divxlc]+\.$", re.IGNORECASE)


def find(document: Document, short: list[str]) -> set[int]:
    """The blocks of tables of contents."""
    blocks = document.blocks
    found = {n for n, text in enumerate(short) if text[-1:] in _ENDS and _has_leader(text)}
    found |= {n for n, block in enumerate(blocks) if block.kind == "code" and _leader_block(document, block)}
    if len(found) < LEADERS and not any(blocks[n].kind == "code" for n in found):
        found = set()
    # Looked for last, because hardly any text has lines that end like those with leaders.
    if found and not any(marks in document.text for marks in _LEADERS):
        found = set()
    # A page number that a reader put on a line of its own.
    found |= {n + 1 for n in found if n + 2 in found and 0 < len(short[n + 1]) <= PAGE_NUMBER_CHARACTERS}
    front = _front(blocks, len(document.text) * FRONT)
    found |= _announced(document, short, front)
    found |= _own_headings(document, short, front, found)
    return found


def _has_leader(text: str) -> bool:
    if text[-1:] not in _ENDS or len(text) > 2 * ENTRY_CHARACTERS:
        return False
    # Hardly any text has such a row of marks, which is many times cheaper to see than that it is not led up to.
    return bool(_ROW_OF_MARKS.search(text) and _LEADER.fullmatch(text))


def _leader_block(document: Document, block: Block) -> bool:
    """Whether most lines of a block have dot leaders."""
    if block.span.end - block.span.start > 20_000:
        return False
    lines = document.slice(block.content).split("\n")
    return len(lines) >= LEADERS and sum(map(_has_leader, lines)) > len(lines) / 2


def _front(blocks: Sequence[Block], characters: float) -> int:
    """How many blocks begin in the front part; at least fifty, so that short documents have one."""
    if len(blocks) <= 50:
        return len(blocks)
    return bisect.bisect_right(blocks, characters, hi=min(len(blocks), 5_000), key=lambda block: block.span.start)


def _announced(document: Document, short: list[str], front: int) -> set[int]:
    found: set[int] = set()
    for cue in range(front):
        if cue in found or not 0 < len(short[cue]) <= 30 or not _CUE.fullmatch(short[cue].strip()):
            continue
        if short[cue].casefold() == "[toc]":
            found.add(cue)
            continue
        run, entries = _run(document, short, cue)
        if entries >= ENTRIES:
            found |= {cue, *run}
    return found


def _run(document: Document, short: list[str], cue: int) -> tuple[list[int], int]:
    """The blocks below a cue that read as entries, up to where one of them comes again as a heading, and how many
    entries they hold; none when too few of them are numbered or come again."""
    seen: set[str] = set()
    run: list[int] = []
    entries = marked = 0
    for number in range(cue + 1, len(document.blocks)):
        block = document.blocks[number]
        if block.kind == "heading" and (entries >= ENTRIES or _key(short[number]) in seen):
            break
        if not short[number] and block.kind not in ("code", "table"):
            break
        lines = list(_entries(document, block, short[number]))
        if not lines:
            break
        seen.update(map(_key, lines))
        run.append(number)
        entries += len(lines)
        marked += sum(bool(_MARKED.search(line)) for line in lines)
    if marked < MARKED_SHARE * entries and not _come_again(short, run, seen):
        return [], 0
    return run, entries


def _come_again(short: list[str], run: list[int], seen: set[str]) -> bool:
    """Whether enough entries stand again somewhere below."""
    later = {_key(text) for text in short[run[-1] + 1 :] if 0 < len(text) <= ENTRY_CHARACTERS} if run else set()
    return len(seen & later) >= MARKED_SHARE * len(seen)


def _entries(document: Document, block: Block, text: str) -> Iterator[str]:
    """The entries of a block; nothing when it does not read as contents."""
    if block.kind == "table":
        return iter(_rows(block.table) if block.table else ())
    if block.kind == "code":
        if block.span.end - block.span.start > 20_000:
            return iter(())
        lines = [line for line in document.slice(block.content).split("\n") if line.strip()]
        return iter(lines if all(map(_is_entry, lines)) else ())
    return iter([text] if _is_entry(text) else [])


def _rows(table: Table) -> list[str]:
    """Entries of a table whose last filled cells are rising page numbers; nothing of any other table."""
    cells = [[cell for cell in row if cell] for row in (table.columns, *(row.cells for row in table.rows))]
    numbered = [row for row in cells if len(row) > 1 and row[-1].isdecimal()]
    pages = [int(row[-1]) for row in numbered]
    if len(numbered) < max(ENTRIES, 0.6 * len(cells)) or pages != sorted(pages):
        return []
    return [" ".join(row) for row in cells if row]


def _is_entry(line: str) -> bool:
    line = line.strip()
    if len(line) > ENTRY_CHARACTERS:
        return False
    return not line.endswith(_STOPPED) or bool(_NUMBERED_STOP.search(line)) or line.isupper()


def _own_headings(document: Document, short: list[str], front: int, found: set[int]) -> set[int]:
    """Runs of short blocks near the start that repeat headings further down."""
    last: dict[str, int] = {}
    for number, block in enumerate(document.blocks):
        if block.kind == "heading" and short[number]:
            last[_key(short[number])] = number
    own: set[int] = set()
    run: list[int] = []
    hits = 0
    for number in range(front + 1):
        entry = number < front and number not in found and bool(short[number]) and _is_entry(short[number])
        # A heading belongs to the run only when it comes again.
        repeats = entry and last.get(_key(short[number]), -1) > number
        if entry and (repeats or document.blocks[number].kind != "heading"):
            run.append(number)
            hits += repeats
            continue
        if hits >= OWN_HEADINGS and hits >= OWN_SHARE * len(run):
            own.update(_between_hits(run, short, last))
        run, hits = [], 0
    return own


def _between_hits(run: list[int], short: list[str], last: dict[str, int]) -> list[int]:
    """The run from its first to its last entry that repeats a heading."""
    hits = [number for number in run if last.get(_key(short[number]), -1) > number]
    return [number for number in run if hits[0] <= number <= hits[-1]]


def _key(text: str) -> str:
    """An entry without leaders, page number and the mark of a link to itself, in comparable form."""
    text = text.strip()
    # Most entries end in a letter, which is cheaper to see than that there is no page number.
    return normalise((text if text[-1:].isalpha() else _PAGE.sub("", text)).rstrip("#¶ "))

"""What stands on the pages of a PDF and is no text of it: running heads, page numbers, tables of contents."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from golongrl.pipeline.dataset.readers.pdf_lines import Line

_NUMBER = re.compile(r"^(\d{1,5})(?=\s|$)|(?<!\S)(\d{1,5})$")
_ROMAN = re.compile(r"(?<!\S)([ivxlc]{1,8})$")
_DIGITS = re.compile(r"\d+")
_LEADERS = re.compile(r"(?:\.\s?|·\s?|…){4,}\s*(?:\d{1,5}|[ivxlc]{1,8})?$")
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
REPEATS = 3
"""Pages on which a line stands in the same place before it counts as a running head."""
EDGE_ROWS = 2
"""Rows at the top and at the bottom of a page that can be running heads."""
LARGEST = 1.12
"""Size of a running head at most, in those of the body."""
CONTENTS = 5
"""Lines with dot leaders that make a page a table of contents."""
NEAR = 2.0
"""Points within which two baselines are the same."""


def without_furniture(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The pages without running heads, page numbers and lines that end in dot leaders."""
    sizes: Counter[float] = Counter()
    for line in itertools.chain.from_iterable(pages):
        sizes[line.size] += len(line.text)
    limit = LARGEST * max(sizes, key=lambda size: (sizes[size], size), default=0.0)
    edges = [list(_edges(page, limit)) for page in pages]
    repeated = Counter(key for page in edges for key in {(zone, _masked(row)) for zone, _, row in page})
    offsets: Counter[int] = Counter()
    for number, page in enumerate(edges):
        offsets.update({value - number for _, _, row in page for value in _numbers(row)})
    filled = sum(map(bool, pages))
    numbered = {offset for offset, count in offsets.items() if count >= max(REPEATS, 0.2 * filled)}

    def known(zone: str, row: list[Line], number: int) -> bool:
        text = _masked(row)
        return (repeated[zone, text] >= REPEATS and len(text) > 3) or any(
            value - number in numbered for value in _numbers(row)
        )

    at = Counter((zone, round(row[0].base / NEAR)) for page in edges for zone, _, row in page)
    right = Counter(
        (zone, round(row[0].base / NEAR))
        for number, page in enumerate(edges)
        for zone, _, row in page
        if known(zone, row, number)
    )
    places = {place for place, count in right.items() if count >= REPEATS and count >= 0.7 * at[place]}
    kept = []
    for number, (page, rows) in enumerate(zip(pages, edges, strict=True)):
        dropped: set[int] = set()
        done: dict[str, int] = {"top": 0, "bottom": 0}
        for zone, depth, row in rows:
            # An inner row is only looked at when the ones outside it are furniture.
            if depth != done[zone]:
                continue
            if known(zone, row, number) or (zone, round(row[0].base / NEAR)) in places:
                dropped.update(map(id, row))
                done[zone] += 1
        kept.append(_without_contents([line for line in page if id(line) not in dropped]))
    return kept


def _without_contents(page: list[Line]) -> list[Line]:
    """The page without lines that end in dot leaders and, where these are much of it, what stands between them."""
    leaders = [at for at, line in enumerate(page) if _LEADERS.search(line.text)]
    if len(leaders) < max(CONTENTS, 0.4 * len(page)):
        return [line for line in page if not _LEADERS.search(line.text)]
    first, last = leaders[0], leaders[-1]
    while first > 0 and _NUMBER.search(page[first - 1].text):
        first -= 1
    while last + 1 < len(page) and _NUMBER.search(page[last + 1].text):
        last += 1
    return page[:first] + page[last + 1 :]


def _edges(page: Sequence[Line], limit: float) -> Iterator[tuple[str, int, list[Line]]]:
    """(zone, depth from the edge, lines of one baseline) at both ends of a page, up to a line that is larger than the
    limit; the rows of a page that has few are not given twice."""
    rows: list[list[Line]] = []
    for line in sorted(page, key=lambda line: -line.base):
        if rows and rows[-1][0].base - line.base <= NEAR:
            rows[-1].append(line)
        else:
            rows.append([line])
    for zone, outer in (("top", rows[:EDGE_ROWS]), ("bottom", rows[EDGE_ROWS:][::-1][:EDGE_ROWS])):
        for depth, row in enumerate(outer):
            if max(line.size for line in row) >= limit:
                break
            yield zone, depth, row


def _masked(row: Sequence[Line]) -> str:
    text = " ".join(line.text for line in row).casefold()
    return "".join(_DIGITS.sub("#", _ROMAN.sub("#", text)).split())


def _numbers(row: Sequence[Line]) -> set[int]:
    """Numbers that begin or end a line of a row, Roman ones only at its end."""
    found = {int(match[1] or match[2]) for line in row for match in _NUMBER.finditer(line.text)}
    for line in row:
        if match := _ROMAN.search(line.text):
            values = [_VALUES[char] for char in match[1]]
            found.add(sum(-v if v < w else v for v, w in zip(values, [*values[1:], 0], strict=True)))
    return found

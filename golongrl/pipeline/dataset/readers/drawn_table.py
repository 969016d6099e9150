"""Tables drawn with characters: `+---+---+` borders with `|` between the cells, as reStructuredText and text browsers
write them. Columns are cut by display width, in which a Chinese character takes two places."""

import itertools
import re
from collections.abc import Sequence

_RULE = re.compile(r"\s*[+|][-=]+(?:[+|][-=]+)*[+|]\s*")
_WIDE = re.compile(
    r"[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]"
)


def is_rule(line: str) -> bool:
    """Whether a line is a border such as `+---+---+` or `|---+---|`."""
    return line.lstrip()[:2] in ("+-", "+=", "|-", "|=") and _RULE.fullmatch(line) is not None


def width(text: str) -> int:
    """Places a text takes on a screen with characters of one width."""
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))


def read_table(lines: Sequence[str]) -> list[list[list[str]]] | None:
    """Rows of cells of non-blank lines, or None where the lines are no such drawing: not closed by borders, or a
    cell crosses a column."""
    if len(lines) < 3 or not is_rule(lines[0]) or not is_rule(lines[-1]):
        return None
    rules = [line.strip() for line in lines if is_rule(line)]
    # The outer border of some browsers has no joints; the rule with most of them says where the columns are.
    columns = max(([at for at, char in enumerate(rule) if char in "+|"] for rule in rules), key=len)
    indent = len(lines[0]) - len(lines[0].lstrip())
    rows: list[list[list[str]]] = []
    fresh = True
    for line in lines:
        if is_rule(line):
            fresh = True
            continue
        cells = _cut(line[indent:].rstrip(), columns)
        if cells is None:
            return None
        if fresh:
            rows.append([[] for _ in cells])
            fresh = False
        for cell, part in zip(rows[-1], cells, strict=True):
            if part:
                cell.append(part)
    return rows or None


def _cut(line: str, columns: Sequence[int]) -> list[str] | None:
    """The parts of a line between bars at display columns; None when there is no bar at one of them."""
    places, at = {}, 0
    for index, char in enumerate(line):
        if char in "|+":
            places[at] = index
        at += 1 if char.isascii() else width(char)
    if any(column not in places for column in columns):
        return None
    cuts = [places[column] for column in columns]
    return [line[a + 1 : b].strip() for a, b in itertools.pairwise(cuts)]

"""What a prompt shows, read back from its rendered text alone: the ground on which answers are checked by brute
force, independent of the spans and blocks that a question was made from."""

import functools
import re
from dataclasses import dataclass
from typing import Literal

from golongrl.core.text import normalise

_MARK = re.compile(r"^(?:\[Document \d+\] |【文档\d+】)(.*)$")
_HEADING = re.compile(r"^(#{1,6}) (.*)$")

LineKind = Literal["heading", "item", "row", "code", "text"]


@dataclass(frozen=True)
class Line:
    """One line of a shown document: its text without the marker, the level of a heading, and whether an empty line
    stands before it."""

    kind: LineKind
    text: str
    level: int = 0
    apart: bool = True


@dataclass(frozen=True)
class ShownTable:
    """A table as its lines show it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ShownSection:
    """A heading and the lines below it up to the next heading of any level."""

    title: str
    level: int
    lines: tuple[Line, ...]

    @property
    def body(self) -> str:
        """The lines' text."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Shown:
    """One document of the prompt."""

    title: str
    lines: tuple[Line, ...]

    @functools.cached_property
    def text(self) -> str:
        """All lines, markers left out; table rows keep their bars."""
        return "\n".join(line.text for line in self.lines)

    @functools.cached_property
    def flat(self) -> str:
        """The text normalised."""
        return normalise(self.text)

    @functools.cached_property
    def sections(self) -> tuple[ShownSection, ...]:
        """Every heading with the lines up to the next; what stands before the first heading is in none."""
        found: list[tuple[Line, list[Line]]] = []
        for line in self.lines:
            if line.kind == "heading":
                found.append((line, []))
            elif found:
                found[-1][1].append(line)
        return tuple(ShownSection(head.text, head.level, tuple(body)) for head, body in found)

    @functools.cached_property
    def tables(self) -> tuple[ShownTable, ...]:
        """Every run of table rows; the first row holds the column names."""
        runs: list[list[tuple[str, ...]]] = []
        inside = False
        for line in self.lines:
            if line.kind == "row":
                if not inside or line.apart:
                    runs.append([])
                runs[-1].append(cells(line.text))
            inside = line.kind == "row"
        return tuple(ShownTable(run[0], tuple(run[1:])) for run in runs)

    def said_by(self, speaker: str) -> tuple[str, ...]:
        """What a speaker's turns say, in order."""
        mark = f"{speaker}: "
        turns = (line.text for line in self.lines if line.kind == "text")
        return tuple(turn[len(mark) :] for turn in turns if turn.startswith(mark))


class View:
    """The documents of a prompt."""

    def __init__(self, documents: tuple[Shown, ...]):
        self.documents = documents

    def titled(self, title: str) -> Shown:
        """The one document with this title; LookupError when none or several carry it."""
        wanted = normalise(title)
        found = [shown for shown in self.documents if normalise(shown.title) == wanted]
        if len(found) != 1:
            raise LookupError(f"{len(found)} documents are called {title!r}")
        return found[0]

    @functools.cached_property
    def flat(self) -> str:
        """All text normalised, for counting."""
        return "\n".join(shown.flat for shown in self.documents)

    def count(self, text: str) -> int:
        """How often a text stands in the documents, ignoring case and spacing."""
        return self.flat.count(normalise(text))


def cells(row: str) -> tuple[str, ...]:
    """The cells of a rendered table row."""
    return tuple(row[2:-2].split(" | "))


def read(context: str) -> View:
    """The documents of a rendered context (the prompt without question and instruction)."""
    documents: list[tuple[str, list[Line]]] = []
    fenced, apart = False, True
    for raw in context.split("\n"):
        mark = None if fenced else _MARK.match(raw)
        if mark:
            documents.append((mark[1], []))
            apart = True
        elif not raw:
            apart = True
        elif documents:
            lines = documents[-1][1]
            if raw == "```":
                fenced = not fenced
            elif fenced:
                lines.append(Line("code", raw))
            elif heading := _HEADING.match(raw):
                lines.append(Line("heading", heading[2], len(heading[1])))
            elif raw.startswith("- "):
                lines.append(Line("item", raw[2:]))
            elif raw.startswith("| ") and raw.endswith(" |"):
                lines.append(Line("row", raw, apart=apart))
            else:
                lines.append(Line("text", raw))
            apart = False
    return View(tuple(Shown(title, tuple(lines)) for title, lines in documents))

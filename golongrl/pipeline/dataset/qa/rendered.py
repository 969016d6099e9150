"""Documents as our prompts show them, read back block by block, so that every line stays as it stands."""

import itertools
import re

from golongrl.core.documents import DocumentBuilder

_MARK = re.compile(r"^(?:\[Document (\d+)\] |【文档(\d+)】)(\S[^\n]*)\n", re.MULTILINE)
_HEADING = re.compile(r"(#{1,6}) (\S.*)")


def split(text: str) -> list[tuple[str, str]] | None:
    """(title, text) of the documents of a context in our form; None where it is in another."""
    marks = list(_MARK.finditer(text))
    if not marks or [int(mark[1] or mark[2]) for mark in marks] != list(range(1, len(marks) + 1)):
        return None
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [(mark[3], text[mark.end() : end].strip("\n")) for mark, end in zip(marks, ends, strict=True)]


def fill(builder: DocumentBuilder, text: str) -> None:
    """Add the blocks of a rendered document; turns come back as paragraphs."""
    lines = text.split("\n")
    groups = itertools.count(1)
    group = at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        heading = _HEADING.fullmatch(line)
        if line == "```":
            end = next((n for n in range(at + 1, len(lines)) if lines[n] == "```"), len(lines))
            builder.code("\n".join(lines[at + 1 : end]))
            end += 1
        elif line.startswith("| ") and line.endswith(" |"):
            end = next((n for n in range(at, len(lines)) if not lines[n].startswith("| ")), len(lines))
            header, *rows = [row[2:-2].split(" | ") for row in lines[at:end]]
            builder.table(header, rows)
        elif heading is not None:
            builder.heading(heading[2], len(heading[1]))
        elif line.startswith("- "):
            group = group if at and lines[at - 1].startswith("- ") else next(groups)
            builder.item(line[2:], group)
        else:
            builder.paragraph(line)
        at = end

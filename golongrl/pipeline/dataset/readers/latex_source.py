"""The source of a LaTeX file before it is parsed: comments and verbatim text put aside, braces matched, short
definitions found, table rows and cells parted."""

import re
from collections.abc import Iterator

from golongrl.pipeline.dataset.readers.latex_macros import VERBATIM

_PROTECTED = re.compile(
    r"\\begin\{(?P<env>" + "|".join(map(re.escape, VERBATIM)) + r")\}"
    r"|\\(?:verb\*?|lstinline)(?P<bar>[^A-Za-z\s*{])(?P<verb>[^\n]{0,500}?)(?P=bar)"
    r"|\\(?:[^v]|v(?!erb))"
    r"|(?P<comment>%[^\n]*(?:\n[ \t]*(?=\S))?)",
    re.DOTALL,
)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
OPTION = re.compile(r"[ \t]*\n?[ \t]*\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]")
_DEFINITION = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand)\*?\s*\{?\\([A-Za-z]+)\}?\s*\{|\\def\s*\\([A-Za-z]+)\s*\{"
)
MAX_EXPANSION = 80
"""Longest definition, in characters, that takes its macro's place in the text."""


def stripped(text: str, kept: list[tuple[str, str]]) -> str:
    """The source without comments; verbatim text is put aside, with a mark in its place."""
    parts: list[str] = []
    unclosed: set[str] = set()
    at = done = 0
    while match := _PROTECTED.search(text, at):
        at = match.end()
        if match["comment"] is not None:
            parts.append(text[done : match.start()])
        elif match["verb"] is not None:
            parts += [text[done : match.start()], f"\0{len(kept)}\0"]
            kept.append(("text", match["verb"]))
        elif match["env"] is not None and match["env"] not in unclosed:
            close = f"\\end{{{match['env']}}}"
            end = text.find(close, at)
            if end < 0:
                unclosed.add(match["env"])
                continue
            parts += [text[done : match.start()], f"\0{len(kept)}\0"]
            kept.append(("code", text[at:end]))
            at = end + len(close)
        else:
            continue
        done = at
    return "".join([*parts, text[done:]])


def definitions(source: str) -> dict[str, str]:
    """Short definitions of macros without arguments."""
    found = {}
    for match in _DEFINITION.finditer(source):
        near = source[match.end() - 1 : match.end() + 2 * MAX_EXPANSION]
        body = near[1 : closing(near, 0) - 1]
        name = match[1] or match[2]
        if len(body) <= MAX_EXPANSION and "#" not in body and f"\\{name}" not in body:
            found[name] = body
    return found


def closing(text: str, start: int) -> int:
    """The place behind the brace that closes the one at `start`; the end of the text where none does."""
    depth = 0
    for match in _BRACES.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)


def multicolumn(cell: str) -> tuple[int, str]:
    """How many columns a cell takes, and its source."""
    match = re.search(r"\\multicolumn\s*\{\s*(\d{1,2})\s*\}\s*(?=\{)", cell)
    if match is None:
        return 1, cell
    behind = closing(cell, match.end())
    return max(int(match[1]), 1), cell[behind:]


def split(text: str, at: int, marks: tuple[str, ...]) -> Iterator[str]:
    """The parts of a source between marks outside of braces and mathematics."""
    start, depth = at, 0
    for match in re.compile(r"\$(?:\\.|[^$\\])*\$|\\[A-Za-z]+|\\.|[{}&]", re.DOTALL).finditer(text, at):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
        elif depth == 0 and match[0] in marks:
            yield text[start : match.start()]
            option = OPTION.match(text, match.end()) if match[0] == "\\\\" else None
            start = option.end() if option else match.end()
    yield text[start:]

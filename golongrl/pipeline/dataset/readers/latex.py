"""LaTeX by a small parser of its own: headings, paragraphs, lists, theorems, tables and verbatim text. Comments, the
preamble and index entries go, mathematics stays as its source, other files are not read, and macros are not expanded
but for those that a document defines without arguments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, grid, latex_source
from golongrl.pipeline.dataset.readers.latex_macros import (
    ACCENTS,
    ARGUMENTS,
    CHARACTERS,
    DECLARATIONS,
    DINGS,
    DROPPED,
    LENGTHS,
    LISTS,
    MATH,
    NO_TEXT,
    REFERENCES,
    SECTIONS,
    SYMBOLS,
    TABLES,
    THEOREMS,
    accented,
)

_TOKEN = re.compile(
    r"(?P<blank>\n[ \t]*\n\s*)"
    r"|(?P<math>\$\$.{1,2000}?\$\$|\$(?:\\.|[^$\\\n]|\n(?![ \t]*\n))*\$|\\\(.{1,2000}?\\\))"
    r"|\\(?P<name>[A-Za-z@]+)\*?"
    r"|\\(?P<char>.)"
    r"|(?P<brace>[{}])"
    r"|\0(?P<kept>\d+)\0",
    re.DOTALL,
)
_SPACE = re.compile(r"[ \t]*\n?[ \t]*")
_LENGTH = re.compile(
    r"\s*(?:to|spread|=)?\s*-?(?:\d*\.?\d+)?\s*(?:(?:pt|em|ex|cm|mm|in|bp|pc|sp|mu|fill?)\b|\\[a-z]+width\b)?"
)
_LABEL = re.compile(r"\\label\{[^{}]*\}")
_THEOREM = re.compile(r"\\newtheorem\*?\s*\{([^{}]+)\}\s*(?:\[[^\]]*\])?\s*\{([^{}]+)\}")
MAX_DISPLAY = 20_000
"""Characters of a displayed formula after which one that does not end counts as none."""
MAX_DEPTH = 3
"""Macros within macros that are expanded."""
MAX_EXPANDED = 2_000_000
"""Characters that all expansions of a document may add besides the length of its source: definitions that use each
other multiply."""


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    kept: list[tuple[str, str]] = []
    source = latex_source.stripped(text.replace("\r\n", "\n").replace("\0", ""), kept)
    begin, end = source.find("\\begin{document}"), source.rfind("\\end{document}")
    body = source[begin + len("\\begin{document}") : end if end > begin else None] if begin >= 0 else source
    theorems = THEOREMS | dict(_THEOREM.findall(source))
    builder = DocumentBuilder()
    parser = _Parser(builder, kept, latex_source.definitions(source), theorems)
    parser.expandable = MAX_EXPANDED + len(source)
    title = parser.argument_of(source, "title")
    names = parser.argument_of(source, "author").replace(" ,", ",")
    ranks = [rank for rank in map(SECTIONS.get, re.findall(r"\\([a-z]+)\*?\s*[{\[]", body)) if rank is not None]
    parser.top = min(ranks, default=0)
    # The only heading of the highest rank is the title of a file that has no other.
    parser.titled = bool(title) or ranks.count(parser.top) != 1
    if title:
        builder.heading(title, 1)
        builder.paragraph(names)
    parser.read(body)
    yield builder.build(source=origin.name, fallback=origin.stem, licence=origin.licence)


def _plain(text: str) -> str:
    """Running text with its dashes and quotation marks."""
    if "-" in text:
        text = text.replace("---", "—").replace("--", "–")
    if "`" in text or "'" in text:
        text = text.replace("``", "“").replace("''", "”").replace("`", "‘")
    return text.replace("~", " ")


@dataclass
class _Parser:
    builder: DocumentBuilder
    kept: list[tuple[str, str]]
    definitions: dict[str, str]
    theorems: dict[str, str]
    top: int = 0
    titled: bool = True
    depth: int = 0
    expandable: int = 0
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    note: int = 0
    lists: list[int] = field(default_factory=list)
    groups: int = 0
    item: bool = False
    unclosed: dict[str, str] = field(default_factory=dict)

    def read(self, text: str) -> None:
        """Add the blocks of a source."""
        self._run(text)
        self._flush()

    def argument_of(self, source: str, macro: str) -> str:
        """The text of a macro's first argument, wherever it stands; "" when it does not."""
        match = re.search(rf"\\{macro}\s*(?:\[[^\]]*\])?\s*(?=\{{)", source)
        return self.inline(source[match.end() + 1 : latex_source.closing(source, match.end()) - 1]) if match else ""

    def inline(self, text: str) -> str:
        """The text of an argument on one line, footnotes left for the end of the paragraph."""
        outer, self.parts = self.parts, []
        builder, self.builder = self.builder, DocumentBuilder()
        self.depth += 1
        if self.depth <= 20:
            self._run(text)
        self.depth -= 1
        said, self.parts, self.builder = "".join(self.parts), outer, builder
        return " ".join(said.split())

    def _flush(self) -> None:
        text = "".join(self.parts)
        self.parts = []
        if self.item and text.strip():
            self.builder.item(text, self.lists[-1] if self.lists else 0)
            self.item = False
        else:
            self.builder.paragraph(text)
        if self.depth == 0:
            for note in self.notes:
                self.builder.paragraph(note)
            self.notes = []

    def _run(self, text: str) -> None:
        at = 0
        while match := _TOKEN.search(text, at):
            if match.start() > at:
                self.parts.append(_plain(text[at : match.start()]))
            kind = match.lastgroup
            at = match.end()
            if kind == "blank":
                self._break()
            elif kind == "math":
                self.parts.append(" ".join(match[0].split()))
            elif kind == "name":
                at = self._macro(match["name"], text, at)
            elif kind == "char":
                at = self._character(match["char"], text, at)
            elif kind == "kept":
                self._kept(int(match["kept"]))
            elif match[0] == "}" and text.startswith("{", at):
                self.parts.append(" ")
        self.parts.append(_plain(text[at:]))

    def _break(self) -> None:
        if self.depth:
            self.parts.append(" ")
        else:
            self._flush()

    def _kept(self, number: int) -> None:
        kind, text = self.kept[number]
        if kind == "text" or self.depth:
            self.parts.append(text)
        else:
            self._flush()
            self.builder.code(re.sub(r"^\s*(?:\[[^\]]*\]|\{[^}]*\})*[ \t]*\n", "", text, count=1))

    def _argument(self, text: str, at: int) -> tuple[str, int]:
        """The source of the next argument and the place behind it; "" where there is none."""
        start = _SPACE.match(text, at).end()
        if not text.startswith("{", start):
            return "", at
        end = latex_source.closing(text, start)
        return text[start + 1 : end - 1], end

    def _options(self, text: str, at: int) -> int:
        while match := latex_source.OPTION.match(text, at):
            at = match.end()
        return at

    def _character(self, char: str, text: str, at: int) -> int:
        if char == "[":
            end = text.find("\\]", at, at + MAX_DISPLAY)
            if end < 0:
                return at
            self._display(text[at:end])
            return end + 2
        if char in ACCENTS:
            return self._accent(char, text, at)
        if char == "\\" and (option := latex_source.OPTION.match(text, at)) and "\n" not in option[0]:
            at = option.end()
        self.parts.append(CHARACTERS.get(char, char))
        return at

    def _accent(self, accent: str, text: str, at: int) -> int:
        letter, end = self._argument(text, at)
        if end == at:
            start = _SPACE.match(text, at).end() if accent.isalpha() else at
            match = re.compile(r"\\([ij])(?![A-Za-z])|(\w)").match(text, start)
            if match is None:
                return at
            letter, end = match[1] or match[2], match.end()
        letter = letter.strip().removeprefix("\\")
        self.parts.append(accented(accent, letter) if letter else "")
        return end

    def _display(self, source: str) -> None:
        self.parts.append(f" $$ {' '.join(_LABEL.sub('', source).split())} $$ ")

    def _macro(self, name: str, text: str, at: int) -> int:
        if name == "begin":
            return self._begin(text, at)
        if name == "end":
            return self._end(text, at)
        if name in SECTIONS:
            return self._section(name, text, at)
        if name == "item":
            return self._item(text, at)
        if name in ("footnote", "footnotetext"):
            source, end = self._argument(text, self._options(text, at))
            self.note += 1
            self.parts.append(f" [{self.note}]")
            self.notes.append(f"[{self.note}] {self.inline(source)}")
            return end
        if name == "caption":
            source, end = self._argument(text, self._options(text, at))
            self._break()
            self.parts.append(self.inline(source))
            self._break()
            return end
        if name in ("def", "gdef", "edef", "xdef"):
            start = text.find("{", at, at + latex_source.MAX_EXPANSION)
            return latex_source.closing(text, start) if start >= 0 else at
        if name in LENGTHS:
            return _LENGTH.match(text, at).end()
        if name == "ding":
            source, at = self._argument(text, at)
            self.parts.append(DINGS.get(source.strip(), f"\\ding{{{source}}}"))
            return at
        if name == "texorpdfstring":
            source, at = self._argument(text, at)
            self.parts.append(self.inline(source))
            return self._argument(text, at)[1]
        if name in REFERENCES:
            source, end = self._argument(text, self._options(text, at))
            self.parts.append(f"[{' '.join(source.split())}]" if source else "")
            return end
        if name in ("title", "author", "date") or name in NO_TEXT or name.startswith("index"):
            return self._dropped(name, text, at)
        if name == "par":
            self._break()
        if name in ACCENTS and name not in SYMBOLS:
            return self._accent(name, text, at)
        if name in SYMBOLS:
            self.parts.append(SYMBOLS[name])
            return at + 2 if text.startswith("{}", at) else at
        if name in DECLARATIONS:
            return _SPACE.match(text, at).end() if not text.startswith("\n", at) else at
        return self._other(name, text, at)

    def _dropped(self, name: str, text: str, at: int) -> int:
        count = NO_TEXT.get(name, 2 if name.startswith("indexsee") else 1)
        if name in ("newcommand", "renewcommand", "providecommand") and text.startswith("\\", at):
            at = _TOKEN.match(text, at).end()
            count = 1
        at = self._options(text, at)
        for _ in range(count):
            _, at = self._argument(text, self._options(text, at))
        return at

    def _other(self, name: str, text: str, at: int) -> int:
        """A macro that is not known: its definition, else its arguments' text, else itself."""
        if name in self.definitions and self.depth < MAX_DEPTH and self.expandable > 0:
            self.expandable -= len(self.definitions[name])
            self.depth += 1
            self._run(self.definitions[name])
            self.depth -= 1
            return at + 2 if text.startswith("{}", at) else at
        behind = self._options(text, at)
        if text.startswith("{}", behind) or not text.startswith("{", behind):
            self.parts.append(f"\\{name}")
            return at + 2 if text.startswith("{}", at) else at
        return behind

    def _section(self, name: str, text: str, at: int) -> int:
        source, end = self._argument(text, self._options(text, at))
        if end == at:
            return at
        heading = self.inline(source)
        if self.depth:
            self.parts.append(heading)
            return end
        self._flush()
        level = 2 + SECTIONS[name] - self.top
        self.builder.heading(heading, 1 if not self.titled and level == 2 else level)
        return end

    def _item(self, text: str, at: int) -> int:
        label = ""
        if match := latex_source.OPTION.match(text, at):
            label = self.inline(match[0].strip()[1:-1])
            at = match.end()
        if self.depth:
            self.parts.append(f" {label} ")
            return at
        self._flush()
        self.item = True
        if label:
            self.parts.append(label if label.endswith((":", ".")) else f"{label}: ")
        return at

    def _begin(self, text: str, at: int) -> int:
        name, at = self._argument(text, at)
        close = f"\\end{{{name}}}"
        if name in MATH or name in DROPPED or name in TABLES:
            end = -1 if self.unclosed.get(name) is text else text.find(close, at)
            if end < 0:
                self.unclosed[name] = text
                return at
            source, behind = text[at:end], end + len(close)
            if name in MATH:
                self._display(
                    source if name.startswith(("equation", "displaymath")) else f"\\begin{{{name}}}{source}{close}"
                )
            elif name in TABLES and not self.depth:
                self._table(source, TABLES[name])
            return behind
        if name in self.theorems and not self.depth:
            self._flush()
            option = latex_source.OPTION.match(text, at)
            at = option.end() if option else at
            if name == "abstract":
                self.builder.heading("Abstract", 2)
                return at
            said = f" ({self.inline(option[0].strip()[1:-1])})" if option else ""
            self.parts.append(f"{self.theorems[name]}{said}. ")
            return at
        if not self.depth:
            self._flush()
        if name in LISTS:
            self.groups += 1
            self.lists.append(self.groups)
            _, at = self._argument(text, self._options(text, at)) if name in ("thebibliography", "list") else ("", at)
        at = self._options(text, at)
        for _ in range(ARGUMENTS.get(name, 0)):
            _, at = self._argument(text, self._options(text, at))
        return at

    def _end(self, text: str, at: int) -> int:
        name, at = self._argument(text, at)
        if not self.depth:
            self._flush()
        if name in LISTS and self.lists:
            self.lists.pop()
            self.item = False
        return at

    def _table(self, source: str, before: int) -> None:
        self._flush()
        at = 0
        for _ in range(before + 1):
            _, at = self._argument(source, self._options(source, at))
        rows: list[list[str]] = []
        for row in latex_source.split(source, at, ("\\\\", "\\tabularnewline")):
            cells: list[str] = []
            for cell in latex_source.split(row, 0, ("&",)):
                span, cell = latex_source.multicolumn(cell)
                cells += [self.inline(cell), *[""] * (span - 1)]
            if any(cells):
                rows.append(cells)
        if max(map(len, rows), default=0) > 1:
            grid.add(self.builder, rows)
        else:
            for row in rows:
                self.builder.paragraph(row[0])

"""Markdown (CommonMark with tables), through markdown-it-py; embedded HTML is read like a page, mathematics
stays as its source, and of YAML or TOML in front only the title is used."""

import functools
import re
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, html

_FRONT_MATTER = re.compile(
    r"\A(?P<mark>---|\+\+\+)[ \t]*\n"
    r"(?P<fields>(?=(?:#[^\n]*\n)*[\w\"'-][\w\"' -]*[:=]|---|\.\.\.|\+\+\+)(?:[^\n]*\n)*?)"
    r"(?:(?P=mark)|\.\.\.)[ \t]*(?:\n|\Z)"
)
"""Only what begins with a field: a line of hyphens may just as well be a rule above the first heading."""
_TITLE = re.compile(r"^title[ \t]*[:=](?P<title>.*)", re.MULTILINE)
_QUOTED = re.compile(r"([\"'])(?P<inner>.+)\1")
_MATH = re.compile(
    r"\$\$.{1,4000}?\$\$|\$(?=\S)(?:\\.|[^\\$]){1,2000}?(?<=\S)\$(?!\d)|\\\(.{1,2000}?\\\)|\\\[.{1,4000}?\\\]",
    re.DOTALL,
)
_OPERATOR = re.compile(r"\\[A-Za-z{}|,;!]|[\^=<>]|(?<!\\)_")
_LINE_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    text = text.replace("\r\n", "\n")
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        title = _title(front["fields"])
    builder = DocumentBuilder()
    _walk(_parser().parse(text), builder)
    yield builder.build(source=origin.name, fallback=title or origin.stem, licence=origin.licence)


def _title(fields: str) -> str:
    said = _TITLE.search(fields)
    title = said["title"].strip() if said else ""
    quoted = _QUOTED.fullmatch(title)
    # Marks alone say that YAML goes on in the lines below.
    return (quoted["inner"] if quoted else title) if any(map(str.isalnum, title)) else ""


@functools.cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.block.ruler.at("reference", _reference)
    parser.inline.ruler.before("escape", "math", _math)
    return parser


def _reference(state: Any, start: int, end: int, silent: bool) -> bool:
    """Link definitions, but `[^1]: word`, which CommonMark takes for one, is a footnote."""
    from markdown_it.rules_block import reference

    if state.src.startswith("[^", state.bMarks[start] + state.tShift[start]):
        return False
    return reference(state, start, end, silent)


def _math(state: Any, silent: bool) -> bool:
    """Mathematics, in which `*`, `_` and `\\` are no marks of Markdown."""
    match = _MATH.match(state.src, state.pos) if state.src[state.pos] in "$\\" else None
    if match is None or not _is_formula(match[0]):
        return False
    if not silent:
        state.push("text", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _is_formula(source: str) -> bool:
    """Whether it is more than the words between two prices, or in brackets that a program escaped."""
    if source.startswith("$$") or (source.startswith("$") and len(source.split()) == 1):
        return True
    return _OPERATOR.search(source.strip("$") if source[0] == "$" else source[2:-2]) is not None


def _walk(tokens: list[Any], builder: DocumentBuilder) -> None:
    lists: list[int] = []
    items: list[list[str]] = []
    groups = 0
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if items and token.type in _BLOCKS:
            _flush(items[-1], lists[-1], builder)
        if token.type == "heading_open":
            builder.heading(_inline(tokens[index + 1]), int(token.tag[1]))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            groups += 1
            lists.append(groups)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            items.append([])
        elif token.type == "list_item_close":
            _flush(items.pop(), lists[-1], builder)
        elif token.type == "inline" and tokens[index - 1].type == "paragraph_open":
            if items:
                items[-1].append(_inline(token))
            else:
                builder.paragraph(_inline(token))
        elif token.type in ("fence", "code_block"):
            builder.code(token.content)
        elif token.type == "html_block":
            html.add_fragment(builder, token.content)
        elif token.type == "table_open":
            index = _table(tokens, index, builder)
        index += 1


_BLOCKS = frozenset(
    {"heading_open", "bullet_list_open", "ordered_list_open", "fence", "code_block", "html_block", "table_open"}
)
"""Tokens that begin a block of its own, before which the text of an item that holds them ends."""


def _flush(parts: list[str], group: int, builder: DocumentBuilder) -> None:
    builder.item(" ".join(parts), group)
    parts.clear()


def _table(tokens: list[Any], index: int, builder: DocumentBuilder) -> int:
    rows: list[list[str]] = []
    while tokens[index].type != "table_close":
        if tokens[index].type == "tr_open":
            rows.append([])
        elif tokens[index].type == "inline":
            rows[-1].append(_inline(tokens[index]))
        index += 1
    builder.table(rows[0], rows[1:])
    return index


def _inline(token: Any) -> str:
    parts = []
    for child in token.children or []:
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak") or _LINE_BREAK.match(child.content):
            parts.append(" ")
    return "".join(parts)

"""HTML through lxml: headings, paragraphs, lists, tables and code; navigation, scripts and what is hidden goes."""

import re
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, RefusedError, grid, html_table

_DROPPED_NAMES = """
annotation aside audio button canvas datalist head iframe map nav noscript object script select style svg template
textarea video
"""
_DROPPED = frozenset(_DROPPED_NAMES.split())
_FRAME = frozenset({"header", "footer"})
"""Elements that frame a page, but head or close an article inside one."""
_CONTENT = frozenset({"article", "main", "section"})
_BLOCK_NAMES = """
address article blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header hr
html li main menu ol p section summary table tbody td tfoot th thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset({"ul", "ol", "dl", "menu"})
_ITEMS = frozenset({"li", "dt", "dd"})
_PAGE_PARTS = ("table", *_HEADINGS, "pre", "article", "section")
"""Elements whose presence in a table says that it lays out a page."""
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_BOLD_STYLE = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_BOLD = frozenset({"b", "strong"})
_TOP = re.compile(r"(?:part|item|chapter|article)\s+[\divxlc]|第.{1,5}[章部分]", re.IGNORECASE)
MAX_BOLD_HEADING = 120
"""Longest paragraph, in characters, that is a heading for being all bold, in pages that mark no headings."""
_BULLET = re.compile(r"[•●▪◦‣·■□➢–*-]|o")
_NOTE = re.compile(r"[(\[]?(?:\d{1,2}|[a-z]|\*{1,3}|[†‡])[)\].]?", re.IGNORECASE)
LONG_NOTE = 30
"""Fewest characters of a text that a mark such as "(1)" in a cell of its own makes a footnote."""
_WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
"""What browsers show for character references such as `&#151;`."""


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    root = _parsed(text)
    if root is None:
        raise RefusedError("it holds no text")
    title = root.find(".//title")
    builder = DocumentBuilder()
    walker = Walker(builder, bold_headings=all(root.find(f".//{tag}") is None for tag in _HEADINGS))
    # Broken pages go on behind the end of their body, or of the whole page.
    for part in (root, *root.itersiblings()):
        walker.add(part)
    yield builder.build(
        source=origin.name,
        title="" if title is None else _clean("".join(title.itertext())),
        fallback=origin.stem,
        licence=origin.licence,
    )


def add_fragment(builder: DocumentBuilder, text: str) -> None:
    """Add the blocks of a piece of a page, such as stands in Markdown; one of nothing but comments adds none."""
    root = _parsed(text)
    if root is not None:
        Walker(builder, bold_headings=False).add(root)


def _parsed(text: str) -> Any:
    """The page's tree; None where there is none. RefusedError where the parser gives up."""
    from lxml import etree

    # The text is decoded already: what the page declares about its bytes holds no more.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(text.replace("\0", "").encode("utf-8", "replace"), parser)
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise RefusedError("nested too deeply to parse: the rest of the page would be lost; mend its HTML")
    return root


def _clean(text: str) -> str:
    return text if text.isascii() else text.translate(_WINDOWS)


class Walker:
    """Collects inline text until a block begins or ends."""

    def __init__(self, builder: DocumentBuilder, *, bold_headings: bool):
        self.builder, self.bold_headings = builder, bold_headings
        self.bold = 0
        self.all_bold = True
        self.inline: list[str] = []
        self.group = self.groups = 0
        self.item = False
        self.content = 0
        self.outer: list[tuple[int, bool]] = []

    def add(self, root: Any) -> None:
        """Add the blocks below an element. Without recursion: old pages nest unclosed elements thousands deep."""
        from lxml import etree

        walk = etree.iterwalk(root, events=("start", "end"))
        entered: list[bool] = []
        for event, element in walk:
            if event == "start":
                inside = element is root or self._enter(element, element.tag)
                entered.append(inside)
                if not inside:
                    walk.skip_subtree()
                    continue
                self.bold += self.bold_headings and _is_bold(element)
                self._say(element.text)
                continue
            if entered.pop():
                self.bold -= self.bold_headings and _is_bold(element)
                if element is not root and element.tag in _BLOCKS:
                    self._leave(element.tag)
            if element is not root:
                self._say(element.tail)
        self.flush()

    def _say(self, text: str | None) -> None:
        if text:
            self.inline.append(text)
            if not self.bold and self.all_bold and not text.isspace():
                self.all_bold = False

    def flush(self) -> None:
        """End the current paragraph or list item."""
        if not self.inline:
            return
        text = _clean("".join(self.inline))
        bold = self.all_bold and self.bold_headings
        self.inline, self.all_bold = [], True
        if not text or text.isspace():
            return
        if self.item:
            self.builder.item(text, self.group)
            self.item = False
        elif (
            bold
            and len(text) <= MAX_BOLD_HEADING
            and not text.rstrip().endswith((".", "。"))
            and _is_worded(text.strip())
        ):
            self.builder.heading(text, 2 if _TOP.match(text.strip()) else 3)
        else:
            self.builder.paragraph(text)

    def _enter(self, element: Any, tag: Any) -> bool:
        """Begin an element; False when its content is added already, or to be left out."""
        if not isinstance(tag, str) or tag in _DROPPED or _hidden(element):
            return False
        if tag == "br":
            self.inline.append(" ")
        elif tag in _HEADINGS:
            self.flush()
            self.builder.heading(_clean(text_of(element)), _HEADINGS[tag])
            return False
        elif tag == "pre":
            self.flush()
            self.builder.code(_clean(_preformatted(element)))
            return False
        elif tag == "table" and all(element.find(f".//{part}") is None for part in _PAGE_PARTS):
            self.flush()
            self._table(element)
            return False
        elif tag in _BLOCKS:
            if tag in _FRAME and not self.content:
                return False
            self._begin(tag)
        return True

    def _begin(self, tag: str) -> None:
        self.flush()
        self.outer.append((self.group, self.item))
        if tag in _LISTS:
            self.groups += 1
            self.group, self.item = self.groups, False
        elif tag in _ITEMS:
            self.item = True
        self.content += tag in _CONTENT

    def _leave(self, tag: str) -> None:
        self.flush()
        self.group, waiting = self.outer.pop()
        self.item = waiting and self.item
        self.content -= tag in _CONTENT

    def _table(self, table: Any) -> None:
        caption = table.find("caption")
        if caption is not None:
            self.builder.paragraph(_clean(text_of(caption)))
        rows = html_table.read(table, lambda cell: _clean(text_of(cell)))
        width = len(rows.cells[0]) if rows.cells else 0
        if width == 1:
            for row in rows.cells:
                self.builder.paragraph(row[0])
        elif width == 2 and all(_BULLET.fullmatch(row[0]) and row[1] for row in rows.cells):
            self.groups += 1
            for row in rows.cells:
                self.builder.item(row[1], self.groups)
        elif width == 2 and all(_NOTE.fullmatch(row[0]) and len(row[1]) >= LONG_NOTE for row in rows.cells):
            for row in rows.cells:
                self.builder.paragraph(" ".join(row))
        elif len(rows.cells) == 1:
            self.builder.paragraph(" ".join(filter(None, rows.cells[0])))
        elif width:
            grid.add(self.builder, rows.cells, heads=rows.heads or None, spread=rows.spread, numbered=False)


def _is_bold(element: Any) -> bool:
    style = element.get("style")
    return element.tag in _BOLD or (style is not None and _BOLD_STYLE.search(style) is not None)


def _is_worded(text: str) -> bool:
    """Whether a text can be a heading: it holds letters and is no remark in brackets."""
    return not text.startswith(("(", "（")) and any(char.isalpha() for char in text)


def _hidden(element: Any) -> bool:
    get = element.get
    if get("hidden") is not None:
        return True
    style = get("style")
    return style is not None and _HIDDEN.search(style) is not None


def text_of(element: Any) -> str:
    """The text of an element on one line; blocks inside it are parted by spaces, hidden ones left out."""
    parts: list[str] = []
    _gather(element, parts)
    return " ".join("".join(parts).split())


def _gather(element: Any, parts: list[str]) -> None:
    if element.text:
        parts.append(element.text)
    for child in element:
        tag = child.tag
        if isinstance(tag, str) and tag not in _DROPPED and not _hidden(child):
            apart = tag in _BLOCKS or tag == "br"
            if apart:
                parts.append(" ")
            _gather(child, parts)
            if apart:
                parts.append(" ")
        if child.tail:
            parts.append(child.tail)


def _preformatted(element: Any) -> str:
    """The text with its line breaks."""
    parts = [element.text or ""]
    for child in element:
        parts += ["\n" if child.tag == "br" else _preformatted(child), child.tail or ""]
    return "".join(parts)

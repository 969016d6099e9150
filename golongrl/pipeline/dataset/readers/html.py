"""HTML through beautifulsoup4 and lxml: headings, paragraphs, lists, tables and code; navigation and scripts go."""

from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin

_DROPPED = ("script", "style", "nav", "header", "footer", "aside", "form", "noscript", "template", "svg", "head")
_BLOCK_NAMES = """
address article blockquote body dd div dl dt fieldset figure h1 h2 h3 h4 h5 h6 hr html li main ol p pre section table
ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    import warnings

    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        # Inline-XBRL filings are XHTML with a declaration; the HTML parser is what reads them best.
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(text, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup.find_all(_DROPPED):
        tag.decompose()
    builder = DocumentBuilder()
    _Walker(builder).walk(soup)
    yield builder.build(source=origin.name, title=title, fallback=origin.stem, licence=origin.licence)


class _Walker:
    def __init__(self, builder: DocumentBuilder):
        self.builder, self.groups = builder, 0

    def walk(self, node: Any, group: int = 0) -> None:
        """Add the blocks below one element; loose inline text between blocks becomes a paragraph."""
        from bs4 import NavigableString
        from bs4.element import PreformattedString

        loose: list[str] = []
        for child in node.children:
            if isinstance(child, PreformattedString):
                continue
            if isinstance(child, NavigableString):
                loose.append(str(child))
            elif child.name == "br":
                loose.append(" ")
            elif child.name not in _BLOCKS and not child.find(_BLOCKS):
                loose.append(child.get_text())
            else:
                self.builder.paragraph("".join(loose))
                loose = []
                self._block(child, group)
        self.builder.paragraph("".join(loose))

    def _block(self, tag: Any, group: int) -> None:
        name = tag.name
        if name in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.builder.heading(tag.get_text(" "), int(name[1]))
        elif name in ("ul", "ol", "dl"):
            self.groups += 1
            self.walk(tag, self.groups)
        elif name in ("li", "dt", "dd"):
            if tag.find(("ul", "ol", "table", "pre", "p")):
                self.walk(tag, group)
            else:
                self.builder.item(tag.get_text(), group)
        elif name == "pre":
            self.builder.code(tag.get_text())
        elif name == "table" and not tag.find("table"):
            self._table(tag)
        else:
            self.walk(tag, group)

    def _table(self, tag: Any) -> None:
        rows = []
        for row in tag.find_all("tr"):
            cells = [cell.get_text(" ", strip=True) for cell in row.find_all(("td", "th"))]
            if any(cells):
                rows.append(cells)
        if rows and max(map(len, rows)) == 1:
            for row in rows:
                self.builder.paragraph(row[0])
            return
        if not rows:
            return
        width = max(map(len, rows))
        # Filings lay numbers out with empty spacer columns; a column without any text carries nothing.
        rows = [row + [""] * (width - len(row)) for row in rows]
        used = [index for index in range(width) if any(row[index] for row in rows)]
        rows = [[row[index] for index in used] for row in rows]
        self.builder.table(rows[0], rows[1:])

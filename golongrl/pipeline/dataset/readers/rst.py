"""reStructuredText through docutils; file insertion and raw content are off, unknown roles keep their text, and so do
directives that docutils does not know or cannot parse."""

import functools
import re
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, RefusedError

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "doctitle_xform": False,
    "sectsubtitle_xform": False,
    "docinfo_xform": False,
    "_disable_config": True,
    "smart_quotes": False,
    "line_length_limit": 1_000_000_000,
}
_DIRECTIVE = re.compile(r"[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?(?P<name>[\w:.+-]+?)[ \t]?::(?P<rest>.*)", re.DOTALL)
_OPTION = re.compile(r":[\w-]+:(?:\s|$)")
_NO_TEXT_NAMES = """
autoattribute autoclass autodata autoexception autofunction automethod automodule autosummary currentmodule
default-role digraph graph graphviz highlight include index inheritance-diagram literalinclude mermaid module plot
py:currentmodule py:module raw tabularcolumns toctree
"""
_NO_TEXT = frozenset(_NO_TEXT_NAMES.split())
"""Directives of Sphinx and its extensions that say nothing themselves: they name other pages, files or settings."""
_CODE_NAMES = """
code code-block code-cell doctest ipython jupyter-execute parsed-literal productionlist prompt sourcecode testcode
testoutput testsetup
"""
_CODE = frozenset(_CODE_NAMES.split())
"""Directives whose content keeps its lines."""
_ERROR = 3
"""Level of docutils' messages from which the text that they quote stands nowhere else."""
MAX_NESTED = 8
"""Directives within directives that are read although docutils does not know them."""


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    builder = DocumentBuilder()
    _add(text, builder, origin.name, depth=0, nested=0)
    yield builder.build(source=origin.name, fallback=origin.stem, licence=origin.licence)


def _add(text: str, builder: DocumentBuilder, name: str, *, depth: int, nested: int) -> None:
    """The blocks of a source, below `depth` sections and inside `nested` directives."""
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    try:
        tree = publish_doctree(text, source_path=name, settings_overrides=_SETTINGS)
    except SystemMessage as error:
        raise RefusedError(f"docutils cannot parse it: {error}") from error
    marks = (nodes.footnote_reference, nodes.citation_reference)
    for reference in list(tree.findall(lambda node: isinstance(node, marks))):
        reference[:] = [nodes.Text(f"[{reference.astext()}]")]
    quoted = functools.partial(_add, builder=builder, name=name, nested=nested + 1) if nested < MAX_NESTED else None
    _Walker(nodes, builder, quoted).walk(tree, depth)


class _Walker:
    """Adds nodes as blocks; `quoted` reads the content of a directive that docutils does not know."""

    def __init__(self, nodes: Any, builder: DocumentBuilder, quoted: Any):
        self.n, self.builder, self.quoted = nodes, builder, quoted
        self.groups = 0

    def walk(self, node: Any, depth: int) -> None:
        """Add the blocks of one node in reading order."""
        for child in node.children:
            self._block(child, depth)

    def _block(self, node: Any, depth: int) -> None:
        n, builder = self.n, self.builder
        if isinstance(node, (n.comment, n.substitution_definition, n.target, n.raw)):
            return
        if isinstance(node, n.system_message):
            self._message(node, depth)
        elif isinstance(node, n.section):
            self.walk(node, depth + 1)
        elif isinstance(node, n.title) and isinstance(node.parent, (n.section, n.document)):
            builder.heading(node.astext(), max(depth, 1))
        elif isinstance(node, (n.bullet_list, n.enumerated_list)):
            self._list(node, depth)
        elif isinstance(node, (n.definition_list, n.field_list, n.option_list)):
            self._pairs(node)
        elif isinstance(node, (n.literal_block, n.doctest_block)):
            builder.code(node.astext())
        elif isinstance(node, n.math_block):
            builder.paragraph(f"$$ {node.astext()} $$")
        elif isinstance(node, n.table):
            self._table(node)
        elif isinstance(node, (n.footnote, n.citation)):
            label, *parts = node.children
            builder.paragraph(f"[{label.astext()}] {' '.join(part.astext() for part in parts)}")
        elif isinstance(node, n.topic) and "contents" in node["classes"]:
            # The table of contents that docutils makes of the headings.
            return
        elif isinstance(node, (n.TextElement, n.line_block)):
            builder.paragraph(node.astext())
        elif isinstance(node, n.Element):
            self.walk(node, depth)

    def _list(self, node: Any, depth: int) -> None:
        self.groups += 1
        group = self.groups
        for entry in node.children:
            said = [part for part in entry.children if isinstance(part, self.n.paragraph)]
            self.builder.item(" ".join(part.astext() for part in said), group)
            for part in entry.children:
                if part not in said:
                    self._block(part, depth)

    def _pairs(self, node: Any) -> None:
        """Terms, fields or options with what is said of them."""
        self.groups += 1
        for entry in node.children:
            self.builder.item(": ".join(part.astext() for part in entry.children), self.groups)

    def _table(self, node: Any) -> None:
        n = self.n
        for title in node.findall(n.title):
            self.builder.paragraph(title.astext())
        rows = [[entry.astext() for entry in row.children] for row in node.findall(n.row)]
        headed = next(iter(node.findall(n.thead)), None) is not None
        if headed and len(rows) > 1:
            self.builder.table(rows[0], rows[1:])
        elif rows:
            width = max(map(len, rows))
            self.builder.table([f"column {i}" for i in range(1, width + 1)], rows)

    def _message(self, node: Any, depth: int) -> None:
        """What an error quotes: a directive that is not known, has unknown options or is broken, a heading out of
        order, a table that is none."""
        if node["level"] < _ERROR:
            return
        for quote in node.findall(self.n.literal_block):
            text = quote.astext()
            match = _DIRECTIVE.match(text)
            lines = text.split("\n")
            if match:
                self._directive(match["name"].lower(), match["rest"], depth)
            elif len(lines) == 2 and len(set(lines[1].strip())) == 1 and not lines[1].strip()[0].isalnum():
                self.builder.heading(lines[0], depth + 1)
            else:
                self.builder.code(text)

    def _directive(self, name: str, rest: str, depth: int) -> None:
        """The arguments and the content of a directive, its options left out."""
        said, *lines = rest.split("\n")
        cut = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        lines = [line[cut:] for line in lines]
        while lines and lines[0].strip() and not _OPTION.match(lines[0]):
            # An argument may go on in the lines below.
            said = f"{said} {lines.pop(0)}"
        while lines and lines[0].strip():
            lines.pop(0)
        content = "\n".join(lines).strip("\n")
        if name in _NO_TEXT:
            return
        if name in _CODE:
            self.builder.code(content or said)
            return
        # In a signature, asterisks are no markup.
        if self.quoted is None or ":" in name or "(" in said:
            self.builder.paragraph(said)
            said = ""
        if self.quoted is None:
            self.builder.code(content)
        else:
            self.quoted(f"{said.strip()}\n\n{content}", depth=depth)

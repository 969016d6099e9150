"""reStructuredText through docutils; file insertion and raw content are off, unknown roles keep their text."""

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
    "_disable_config": True,
    "smart_quotes": False,
    "line_length_limit": 1_000_000,
}


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    try:
        tree = publish_doctree(text, source_path=origin.name, settings_overrides=_SETTINGS)
    except SystemMessage as error:
        raise RefusedError(f"docutils cannot parse it: {error}") from error
    builder = DocumentBuilder()
    _Walker(nodes, builder).walk(tree, depth=0)
    yield builder.build(source=origin.name, fallback=origin.stem, licence=origin.licence)


class _Walker:
    def __init__(self, nodes: Any, builder: DocumentBuilder):
        self.n, self.builder, self.groups = nodes, builder, 0

    def walk(self, node: Any, depth: int) -> None:
        """Add the blocks of one node in reading order."""
        n, builder = self.n, self.builder
        for child in node.children:
            if isinstance(child, (n.system_message, n.comment, n.substitution_definition, n.target, n.raw)):
                continue
            if isinstance(child, n.section):
                self.walk(child, depth + 1)
            elif isinstance(child, n.title):
                builder.heading(child.astext(), max(depth, 1))
            elif isinstance(child, (n.bullet_list, n.enumerated_list)):
                self._list(child, depth)
            elif isinstance(child, (n.definition_list, n.field_list)):
                self.groups += 1
                for entry in child.children:
                    builder.item(": ".join(part.astext() for part in entry.children), self.groups)
            elif isinstance(child, (n.literal_block, n.doctest_block)):
                builder.code(child.astext())
            elif isinstance(child, n.table):
                self._table(child)
            elif isinstance(child, (n.paragraph, n.line_block, n.rubric)):
                builder.paragraph(child.astext())
            elif isinstance(child, n.Element):
                self.walk(child, depth)

    def _list(self, node: Any, depth: int) -> None:
        self.groups += 1
        group = self.groups
        for entry in node.children:
            said = [part for part in entry.children if isinstance(part, self.n.paragraph)]
            self.builder.item(" ".join(part.astext() for part in said), group)
            for part in entry.children:
                if part not in said:
                    self.walk(_Only(part), depth)

    def _table(self, node: Any) -> None:
        n = self.n
        rows = [[entry.astext() for entry in row.children] for row in node.findall(n.row)]
        headed = next(iter(node.findall(n.thead)), None) is not None
        if headed and len(rows) > 1:
            self.builder.table(rows[0], rows[1:])
        elif rows:
            width = max(map(len, rows))
            self.builder.table([f"column {i}" for i in range(1, width + 1)], rows)


class _Only:
    """A node list of one, so that `walk` treats a list item's nested block like any other."""

    def __init__(self, node: Any):
        self.children = [node]

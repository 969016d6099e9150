"""Markdown (CommonMark with tables), through markdown-it-py; embedded HTML keeps only its text."""

import re
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin

_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^>]*>")


def read(text: str, origin: Origin) -> Iterator[Document]:
    """One document per file."""
    from markdown_it import MarkdownIt

    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"))
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    builder = DocumentBuilder()
    _walk(tokens, builder)
    yield builder.build(source=origin.name, fallback=origin.stem, licence=origin.licence)


def _walk(tokens: list[Any], builder: DocumentBuilder) -> None:
    lists: list[int] = []
    items: list[list[str]] = []
    groups = 0
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.type == "heading_open":
            builder.heading(_inline(tokens[index + 1]), int(token.tag[1]))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            if items:
                _flush(items[-1], lists[-1], builder)
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
            if items:
                _flush(items[-1], lists[-1], builder)
            builder.code(token.content)
        elif token.type == "html_block":
            builder.paragraph(_TAG.sub(" ", _COMMENT.sub(" ", token.content)))
        elif token.type == "table_open":
            index = _table(tokens, index, builder)
        index += 1


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
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)

"""EPUB: the chapters of the reading order, each read like HTML; title and licence from the package's metadata."""

import html.entities
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError
from golongrl.pipeline.dataset.readers.archive_limits import open_zip, read_member
from golongrl.pipeline.dataset.readers.html import Walker

WHAT = "EPUB"
MAX_LICENCE = 120
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONT_ALGORITHMS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Methods that only garble fonts; any other means that the chapters are encrypted."""

_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_TOP_HEADING = re.compile(rb"<h1[\s>]", re.IGNORECASE)
_ANY_HEADING = re.compile(rb"<h[1-6][\s>]", re.IGNORECASE)
_XML_ENTITIES = (b"amp", b"lt", b"gt", b"quot", b"apos")
_TYPE = "{http://www.idpf.org/2007/ops}type"
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[。；！])")
_NAMES_LICENCE = re.compile(
    r"\b(?:CC0|CC[- ]BY|Creative Commons|public domain|[AL]?GPL|GFDL|MIT\b|Apache|BSD)|licen[cs]e", re.IGNORECASE
)
_NOTE_MARK = re.compile(r"\b(?:noteref|doc-noteref|footnote-reference)\b")
_OUTER_NAMES = """
titlepage halftitlepage imprint colophon copyright-page cover toc landmarks page-list loi lot
"""
_OUTER_MATTER = frozenset(_OUTER_NAMES.split())
"""What a body or its first element calls itself when it is no chapter."""
_LOWER = {f"h{level}": f"h{level + 1}" for level in range(1, 6)}


@dataclass(frozen=True)
class Package:
    """What the package file says: the metadata used here, and the chapters' member names in reading order."""

    title: str
    rights: str
    chapters: tuple[str, ...]


def read_bytes(data: bytes, origin: Origin) -> Iterator[Document | Refusal]:
    """One document per book, and what of its reading order is missing or no XHTML. RefusedError: damaged, encrypted
    (digital rights management), or without chapters."""
    with open_zip(data, WHAT) as archive:
        names = set(archive.namelist())
        if _ENCRYPTION in names:
            _check_encryption(read_member(archive, _ENCRYPTION, WHAT))
        package = _package(archive)
        chapters = {name: read_member(archive, name, WHAT) for name in package.chapters if name in names}
    if not chapters:
        raise RefusedError(f"damaged {WHAT}: its reading order names no chapter that is there")
    # Where every chapter begins with a top heading, the book's own title has none, and theirs are one level lower.
    deeper = sum(len(_TOP_HEADING.findall(chapter)) for chapter in chapters.values()) > 1
    builder = DocumentBuilder()
    walker = Walker(builder, bold_headings=not any(map(_ANY_HEADING.search, chapters.values())))
    for name in package.chapters:
        tree = _parsed(_ENTITY.sub(_character, chapters.get(name, b"")))
        if tree is None:
            reason = "no XHTML" if name in chapters else "not in the file, though its reading order names it"
            yield Refusal(f"{origin.name}!{name}", f"damaged {WHAT}: the chapter is {reason}")
        elif (body := _body(tree, deeper)) is not None:
            walker.add(body)
    licence = package.rights if origin.licence == "unknown" and package.rights else origin.licence
    yield builder.build(source=origin.name, title=package.title, fallback=origin.stem, licence=licence)


def _package(archive: zipfile.ZipFile) -> Package:
    root = _tree(read_member(archive, _CONTAINER, WHAT), _CONTAINER)
    path = next((unquote(node.get("full-path", "")) for node in _all(root, "rootfile")), "")
    if not path:
        raise RefusedError(f"damaged {WHAT}: {_CONTAINER} names no package file")
    tree = _tree(read_member(archive, path, WHAT), path)
    folder = posixpath.dirname(path)
    items = {node.get("id"): node for node in _all(tree, "item")}
    chapters = []
    for reference in _all(tree, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or reference.get("linear") == "no" or "nav" in (item.get("properties") or "").split():
            continue
        if item.get("media-type") in ("application/xhtml+xml", "text/html", "text/x-oeb1-document"):
            chapters.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
    return Package(_said(tree, "title"), _licence(_said(tree, "rights")), tuple(dict.fromkeys(chapters)))


def _licence(rights: str) -> str:
    """The first sentence of a statement of rights that names a licence; empty where none does: that somebody holds
    the copyright allows nothing."""
    found = next((part for part in _SENTENCE.split(rights) if _NAMES_LICENCE.search(part)), "")
    return found[:MAX_LICENCE].strip()


def _check_encryption(data: bytes) -> None:
    tree = _tree(data, _ENCRYPTION)
    methods = [node.get("Algorithm", "") for node in _all(tree, "EncryptionMethod")]
    if any(method not in _FONT_ALGORITHMS for method in methods):
        raise RefusedError(f"encrypted {WHAT}: its chapters are protected (DRM); only open books can be read")


def _tree(data: bytes, name: str) -> Any:
    tree = _parsed(data)
    if tree is None:
        raise RefusedError(f"damaged {WHAT}: {name} is no XML")
    return tree


def _all(tree: Any, name: str) -> Sequence[Any]:
    return list(tree.iter(f"{{*}}{name}"))


def _said(tree: Any, name: str) -> str:
    node = next(iter(tree.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")), None)
    return " ".join("".join(node.itertext()).split()) if node is not None else ""


def _body(tree: Any, deeper: bool) -> Any:
    """The body of a chapter with plain tag names, headings one level lower where wanted and note marks in brackets;
    None for title pages, tables of contents and the like."""
    for element in tree.iter("*"):
        tag = element.tag.rpartition("}")[2]
        element.tag = _LOWER.get(tag, tag) if deeper else tag
        kinds = f"{element.get(_TYPE, '')} {element.get('role', '')} {element.get('class', '')}"
        if tag == "a" and _NOTE_MARK.search(kinds) and len(element) == 0 and (element.text or "").strip().isdigit():
            element.text = f"[{element.text.strip()}]"
    body = tree.find("body")
    body = tree if body is None else body
    kinds = {word for part in (body, *body[:1]) for word in part.get(_TYPE, "").split()}
    return None if kinds & _OUTER_MATTER else body


def _parsed(data: bytes) -> Any:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,
    )
    try:
        tree = etree.fromstring(_DOCTYPE.sub(b"", data), parser)
    except etree.XMLSyntaxError:
        return None
    # Recovering from it would lose the rest.
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise RefusedError(
            f"{WHAT} beyond the limits of the XML parser (nested too deeply, or entities that multiply); mend it"
        )
    return tree


def _character(match: re.Match[bytes]) -> bytes:
    """Named characters of HTML, which XML does not know."""
    point = html.entities.name2codepoint.get(match[1].decode()) if match[1] not in _XML_ENTITIES else None
    return match[0] if point is None else b"&#%d;" % point

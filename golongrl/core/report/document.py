"""The page itself: a header, sections of blocks, one template per kind of block, everything escaped."""

import base64
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from golongrl.core.errors import require
from golongrl.core.report.cells import show
from golongrl.core.report.header import Header
from golongrl.core.store import write_text

TEMPLATES = Path(__file__).with_name("templates")
"""<kind>.html.jinja shows a block; <kind>.css and <kind>.js, where there are any, go with the pages that hold one."""


@runtime_checkable
class Block(Protocol):
    """What a section holds: data with the name of its template; the template knows it as `block`.

    Blocks within a block stand in its attribute `blocks`.
    """

    @property
    def kind(self) -> str:
        """Name of the template, without its ending."""


Section = tuple[str, Block | Sequence[Block]]


@dataclass(frozen=True)
class Page:
    """A report before it is HTML."""

    title: str
    sections: Sequence[Section]
    header: Header | None = None

    def html(self) -> str:
        """The whole document."""
        return page(self.title, self.sections, self.header)

    def write(self, path: str | PathLike[str]) -> None:
        """Write it atomically (UTF-8)."""
        write_text(path, self.html().encode("utf-8", "backslashreplace").decode("utf-8"))


def page(title: str, sections: Sequence[Section], header: Header | None = None) -> str:
    """The whole HTML document; every text is escaped. Sections without a block are left out."""
    parts = [(heading, [body] if isinstance(body, Block) else list(body)) for heading, body in sections]
    kinds = list(dict.fromkeys(_kinds(block for _, blocks in parts for block in blocks)))
    scripts = [script for kind in kinds if (script := script_of(kind))]
    return str(
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=title,
            header=header,
            sections=[
                (f"{_slug(heading)}-{at}", heading, blocks) for at, (heading, blocks) in enumerate(parts, 1) if blocks
            ],
            kinds=kinds,
            # Scripts and their hashes stand in the page letter by letter, so they must not be escaped.
            scripts=[_literal(script) for script in scripts],
            hashes=[_literal(f"'{script_hash(script)}'") for script in scripts],
        )
    )


def script_of(kind: str) -> str:
    """The script of a kind of block; empty where it needs none."""
    path = TEMPLATES / f"{kind}.js"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def script_hash(script: str) -> str:
    """How the content security policy names a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _kinds(blocks: Iterable[Any]) -> Iterator[str]:
    """The kinds of blocks and of those within."""
    for block in blocks:
        yield block.kind
        yield from _kinds(getattr(block, "blocks", ()))


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"


@functools.cache
def _environment() -> Any:
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = show
    environment.filters["literal"] = _literal
    return environment


def _literal(text: str) -> Any:
    return require("markupsafe").Markup(text)

"""The search for secrets and for paths of this machine in everything that is to be published."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from golongrl.core import json_text
from golongrl.pipeline.publishing.checks import Check
from golongrl.pipeline.publishing.content import Content
from golongrl.pipeline.publishing.local_paths import paths_in, paths_in_content
from golongrl.pipeline.publishing.secrets import own_secrets, secrets_in

PER_FILE = 3
"""Places that are named of one kind of find in one file."""
BINARY = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".parquet", ".safetensors", ".model")
"""Endings of files that hold no text, or are read another way."""
CONTENT = (".jsonl", ".html", "tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")
"""Endings of files whose text is mostly that of documents or of a vocabulary."""


@dataclass
class Scan:
    """Collects what was found; one per push."""

    own: Mapping[str, str] = field(default_factory=own_secrets)
    texts: int = 0
    """Texts that were looked at."""
    _secrets: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _paths: dict[str, list[str]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def text(self, path: str, where: str, text: str, *, content: bool) -> None:
        """Look at one text of the file `path`; `where` names the place in it."""
        self.texts += 1
        for kind in secrets_in(text, self.own):
            self._secrets.setdefault((path, kind), []).append(where)
        for found in (paths_in_content if content else paths_in)(text):
            self._paths.setdefault(path, []).append(f"{found} ({where})")

    def value(self, path: str, where: str, value: Any) -> None:
        """Look at every text of a row, of lists and structs in it too; at each name of a field once."""
        for field_name, text in _texts(value, ""):
            self.text(path, f"{where}, field {field_name}" if field_name else where, text, content=True)
        for name in _names(value) - self._names:
            self._names.add(name)
            self.text(path, f"{where}, name of a field", name, content=True)

    def file(self, path: str, content: Content) -> None:
        """Look at a whole text file, by lines; at JSON lines as the values they hold."""
        if path.endswith(BINARY):
            return
        loose, rows = path.endswith(CONTENT), path.endswith(".jsonl")
        if not rows and "private key" in secrets_in(content.text(), {}):
            # Its lines alone do not look like one.
            self._secrets.setdefault((path, "private key"), []).append("in the file")
        for number, line in enumerate(content.lines(), 1):
            found = _parsed(line) if rows else None
            if found is not None:
                self.value(path, f"line {number}", found)
            else:
                self.text(path, f"line {number}", line, content=loose)

    def checks(self) -> list[Check]:
        """The two checks that come of it."""
        about = f"{self.texts:,} texts"
        secrets = [
            f"{path} holds a secret: {kind} ({_places(places)}); revoke it and take it out, then run this again"
            for (path, kind), places in self._secrets.items()
        ]
        paths = [
            f"{path} names paths of a machine: {_places(places)}; take them out, or build it again with this version"
            for path, places in self._paths.items()
        ]
        return [Check("no secrets", about, secrets), Check("no local paths", about, paths)]


def _parsed(line: str) -> Any:
    """A line's JSON; None where it is none."""
    try:
        return json_text.loads(line, _with_every_value)
    except json.JSONDecodeError:
        return None


def _with_every_value(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which a repeated key, of which readers see the last value only, has the list of all."""
    values: dict[str, list[Any]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else found for key, found in values.items()}


def _places(places: list[str]) -> str:
    return ", ".join(places[:PER_FILE]) + (f" and {len(places) - PER_FILE} more" if len(places) > PER_FILE else "")


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """(dotted field name, text) of every text of a value; bytes count as text."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, bytes):
        yield name, value.decode(errors="replace")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, name)


def _names(value: Any) -> set[str]:
    """Names of the fields of a value at any depth: data may hold keys that no schema foresees."""
    if isinstance(value, Mapping):
        return {str(key) for key in value}.union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, (list, tuple)) else set()

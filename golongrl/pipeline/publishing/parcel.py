"""What a push would publish: the files, the checks they went through, and what stays here."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError
from golongrl.pipeline.publishing.checks import Check
from golongrl.pipeline.publishing.content import Content, content_of
from golongrl.pipeline.publishing.remote import RepoType
from golongrl.pipeline.publishing.scan import Scan

CARD = "README.md"
ALWAYS = (CARD, "LICENSE*", "LICENCE*", "NOTICE*")


@dataclass(frozen=True)
class Facts:
    """What the caller knows and the folder does not say."""

    licence: str | None = None
    base_model: str | None = None
    datasets: tuple[str, ...] = ()
    results: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Parcel:
    """`files` maps a path in the repository to its content."""

    repo_type: RepoType
    files: Mapping[str, Content]
    checks: list[Check]
    left_out: Sequence[str] = ()
    """Files of the folder that are not published."""
    links: Sequence["Link"] = ()


@dataclass(frozen=True)
class Link:
    """A repository that the card names, and the sha256 of a file that must be in it."""

    what: str
    repo: str
    repo_type: RepoType
    sha256: str | None = None


@dataclass
class Packing:
    """A parcel in the making."""

    folder: Path
    progress: Any
    scan: Scan = field(default_factory=Scan)
    sources: dict[str, Path | bytes] = field(default_factory=dict)
    """Path in the repository -> the file here, or the bytes of one that is made for the occasion."""
    searched: set[str] = field(default_factory=set)
    """Paths of files whose texts were searched as they were read."""
    _read: dict[Path, Content] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All files below the folder, as paths in it."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def take(self, patterns: Sequence[str], *, deep: Sequence[str] = ()) -> None:
        """Take files of the folder itself that match one of `patterns`, and at any depth one of `deep`.

        Hidden files and folders stay here.
        """
        for name in self.names():
            if any(part.startswith(".") for part in name.split("/")):
                continue
            top = "/" not in name and any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
            if top or any(fnmatch.fnmatch(name.rpartition("/")[2], pattern) for pattern in deep):
                self.sources[name] = self.folder / name

    def left_out(self) -> list[str]:
        """Files of the folder that were not taken; of a folder in which none was, only its name. Hidden ones not."""
        taken = set(self.sources) | {source.relative_to(self.folder).as_posix() for source in self._files()}
        busy = {name.partition("/")[0] for name in taken if "/" in name}
        names = (name for name in self.names() if name not in taken and not name.startswith("."))
        short = (name if (top := name.partition("/"))[0] in busy or not top[1] else f"{top[0]}/" for name in names)
        return list(dict.fromkeys(short))

    def _files(self) -> list[Path]:
        """The files of the folder that were taken."""
        files = (source for source in self.sources.values() if isinstance(source, Path))
        return [file for file in files if file.is_relative_to(self.folder)]

    def content(self, source: Path | bytes) -> Content:
        """A file with its names on the hub; one here is read once. DataError for a link out of the folder: what it
        leads to is not what anybody sees in the folder."""
        if isinstance(source, bytes):
            return content_of(source)
        if source.is_symlink() and not source.resolve().is_relative_to(self.folder.resolve()):
            raise DataError(f"{source} is a link out of {self.folder}; put the file itself there, or take it away")
        if source not in self._read:
            self._read[source] = content_of(source)
        return self._read[source]

    def contents(self) -> dict[str, Content]:
        """All files that were taken; their text is searched for what must not leave."""
        found = {}
        with self.progress("files read", len(self.sources)) as bar:
            for path, source in sorted(self.sources.items()):
                found[path] = self.content(source)
                if path not in self.searched:
                    self.scan.file(path, found[path])
                bar.advance(1)
        return found


def existing_folder(path: Path, what: str) -> Path:
    """The folder, or a DataError."""
    if not path.exists():
        raise DataError(f"no such folder: {path}; give the folder of {what}")
    if not path.is_dir():
        raise DataError(f"{path} is a file; give the folder of {what}")
    return path

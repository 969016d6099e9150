"""Where the rows of a benchmark come from: a file or folder here, or a data set of the Hugging Face hub."""

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, UsageError, require
from golongrl.core.hub_errors import asked
from golongrl.core.row_files import files_at, read_rows

_ELSEWHERE = "download it elsewhere and pass --data"


@dataclass(frozen=True)
class HubSource:
    """Files of a data set on the hub.

    `revision` is a commit, or None where none is known to be right: then the newest one counts, and the run records
    which that was. `files` are names or globs (`*` also crosses folders); `members` are globs of the files inside a
    zip archive.
    """

    repo: str
    revision: str | None
    files: tuple[str, ...]
    members: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Files:
    """The files that hold a benchmark's rows, and for those of the hub `repo@commit`."""

    paths: tuple[Path, ...]
    origin: str | None = None


def find_files(name: str, data: str | None, source: HubSource | None) -> Files:
    """The files of --data, else those of the hub, downloaded into its cache.

    Raises UsageError where neither is given, DataError where --data is missing or empty or the hub lacks what is
    asked for, ServerError where the hub cannot be reached.
    """
    if data is not None:
        return Files(tuple(files_at(data)))
    if source is None:
        raise UsageError(f"{name} needs --data: a file or folder with its rows; docs/evaluation.md says which")
    return _download(name, source)


def rows(name: str, data: str | None, source: HubSource | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and row, row) of every row, streamed. Of the files that `source` names, a folder may hold some only."""
    files = find_files(name, data, source)
    members = source.members if source is not None else ("*",)
    for path in files.paths:
        for number, row in read_rows(path, members):
            yield f"{path.name if files.origin else path} row {number}", row


def _download(name: str, source: HubSource) -> Files:
    hub = require("huggingface_hub")
    address = f"{source.repo}@{source.revision}" if source.revision else source.repo
    names, commit = list(source.files), source.revision
    # A pinned file by its full name needs no listing, so that a filled cache serves without a network.
    if commit is None or any(mark in name for name in names for mark in "*?["):
        info = asked(
            f"{name}: {address}",
            lambda: hub.HfApi().dataset_info(source.repo, revision=source.revision),
            _ELSEWHERE,
        )
        there = sorted(file.rfilename for file in info.siblings or ())
        names = [file for pattern in source.files for file in fnmatch.filter(there, pattern)]
        commit = info.sha
        for pattern in source.files:
            if not fnmatch.filter(there, pattern):
                raise DataError(
                    f"{name}: the data set {address} holds no {pattern}, only {', '.join(there[:8]) or 'nothing'}; "
                    "its files were renamed: download them and pass --data"
                )
    paths = []
    for file in dict.fromkeys(names):
        download = _downloader(hub, source.repo, file, commit)
        paths.append(Path(asked(f"{name}: {source.repo}@{commit}/{file}", download, _ELSEWHERE)))
    return Files(tuple(paths), f"{source.repo}@{commit}")


def _downloader(hub: Any, repo: str, file: str, commit: str | None) -> Callable[[], str]:
    return lambda: hub.hf_hub_download(repo, file, repo_type="dataset", revision=commit)

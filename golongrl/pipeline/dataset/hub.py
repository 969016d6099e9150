"""`hf://datasets/ORG/NAME[@revision][/path-or-glob]`: the readable files of a data set on the Hugging Face hub,
pinned to one commit and downloaded into the hub's own cache."""

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from golongrl.core.errors import DataError, UsageError
from golongrl.core.hub_errors import asked
from golongrl.pipeline.dataset import archives
from golongrl.pipeline.dataset.readers import READERS, Refusal, RefusedError

PREFIX = "hf://"
_ADDRESS = re.compile(
    r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(?P<path>.+))?"
)
_ABOUT = ("readme.md", "license.md", "licence.md", "license.txt", "licence.txt")
"""Files about a data set, in lower case, which are no documents of it."""
_ELSEWHERE = "run `hf download --repo-type dataset` elsewhere and pass the folder"


@dataclass(frozen=True)
class HubFile:
    """A downloaded file: where it lies, its name with the pinned commit, and the data set's licence."""

    path: Path
    name: str
    licence: str


def fetch(source: str, accept: Callable[[str, int | None], None]) -> Iterator[HubFile | Refusal]:
    """Download what a source names: one file, a folder, a glob (`*` also crosses folders), or the whole data set.

    `accept` may refuse a file by name and size (RefusedError) before it is downloaded. UsageError when the source is
    no such address, DataError when the data set, the revision or the path does not exist or may not be read,
    ServerError when the hub cannot be reached.
    """
    match = _ADDRESS.fullmatch(source.rstrip("/"))
    if match is None:
        raise UsageError(f"{source!r} is no data set; write hf://datasets/ORG/NAME[@revision][/path or glob]")
    import huggingface_hub

    repo, revision = match["repo"], unquote(match["revision"]) if match["revision"] else None
    info = asked(
        source,
        lambda: huggingface_hub.HfApi().dataset_info(repo, revision=revision, files_metadata=True),
        _ELSEWHERE,
    )
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    licence = _licence(info.card_data)
    for name in _chosen(source, match["path"], sorted(sizes)):
        full = f"{PREFIX}datasets/{repo}@{info.sha}/{name}"
        try:
            if not archives.is_archive(name):
                accept(name, sizes[name])
        except RefusedError as error:
            yield Refusal(full, str(error))
            continue
        path = asked(
            source,
            lambda name=name: huggingface_hub.hf_hub_download(repo, name, repo_type="dataset", revision=info.sha),
            _ELSEWHERE,
        )
        yield HubFile(Path(path), full, licence)


def _chosen(source: str, path: str | None, names: Sequence[str]) -> list[str]:
    """The readable files that a path or glob names."""
    if path in names:
        return [path]
    if path is None:
        named = [name for name in names if PurePosixPath(name).name.lower() not in _ABOUT]
    elif any(mark in path for mark in "*?["):
        named = fnmatch.filter(names, path)
    else:
        named = [name for name in names if name.startswith(f"{path}/")]
    chosen = [name for name in named if archives.is_archive(name) or _readable(name)]
    if not chosen:
        shown = ", ".join(named[:5] or names[:5]) or "nothing"
        what = "no file that can be read here" if named else "no file of that name"
        raise DataError(f"{source} holds {what}; it holds {shown}{', ...' if len(named or names) > 5 else ''}")
    return chosen


def _readable(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in READERS and not path.name.startswith(".")


def _licence(card: Any) -> str:
    """The licence in the data set card's metadata; several are joined by "OR", "other" gives way to its name."""
    stated = card.get("license") if card is not None else None
    if stated == "other" or stated == ["other"]:
        stated = card.get("license_name") or stated
    if isinstance(stated, list):
        stated = " OR ".join(map(str, stated))
    return str(stated) if stated else "unknown"

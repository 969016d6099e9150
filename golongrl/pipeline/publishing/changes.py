"""What a push would do to a repository, file by file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from golongrl.pipeline.publishing.content import Content
from golongrl.pipeline.publishing.remote import HUB_FILES, RemoteFile


@dataclass(frozen=True)
class Change:
    """One file that will not be what it was; sizes in bytes, None where there is or was no file."""

    action: Literal["create", "change", "delete"]
    path: str
    size: int | None
    old_size: int | None
    sha256: str | None


def compare(local: Mapping[str, Content], remote: Mapping[str, RemoteFile]) -> list[Change]:
    """What turns the remote files into the local ones; files that the hub keeps itself stay."""
    changes = []
    for path, content in sorted(local.items()):
        there = remote.get(path)
        if there is None:
            changes.append(Change("create", path, content.size, None, content.sha256))
        elif not there.same(content):
            changes.append(Change("change", path, content.size, there.size, content.sha256))
    gone = sorted(set(remote) - set(local) - set(HUB_FILES))
    return changes + [Change("delete", path, None, remote[path].size, None) for path in gone]


def differences(local: Mapping[str, Content], remote: Mapping[str, RemoteFile]) -> list[str]:
    """How a repository differs from what was to be published; empty when every size and hash agrees."""
    words = {"create": "is missing", "change": "has other content", "delete": "should not be there"}
    return [f"{change.path} {words[change.action]}" for change in compare(local, remote)]

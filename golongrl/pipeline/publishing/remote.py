"""What a repository holds before anything is sent: its files with their sizes and names, at one commit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.core.errors import UsageError
from golongrl.pipeline.publishing.content import Content
from golongrl.pipeline.publishing.hub import asked

RepoType = Literal["dataset", "model"]
MAIN = "main"
REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")
"""A repository's full name."""
HUB_FILES = (".gitattributes",)
"""Files that the hub keeps in every repository, and that therefore stay."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub lists it; `sha256` only of what LFS or Xet stores."""

    size: int
    blob_id: str
    sha256: str | None = None

    def same(self, content: Content) -> bool:
        """Whether it is this content, byte for byte."""
        if self.size != content.size:
            return False
        return self.sha256 == content.sha256 if self.sha256 is not None else self.blob_id == content.blob_id


@dataclass(frozen=True)
class Remote:
    """A repository as it was found."""

    exists: bool
    private: bool
    commit: str | None = None
    """The commit that `files` is the content of: the head of the revision, or of main where the branch is missing."""
    branch_exists: bool = True
    files: Mapping[str, RemoteFile] = field(default_factory=dict)


def look(api: Any, repo: str, repo_type: RepoType, revision: str) -> Remote:
    """What stands at a revision of a repository; one that does not exist is not an error.

    UsageError where only a repository of the other type has this name.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    def info(kind: str, at: str | None = None) -> Any:
        try:
            return api.repo_info(repo, repo_type=kind, revision=at)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None

    found = asked(repo, lambda: info(repo_type))
    if found is None:
        other = "model" if repo_type == "dataset" else "dataset"
        if asked(repo, lambda: info(other)) is not None:
            raise UsageError(
                f"{repo} is a {other} on the hub, and this would make a {repo_type} of the same name; choose another "
                "name, or the kind that fits"
            )
        return Remote(exists=False, private=True, branch_exists=revision == MAIN)
    head = found if revision == MAIN else asked(repo, lambda: info(repo_type, revision))
    commit = (head or found).sha
    files = listing(api, repo, repo_type, commit)
    return Remote(True, bool(found.private), commit, head is not None, files)


def listing(api: Any, repo: str, repo_type: RepoType, revision: str) -> dict[str, RemoteFile]:
    """path -> file of everything at a revision."""

    def entries() -> dict[str, RemoteFile]:
        found = api.list_repo_tree(repo, repo_type=repo_type, revision=revision, recursive=True)
        return {
            entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in found
            if hasattr(entry, "blob_id")
        }

    return asked(f"{repo} at {revision[:12]}", entries)

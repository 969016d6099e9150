"""What the hub holds: repositories, their commits and branches, stored large files, and what has arrived."""

import hashlib
import re
import threading
from dataclasses import dataclass, field

TOKEN = "hf_" + "LocalHubOwner" * 2 + "12345678"
"""A token of the user "org" that may write."""
READ_TOKEN = "hf_" + "LocalHubGuest" * 2 + "12345678"
LARGE = (".parquet", ".safetensors", ".bin", ".arrow", ".zip", ".png", "tokenizer.json")
"""Names that the .gitattributes of a new repository hand to LFS."""
ATTRIBUTES = "".join(f"*{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LARGE).encode()
SIZE_LIMIT = 10 << 20
"""Bytes from which any file goes to LFS."""


class Refused(Exception):
    """An answer that is an error, with the code that huggingface_hub reads."""

    def __init__(self, status, code="", message=""):
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class File:
    """A file of a commit: its bytes, and whether LFS stores them."""

    content: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return text.encode()

    @property
    def blob_id(self) -> str:
        """git's name of what is in the tree, which for LFS is the pointer."""
        content = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    def entry(self, path):
        """The file in a listing."""
        lfs = {"oid": self.sha256, "size": len(self.content), "pointerSize": len(self.pointer)}
        about = {"type": "file", "path": path, "size": len(self.content), "oid": self.blob_id}
        return {**about, **({"lfs": lfs} if self.lfs else {})}


@dataclass
class Repo:
    """A repository: commits by sha, branches (pull requests are refs/pr/N) and their heads."""

    private: bool = False
    commits: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)
    messages: list = field(default_factory=list)
    pull_requests: int = 0
    pinned: dict | None = None
    """Files that stand at every commit id that is none of `commits`, for what is pinned to one of the real hub."""

    def commit(self, tree, message, branch="main"):
        """Put a tree on a branch; returns the new commit's sha."""
        parent = self.branches.get(branch, "")
        named = "".join(f"{path} {file.blob_id}\n" for path, file in sorted(tree.items()))
        sha = hashlib.sha1(f"{parent}\n{len(self.commits)}\n{message}\n{named}".encode()).hexdigest()
        self.commits[sha] = dict(tree)
        self.branches[branch] = sha
        self.messages.append(message)
        return sha

    def resolve(self, revision):
        """The commit of a branch or a commit; None without one."""
        if revision in self.branches:
            return self.branches[revision]
        known = revision in self.commits or (self.pinned is not None and re.fullmatch("[0-9a-f]{40}", revision))
        return revision if known else None

    def tree(self, revision="main"):
        """path -> File at a revision."""
        return self.commits.get(self.resolve(revision), self.pinned)


@dataclass
class Fault:
    """An answer instead of the real one for the next `times` requests whose "METHOD path" the pattern matches.

    With status 0 the hub does what it is asked, and the answer gets lost.
    """

    pattern: str
    status: int
    times: int = 1
    headers: dict = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass
class Hub:
    """The state of a running hub."""

    part_size: int = 1 << 30
    """Larger files arrive in parts of this size."""
    page: int = 1000
    """Entries per page of a listing."""
    address: str = ""
    repos: dict = field(default_factory=dict)
    """(type, "owner/name") -> Repo."""
    stored: dict = field(default_factory=dict)
    """sha256 -> bytes that LFS or Xet holds, whether or not a commit names them."""
    xorbs: dict = field(default_factory=dict)
    """Hash of a xorb -> its chunks."""
    tokens: dict = field(default_factory=lambda: {TOKEN: "write", READ_TOKEN: "read"})
    orgs: dict = field(default_factory=dict)
    """Organisation that "org" belongs to -> its role there: read, contributor, write or admin."""
    refused: dict = field(default_factory=dict)
    """"owner/name" -> status and error code that every request for it gets."""
    requests: list = field(default_factory=list)
    """ "METHOD path" of every request."""
    received: int = 0
    """Bytes of files that arrived for LFS or Xet, those of broken uploads included."""
    fetched: list = field(default_factory=list)
    """Files that were downloaded, as owner/name@commit/path."""
    uploads: int = 0
    """Uploads for LFS that are under way."""
    faults: list = field(default_factory=list)
    dead_after: int | None = None
    """Number of requests after which the hub hangs up on every further one."""
    hold_after: int | None = None
    """After so many bytes no upload is read any further; `holding` tells of it, and `release` lets them break off."""
    holding: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    before_commit: object = None
    """Called with the repository before a commit is looked at: somebody else was faster."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def create(self, kind, name, files=None, *, private=False, pinned=False):
        """A repository as the hub creates it, with `files` (path -> bytes) in a second commit, or `pinned`."""
        repo = self.repos[kind, name] = Repo(private=private)
        repo.commit({".gitattributes": File(ATTRIBUTES)}, "initial commit")
        if files:
            new = {path: File(content, is_large(path, len(content))) for path, content in files.items()}
            self.stored.update({file.sha256: file.content for file in new.values() if file.lfs})
            repo.commit({**repo.tree(), **new}, "files")
            repo.pinned = new if pinned else None
        return repo

    def fault(self, request):
        """The fault that is due for "METHOD path"."""
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def asked(self, pattern):
        """Requests so far that match."""
        return [request for request in self.requests if re.search(pattern, request)]


def is_large(path, size):
    """Whether a file goes to LFS."""
    return path.endswith(LARGE) or size > SIZE_LIMIT

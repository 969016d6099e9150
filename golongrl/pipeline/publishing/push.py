"""From a folder to a repository: pack and check, compare with what is there, and carry it out when it is wanted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from golongrl import __version__
from golongrl.core.errors import UsageError
from golongrl.pipeline.publishing import cards, dataset, model, results
from golongrl.pipeline.publishing.changes import Change, compare
from golongrl.pipeline.publishing.checks import Check, require_passed
from golongrl.pipeline.publishing.hub import asked, check_namespace, connect
from golongrl.pipeline.publishing.links import check_links
from golongrl.pipeline.publishing.parcel import CARD, Facts, Parcel
from golongrl.pipeline.publishing.remote import MAIN, Remote, look
from golongrl.pipeline.publishing.upload import Pushed, Target, push

Kind = Literal["dataset", "model", "results"]
KINDS: Mapping[str, Callable[[Path, Facts, Any], Parcel]] = {
    "dataset": dataset.pack,
    "model": model.pack,
    "results": results.pack,
}
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
MOST_FILES = 1000
"""Files of one push, because it is one commit; the hub advises against more."""


@dataclass(frozen=True)
class Request:
    """What to publish, and where."""

    kind: Kind
    path: Path
    repo: str
    private: bool | None = None
    """None: private when the repository is new, and as it is otherwise, which must then be private."""
    revision: str = MAIN
    message: str | None = None
    create_pr: bool = False
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True)
class Plan:
    """A push before it happens."""

    request: Request
    target: Target
    parcel: Parcel
    checks: list[Check]
    remote: Remote | None = None
    """None where the folder failed its checks, after which the hub was not asked."""
    changes: list[Change] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    api: Any = None

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    @property
    def new(self) -> list[str]:
        """What would be created besides files."""
        if self.remote is None:
            return []
        visible = "private" if self.target.private else "PUBLIC"
        found = [] if self.remote.exists else [f"the {visible} {self.target.repo_type} {self.target.repo}"]
        return found + ([] if self.remote.branch_exists else [f"the branch {self.target.revision}"])

    @property
    def bytes(self) -> int:
        """Size of the files that would be written."""
        return sum(change.size or 0 for change in self.changes)

    @property
    def unchanged(self) -> int:
        """Files that already are on the hub as they are here."""
        return len(self.parcel.files) - sum(change.action != "delete" for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON types."""
        return {
            "kind": self.request.kind,
            "repo": self.target.repo,
            "repo_type": self.target.repo_type,
            "revision": self.target.revision,
            "private": self.target.private,
            "create_pr": self.target.create_pr,
            "new": self.new,
            "compared_with": self.remote.commit if self.remote else None,
            "passed": self.passed,
            "checks": [{"passed": check.passed, **asdict(check)} for check in self.checks],
            "changes": [asdict(change) for change in self.changes],
            "unchanged": self.unchanged,
            "left_out": list(self.parcel.left_out),
            "remarks": self.remarks,
        }


def plan(request: Request, progress: Any) -> Plan:
    """Pack the folder, check it, and compare it with the repository; nothing is written anywhere.

    `progress(label, total)` is a context manager with `advance`. Raises UsageError for a repository that is not what
    the request takes it for, ServerError without the hub or a login that may write there. When a check of the folder
    alone fails, the hub is not asked.
    """
    _check_request(request)
    parcel = KINDS[request.kind](request.path, request.facts, progress)
    target = Target(request.repo, parcel.repo_type, request.revision, request.private is not False, request.create_pr)
    if not all(check.passed for check in parcel.checks):
        return Plan(request, target, parcel, parcel.checks)
    if len(parcel.files) > MOST_FILES:
        raise UsageError(
            f"{request.path} holds {len(parcel.files):,} files to publish, and one push takes {MOST_FILES:,}; merge "
            "them into fewer, larger ones"
        )
    api, account = connect()
    if "/" not in request.repo:
        raise UsageError(
            f"{request.repo!r} names no account; write {account['name']}/{request.repo} or ORGANISATION/NAME"
        )
    if not request.create_pr:
        check_namespace(account, request.repo.partition("/")[0])
    remote = look(api, request.repo, parcel.repo_type, request.revision)
    target = replace(target, private=_visibility(request, remote))
    if request.create_pr and not remote.exists:
        raise UsageError(
            f"{request.repo} does not exist yet, so there is nothing to open a pull request against; "
            "leave out --create-pr"
        )
    links = check_links(api, parcel.links)
    valid, remarks = asked(
        f"the card for {request.repo}",
        lambda: cards.check_with_hub(api, parcel.files[CARD].text(), parcel.repo_type),
    )
    checks = [*parcel.checks, *links, valid]
    changes = compare(parcel.files, remote.files)
    return Plan(request, target, parcel, checks, remote, changes, remarks, api)


def carry_out(planned: Plan, progress: Any) -> Pushed:
    """Publish what was planned and verify it; CheckFailedError when a check failed or something moved in between."""
    require_passed(planned.checks)
    assert planned.remote is not None
    message = planned.request.message or f"Publish {planned.request.kind} with golongrl {__version__}"
    return push(planned.api, planned.target, planned.parcel.files, planned.remote, planned.changes, message, progress)


def _check_request(request: Request) -> None:
    if request.kind not in get_args(Kind):
        raise UsageError(f"{request.kind!r} is no kind of thing to publish; write {', '.join(get_args(Kind))}")
    if not _NAME.fullmatch(request.repo):
        raise UsageError(f"{request.repo!r} is no name of a repository; write ORG/NAME of letters, digits, - _ .")
    if request.create_pr and request.revision != MAIN:
        raise UsageError("--create-pr opens a pull request against main; leave out --revision")
    if not request.revision.strip() or request.message == "":
        raise UsageError("--revision and --message must not be empty")


def _visibility(request: Request, remote: Remote) -> bool:
    """Whether the repository is or will be private; nothing becomes public because nobody said otherwise."""
    if not remote.exists:
        return request.private is not False
    if not remote.private and request.private is not False:
        raise UsageError(
            f"{request.repo} is public, so everything in it can be read by anybody; pass --public if that is meant, "
            "or choose another name"
        )
    if remote.private and request.private is False:
        raise UsageError(
            f"{request.repo} is private, and a push does not change that; leave out --public, or change it on the "
            "repository's settings page first"
        )
    return remote.private

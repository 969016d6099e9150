"""The push itself: create what is missing, send the large files, commit once, and look whether it arrived.

Large files travel before the commit and are kept by the hub, so an interrupted push goes on where it stopped. The
commit names the commit that was compared with: when the repository has moved since, the hub refuses it. So the
repository changes in one step or not at all, and never in a file that was not listed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.errors import CheckFailedError, GolongrlError, ServerError
from golongrl.pipeline.publishing.changes import Change, compare, differences
from golongrl.pipeline.publishing.content import Content
from golongrl.pipeline.publishing.hub import asked, status_of
from golongrl.pipeline.publishing.remote import MAIN, Remote, RepoType, listing

GROUP = 8
"""Files that the client sends at once."""
COMMIT_TRIES = 3


@dataclass(frozen=True)
class Target:
    """Where a push goes."""

    repo: str
    repo_type: RepoType
    revision: str = MAIN
    private: bool = True
    create_pr: bool = False


@dataclass(frozen=True)
class Pushed:
    """A push that arrived and was looked at."""

    url: str
    commit: str
    revision: str
    """Where the commit stands: the branch, or refs/pr/N."""
    pull_request: str | None = None


def push(
    api: Any,
    target: Target,
    local: Mapping[str, Content],
    remote: Remote,
    changes: Sequence[Change],
    message: str,
    progress: Any,
) -> Pushed:
    """Carry out `changes`, which were computed from `local` and `remote`, and verify the outcome.

    `progress(label, total)` is a context manager with `advance`. Raises CheckFailedError when the repository or a
    file here changed in between, or when what arrived is not what was sent; ServerError when the hub fails.
    """
    parent = _prepared(api, target, remote)
    additions = asked("the files to send", lambda: _operations(local, changes))
    for start in range(0, len(additions), GROUP):
        group = additions[start : start + GROUP]
        with progress(f"sending files {start + 1} to {start + len(group)} of {len(additions)}", len(group)) as bar:
            asked(f"sending to {target.repo}", lambda group=group: _send(api, target, group))
            bar.advance(len(group))
    _check_unchanged(additions, local)
    done = _commit(api, target, additions, changes, parent, message, local)
    _verify(api, target, local, done.commit)
    return done


def _prepared(api: Any, target: Target, remote: Remote) -> str:
    """The commit to build on, after making the repository or the branch where they are missing."""
    parent = remote.commit
    if not remote.exists:
        asked(
            f"creating {target.repo}",
            lambda: api.create_repo(target.repo, repo_type=target.repo_type, private=target.private, exist_ok=False),
        )
        parent = asked(target.repo, lambda: api.repo_info(target.repo, repo_type=target.repo_type).sha)
        there = compare({}, listing(api, target.repo, target.repo_type, parent))
        if there:
            raise CheckFailedError(
                f"{target.repo} was just created and already holds {there[0].path}; somebody else is writing there. "
                "Run the same command again to see what is different now"
            )
    if not remote.branch_exists:
        asked(
            f"creating the branch {target.revision} of {target.repo}",
            lambda: api.create_branch(
                target.repo, repo_type=target.repo_type, branch=target.revision, revision=parent, exist_ok=False
            ),
        )
    assert parent is not None
    return parent


def _operations(local: Mapping[str, Content], changes: Sequence[Change]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd

    wanted = [change.path for change in changes if change.action != "delete"]
    return [CommitOperationAdd(path_in_repo=path, path_or_fileobj=local[path].source) for path in wanted]


def _send(api: Any, target: Target, group: list[Any]) -> None:
    api.preupload_lfs_files(
        target.repo,
        additions=group,
        repo_type=target.repo_type,
        revision=target.revision,
        create_pr=target.create_pr,
    )


def _check_unchanged(additions: Sequence[Any], local: Mapping[str, Content]) -> None:
    """The client reads every file itself; what it read must be what was checked and listed."""
    changed = [
        addition.path_in_repo
        for addition in additions
        if addition.upload_info.sha256.hex() != local[addition.path_in_repo].sha256
    ]
    if changed:
        raise CheckFailedError(
            f"{', '.join(changed[:5])} changed while it was being sent; nothing was committed. Wait until nothing "
            "writes there, and run the same command again"
        )


def _commit(
    api: Any,
    target: Target,
    additions: list[Any],
    changes: Sequence[Change],
    parent: str,
    message: str,
    local: Mapping[str, Content],
) -> Pushed:
    from huggingface_hub import CommitOperationDelete

    deletions = [
        CommitOperationDelete(change.path, is_folder=False) for change in changes if change.action == "delete"
    ]

    def commit() -> Any:
        with warnings.catch_warnings():
            # Remarks about the card were shown with the checks.
            warnings.simplefilter("ignore")
            return api.create_commit(
                target.repo,
                [*additions, *deletions],
                commit_message=message,
                repo_type=target.repo_type,
                revision=target.revision,
                create_pr=target.create_pr,
                parent_commit=parent,
            )

    # An answer may get lost after the commit was made: the parent then makes a second one impossible, and the
    # listing tells whether it was ours. A pull request has no such guard.
    for attempt in range(1 if target.create_pr else COMMIT_TRIES):
        try:
            made = asked(f"committing to {target.repo}", commit)
            return Pushed(_url(api, target), made.oid, made.pr_revision or target.revision, made.pr_url)
        except ServerError as error:
            status = status_of(error)
            if attempt == COMMIT_TRIES - 1 or target.create_pr or (status is not None and status < 500):
                raise
        except GolongrlError as error:
            if not attempt or status_of(error) not in (409, 412):
                raise
            head = asked(
                target.repo,
                lambda: api.repo_info(target.repo, repo_type=target.repo_type, revision=target.revision).sha,
            )
            if differences(local, listing(api, target.repo, target.repo_type, head)):
                raise
            return Pushed(_url(api, target), head, target.revision)
    raise AssertionError("unreachable")


def _url(api: Any, target: Target) -> str:
    prefix = "datasets/" if target.repo_type == "dataset" else ""
    return f"{api.endpoint}/{prefix}{target.repo}"


def _verify(api: Any, target: Target, local: Mapping[str, Content], commit: str) -> None:
    wrong = differences(local, listing(api, target.repo, target.repo_type, commit))
    if wrong:
        raise CheckFailedError(
            f"{target.repo} at {commit[:12]} is not what was sent: {'; '.join(wrong[:5])}"
            f"{f' and {len(wrong) - 5} more' if len(wrong) > 5 else ''}; a .gitignore there may keep files out. "
            "Mend it and run the same command again"
        )

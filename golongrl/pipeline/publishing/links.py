"""Whether the repositories that a card names are there, and hold the very files that were used."""

from collections.abc import Sequence
from typing import Any

from golongrl.pipeline.publishing.checks import Check
from golongrl.pipeline.publishing.hub import asked
from golongrl.pipeline.publishing.parcel import Link
from golongrl.pipeline.publishing.remote import listing


def check_links(api: Any, links: Sequence[Link]) -> list[Check]:
    """One check per link: the repository exists at its revision, and holds the file with that sha256."""
    return [_check(api, link) for link in links]


def _check(api: Any, link: Link) -> Check:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    repo, _, revision = link.repo.partition("@")

    def info() -> Any:
        try:
            return api.repo_info(repo, repo_type=link.repo_type, revision=revision or None)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            return None

    found = asked(link.repo, info)
    if found is None:
        how = f"; publish it first: golongrl push-to-hub {link.repo_type} FOLDER {repo}" if link.sha256 else ""
        problem = f"the hub has no {link.repo_type} {link.repo}, or you may not read it{how or '; check the name'}"
        return Check(link.what, link.repo, [problem])
    if link.sha256 is None:
        return Check(link.what, f"{repo} at {found.sha[:12]}")
    files = listing(api, repo, link.repo_type, found.sha)
    same = [path for path, file in files.items() if file.sha256 == link.sha256]
    if same:
        return Check(link.what, f"{same[0]} of {repo} at {found.sha[:12]}")
    problem = (
        f"{link.repo} holds no file with the sha256 {link.sha256[:16]} that was used; name the revision that does as "
        f"--dataset {repo}@REVISION"
    )
    return Check(link.what, repo, [problem])

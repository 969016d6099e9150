"""A repository's card: reading and writing its metadata with the hub library, and checking that it is complete."""

from collections.abc import Mapping, Sequence
from typing import Any

from golongrl.pipeline.publishing.checks import Check

OTHER = "other"
SHORTEST_TEXT = 200
"""Characters of a card's text below which it says nothing."""


def parse(text: str, repo_type: str) -> Any:
    """The hub library's card of a README.md; ValueError with the reason where its metadata are wrong."""
    import yaml
    from huggingface_hub import DatasetCard, ModelCard

    try:
        return (DatasetCard if repo_type == "dataset" else ModelCard)(text)
    except yaml.YAMLError as error:
        raise ValueError(f"its metadata are not YAML ({' '.join(str(error).split())})") from error


def with_section(text: str, title: str, body: str) -> str:
    """The card's text with a section of that title at its end, in place of an earlier one."""
    heading = f"## {title}\n"
    before, found, after = text.partition(f"\n{heading}")
    if found:
        following = after.find("\n## ")
        text = before + (after[following:] if following >= 0 else "\n")
    return f"{text.rstrip()}\n\n{heading}\n{body.strip()}\n"


def front_matter(data: Mapping[str, Any]) -> str:
    """Metadata as the block at the top of a card; keys without a value are left out."""
    from huggingface_hub.utils import yaml_dump

    return f"---\n{yaml_dump({k: v for k, v in data.items() if v not in (None, [], {})}, sort_keys=False)}---\n"


def check_complete(card: Any, needed: Sequence[str], sections: Sequence[str] = ()) -> Check:
    """Whether a card has the metadata `needed`, a title, text, and the sections that its maker writes."""
    data = card.data.to_dict()
    lines = card.text.split("\n")
    problems = [
        f"README.md has no {key!r} in its metadata; add it between the --- lines"
        for key in needed
        if not data.get(key)
    ]
    if not any(line.startswith("# ") for line in lines):
        problems.append("README.md has no title; add a line that starts with #")
    if len(card.text.strip()) < SHORTEST_TEXT:
        problems.append(
            f"README.md has less than {SHORTEST_TEXT} characters of text; say what this is and how it came about"
        )
    problems += [
        f"README.md has no section {title!r}; build or run it again, which writes the card"
        for title in sections
        if f"## {title}" not in lines
    ]
    return Check("card complete", f"{len(data)} metadata, {len(card.text):,} characters", problems)


def check_licence(card: Any, hint: str = "") -> Check:
    """Whether the card states a licence, and names it where it is none of the hub's own."""
    data = card.data.to_dict()
    stated = data.get("license")
    problems = []
    if not stated:
        problems.append(f"no licence is set{hint}; pass --license NAME, such as cc-by-4.0, apache-2.0 or other")
    elif stated == OTHER and not (data.get("license_name") or data.get("license_link")):
        problems.append(f"the licence is only said to be other{hint}; pass --license NAME to say what holds")
    return Check("licence set", str(data.get("license_name") or stated or "-"), problems)


def check_with_hub(api: Any, text: str, repo_type: str) -> tuple[Check, list[str]]:
    """The hub's own check of a card's metadata, and its remarks."""
    from huggingface_hub.utils import get_session

    answer = get_session().post(f"{api.endpoint}/api/validate-yaml", json={"content": text, "repoType": repo_type})
    if answer.status_code not in (200, 400):
        # The commit asks the same question and stops on a hub that does not answer.
        return Check("card valid for the hub", f"not asked: the hub answers {answer.status_code}"), []
    said = answer.json()
    problems = [
        f"README.md: {' '.join(str(error.get('message')).split())}; mend its metadata"
        for error in said.get("errors", [])
    ]
    return Check("card valid for the hub", "metadata", problems), [
        str(w.get("message")) for w in said.get("warnings", [])
    ]

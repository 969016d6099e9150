"""Tokens and keys in a text. What is found is named by its kind and place, never shown."""

import os
import re
from collections.abc import Iterator, Mapping

# In strings of code and JSON, and in those inside strings, ends of lines are written out.
_LINE_END = r"(?:\r?\n|(?:\\+r)?\\+n)"
# Encrypted and OpenPGP keys: lines as in a letter's head, whose names and values hold hyphens.
_KEY_HEAD = rf"{_LINE_END}(?:[A-Za-z][A-Za-z-]{{0,30}}:[^\n\\]{{0,200}}{_LINE_END}){{1,8}}"

PATTERNS: Mapping[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    "hub token": (
        ("hf_", "api_org_"),
        re.compile(r"(?<![A-Za-z0-9])(?:hf_|api_org_)[A-Za-z0-9]{30,}(?![A-Za-z0-9])"),
    ),
    # At least one digit and one capital: prose and code are full of hyphened words that start with sk-.
    "OpenAI or Anthropic key": (
        ("sk-",),
        re.compile(r"(?<![A-Za-z0-9])sk-(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{20,}"),
    ),
    # Keys that end in EXAMPLE are those of AWS's own manual.
    "AWS key": (
        ("AKIA", "ASIA"),
        re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)(?![0-9A-Z]{9}EXAMPLE)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    ),
    "GitHub token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})(?![A-Za-z0-9])"),
    ),
    # A header alone stands in every manual; with a body behind it, it is a key.
    "private key": (
        ("-----BEGIN ",),
        re.compile(
            rf"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?:{_KEY_HEAD}|[^-]{{0,200}}?)[A-Za-z0-9+/=\s\\]{{64}}"
        ),
    ),
}
"""Kind -> the beginnings by which it is looked for, which is much faster than the pattern, and its pattern."""
_NAMED = re.compile(r"(?:TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY)", re.IGNORECASE)
_SHORTEST = 16


def own_secrets() -> dict[str, str]:
    """Name -> value of the secrets that this process was given, in the environment and by the hub's login."""
    found = {
        f"value of ${name}": value
        for name, value in os.environ.items()
        if _NAMED.search(name) and len(value) >= _SHORTEST and "://" not in value and not os.path.exists(value)
    }
    from huggingface_hub import get_token

    if token := get_token():
        found["hub login"] = token
    return found


def secrets_in(text: str, own: Mapping[str, str]) -> Iterator[str]:
    """Kinds of secrets in a text; `own` are those of this process."""
    for kind, (beginnings, pattern) in PATTERNS.items():
        if any(pattern.match(text, at) for beginning in beginnings for at in _places(text, beginning)):
            yield kind
    yield from (name for name, value in own.items() if value in text)


def _places(text: str, beginning: str) -> Iterator[int]:
    at = text.find(beginning)
    while at >= 0:
        yield at
        at = text.find(beginning, at + 1)

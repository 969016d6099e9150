"""Dialogues as chat data sets and chat interfaces write them: lists of turns, and lists of such lists."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

SPEAKER_KEYS = ("speaker", "role", "from", "name")
SURE_SPEAKER_KEYS = ("speaker", "role")
"""Those that mean a speaker in a column of any name."""
SAID_KEYS = ("content", "text", "value", "utterance")

Turn = tuple[str, str]
"""Who says it, and what."""


def sessions(value: Any, *, any_speaker: bool) -> list[list[Turn]]:
    """The turns of a list of turns as one session, or of a list of such lists; none when the value is neither.

    `any_speaker` also takes "from" and "name" for keys of speakers.
    """
    speakers = SPEAKER_KEYS if any_speaker else SURE_SPEAKER_KEYS
    if single := _turns(value, speakers):
        return [single]
    several = [_turns(session, speakers) for session in value] if isinstance(value, list) else []
    return several if all(several) else []


def first_text(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first of some columns that holds a text."""
    return next((row[key] for key in keys if isinstance(row.get(key), str) and row[key].strip()), "")


def _turns(value: Any, speakers: tuple[str, ...]) -> list[Turn]:
    """The turns of a list of objects that each name a speaker and what is said, less those that say nothing."""
    said = (*SAID_KEYS, "tool_calls", "function_call")
    if not isinstance(value, list) or not all(
        isinstance(turn, dict) and first_text(turn, speakers) and any(key in turn for key in said) for turn in value
    ):
        return []
    turns = [(first_text(turn, speakers), _said(turn)) for turn in value]
    return [turn for turn in turns if turn[1].strip()]


def _said(turn: Mapping[str, Any]) -> str:
    """What a turn says: its text or the texts of its parts, then the tools it calls."""
    texts = (" ".join(_parts(turn.get(key))) for key in SAID_KEYS)
    listed = turn.get("tool_calls")
    calls = listed if isinstance(listed, list) and listed else [turn.get("function_call")]
    called = [_call(call.get("function", call)) for call in calls if isinstance(call, dict)]
    return " ".join([next((text for text in texts if text.strip()), ""), *filter(None, called)])


def _parts(content: Any) -> Iterator[str]:
    """The texts of a content: a text, or parts such as `{"type": "text", "text": ...}`, pictures left out."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if not isinstance(part, dict):
                yield from _parts(part)
            elif part.get("type") == "tool_use":
                yield _call(part)
            else:
                yield from _parts(part.get("text") or part.get("content"))


def _call(call: Any) -> str:
    """A call of a tool as `name(arguments)`."""
    name = call.get("name") if isinstance(call, dict) else None
    if not isinstance(name, str):
        return ""
    arguments = next((call[key] for key in ("arguments", "input") if call.get(key) is not None), "")
    return f"{name}({arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)})"

"""The settings of a run as a TOML file for `--config`, so that the command in a card is exact."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def settings_toml(command: str, settings: Mapping[str, Any]) -> str:
    """One table named after the command; keys without a value are left out, as the default is."""
    return "\n".join(_table(command, settings)) + "\n"


def portable(value: Any) -> Any:
    """A value with absolute paths cut to their last part, in lists and tables too."""
    if isinstance(value, str):
        return PurePath(value).name if PurePath(value).is_absolute() else value
    if isinstance(value, Mapping):
        return {key: portable(inner) for key, inner in value.items()}
    return [portable(inner) for inner in value] if isinstance(value, list) else value


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    tables = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables[key] = value
        elif value is not None:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in tables.items():
        if value:
            yield ""
            yield from _table(f"{name}.{_key(key)}", value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(inner) for inner in value if inner is not None)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value)


def _text(value: str) -> str:
    # TOML's basic strings escape as JSON does, and DEL besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

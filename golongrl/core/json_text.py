"""JSON that may be hostile: whatever is wrong with a text is one kind of error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError


def loads(text: str | bytes, from_pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The value of a JSON text; json.JSONDecodeError for all that makes it none, UnicodeDecodeError for bytes.

    `from_pairs` makes an object of its keys and values; by default the last value of a repeated key counts.

    `json.loads` alone also raises RecursionError, for nesting of about a thousand levels, and plain ValueError, for
    whole numbers of more than 4300 digits.
    """
    try:
        return json.loads(text, object_pairs_hook=from_pairs)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error
    except ValueError as error:
        raise json.JSONDecodeError("a number of too many digits", "", 0) from error


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object that a file holds. DataError, ending with `remedy`, where it holds anything else; OSError where
    it cannot be read."""
    try:
        value = loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not JSON; {remedy}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object but a {type(value).__name__}; {remedy}")
    return value

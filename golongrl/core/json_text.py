"""JSON that may be hostile: whatever is wrong with a text is one kind of error."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """The value of a JSON text; json.JSONDecodeError for all that makes it none, UnicodeDecodeError for bytes.

    `json.loads` alone also raises RecursionError, for nesting of about a thousand levels, and plain ValueError, for
    whole numbers of more than 4300 digits.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error
    except ValueError as error:
        raise json.JSONDecodeError("a number of too many digits", "", 0) from error

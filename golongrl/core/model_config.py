"""A model folder's config.json: read in one place, and the part of it that describes the language model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import DataError


def model_config(folder: str | Path) -> dict[str, Any]:
    """A model folder's config.json as it stands; DataError when there is none or it is damaged."""
    try:
        return read_config(Path(folder) / "config.json")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{folder} holds no config.json, so it is not a model folder; give the folder that holds it"
        ) from error


def read_config(path: Path) -> dict[str, Any]:
    """A config.json by its path; DataError when it is damaged, FileNotFoundError when there is none."""
    try:
        return json_text.read_object(path, "the model folder is damaged, copy it again")
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); mend its permissions or copy it again") from error


def language_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that describes the language model: `text_config` of a multimodal one, else all of it."""
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) and nested else config

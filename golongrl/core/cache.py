"""The user's cache folder: the one place outside the working folder that golongrl writes to."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$GOLONGRL_HOME, else golongrl/ in $XDG_CACHE_HOME, else ~/.cache/golongrl."""
    home = os.environ.get("GOLONGRL_HOME")
    if home:
        return Path(home).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "golongrl"

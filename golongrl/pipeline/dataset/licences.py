"""Which licences a build takes, and `licences.toml`: which one holds for which files of a folder or an archive."""

import fnmatch
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from golongrl.core.errors import DataError

FILE = "licences.toml"
MAX_BYTES = 1024**2


def of_folder(folder: Path) -> dict[str, str]:
    """Pattern -> licence, in the order of the file; empty without a file. DataError when it is no such table."""
    path = folder / FILE
    return parse(path.read_bytes(), str(path)) if path.is_file() else {}


def parse(data: bytes, where: str) -> dict[str, str]:
    """The table in a licences.toml; `where` names the file in errors."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f'{where} is not valid TOML ({error}); write lines like "*.md" = "CC-BY-4.0"') from error
    for pattern, licence in table.items():
        if not isinstance(licence, str):
            raise DataError(f'{where}: {pattern!r} must be a text like "CC-BY-4.0", not {licence!r}')
    return table


def look_up(table: Mapping[str, str], name: str) -> str | None:
    """The licence of the first pattern that a name matches."""
    return next((table[pattern] for pattern in table if fnmatch.fnmatch(name, pattern)), None)


def is_allowed(licence: str, allowed: Collection[str]) -> bool:
    """Whether the settings' `licences` hold it, in any case; none there means that all are allowed."""
    return not allowed or licence.casefold() in {name.casefold() for name in allowed}

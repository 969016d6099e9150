"""Files of a build's work folder: there whole or not at all, however often the build is killed.

They are not flushed to the disk one by one, which would take a tenth of a build's time. After a loss of power a file
can be short, so that a finished job is one whose summary can be read and whose files have the sizes it states.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.store import storage_errors


@contextlib.contextmanager
def work_path(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path` to write to; it replaces `path` on success and is removed on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_summary(path: Path, found: Any, files: Sequence[Path]) -> None:
    """Write what a job found, as the sign that it is finished, with the sizes of the files that belong to it."""
    sizes = {file.name: file.stat().st_size for file in files}
    row = {"files": sizes, "found": found}
    with work_path(path) as temporary:
        temporary.write_text(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def read_summary(path: Path) -> Any | None:
    """What `write_summary` wrote; None when the job is not finished or one of its files is not whole."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        whole = all((path.parent / name).stat().st_size == size for name, size in row["files"].items())
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        # Missing, cut off, or written in another form by an earlier version.
        return None
    return row["found"] if whole else None

"""The index of the collected documents on disk: a process that builds records reads the rows that it needs, and keeps
of all others only their language, kind and side."""

import json
import mmap
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golongrl.pipeline.dataset.encoding import Amounts, Entry
from golongrl.pipeline.dataset.work_files import work_path

ROWS, COLUMNS = "index.jsonl", "index.npy"
_COLUMN_TYPES = np.dtype([("at", "u8"), ("group", "u2")])
_FIELDS = tuple(name for name in Entry.__dataclass_fields__ if name != "amounts")

Group = tuple[str, str, bool]
"""Language, kind, and whether held out."""


def group_of(entry: Entry) -> Group:
    """The group that a document belongs to."""
    return entry.language, entry.kind, entry.held_out


def entry_row(entry: Entry) -> list[Any]:
    """An entry as a JSON list; what its amounts are called is not repeated."""
    return [*(getattr(entry, name) for name in _FIELDS), list(entry.amounts.values())]


def entry_of(row: Sequence[Any], names: Sequence[str]) -> Entry:
    """The entry of an `entry_row`, given the names of its amounts."""
    *fields, counts = row
    return Entry(**dict(zip(_FIELDS, fields, strict=True)), amounts=Amounts(names, counts))


def write_index(folder: Path, entries: Sequence[Entry]) -> None:
    """Write the index for worker processes, atomically."""
    groups = sorted(set(map(group_of, entries)))
    codes = {group: code for code, group in enumerate(groups)}
    names = list(entries[0].amounts) if entries else []
    columns = np.zeros(len(entries), _COLUMN_TYPES)
    with work_path(folder / COLUMNS) as temporary:
        with work_path(folder / ROWS) as rows, open(rows, "wb") as handle:
            handle.write(_line({"amounts": names, "groups": groups}))
            for number, entry in enumerate(entries):
                columns[number] = handle.tell(), codes[group_of(entry)]
                handle.write(_line(entry_row(entry)))
        with open(temporary, "wb") as handle:
            np.save(handle, columns)


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Index(Sequence[Entry]):
    """The entries that `write_index` wrote, each read when it is asked for."""

    def __init__(self, folder: Path):
        self._columns = np.load(folder / COLUMNS)
        with open(folder / ROWS, "rb") as handle:
            self._rows = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        head = json.loads(self._rows.readline())
        self._names: tuple[str, ...] = tuple(head["amounts"])
        self._groups: list[Group] = [(language, kind, held) for language, kind, held in head["groups"]]

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        self._rows.seek(int(self._columns["at"][number]))
        return entry_of(json.loads(self._rows.readline()), self._names)

    def groups(self) -> dict[Group, Sequence[int]]:
        """Numbers of the documents of each group."""
        codes = self._columns["group"]
        return {group: array("I", np.flatnonzero(codes == code)) for code, group in enumerate(self._groups)}

"""Answers that were generated elsewhere: JSONL rows of {id, response}, joined with a benchmark's items.

Answers may be long and many: what is held of the file is where in it each of them stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import existing_file
from golongrl.core.store import parse_line
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item

Key = tuple[str, int]
"""Id of an item, and which of its answers."""


@dataclass(frozen=True)
class Response:
    """One answer, and the whole row that held it."""

    text: str
    finish_reason: str | None
    where: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Responses:
    """The answers of a file, in its order; each is read when it is asked for."""

    path: Path
    places: dict[Key, tuple[int, int, int]]
    """Line number, offset and length in bytes."""

    def get(self, key: Key) -> Response | None:
        """An answer, None where the file has none. DataError when the file was changed since it was opened."""
        if key not in self.places:
            return None
        number, start, length = self.places[key]
        with open(self.path, "rb") as handle:
            handle.seek(start)
            line = handle.read(length)
        where = f"{self.path} line {number}"
        row = parse_line(line, number, self.path)
        if _key(row, where) != key or row["response"] is None:
            raise DataError(f"{where} was changed while it was scored; run the same command again")
        return Response(row["response"], row.get("finish_reason"), where, row)


def read_responses(path: str) -> Responses:
    """Answers by (id, repeat). A null response is left out: it is missing, not empty.

    Raises DataError naming line and field on a bad row or a repeated (id, repeat), and for a pipe.
    """
    file = existing_file(path, "responses file")
    if not file.is_file():
        raise DataError(f"{path} can be read only once, and answers are read again; write them to a file first")
    places: dict[Key, tuple[int, int, int]] = {}
    start = 0
    # Lines may hold megabytes, which would be put together from pieces of the usual 8 KB.
    with open(file, "rb", buffering=1 << 20) as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                where = f"{path} line {number}"
                row = parse_line(line, number, path)
                key = _key(row, where)
                if key in places:
                    raise DataError(
                        f"{where}: id {row['id']!r} was answered before; add a field repeat to keep several"
                    )
                if row["response"] is not None:
                    places[key] = number, start, len(line)
            start += len(line)
    if not places:
        raise DataError(f"{path} holds no response; expected JSONL rows with id and response")
    return Responses(file, places)


def _key(row: dict[str, Any], where: str) -> Key:
    """The key of a row, once its fields are checked."""
    identity, repeat = row.get("id"), row.get("repeat", 0)
    if not isinstance(identity, (str, int)) or isinstance(identity, bool):
        raise DataError(f"{where}, field id: expected a text or a whole number")
    if not isinstance(row.get("response", 0), str | None):
        raise DataError(f"{where}, field response: expected a text")
    if not isinstance(row.get("finish_reason"), str | None):
        raise DataError(f"{where}, field finish_reason: expected a text")
    if not isinstance(repeat, int) or repeat < 0:
        raise DataError(f"{where}, field repeat: expected a whole number from 0")
    return str(identity), repeat


def items_of(responses: Responses, bench: Benchmark) -> Iterator[Item]:
    """The items that the rows themselves carry, one per id in order of the file."""
    seen: set[str] = set()
    for key in responses.places:
        if key[0] in seen:
            continue
        seen.add(key[0])
        item = _item(responses, key, bench)
        if item is None:
            raise UsageError(
                f"{responses.path} line {responses.places[key][0]} carries no fields of {bench.name} "
                f"({bench.fields}); pass the benchmark's items with --data"
            )
        yield item


def carries_items(responses: Responses, bench: Benchmark) -> bool:
    """Whether the first row carries the benchmark's own fields."""
    return _item(responses, next(iter(responses.places)), bench) is not None


def _item(responses: Responses, key: Key, bench: Benchmark) -> Item | None:
    found = responses.get(key)
    return bench.from_row(found.row, found.where) if found is not None else None

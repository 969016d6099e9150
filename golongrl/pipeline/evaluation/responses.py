"""Answers that were generated elsewhere: JSONL rows of {id, response}, joined with a benchmark's items."""

from dataclasses import dataclass
from typing import Any

from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import existing_file
from golongrl.core.store import read_jsonl
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item


@dataclass(frozen=True)
class Response:
    """One answer; `repeat` tells several of one item apart."""

    text: str
    finish_reason: str | None
    where: str
    row: dict[str, Any]


def read_responses(path: str) -> dict[tuple[str, int], Response]:
    """Answers by (id, repeat). A null response is left out: it is missing, not empty.

    Raises DataError naming line and field on a bad row or a repeated (id, repeat).
    """
    found: dict[tuple[str, int], Response] = {}
    for number, row in read_jsonl(existing_file(path, "responses file")):
        where = f"{path} line {number}"
        identity, text, repeat = row.get("id"), row.get("response"), row.get("repeat", 0)
        if not isinstance(identity, (str, int)) or isinstance(identity, bool):
            raise DataError(f"{where}, field id: expected a text or a whole number")
        if "response" not in row or not (text is None or isinstance(text, str)):
            raise DataError(f"{where}, field response: expected a text")
        if not isinstance(repeat, int) or repeat < 0:
            raise DataError(f"{where}, field repeat: expected a whole number from 0")
        key = (str(identity), repeat)
        if key in found:
            raise DataError(f"{where}: id {identity!r} was answered before; add a field repeat to keep several")
        if text is not None:
            found[key] = Response(text, row.get("finish_reason"), where, row)
    if not found:
        raise DataError(f"{path} holds no response; expected JSONL rows with id and response")
    return found


def items_of(responses: dict[tuple[str, int], Response], bench: Benchmark) -> list[Item]:
    """The items that the rows themselves carry, one per id in order of the file."""
    items: dict[str, Item] = {}
    for (identity, _), response in responses.items():
        if identity in items:
            continue
        item = bench.from_row(response.row, response.where)
        if item is None:
            raise UsageError(
                f"{response.where} carries no fields of {bench.name} ({bench.fields}); "
                "pass the benchmark's items with --data"
            )
        items[identity] = item
    return list(items.values())


def carries_items(responses: dict[tuple[str, int], Response], bench: Benchmark) -> bool:
    """Whether the first row carries the benchmark's own fields."""
    first = next(iter(responses.values()))
    return bench.from_row(first.row, first.where) is not None

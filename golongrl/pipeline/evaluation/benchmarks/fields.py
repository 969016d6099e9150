"""Fields of published rows with one clear error each, prompts with their document's place, and the loop over rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from golongrl.core.errors import DataError
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks.base import Item, LoadOptions, Messages
from golongrl.pipeline.evaluation.benchmarks.multiple_choice import LETTERS

Row = dict[str, Any]


def value_of(row: Row, where: str, *names: str) -> Any:
    """The first of `names` that the row has; DataError naming the column and those there are."""
    for name in names:
        if row.get(name) is not None:
            return row[name]
    there = ", ".join(list(map(str, row))[:12]) or "none"
    empty = next((name for name in names if name in row), None)
    if empty is not None:
        raise DataError(f"{where}, column {empty}: is empty; mend or remove the row")
    raise DataError(
        f"{where}, column {' or '.join(names)}: is missing (there are {there}); pass rows in the published schema"
    )


def text_of(row: Row, where: str, *names: str) -> str:
    """A text of at least one character that is no white space; a number counts as its text."""
    value = value_of(row, where, *names)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise DataError(
            f"{where}, column {_named(row, names)}: is a {type(value).__name__}, expected a text; mend or remove the "
            "row"
        )
    if not value.strip():
        raise DataError(f"{where}, column {_named(row, names)}: is empty; mend or remove the row")
    return value


def texts_of(row: Row, where: str, *names: str) -> list[str]:
    """A list of at least one text; a single text is a list of one."""
    value = value_of(row, where, *names)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values or not all(isinstance(one, str) for one in values):
        raise DataError(
            f"{where}, column {_named(row, names)}: expected a list of one or more texts; mend or remove the row"
        )
    return list(values)


def letter_of(row: Row, where: str, name: str, options: int) -> str:
    """The letter of one of the first `options` choices."""
    letter = text_of(row, where, name).strip().upper()
    letters = LETTERS[:options]
    if letter not in letters or len(letter) != 1:
        raise DataError(
            f"{where}, column {name}: {letter[:40]!r} is none of the letters {letters}; mend or remove the row"
        )
    return letter


def _named(row: Row, names: Sequence[str]) -> str:
    return next(name for name in names if row.get(name) is not None)


def from_response(read_gold: Callable[[Row, str], dict[str, Any]], *needed: str) -> Callable[[Row, str], Item | None]:
    """The `from_row` of a benchmark: an item for scoring only, when a response's row carries the columns `needed`."""

    def from_row(row: Row, where: str) -> Item | None:
        if any(name not in row for name in needed):
            return None
        identity = text_of(row, where, "id")
        return Item(identity, [], read_gold(row, where), {}, identity)

    return from_row


def not_in_responses(row: Row, where: str) -> Item | None:
    """The `from_row` of a benchmark whose responses are always joined with its rows."""
    return None


def prompt_with_document(before: str, document: str, after: str) -> tuple[Messages, tuple[int, int, int]]:
    """One user message of three parts, and where in it the document stands."""
    content = before + document + after
    return [{"role": "user", "content": content}], (0, len(before), len(before) + len(document))


def each_row(
    name: str, options: LoadOptions, source: hub_data.HubSource | None, read: Callable[[Row, str], Item | None]
) -> Iterator[Item]:
    """The items that `read` makes of the rows, in order; None leaves a row out.

    `max_length` drops items whose prompt and answer are longer, before `limit` counts. DataError when an id comes
    twice or no row is left.
    """
    ceiling = max(options.max_length, default=None)
    seen: set[str] = set()
    count = 0
    for where, row in hub_data.rows(name, options.data, source):
        item = read(row, where)
        if item is None:
            continue
        if item.id in seen:
            raise DataError(f"{where}: the id {item.id!r} occurs twice; ids must be unique")
        seen.add(item.id)
        if ceiling is not None and options.count_prompt(item.messages) + item.n_answer_tokens > ceiling:
            continue
        count += 1
        yield item
        if count == options.limit:
            return
    if not count:
        within = f" of at most {ceiling} tokens" if ceiling is not None and seen else ""
        raise DataError(
            f"{name}: {options.data or 'the data set'} holds no row{within} for it; check --data and --max-length"
        )

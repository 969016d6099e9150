"""Files of questions as items with their documents: each row goes to the adapter that knows its columns."""

from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.qa import ADAPTERS
from golongrl.pipeline.dataset.qa.adapter import Row, RowContext
from golongrl.pipeline.dataset.qa.checks import checked
from golongrl.pipeline.dataset.qa.rows import read_rows
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.readers import Refusal, RefusedError
from golongrl.pipeline.dataset.readers.shapes import PREDICTION_COLUMNS
from golongrl.pipeline.dataset.reading import DAMAGE
from golongrl.pipeline.dataset.source_file import SourceFile

SHOWN_COLUMNS = 12
_CONTEXT = (
    "context",
    "input",
    "article",
    "paragraphs",
    "passages",
    "table",
    "documents",
    "meeting_transcripts",
    "text",
)


def read_qa(file: SourceFile, *, max_row_mb: float = 40.0) -> Iterator[tuple[tuple[Document, ...], Item] | Refusal]:
    """The items of a file in order, each with its documents (those to be shown first), and what is refused.

    A reason is a name ("long answer", "unsupported" ...), or a name and a detail behind a colon. Rows are streamed,
    and one larger than `max_row_mb` is refused. Documents of one row may come more than once.
    """
    try:
        for row in read_rows(file, max_row_mb):
            if isinstance(row, Refusal):
                yield row
            else:
                yield from _read_row(row[1], row[0], file)
    except RefusedError as error:
        yield Refusal(file.name, f"unreadable: {error}")
    except OSError as error:
        yield Refusal(file.name, f"unreadable: {error.strerror or error}")
    except DAMAGE as error:
        yield Refusal(file.name, f"unreadable: damaged ({type(error).__name__}: {error})")


def _read_row(row: Any, number: int, file: SourceFile) -> Iterator[tuple[tuple[Document, ...], Item] | Refusal]:
    name = f"{file.name}#{number}"
    if not isinstance(row, dict):
        yield Refusal(name, f"unknown form: a JSON {type(row).__name__}, expected an object")
        return
    prediction = next((column for column in PREDICTION_COLUMNS if isinstance(row.get(column, 0), str | None)), None)
    if prediction is not None:
        yield Refusal(name, f"a model's answers: column {prediction}")
        return
    adapter = next((adapter for adapter in ADAPTERS.values() if adapter.accepts(row)), None)
    if adapter is None:
        yield Refusal(name, _unknown(row))
        return
    licence = _licence(row) or (file.licence if file.licence != "unknown" else adapter.licence)
    try:
        for item in adapter.read(row, RowContext(name, number, file.stem, licence)):
            yield item if isinstance(item, Refusal) else checked(item, licence)
    except RefusedError as error:
        yield Refusal(name, f"no context: {error}")
    except DAMAGE as error:
        yield Refusal(name, f"damaged row: {adapter.name}: {type(error).__name__}: {error}")


def _licence(row: Row) -> str:
    """What the row says: a licence, or those of its documents where it is a record of an earlier build."""
    said = next((row[key] for key in ("licence", "license") if isinstance(row.get(key), str)), "").strip()
    facts = row.get("extra_info")
    of_documents = facts.get("licence") if isinstance(facts, dict) else None
    return said or (", ".join(sorted(set(map(str, of_documents)))) if isinstance(of_documents, list) else "")


def _unknown(row: Row) -> str:
    """Why no adapter takes a row, with its columns."""
    named = {str(column).lower() for column in row}
    columns = ", ".join(list(map(str, row))[:SHOWN_COLUMNS])
    more = f" and {len(row) - SHOWN_COLUMNS} more" if len(row) > SHOWN_COLUMNS else ""
    asks = any("question" in column or column in ("query", "prompt") for column in named)
    if asks and not named & set(_CONTEXT):
        return f"no context: a question alone; columns {columns}{more}"
    return f"unknown form: columns {columns}{more}; docs/dataset.md lists the forms"

"""Files as parts of about equal size, and a part as documents: what one process does when sources are read."""

import importlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from golongrl.core.documents import Document
from golongrl.core.errors import MissingPackageError
from golongrl.pipeline.dataset.charset import decode
from golongrl.pipeline.dataset.readers import INSTEAD, READERS, Origin, Refusal, RefusedError
from golongrl.pipeline.dataset.source_file import Part, SourceFile, read_bytes

ROWS = {".jsonl": "rows", ".ndjson": "rows", ".json": "json", ".parquet": "parquet"}
"""Suffix -> reader of files whose rows are documents: they are streamed, and `max_document_mb` holds for a row."""
DAMAGE = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError),
    *(EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile),
)
"""What the packages beneath the readers raise over bytes that are not what they claim to be."""
HTML = frozenset({".html", ".htm", ".xhtml"})


def parts(files: Sequence[SourceFile], target_bytes: int) -> list[Part]:
    """The files as parts of about `target_bytes`, in order: small ones together, long files of rows in pieces."""
    made: list[Part] = []
    waiting: list[SourceFile] = []
    size = 0
    for file in files:
        if waiting and size + file.size > target_bytes:
            made.append(Part(tuple(waiting)))
            waiting, size = [], 0
        if file.suffix in ROWS and file.size > target_bytes:
            made += split_rows(file, target_bytes)
        else:
            waiting.append(file)
            size += file.size
    return [*made, Part(tuple(waiting))] if waiting else made


def split_rows(file: SourceFile, target_bytes: int) -> list[Part]:
    """A file of rows in pieces of about `target_bytes`; rows keep their numbers however it is split."""
    try:
        return _module(ROWS[file.suffix]).split(file, target_bytes)
    except (RefusedError, OSError):
        # Reading it will say why it is refused.
        return [Part((file,))]


def read_part(part: Part, *, text_column: str | None, max_document_mb: float) -> Iterator[Document | Refusal]:
    """The documents of a part in order, and what is refused of it."""
    for file in part.files:
        origin = Origin(file.name, file.stem, file.suffix, file.licence, text_column)
        nothing = True
        try:
            for outcome in _outcomes(part, file, origin, max_document_mb):
                nothing = False
                if isinstance(outcome, Document) and not outcome.text.strip():
                    yield Refusal(outcome.source, "it holds no text")
                else:
                    yield outcome
            if nothing and part.end < 0:
                yield Refusal(file.name, "it holds no rows")
        except (RefusedError, MissingPackageError) as error:
            yield Refusal(file.name, str(error))
        except OSError as error:
            yield Refusal(file.name, f"unreadable: {error.strerror or error}")
        except RecursionError:
            yield Refusal(file.name, "nested too deeply to parse")
        except DAMAGE as error:
            yield Refusal(file.name, f"damaged: {type(error).__name__}: {error}; mend it or convert it to text")


def _outcomes(part: Part, file: SourceFile, origin: Origin, max_document_mb: float) -> Iterator[Document | Refusal]:
    if file.suffix in ROWS:
        return _module(ROWS[file.suffix]).read_part(part, file, origin, int(max_document_mb * 1024**2))
    reader = _module(known(file.suffix))
    data = read_bytes(file)
    if hasattr(reader, "read_bytes"):
        return reader.read_bytes(data, origin)
    return reader.read(decode(data, html=file.suffix in HTML), origin)


def known(suffix: str) -> str:
    """The module that reads files of this suffix; RefusedError lists the formats there are."""
    if suffix not in READERS:
        advice = f"{INSTEAD[suffix]}; " if suffix in INSTEAD else ""
        formats = ", ".join(sorted(READERS))
        raise RefusedError(f"unknown suffix {suffix or '(none)'}; {advice}formats read here: {formats}")
    return READERS[suffix]


def _module(name: str) -> Any:
    return importlib.import_module(f"golongrl.pipeline.dataset.readers.{name}")

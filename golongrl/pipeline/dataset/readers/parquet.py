"""Parquet: every row is a document; row groups are read in batches, without the columns that hold bytes but for those
that are known to be texts: not every writer marks them so."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, shapes
from golongrl.pipeline.dataset.source_file import Part, SourceFile, open_source

BATCH_ROWS, BATCH_BYTES = 64, 64 * 1024**2
"""Rows that are held at once, and about how much they may be unpacked."""


def split(file: SourceFile, target_bytes: int) -> list[Part]:
    """The file in parts of row groups that together have about `target_bytes`."""
    parts: list[Part] = []
    with open_source(file) as stream:
        metadata = opened_file(stream).metadata
        start, size, row, rows = 0, 0, 1, 0
        for group in range(metadata.num_row_groups):
            found = metadata.row_group(group)
            size += sum(found.column(i).total_compressed_size for i in range(found.num_columns))
            rows += found.num_rows
            if size >= target_bytes:
                parts.append(Part((file,), start, group + 1, row))
                start, size, row, rows = group + 1, 0, row + rows, 0
    if start < metadata.num_row_groups or not parts:
        parts.append(Part((file,), start, metadata.num_row_groups, row))
    return parts


def read_part(part: Part, file: SourceFile, origin: Origin, max_bytes: int) -> Iterator[Document | Refusal]:
    """One document per row, named `file.parquet#row`; damage ends the part it lies in."""
    import pyarrow as pa

    number = part.row
    with open_source(file) as stream:
        opened = opened_file(stream)
        groups = range(part.start, part.end if part.end >= 0 else opened.num_row_groups)
        texts = (origin.text_column,) if origin.text_column else shapes.TEXT_COLUMNS
        columns = [field.name for field in opened.schema_arrow if _is_read(field, texts)]
        rows = _batch_rows([opened.metadata.row_group(group) for group in groups])
        try:
            for batch in opened.iter_batches(batch_size=rows, row_groups=list(groups), columns=columns):
                for row in batch.to_pylist():
                    yield _outcome(row, number, origin, max_bytes)
                    number += 1
        except (pa.ArrowException, OSError) as error:
            raise RefusedError(f"corrupt parquet file: read up to row {number - 1} ({_line(error)})") from error


def _outcome(row: dict[str, Any], number: int, origin: Origin, max_bytes: int) -> Document | Refusal:
    row = {key: _text(value) if isinstance(value, bytes) else value for key, value in row.items()}
    size = sum(len(value) for value in row.values() if isinstance(value, str))
    if size > max_bytes:
        return Refusal(
            f"{origin.name}#{number}",
            f"row {number} has {size / 1024**2:.1f} million characters, above max_document_mb = "
            f"{max_bytes / 1024**2:.4g}; split it, or raise the limit",
        )
    return shapes.outcome(row, number, origin)


def _batch_rows(groups: Sequence[Any]) -> int:
    """Rows of these row groups that unpack to about BATCH_BYTES."""
    size = sum(group.total_byte_size for group in groups)
    return max(1, min(BATCH_ROWS, BATCH_BYTES * sum(group.num_rows for group in groups) // max(size, 1)))


def _is_read(field: Any, texts: Collection[str]) -> bool:
    return not _holds_bytes(field.type) or (field.name in texts and not field.type.num_fields)


def _text(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def opened_file(stream: Any) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(f"not a parquet file, or a corrupt one ({_line(error)})") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return True
    return any(_holds_bytes(kind.field(index).type) for index in range(kind.num_fields))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

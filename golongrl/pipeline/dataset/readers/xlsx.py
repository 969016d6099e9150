"""Excel workbooks through openpyxl: every sheet with cells is a table below a heading with its name."""

import datetime
import io
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, RefusedError, archive_limits, grid

MAX_CELLS = 2_000_000
"""Cells of a workbook, empty ones inside the used area included."""
MAX_EMPTY_ROWS = 10_000
"""Empty rows in a row after which a sheet is taken to be over."""


def read_bytes(data: bytes, origin: Origin) -> Iterator[Document]:
    """One document per workbook: the values that were last calculated, formulas are not evaluated."""
    archive_limits.open_zip(data, "Excel workbook").close()
    workbook = _opened(data)
    builder = DocumentBuilder()
    left = MAX_CELLS
    try:
        for sheet in workbook.worksheets:
            rows = _rows(sheet, left)
            left -= sum(map(len, rows))
            if rows:
                builder.heading(sheet.title, 2)
                grid.add(builder, rows)
    finally:
        workbook.close()
    yield builder.build(source=origin.name, title=origin.stem, licence=origin.licence)


def _opened(data: bytes) -> Any:
    import warnings
    import zipfile
    from xml.etree.ElementTree import ParseError

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            # What openpyxl cannot show (charts, validation, styles) is no text.
            warnings.simplefilter("ignore", UserWarning)
            return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except (InvalidFileException, zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError) as error:
        raise RefusedError(f"damaged Excel workbook: {_line(error)}; open it and save it again") from error


def _rows(sheet: Any, left: int) -> list[list[str]]:
    """The cells of a sheet as texts, without the empty rows."""
    import zipfile
    from xml.etree.ElementTree import ParseError

    # The size that a file states for a sheet is often the largest there is.
    sheet.reset_dimensions()
    rows: list[list[str]] = []
    empty = 0
    try:
        for row in sheet.iter_rows(values_only=True):
            texts = [_text(value) for value in row]
            while texts and not texts[-1]:
                texts.pop()
            if texts:
                rows.append(texts)
                left -= len(texts)
            empty = 0 if texts else empty + 1
            if left < 0:
                raise RefusedError(f"it holds more than {MAX_CELLS:,} cells; split it")
            if empty > MAX_EMPTY_ROWS:
                break
    except (zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(f"damaged Excel workbook, sheet {sheet.title!r}: {_line(error)}") from error
    return rows


def _text(value: Any) -> str:
    """A cell as Excel would show it without a format."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # Fifteen digits are what Excel keeps; more are the noise of binary fractions.
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="seconds")
    return str(value).strip()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

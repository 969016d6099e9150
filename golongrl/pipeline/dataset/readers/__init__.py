"""Readers: one per format, each turning a file into documents. To add a format, write a module with
`read(text, origin)`, or `read_bytes(data, origin)` where the format is no text, and enter its suffixes below."""

from dataclasses import dataclass

READERS: dict[str, str] = {
    ".txt": "plain",
    ".text": "plain",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".tex": "latex",
    ".latex": "latex",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".xlsx": "xlsx",
    ".json": "json",
    ".jsonl": "rows",
    ".ndjson": "rows",
    ".parquet": "parquet",
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".epub": "epub",
}

INSTEAD: dict[str, str] = {
    **dict.fromkeys((".doc", ".odt", ".rtf", ".pages"), "save it as .docx"),
    **dict.fromkeys((".xls", ".xlsb", ".xlsm", ".ods"), "save it as .xlsx"),
    **dict.fromkeys((".ppt", ".pptx", ".odp", ".mobi", ".azw3", ".djvu", ".ps"), "convert it to .pdf or .epub"),
    **dict.fromkeys((".7z", ".rar", ".zst", ".lz4"), "unpack it and pass the folder"),
    **dict.fromkeys((".adoc", ".org", ".rmd", ".qmd", ".mdx"), "convert it to .md, or rename it to be read as that"),
    ".ipynb": "convert it with `jupyter nbconvert --to markdown`",
    ".xml": "convert it to .html or .txt",
}
"""What to do about files that many people have and nothing here reads."""


class RefusedError(ValueError):
    """This file, or this row of it, cannot become a document; the message is the reason a person reads."""


@dataclass(frozen=True)
class Origin:
    """Where a text comes from: relative name, file stem, suffix, licence, and the JSONL column to read."""

    name: str
    stem: str
    suffix: str
    licence: str
    text_column: str | None = None


@dataclass(frozen=True)
class Refusal:
    """A refused part of a file, e.g. `talks.jsonl#7`, with its reason."""

    source: str
    reason: str

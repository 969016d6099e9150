"""What a row of data is as a document: a dialogue, titled passages, a table with paragraphs, or a column of text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from golongrl.core import json_text
from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.text import is_chinese
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, chats, grid, plain

TEXT_COLUMNS = ("text", "content", "context", "document", "body", "article", "report", "transcript", "passage")
LONG_TEXT_COLUMNS = ("input", "prompt", "context_window_text", "chapter", "raw_content")
"""Columns that hold a text in some data sets and a question in others."""
LONG_TEXT = 1_000
"""Fewest characters of a text in such a column."""
TURN_COLUMNS = ("messages", "turns", "conversation", "conversations", "dialogue", "meeting_transcripts", "chat")
PASSAGE_COLUMNS = ("paragraphs", "passages", "sections", "documents", "docs", "contexts", "context", "full_text")
BEFORE_TABLE, AFTER_TABLE = "pre_text", "post_text"
TITLE_COLUMNS = ("title", "headline", "topic", "name", "source")
PASSAGE_KEYS = ("text", "context", "paragraph_text", "content", "body", "sentences", "paragraphs")
PREDICTION_COLUMNS = ("pred", "prediction", "model_response", "model_output", "llm_output", "hypothesis")
"""Columns that tell a model's answers from documents."""
SHOWN_COLUMNS = 12
_NUMBERED_PASSAGE = re.compile(
    r"^(?:(passage|document|article|段落|文章|文档)\s?(\d{1,4})\s?[:：])", re.IGNORECASE | re.M
)

Row = Mapping[str, Any]


def outcome(row: Any, number: int, origin: Origin) -> Document | Refusal:
    """The document that row `number` of a file is, named `file#number`, or why it is none."""
    name = f"{origin.name}#{number}"
    try:
        return document(row, name, number, origin)
    except RefusedError as error:
        return Refusal(name, str(error))
    except RecursionError:
        return Refusal(name, f"row {number} is nested too deeply to read; flatten it")


def document(row: Any, name: str, number: int, origin: Origin) -> Document:
    """The document that a row is; RefusedError names the columns of a row that is none."""
    if not isinstance(row, dict):
        raise RefusedError(f"row {number} is a JSON {type(row).__name__}, expected an object")
    builder = _text_column(row, number, origin.text_column) if origin.text_column else _shaped(row, number)
    if not len(builder):
        raise RefusedError(f"row {number} holds no text")
    built = builder.build(source=name, title=_title(row, number, origin), licence=_licence(row) or origin.licence)
    language = _language(row)
    return built if language is None or language == built.language else replace(built, language=language)


def holds_text(row: Any) -> bool:
    """Whether a value is a row that makes a document."""
    try:
        return isinstance(row, dict) and len(_shaped(row, 1)) > 0
    except RefusedError:
        return False


def _shaped(row: Row, number: int) -> DocumentBuilder:
    prediction = next((key for key in PREDICTION_COLUMNS if isinstance(row.get(key), str)), None)
    if prediction is not None:
        raise RefusedError(
            f"row {number} holds a model's answer (column {prediction}), no document; its columns: {_columns(row)}; "
            "set text_column if one of them is a text all the same"
        )
    for fill in (_dialogue, _table, _passages, _text):
        builder = DocumentBuilder()
        _abstract(row, builder)
        before = len(builder)
        builder = fill(row, builder)
        if len(builder) > before:
            return builder
    raise RefusedError(
        f"row {number} has no text ({', '.join(TEXT_COLUMNS)}), turns ({', '.join(TURN_COLUMNS)}), passages or "
        f"table; its columns: {_columns(row)}; set text_column"
    )


def _columns(row: Row) -> str:
    more = f" and {len(row) - SHOWN_COLUMNS} more" if len(row) > SHOWN_COLUMNS else ""
    return ", ".join(list(map(str, row))[:SHOWN_COLUMNS]) + more


def _text_column(row: Row, number: int, column: str) -> DocumentBuilder:
    builder = _add(row.get(column), DocumentBuilder())
    if not len(builder):
        raise RefusedError(
            f"row {number} has no text in column {column!r} (text_column); its columns: {_columns(row)}"
        )
    return builder


def _dialogue(row: Row, builder: DocumentBuilder) -> DocumentBuilder:
    """Turns, or sessions of turns with a heading each."""
    for key in (*TURN_COLUMNS, *(key for key in row if key not in TURN_COLUMNS)):
        sessions = chats.sessions(_parsed(row.get(key)), any_speaker=key in TURN_COLUMNS)
        if sum(map(len, sessions)) < 2:
            continue
        names = row.get(f"{key.removesuffix('sessions')}dates") or []
        for number, session in enumerate(sessions):
            if len(sessions) > 1 and any(len(other) > 1 for other in sessions):
                named = isinstance(names, list) and len(names) == len(sessions)
                builder.heading(str(names[number]) if named else f"{number + 1}", 2)
            for speaker, said in session:
                builder.turn(speaker, said)
        break
    return builder


def _parsed(value: Any) -> Any:
    """A list of turns that is written as a JSON text, as it is where columns hold only texts."""
    if isinstance(value, str) and value.startswith(("[{", "[[{")):
        try:
            return json_text.loads(value)
        except ValueError:
            return value
    return value


def _table(row: Row, builder: DocumentBuilder) -> DocumentBuilder:
    """A table as a list of rows, with the paragraphs beside it."""
    value = row.get("table")
    if isinstance(value, dict) and isinstance(value.get("header"), list) and isinstance(value.get("rows"), list):
        rows, heads = [value["header"], *value["rows"]], 1
    else:
        rows, heads = value.get("table") if isinstance(value, dict) else value, None
    if not (isinstance(rows, list) and rows and all(isinstance(cells, list) for cells in rows)):
        return builder
    texts = [["" if cell is None else str(cell) for cell in cells] for cells in rows]
    builder = _add(row.get(BEFORE_TABLE), builder)
    grid.add(builder, texts, heads=heads)
    builder = _add(row.get(AFTER_TABLE), builder)
    before = len(builder)
    builder = _add_passages(row.get("paragraphs"), builder)
    return builder if len(builder) > before else _text(row, builder)


def _passages(row: Row, builder: DocumentBuilder) -> DocumentBuilder:
    before = len(builder)
    for column in PASSAGE_COLUMNS:
        builder = _add_passages(row.get(column), builder)
        if len(builder) > before:
            break
    return builder


def _add_passages(value: Any, builder: DocumentBuilder) -> DocumentBuilder:
    """Passages with their titles as headings."""
    for title, text in _titled(value):
        if title:
            builder.heading(title, 2)
        builder = _add(text, builder)
    return builder


def _titled(value: Any) -> Iterator[tuple[str, Any]]:
    """(title or nothing, text) of the passages that a value lists in one of the ways in use."""
    if isinstance(value, dict):
        # Columns side by side: {"title": [...], "sentences": [[...], ...]}.
        titles = next((value[key] for key in ("title", "section_name") if isinstance(value.get(key), list)), None)
        texts = next((value[key] for key in PASSAGE_KEYS if isinstance(value.get(key), list)), None)
        if titles is not None and texts is not None and len(titles) == len(texts):
            yield from ((str(title or ""), text) for title, text in zip(titles, texts, strict=True))
        return
    if not isinstance(value, list) or not value:
        return
    if all(isinstance(item, dict) for item in value):
        if all(isinstance(item.get("order"), int) for item in value):
            value = sorted(value, key=lambda item: item["order"])
        for item in value:
            text = next((item[key] for key in PASSAGE_KEYS if isinstance(item.get(key), str | list)), None)
            title = next((item[key] for key in ("title", "heading", "name") if isinstance(item.get(key), str)), "")
            if text:
                yield title, text
    elif all(isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) for item in value):
        yield from ((title, text) for title, text in value)
    elif all(isinstance(item, str) for item in value):
        yield from (("", text) for text in value)


def _text(row: Row, builder: DocumentBuilder) -> DocumentBuilder:
    before = len(builder)
    for column in (*TEXT_COLUMNS, *LONG_TEXT_COLUMNS):
        value = row.get(column)
        if column in LONG_TEXT_COLUMNS and not (isinstance(value, str) and len(value) >= LONG_TEXT):
            continue
        builder = _add(value, builder)
        if len(builder) > before:
            break
    return builder


def _add(value: Any, builder: DocumentBuilder) -> DocumentBuilder:
    """Add a text, a list of sentences or paragraphs, or an object that holds a text."""
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        # Sentences that begin with the space after the one before belong to one paragraph.
        running = any(item.startswith(" ") for item in value[1:])
        for paragraph in ["".join(value)] if running else value:
            builder.paragraph(paragraph)
        return builder
    if not isinstance(value, str):
        return builder
    # How the Multi-News articles were published.
    value = value.replace("NEWLINE_CHAR", "\n")
    marks = list(_NUMBERED_PASSAGE.finditer(value))
    if len(marks) < 2 or [int(mark[2]) for mark in marks] != list(range(1, len(marks) + 1)):
        return _append(value, builder)
    builder = _append(value[: marks[0].start()], builder)
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        builder.heading(mark[0].rstrip(":： "), 2)
        builder = _append(value[mark.end() : after.start() if after else len(value)], builder)
    return builder


def _append(text: str, builder: DocumentBuilder) -> DocumentBuilder:
    """The builder with the blocks of a plain text behind those that are there."""
    if not text.strip():
        return builder
    parsed = plain.parse(text)
    if not len(builder):
        return parsed
    document = parsed.build(source="")
    for block in document.blocks:
        content = document.slice(block.content)
        if block.kind == "heading":
            builder.heading(content, block.level)
        elif block.kind == "item":
            builder.item(content, block.group)
        elif block.kind == "code":
            builder.code(content)
        elif block.table is not None:
            builder.table(block.table.columns, [row.cells for row in block.table.rows])
        else:
            builder.paragraph(content)
    return builder


def _abstract(row: Row, builder: DocumentBuilder) -> None:
    """The abstract as a section of its own, unless the text holds it anyway."""
    value = row.get("abstract")
    if not isinstance(value, str) or not value.strip():
        return
    held = any(isinstance(row.get(key), str) and value.strip() in row[key] for key in TEXT_COLUMNS)
    if not held:
        builder.heading("摘要" if is_chinese(value) else "Abstract", 2)
        builder.paragraph(value)


def _title(row: Row, number: int, origin: Origin) -> str:
    for column in TITLE_COLUMNS:
        value = row.get(column)
        if isinstance(value, str) and value.strip() and "://" not in value:
            # Where rows come from is the same for many of them.
            return f"{value} {number}" if column == "source" else value
    return f"{origin.stem} {number}"


def _licence(row: Row) -> str:
    return chats.first_text(row, ("licence", "license"))


def _language(row: Row) -> str | None:
    stated = chats.first_text(row, ("language", "lang")).strip().casefold()
    if stated in ("zh", "chinese", "中文") or stated.startswith(("zh-", "zh_")):
        return "zh"
    if stated in ("en", "english", "英文") or stated.startswith(("en-", "en_")):
        return "en"
    return None

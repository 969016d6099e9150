"""JSONL: every row is a document, either a text column or the turns of a dialogue."""

import json
from collections.abc import Iterator
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, plain

TEXT_COLUMNS = ("text", "content", "context", "document", "body")
TURN_COLUMNS = ("messages", "turns", "conversation", "conversations", "dialogue", "meeting_transcripts")
SPEAKER_KEYS = ("speaker", "role", "from", "name")
SAID_KEYS = ("content", "text", "value", "utterance")


def read(text: str, origin: Origin) -> Iterator[Document | Refusal]:
    """One document per row, named `file.jsonl#line`; a row that does not fit is refused alone."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        name = f"{origin.name}#{number}"
        try:
            yield _document(line, name, number, origin)
        except RefusedError as error:
            yield Refusal(name, str(error))


def _document(line: str, name: str, number: int, origin: Origin) -> Document:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RefusedError(f"line {number} is not JSON ({error})") from error
    if not isinstance(row, dict):
        raise RefusedError(f"line {number} is a JSON {type(row).__name__}, expected an object")
    title = str(row.get("title") or f"{origin.stem} {number}")
    licence = str(row.get("licence") or row.get("license") or origin.licence)
    turns = next((row[key] for key in TURN_COLUMNS if isinstance(row.get(key), list)), None)
    if turns is not None and origin.text_column is None:
        builder = DocumentBuilder()
        for turn in turns:
            _turn(turn, number, builder)
    else:
        columns = (origin.text_column,) if origin.text_column else TEXT_COLUMNS
        text = next((row[key] for key in columns if isinstance(row.get(key), str)), None)
        if text is None:
            raise RefusedError(
                f"line {number} has no text column ({', '.join(columns)}) and no turns "
                f"({', '.join(TURN_COLUMNS)}); its columns: {', '.join(row)}; set text_column"
            )
        builder = plain.parse(text)
    if not len(builder):
        raise RefusedError(f"line {number} holds no text")
    return builder.build(source=name, title=title, licence=licence)


def _turn(turn: Any, number: int, builder: DocumentBuilder) -> None:
    if not isinstance(turn, dict):
        raise RefusedError(f"line {number}: a turn is a JSON {type(turn).__name__}, expected an object")
    speaker = next((turn[key] for key in SPEAKER_KEYS if isinstance(turn.get(key), str)), None)
    said = next((turn[key] for key in SAID_KEYS if isinstance(turn.get(key), str)), None)
    if speaker is None or said is None:
        raise RefusedError(f"line {number}: a turn lacks its speaker or its text; its keys: {', '.join(turn)}")
    builder.turn(speaker, said)

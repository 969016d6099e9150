"""Whether a question needs its documents: its prompt without them, without the evidence, and with nothing but the
documents that hold evidence.

Everything is read from the finished record: the prompt's text, `question`, `question_position` and the spans of
`evidence_in_prompt`, whoever made it.
"""

import bisect
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from golongrl.core.documents import Span
from golongrl.core.records import Record
from golongrl.pipeline.dataset.context import BARE_INSTRUCTIONS, INSTRUCTIONS
from golongrl.pipeline.dataset.questions.extend import BARE_ANSWERS
from golongrl.pipeline.dataset.reporting.closed_book_strategies import LETTERS

Messages = tuple[Mapping[str, str], ...]

_CLOSED = {
    "en": "No document is given. Answer the question from what you know; if you are not sure, give your best guess.",
    "zh": "没有提供任何文档。请仅凭已有知识回答问题；不确定时，请给出最可能的答案。",
}
_BARE = BARE_INSTRUCTIONS | BARE_ANSWERS
"""Answer formats that speak of documents -> the same without them."""
_MARK = re.compile(r"\[Document (\d+)\] |【文档(\d+)】")
_FENCE = "```"


@dataclass(frozen=True)
class Untestable:
    """Why there is no such prompt."""

    reason: str


NO_EVIDENCE = Untestable("nobody said what its evidence is")
NO_OTHERS = Untestable("every document holds evidence")
NOTHING_LEFT = Untestable("nothing is left beside the evidence")


@dataclass(frozen=True)
class Layout:
    """A prompt taken apart: what stands before and after the documents, and each of them from its mark to its end."""

    text: str
    before: str
    documents: tuple[Span, ...]
    after: str

    def joined(self, documents: Sequence[str]) -> str:
        """The prompt with these documents in place of its own."""
        return self.before + "\n\n".join(documents) + self.after


def closed_book(record: Record) -> Messages | Untestable:
    """The prompt with the question, its options and the answer instruction, and no document."""
    opening = _CLOSED[record.language]
    taken = layout(record)
    if isinstance(taken, Layout):
        # The opening speaks of documents; it is the first paragraph.
        _, _, asked = taken.before.partition("\n\n")
        parts = [opening, asked, taken.after]
    else:
        question = str(record.extra_info.get("question") or "")
        if not question:
            return taken
        options = [f"{letter}. {text}" for letter, text in zip(LETTERS, _options(record), strict=False)]
        if record.metric == "choice" and not all(option in question for option in options):
            question = "\n".join([question, *options])
        parts = [opening, question, INSTRUCTIONS[record.metric][record.language]]
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    for wording, bare in _BARE.items():
        text = text.replace(wording, bare)
    # Earlier turns may hold what is asked about.
    system = tuple(message for message in _messages(record, text) if message["role"] == "system")
    return (*system, {"role": "user", "content": text})


def without_evidence(record: Record) -> Messages | Untestable:
    """The prompt without the blocks that hold evidence; of tables, lists and code only the lines that do.

    A document of which nothing is left goes with its title. The others keep their numbers.
    """
    taken, spans = layout(record), evidence(record)
    if isinstance(taken, Untestable) or not spans:
        return taken if isinstance(taken, Untestable) else NO_EVIDENCE
    left, removed = [], 0
    for document in taken.documents:
        kept, lines = _without(taken.text, document, spans)
        removed += lines
        if kept is not None:
            left.append(kept)
    if not removed:
        return Untestable("its evidence stands outside the documents")
    return _messages(record, taken.joined(left)) if left else NOTHING_LEFT


def evidence_only(record: Record) -> Messages | Untestable:
    """The prompt without the documents that hold no evidence; the others keep their numbers."""
    taken, spans = layout(record), evidence(record)
    if isinstance(taken, Untestable) or not spans:
        return taken if isinstance(taken, Untestable) else NO_EVIDENCE
    holders = [document for document in taken.documents if _touched(document, spans)]
    if not holders:
        return Untestable("its evidence stands outside the documents")
    if len(holders) == len(taken.documents):
        return NO_OTHERS
    return _messages(record, taken.joined([taken.text[d.start : d.end] for d in holders]))


def evidence(record: Record) -> list[Span]:
    """Where the evidence stands in the prompt: `evidence_in_prompt` in order, without overlaps."""
    spans = record.extra_info.get("evidence_in_prompt")
    given = sorted((int(span["start"]), int(span["end"])) for span in (spans if spans is not None else ()))
    merged: list[Span] = []
    for start, end in given:
        if merged and start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, end))
        elif end > start:
            merged.append(Span(start, end))
    return merged


def layout(record: Record) -> Layout | Untestable:
    """The documents of a record's prompt, found by their marks, and the texts around them."""
    text, question = _content(record), str(record.extra_info.get("question") or "")
    first = record.extra_info.get("question_position") == "before"
    at = text.find(question) if first else text.rfind(question)
    if not question or at < 0:
        return Untestable("its question does not stand in the prompt")
    # Before the documents stands the question, or only the opening; after them only the instruction, or both.
    start, end = (at + len(question), len(text)) if first else (0, at)
    end = text.rfind("\n\n", start, end)
    marks = _marks(text, start, end)
    shown = record.extra_info.get("doc_sha256")
    numbers = [number for number, _ in marks]
    if not marks or numbers != list(range(1, len(marks) + 1)) or (shown is not None and len(shown) != len(marks)):
        return Untestable("the documents of its prompt cannot be told apart")
    starts = [start for _, start in marks]
    ends = [start - 2 for start in starts[1:]] + [end]
    documents = tuple(Span(*pair) for pair in zip(starts, ends, strict=True))
    return Layout(text, text[: starts[0]], documents, text[end:])


def _options(record: Record) -> Sequence[str]:
    given = record.extra_info.get("options")
    return given if given is not None else ()


def _last_user(record: Record) -> int:
    asked = [number for number, message in enumerate(record.prompt) if message.role == "user"]
    return asked[-1] if asked else len(record.prompt) - 1


def _content(record: Record) -> str:
    return record.prompt[_last_user(record)].content


def _messages(record: Record, text: str) -> Messages:
    place = _last_user(record)
    return tuple(
        {"role": message.role, "content": text if number == place else message.content}
        for number, message in enumerate(record.prompt)
    )


def _marks(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """(number, start) of every line that opens a document; none inside code."""
    found, fenced, at = [], False, start
    for line in text[start:end].split("\n"):
        if line == _FENCE:
            fenced = not fenced
        elif not fenced and (mark := _MARK.match(line)):
            found.append((int(mark[1] or mark[2]), at))
        at += len(line) + 1
    return found


@dataclass(frozen=True)
class _Unit:
    """Lines that stay or go together, and the number of the block that they belong to."""

    span: Span
    kind: Literal["row", "item", "code", "fence", "text"]
    block: int


def _without(text: str, document: Span, spans: Sequence[Span]) -> tuple[str | None, int]:
    """The document without what the spans touch, None where only its title is left; and how many units went."""
    title_end = text.find("\n", document.start, document.end)
    if title_end < 0:
        return text[document.start : document.end], 0
    units = _units(text, title_end + 1, document.end)
    gone = {number for number, unit in enumerate(units) if unit.kind != "fence" and _touched(unit.span, spans)}
    gone = _headers(units, gone)
    kept = [unit for number, unit in enumerate(units) if number not in gone]
    if gone and all(unit.kind == "fence" for unit in kept):
        return None, len(gone)
    parts, block = [text[document.start : title_end]], kept[0].block if kept else 0
    for unit in kept:
        parts.append("\n" if unit.block == block else "\n\n")
        parts.append(text[unit.span.start : unit.span.end])
        block = unit.block
    return "".join(parts), len(gone)


def _headers(units: Sequence[_Unit], gone: set[int]) -> set[int]:
    """What goes, once the column names of a table stay as long as rows of it do, and go with the last of them."""
    gone = set(gone)
    numbered = enumerate(units)
    for _, block in itertools.groupby(numbered, key=lambda pair: pair[1].block):
        rows = [number for number, unit in block if unit.kind == "row"]
        hit = [number for number in rows[1:] if number in gone]
        if hit:
            gone.discard(rows[0])
            if len(hit) == len(rows) - 1:
                gone.add(rows[0])
    return gone


def _units(text: str, start: int, end: int) -> list[_Unit]:
    """Blocks stand between empty lines; rows, list items and lines of code are units of their own."""
    units: list[_Unit] = []
    block, fenced, at = 0, False, start
    for line in text[start:end].split("\n"):
        span = Span(at, at + len(line))
        at = span.end + 1
        last = units[-1] if units else None
        if line == _FENCE:
            fenced = not fenced
            units.append(_Unit(span, "fence", block))
        elif fenced:
            units.append(_Unit(span, "code", block))
        elif not line:
            block += 1
        elif line.startswith("| ") and line.endswith(" |"):
            units.append(_Unit(span, "row", block))
        elif line.startswith("- "):
            units.append(_Unit(span, "item", block))
        elif last is not None and last.block == block and last.kind in ("item", "text"):
            units[-1] = _Unit(Span(last.span.start, span.end), last.kind, block)
        else:
            units.append(_Unit(span, "text", block))
    return units


def _touched(part: Span, spans: Sequence[Span]) -> bool:
    """Whether one of the spans, in order and without overlaps, shares a character with the part."""
    place = bisect.bisect_right(spans, part.start, key=lambda span: span.end)
    return place < len(spans) and spans[place].start < part.end

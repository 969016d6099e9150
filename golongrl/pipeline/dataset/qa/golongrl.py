"""Rows of our own schema: the published set (`Kwai-Klear/GoLongRL`, CC BY 4.0) and other builds of this tool, whose
rows say which licences their documents have.

`{data_source, prompt, ability, reward_model: {ground_truth}, extra_info: {reward_mode, question}}`. The prompt holds
context and question; it is taken apart where `extra_info.question` stands. The metric decides the capability. Where
one place answers (`em`, `choice`, `math`), documents with numbered titles become one each; where the question is
about all of them, they stay one document that the question names.
"""

import re
from collections.abc import Iterator

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder
from golongrl.core.errors import DataError
from golongrl.core.records import Record, parse_record
from golongrl.pipeline.dataset.qa import rendered
from golongrl.pipeline.dataset.qa.adapter import Adapter, Place, QAItem, Row, RowContext
from golongrl.pipeline.dataset.qa.wording import about, bare, split_options
from golongrl.pipeline.dataset.questions.items import LISTS
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.rewards.choice import gold_letter
from golongrl.rewards.items import gold_aliases, gold_texts
from golongrl.rewards.retrieval_math import names_documents

UNTOUCHED_BY_OTHERS = ("em", "choice", "math")
"""Metrics of answers that more documents beside the context leave as they are."""
MIN_CONTEXT = 200
"""Fewest characters of a context."""
_TAGGED = re.compile(r"<(text|context|documents?|article)>\s*(.+)\s*</\1>", re.DOTALL)
_TOLD = re.compile(
    r"\s*(?:read|please|answer|you |based on|below|the following|given|end your reply|阅读|请|根据|以下|先读|在回复)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\s*(?:question|query|问题|问)\s*[:：]?\s*$", re.IGNORECASE)
MAX_TOLD = 600
"""Longest paragraph, in characters, that can be an instruction around the context."""


def _accepts(row: Row) -> bool:
    return "reward_model" in row and "prompt" in row


def _read(row: Row, context: RowContext) -> Iterator[QAItem | Refusal]:
    try:
        record = parse_record(row, context.name)
    except DataError as error:
        yield Refusal(context.name, f"record: {error}")
        return
    asked = str(record.extra_info.get("question") or "").strip()
    users = [message.content for message in record.prompt if message.role == "user"]
    text = context_of(users[0], asked) if len(users) == 1 and asked else None
    if text is None:
        yield Refusal(context.name, "prompt: context and question cannot be told apart")
    elif names_documents(record) or record.extra_info.get("strict_prefix"):
        yield Refusal(context.name, "prompt: its answer depends on how the prompt is written")
    else:
        yield from _items(record, text, asked, context)


def _items(record: Record, text: str, asked: str, context: RowContext) -> Iterator[QAItem | Refusal]:
    question, metric = bare(asked), record.metric
    options: tuple[str, ...] = ()
    gold = tuple(gold_texts(record) if metric in (*LISTS, "rouge_l") else gold_aliases(record))
    if metric == "choice":
        found = split_options(question)
        letter = gold_letter(gold[0]) if gold else None
        if found is None or letter is None:
            yield Refusal(context.name, "options: the question does not list them")
            return
        question, options, gold = found[0], found[1], (letter,)
    places = tuple(_documents(text, context, together=metric not in UNTOUCHED_BY_OTHERS))
    if len(places) == 1:
        question = about(question, places[0].document.title)
    kept = {name: record.extra_info[name] for name in ("tolerance", "relevance") if record.extra_info.get(name)}
    yield QAItem(
        source=context.name,
        form="golongrl",
        capability=tasks.capability_of(metric),
        question=question,
        gold=gold,
        shown=places,
        options=options,
        evidence=None if len(places) == 1 else (),
        extra=kept,
        stands=metric == "em",
    )


def context_of(prompt: str, question: str) -> str | None:
    """The context of a prompt around its question; None where they cannot be told apart."""
    before, found, after = prompt.rpartition(question)
    tagged = _TAGGED.search(prompt)
    if not found or len(question) > len(prompt) / 2:
        return None
    if tagged is not None and question not in tagged[2]:
        return tagged[2]
    longer, shorter = (before, after) if len(before) >= len(after) else (after, before)
    if len(shorter) > max(MAX_TOLD, len(longer) / 4):
        return None
    paragraphs = _LABEL.sub("", longer).strip().split("\n\n")
    while paragraphs and len(paragraphs[0]) <= MAX_TOLD and _TOLD.match(paragraphs[0]):
        paragraphs.pop(0)
    while paragraphs and len(paragraphs[-1]) <= MAX_TOLD and _TOLD.match(paragraphs[-1]):
        paragraphs.pop()
    context = "\n\n".join(paragraphs).strip()
    return context if len(context) >= MIN_CONTEXT else None


def _documents(text: str, context: RowContext, together: bool) -> Iterator[Place]:
    parts = rendered.split(text)
    title = f"{context.stem} {context.number}"
    if parts is None:
        yield Place(context.document({"text": text}, title))
        return
    builder = DocumentBuilder()
    for number, (name, body) in enumerate(parts, 1):
        if together and len(parts) > 1:
            builder.heading(name, 1)
        rendered.fill(builder, body)
        if not together:
            source = f"{context.name}/{number}"
            yield Place(builder.build(source=source, title=name, licence=context.licence))
            builder = DocumentBuilder()
    if together:
        yield Place(builder.build(source=context.name, title=title, licence=context.licence))


GOLONGRL = Adapter("golongrl", _accepts, _read)

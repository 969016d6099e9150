"""What is kept of a prompt for its report: the question, and the text around the evidence."""

from collections.abc import Iterator

from golongrl.core.report.excerpts import excerpt, middle_cut, stretches
from golongrl.core.report.viewer import Marked
from golongrl.pipeline.evaluation.benchmarks.base import Item, Messages

AROUND = 300
"""Characters shown on each side of a piece of evidence."""
PLACES = 3
"""Places with evidence that are shown of one prompt."""
LONGEST_DOCUMENT = 600
"""Characters shown of a document whose evidence is not known."""
LONGEST_QUESTION = 3_000


def question_of(item: Item) -> str:
    """The question alone, else the last message; empty where nothing of the prompt is known."""
    last = item.messages[-1]["content"] if item.messages else ""
    return middle_cut(str(item.question or item.gold.get("question") or last).strip(), LONGEST_QUESTION)


def excerpts_of(item: Item) -> list[tuple[str, Marked]]:
    """(label, text) of the places with evidence; of a document without known evidence its start and end."""
    found = list(_evidence(item))
    if len(found) > PLACES:
        return [*found[:PLACES], ("more evidence", ((f"at {len(found) - PLACES} other places", False),))]
    if not found and item.document is not None:
        place, start, end = item.document
        shown = middle_cut(item.messages[place]["content"][start:end], LONGEST_DOCUMENT)
        return [("document, its start and end", ((shown, False),))]
    return found


def _evidence(item: Item) -> Iterator[tuple[str, Marked]]:
    places = {place for place, _, _ in item.evidence}
    before = 0
    for place, message in enumerate(item.messages):
        if place in places:
            text, offset = _with_neighbours(item.messages, place)
            spans = sorted((start + offset, end + offset) for where, start, end in item.evidence if where == place)
            for group in stretches(spans):
                label = f"evidence, from character {before + group[0][0] - offset:,} of the prompt"
                yield label, excerpt(text, group, AROUND)
        before += len(message["content"])


def _with_neighbours(messages: Messages, place: int) -> tuple[str, int]:
    """A message between the end of that before and the start of that behind, and where in this text it begins."""
    if len(messages) == 1:
        return messages[0]["content"], 0
    before = f"[{messages[place - 1]['role']}] {messages[place - 1]['content']}\n\n" if place else ""
    head = f"[{messages[place]['role']}] "
    behind = ""
    if place + 1 < len(messages):
        behind = f"\n\n[{messages[place + 1]['role']}] {messages[place + 1]['content'][: 2 * AROUND]}"
    return before + head + messages[place]["content"] + behind, len(before) + len(head)

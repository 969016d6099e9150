"""Passages that stand in a document again: an annex bound in twice, a file put together from copies of itself."""

from collections.abc import Sequence

from golongrl.core.documents import Block, Document

RUN_BLOCKS = 5
"""Fewest successive blocks of a passage."""
RUN_CHARACTERS = 1_500
"""Fewest characters of one; shorter ones, such as refrains and forms, are how some texts are written."""


def find(document: Document, short: list[str]) -> set[int]:
    """The blocks of every passage that repeats an earlier one word for word."""
    if not _may_repeat(document.blocks):
        return set()
    texts = [document.text[block.span.start : block.span.end] for block in document.blocks]
    first: dict[str, int] = {}
    found: set[int] = set()
    number = 0
    while number < len(texts):
        earlier = first.setdefault(texts[number], number)
        if earlier == number:
            number += 1
            continue
        end, characters = number, 0
        while end < len(texts) and texts[end] == texts[earlier + end - number]:
            characters += len(texts[end])
            end += 1
        if end - number >= RUN_BLOCKS and characters >= RUN_CHARACTERS:
            found.update(range(number, end))
            number = end
        else:
            number += 1
    return found


def _may_repeat(blocks: Sequence[Block]) -> bool:
    """Whether some successive blocks are as long as earlier ones, which is far cheaper to see than what they say."""
    sizes = [block.span.end - block.span.start for block in blocks]
    runs = list(zip(*(sizes[start:] for start in range(RUN_BLOCKS)), strict=False))
    return len(set(runs)) < len(runs)

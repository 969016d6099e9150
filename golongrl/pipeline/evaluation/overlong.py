"""Prompts that do not fit: the middle of their document is cut, never the question, an instruction or a role."""

from collections.abc import Callable
from dataclasses import replace

from golongrl.core.errors import UsageError
from golongrl.core.tokens import Tokenizer, truncate_middle
from golongrl.pipeline.evaluation.benchmarks.base import Item, Messages


def cut_document(
    item: Item, n_input: int, limit: int, tokenizer: Tokenizer, count_prompt: Callable[[Messages], int]
) -> tuple[Item, int, int] | None:
    """The item with so much of its document's middle left out that the prompt has at most `limit` tokens.

    Returns the item, its prompt's tokens and how many of the document's tokens went; None where the item has no
    document, or all else alone is too long.
    """
    if item.document is None:
        return None
    place, start, end = item.document
    message = item.messages[place]
    content = message["content"]
    document = content[start:end]
    size = tokenizer.count(document)
    room = size - (n_input - limit)
    while room > 0:
        try:
            kept, _ = truncate_middle(tokenizer, document, room)
        except UsageError:
            return None
        changed = {**message, "content": content[:start] + kept + content[end:]}
        messages = [*item.messages[:place], changed, *item.messages[place + 1 :]]
        # Tokens may merge or split where the parts meet, so the whole prompt is counted again.
        now = count_prompt(messages)
        if now <= limit:
            document_place = (place, start, start + len(kept))
            return replace(item, messages=messages, document=document_place), now, size - tokenizer.count(kept)
        room -= now - limit
    return None

"""Reading what a model wrote: the last JSON object after its thinking, checked against the capability's schema."""

import json
import re
from typing import Any

from pydantic import ValidationError

from golongrl.core import chat
from golongrl.core.text import Think, final_text, is_whole
from golongrl.pipeline.dataset.synthesis.schemas import MODELS, Written

_OPENING = re.compile(r"\{(?=\s*[\"}])")
_MOST_TRIES = 200
"""Braces that are tried as the start of an object."""


class Malformed(ValueError):
    """An answer that is not what the schema asks for; the text says why."""


def read_questions(answer: chat.Generation, capability: str, count: int, think: Think) -> list[Written]:
    """At most `count` questions of an answer; raises Malformed when it is not what the schema asks for."""
    if answer.finish_reason == "length":
        raise Malformed("it was cut off at the token limit")
    final = final_text(answer.text, think)
    if not final.closed:
        raise Malformed("its thinking does not end")
    found = last_object(final.text)
    if found is None:
        raise Malformed("it holds no JSON object")
    questions = found.get("questions")
    if not isinstance(questions, list) or not questions:
        raise Malformed('the JSON object has no "questions" list with a question in it')
    if not is_whole(json.dumps(questions[:count], ensure_ascii=False)):
        raise Malformed("a text holds half of a character (a lone surrogate)")
    try:
        return [MODELS[capability].model_validate(one) for one in questions[:count]]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{place or 'a question'}: {first['msg']}") from error


def last_object(text: str) -> dict[str, Any] | None:
    """The last whole JSON object at top level, wherever it stands in a text; None without one."""
    decoder = json.JSONDecoder()
    found, position = None, 0
    for _ in range(_MOST_TRIES):
        opening = _OPENING.search(text, position)
        if opening is None:
            break
        try:
            value, position = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            continue
        found = value
    return found

"""The answer in words that a response states last, out of its phrase, box or marker."""

import re
from dataclasses import dataclass
from typing import Literal

from golongrl.core.records import Score
from golongrl.core.text import answer_area, compatible, final_text, normalise, unwrap
from golongrl.pipeline.evaluation.benchmarks.base import Thinking

LONGEST = 4_000
"""Characters of a response without a stated answer that are read as the answer: the last ones."""

_PHRASE = re.compile(
    r"\bthe\s+(?:(?:final|correct)\s+)?answer(?:\s+to\s+the\s+question)?\s+is\b[ \t]*[:：]?"
    r"|^[ \t*#>]*(?:the\s+)?(?:final\s+)?answer\**[ \t]*[:：]|答案\s*(?:是|为|[:：])[ \t]*[:：]?",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSE = re.compile(r"[ \t]*(?:\*{1,2}(?=\s|$))?")
_BOX = "\\boxed{"
_UNPAIRED = ('"', "'", "”", "’", "**", "*", "`", ")", "]")
_OPENING = {'"': '"', "'": "'", "”": "“", "’": "‘", "**": "**", "*": "*", "`": "`", ")": "(", "]": "["}
_AROUND = {"(": ")", "[": "]", "<": ">"}


@dataclass(frozen=True)
class Answer:
    """An answer as stated: by a phrase or marker, in a box, or the whole text where nothing is marked."""

    text: str
    how: Literal["phrase", "marker", "box", "whole"]


def after_thinking(response: str, think: Thinking) -> str | Score:
    """What follows the thinking, or the Score of a response that never ends it or says nothing more."""
    final = final_text(response, think)
    if not final.closed:
        return Score(value=0.0, reason="unclosed_think")
    return final.text if final.text.strip() else Score(value=0.0, reason="no_answer")


def read_answer(response: str, think: Thinking, *, lines: bool = False) -> Answer | Score:
    """The last stated answer of what follows the thinking, or the Score of a response that answers nothing.

    `lines`: an answer may run over several lines, down to the end; else it ends with its line.
    """
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    answer = stated(said, lines=lines)
    return answer if answer.text else Score(value=0.0, reason="no_answer")


def stated(text: str, *, lines: bool = False) -> Answer:
    """The answer of a final text; empty where it holds nothing but marks."""
    area, marked = answer_area(text)
    phrase = None
    for phrase in _PHRASE.finditer(area):  # noqa: B007  the last one counts
        pass
    box = area.rfind(_BOX)
    if phrase is not None and box < phrase.start():
        return Answer(_clean(_take(area[phrase.end() :], lines)), "phrase")
    if box >= 0:
        return Answer(_clean(_box(area, box)), "box")
    if marked:
        return Answer(_clean(_take(area, lines)), "marker")
    return Answer(area.strip()[-LONGEST:], "whole")


def _take(rest: str, lines: bool) -> str:
    """The rest of the line, or the next line that holds anything; with `lines` everything to the end."""
    clause = _CLAUSE.match(rest)
    rest = rest[clause.end() :] if clause else rest
    if lines:
        return rest
    return next((line for line in rest.split("\n") if line.strip(" \t*_\"'`")), "")


def _box(text: str, start: int) -> str:
    depth = 0
    for place in range(start + len(_BOX) - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start + len(_BOX) : place]
    return text[start + len(_BOX) :]


def _clean(text: str) -> str:
    """Without surrounding white space, quotes, bold, brackets and the full stop, also where only one side stands."""
    before = None
    while before != text:
        before = text
        text = unwrap(text).strip()
        # Square brackets around several items are a list, which stays one.
        several = text[:1] == "[" and ("," in text or '"' in text)
        if len(text) > 2 and _AROUND.get(text[0]) == text[-1] and _whole(text) and not several:
            text = text[1:-1].strip()
        if text.startswith(_BOX) and text.endswith("}"):
            text = text[len(_BOX) : -1].strip()
        for mark in _UNPAIRED:
            opening = _OPENING[mark]
            if text.endswith(mark) and text != mark:
                inner = text[: -len(mark)]
                if (inner.count(opening) % 2 == 0) if opening == mark else inner.count(opening) == inner.count(mark):
                    text = inner.rstrip()
                break
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1].rstrip()
    return text


def _whole(text: str) -> bool:
    """Whether the bracket that opens a text closes at its end, not before."""
    left, right, depth = text[0], text[-1], 0
    for place, character in enumerate(text):
        depth += (character == left) - (character == right)
        if not depth:
            return place == len(text) - 1
    return False


def same(answer: str, golds: list[str]) -> bool:
    """Whether an answer equals a gold answer but for case, width, white space, quotes and a full stop."""
    return _form(answer) in {_form(gold) for gold in golds} - {""}


def _form(text: str) -> str:
    return normalise(unwrap(compatible(text)))

"""What a judge is asked and how its verdict is read, for every benchmark that a model grades."""

import re
from typing import Any

from golongrl.core.records import Score
from golongrl.core.text import final_text
from golongrl.pipeline.evaluation.benchmarks.base import Messages

_VERDICT = re.compile(r"\[\[\s*(yes|no)\s*\]\]", re.IGNORECASE)
_BARE = re.compile(r"\W*(yes|no)\W*", re.IGNORECASE)

SYSTEM = (
    "You compare an answer with the reference answer to a question. Do not solve the question yourself and do not "
    "use knowledge of your own: the reference answer is right. Two answers are the same when they say the same "
    "thing, however it is worded, formatted or rounded. An answer that names several different things, or that takes "
    "back the right one, is not the same. Explain in one or two sentences, then end with the verdict on a line of "
    "its own: [[YES]] when the answer is the same as a reference answer, [[NO]] when it is not."
)


def equality(question: str, golds: list[str], answer: str) -> Messages:
    """Ask whether an answer says the same as one of the gold answers."""
    if len(golds) == 1:
        reference = f"Reference answer: {golds[0]}"
    else:
        listed = "\n".join(f"- {gold}" for gold in golds)
        reference = f"Reference answers, any one of which is right:\n{listed}"
    content = f"Question: {question}\n\n{reference}\n\nAnswer to judge: {fenced(answer)}"
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]


def fenced(answer: str) -> str:
    """An answer in quotes of its own, whose verdicts are none: what it says must not pass for the judge's."""
    return "<<<" + _VERDICT.sub(lambda match: f"[{match[1]}]", answer) + ">>>"


def read_verdict(text: str) -> Score | None:
    """The last [[YES]] or [[NO]] of a judge's reply, or a reply of nothing but yes or no; else None.

    What the judge thinks aloud counts for nothing, and an unclosed thought is no verdict.
    """
    final = final_text(text, "optional")
    if not final.closed:
        return None
    said = [match[1].lower() for match in _VERDICT.finditer(final.text)]
    if not said and (bare := _BARE.fullmatch(final.text)):
        said = [bare[1].lower()]
    if not said:
        return None
    return Score(value=float(said[-1] == "yes"), details={"verdict": said[-1]})


def without_asking(value: float, why: str, **details: Any) -> Score:
    """The Score of an answer that needs no judge."""
    return Score(value=value, details={"verdict": why, **details})

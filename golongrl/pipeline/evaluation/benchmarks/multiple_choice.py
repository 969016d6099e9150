"""Multiple choice: prompts with lettered options, and the last stated letter as the answer."""

import string
from collections.abc import Sequence
from typing import Any

from golongrl.core.records import Score
from golongrl.core.text import answer_area
from golongrl.pipeline.evaluation.benchmarks.answers import after_thinking
from golongrl.pipeline.evaluation.benchmarks.base import Messages, Thinking
from golongrl.rewards.choice import stated_letters

LETTERS = string.ascii_uppercase


def listed(options: Sequence[str]) -> str:
    """The options, one to a line behind its letter."""
    return "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


def instruction(count: int) -> str:
    """What the last line of an answer must say."""
    return (
        f"Answer the question with one of the {count} options. You may reason first; the last line of your answer "
        f'must be "ANSWER: X", where X is a letter from A to {LETTERS[count - 1]}.'
    )


def prompt(question: str, options: Sequence[str]) -> Messages:
    """One user message: the question, its options and how to answer."""
    content = f"{question}\n\n{listed(options)}\n\n{instruction(len(options))}"
    return [{"role": "user", "content": content}]


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """1 if the last stated letter is `gold["answer"]` among `gold["options"]` letters; several earn nothing."""
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    area, marked = answer_area(said)
    letters = stated_letters(area, frozenset(LETTERS[: gold["options"]]), marked)
    if not letters:
        return Score(value=0.0, reason="no_answer")
    if len(letters) > 1:
        return Score(value=0.0, details={"hedged": "".join(sorted(letters))})
    (letter,) = letters
    return Score(value=float(letter == gold["answer"]), details={"answer": letter})

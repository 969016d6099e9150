"""The gold answer of what a model wrote, once it holds what its capability asks for: one function per capability."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from golongrl.core.text import is_chinese, lines, normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import distinct, shuffled
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.qa.arithmetic import decimals, evaluate, plain_number
from golongrl.pipeline.dataset.qa.checks import is_short
from golongrl.pipeline.dataset.questions.item_checks import PLAIN, stands
from golongrl.pipeline.dataset.synthesis.schemas import (
    Choice,
    Listing,
    Matches,
    Number,
    Ranking,
    Rows,
    Span,
    Steps,
    Summary,
    Written,
)

LETTERS = "ABCD"
FEWEST = {"T3": 2, "T5": 2, "T6": 2, "T7": 3, "T8": 3}
"""Fewest items of an answer; two are in the right order half of the time."""
MOST_ITEMS = 20
LONGEST_OPTION = 1.8
"""Times the longest wrong option that the right one may be as long, where it is longer than `PLAIN_OPTION`."""
PLAIN_OPTION = 30
SUMMARY = {"en": (20, 400), "zh": (40, 800)}
"""Fewest and most words (characters of Chinese) of a summary."""
SUMMARY_SHARE = 0.5
"""Largest share of its window that a summary may be as long as."""
COPIED, COPY_RUN = 0.5, 8
"""Share of a summary's runs of 8 words or characters that may stand in the window."""
GUESSED_DIGITS = 3
"""Digits of a number that a question may not hold when it is the answer; smaller ones stand everywhere."""


@dataclass(frozen=True)
class Gold:
    """A gold answer, and the question with what its answer's form needs said."""

    question: str
    gold: tuple[str, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """What an answer is held against: the window, and its evidence as comparable text."""

    excerpt: Excerpt
    evidence: str

    @property
    def chinese(self) -> bool:
        return self.excerpt.language == "zh"

    def shows(self, text: str) -> bool:
        """Whether the evidence holds a text as words of its own."""
        return bool(normalise(text)) and stands(normalise(text), self.evidence)

    def holds(self, text: str) -> bool:
        """The same of the window."""
        return bool(normalise(text)) and stands(normalise(text), self.excerpt.flat)


Outcome = Gold | str
"""A gold answer, or why there is none."""


def _span(one: Span, proof: Proof, rng: random.Random) -> Outcome:
    answer = one.answer.strip()
    if normalise(answer).rstrip(".。") in PLAIN:
        return "the answer is yes or no, which is guessed"
    if not answer or not is_short(answer):
        return "the answer is too long to be given word for word"
    if not proof.shows(answer):
        return "the answer does not stand in the evidence"
    names = dict.fromkeys((answer, *(alias.strip() for alias in one.aliases if alias.strip() and is_short(alias))))
    if any(stands(normalise(name), normalise(one.question)) for name in names):
        return "the question names its answer"
    return Gold(one.question, tuple(names))


def _choice(one: Choice, proof: Proof, rng: random.Random) -> Outcome:
    options = tuple(" ".join(option.split()) for option in one.options)
    if len(options) != 4 or not all(options):
        return "there are not four options"
    if not distinct(options) or len({normalise(option).strip(".。") for option in options}) < 4:
        return "two options read the same"
    right = options[LETTERS.index(one.right)]
    others = [option for option in options if option != right]
    if len(right) > max(PLAIN_OPTION, LONGEST_OPTION * max(map(len, others))):
        return "the right option is much longer than the others"
    if prose.length(right, proof.excerpt.language) > 2 and stands(normalise(right), normalise(one.question)):
        return "the question names its answer"
    return Gold(one.question, (one.right,), options)


def _listed(capability: str, question: str, items: Sequence[str], proof: Proof) -> Outcome:
    """A list whose items stand in the evidence and not in the question."""
    cleaned = tuple(" ".join(item.split()) for item in items)
    fault = _items_fault(capability, cleaned, proof)
    if fault is not None:
        return fault
    if any(stands(normalise(item), normalise(question)) for item in cleaned):
        return "the question names its answer"
    return Gold(question, cleaned)


def _items_fault(capability: str, items: Sequence[str], proof: Proof) -> str | None:
    if len(items) < FEWEST[capability]:
        return "the answer has too few items"
    if len(items) > MOST_ITEMS:
        return "the answer has too many items"
    if not distinct(items) or len(lines("\n".join(items))) != len(items):
        return "two items read the same"
    if not all(is_short(item, 4) for item in items):
        return "an item of the answer is a long text"
    if not all(proof.holds(item) for item in items):
        return "an item of the answer does not stand in the document"
    if not all(proof.shows(item) for item in items):
        return "an item of the answer does not stand in the evidence"
    return None


def _listing(one: Listing, proof: Proof, rng: random.Random) -> Outcome:
    return _listed("T3", one.question, one.items, proof)


def _matches(one: Matches, proof: Proof, rng: random.Random) -> Outcome:
    return _listed("T6", one.question, one.matches, proof)


def _number(one: Number, proof: Proof, rng: random.Random) -> Outcome:
    number = plain_number(one.number)
    if number is None:
        return "the answer is not a number"
    if len(one.operands) < 2 or any(plain_number(operand) is None for operand in one.operands):
        return "the operands are not two numbers or more"
    if not all(proof.shows(operand) for operand in one.operands):
        return "an operand does not stand in the evidence"
    value = evaluate(one.expression)
    if value is None:
        return "the expression cannot be worked out"
    if abs(float(number) - value) > (0.5 + 1e-9) * 10.0 ** -decimals(number):
        return "the number is not the value of its expression"
    plain = f"{number:f}"
    if sum(map(str.isdigit, plain)) >= GUESSED_DIGITS and stands(plain, normalise(one.question)):
        return "the question names its answer"
    question, unit = one.question.strip(), " ".join(one.unit.split())
    if unit and not stands(normalise(unit), normalise(question)):
        question += f"答案以{unit}为单位。" if proof.chinese else f" Give the number in this unit: {unit}."
    return Gold(question, (plain,))


def _rows(one: Rows, proof: Proof, rng: random.Random) -> Outcome:
    columns = [" ".join(name.split()) for name in one.columns]
    if len(columns) < 2 or not distinct(columns):
        return "the answer has no two columns of different names"
    if len(one.rows) < FEWEST["T5"]:
        return "the answer has too few items"
    if len(one.rows) > MOST_ITEMS:
        return "the answer has too many items"
    if any(len(row) != len(columns) for row in one.rows):
        return "a row has more or fewer cells than there are columns"
    rows = [[" ".join(cell.split()) for cell in row] for row in one.rows]
    if not all(proof.holds(cell) for row in rows for cell in row):
        return "a cell does not stand in the document"
    if not all(proof.shows(cell) for row in rows for cell in row):
        return "a cell does not stand in the evidence"
    if len({tuple(map(normalise, row)) for row in rows}) < len(rows):
        return "two items read the same"
    asked = normalise(one.question)
    if all(stands(normalise(cell), asked) for row in rows for cell in row):
        return "the question names its answer"
    named = "、".join(columns) if proof.chinese else ", ".join(columns)
    told = f"各行依次写出以下列：{named}。" if proof.chinese else f" Give these columns in this order: {named}."
    return Gold(one.question.strip() + told, (json.dumps({"data": rows}, ensure_ascii=False),))


def _ranking(one: Ranking, proof: Proof, rng: random.Random) -> Outcome:
    items = tuple(" ".join(entry.item.split()) for entry in one.ranked)
    fault = _items_fault("T7", items, proof)
    if fault is not None:
        return fault
    values = [plain_number(entry.value) for entry in one.ranked]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "a figure of the ranking is not a number"
    if len(set(known)) < len(known):
        return "two items of the ranking have the same figure"
    if known != sorted(known) and known != sorted(known, reverse=True):
        return "the ranking does not follow its figures"
    return Gold(one.question, items)


def _steps(one: Steps, proof: Proof, rng: random.Random) -> Outcome:
    steps = tuple(" ".join(step.split()) for step in one.steps)
    fault = _items_fault("T8", steps, proof)
    if fault is not None:
        return fault
    if any(stands(normalise(step), normalise(one.question)) for step in steps):
        return "the question names its answer"
    mixed = "\n".join(f"- {step}" for step in shuffled(steps, rng))
    return Gold(f"{one.question.strip()}\n{mixed}", steps)


def _summary(one: Summary, proof: Proof, rng: random.Random) -> Outcome:
    language, text = proof.excerpt.language, one.summary.strip()
    if is_chinese(text) != proof.chinese:
        return "the summary is in another language than its document"
    low, high = SUMMARY[language]
    size = prose.length(text, language)
    if not low <= size <= high:
        return "the summary is too short or too long"
    if size > SUMMARY_SHARE * prose.length(proof.excerpt.text, language):
        return "the summary is hardly shorter than the document"
    if copied_share(text, proof.excerpt) > COPIED:
        return "the summary copies the document"
    return Gold(one.question, (text,))


def copied_share(summary: str, excerpt: Excerpt) -> float:
    """Share of a summary's runs of eight words (characters of Chinese) that stand in the window."""
    flat = normalise(summary)
    if excerpt.language == "zh":
        flat, shown = "".join(flat.split()), "".join(excerpt.flat.split())
        runs = [flat[at : at + COPY_RUN] for at in range(len(flat) - COPY_RUN + 1)]
    else:
        words, shown = flat.split(), excerpt.flat
        runs = [" ".join(words[at : at + COPY_RUN]) for at in range(len(words) - COPY_RUN + 1)]
    return sum(run in shown for run in runs) / len(runs) if runs else 1.0


GOLDS: dict[type[Written], Callable[..., Outcome]] = {
    Span: _span,
    Choice: _choice,
    Listing: _listing,
    Number: _number,
    Rows: _rows,
    Matches: _matches,
    Ranking: _ranking,
    Steps: _steps,
    Summary: _summary,
}
"""What a model wrote -> how its gold answer is read."""


def gold_of(one: Written, proof: Proof, rng: random.Random) -> Outcome:
    """The gold answer of a question, or why it may not be asked."""
    return GOLDS[type(one)](one, proof, rng)

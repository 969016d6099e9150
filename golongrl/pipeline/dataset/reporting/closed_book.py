"""The closed-book baseline: what guessing from the question alone earns, against chance.

A dataset whose questions give answers away teaches a model to guess. Every strategy answers in the format of the
record's metric and is scored by the record's own reward. Chance is a random choice or order of the candidates that
the question states, else the gold answer of another record of the capability and language. Guesses are told how many
items the gold answer has, chance guesses too.
"""

import math
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from golongrl.core.records import Record
from golongrl.core.store import content_key
from golongrl.core.text import normalise_item
from golongrl.pipeline.dataset.reporting.closed_book_strategies import (
    ONE_ANSWER,
    OPEN,
    ORDERS,
    Listed,
    golds,
    listed,
    ordered,
    response_of,
)
from golongrl.pipeline.dataset.reporting.facts import ClosedBookFacts, GuessFacts
from golongrl.pipeline.dataset.reporting.survey import Draw
from golongrl.rewards import score_response

MARGIN = 0.05
"""A strategy may earn this much more than chance."""
DRAWS = 4
"""Random orders, or golds of other records, over which chance is averaged; single choices are counted out."""
LEAST_GROUP = 50
"""Records of one form and language from which its most frequent answer is a strategy of its own."""
Answer = tuple[str, ...]
"""The items of an answer, one for a metric that reads one answer."""
Key = TypeVar("Key", str, Answer)
FREQUENT, FREQUENT_OF_FORM = "most frequent answer", "most frequent answer of the form"
FREQUENT_ITEMS = "most frequent items"
VERDICTS = {
    "within": f"no strategy earns more than {MARGIN:.0%} over chance",
    "above": f"a strategy earns more than {MARGIN:.0%} over chance by more than two standard errors",
    "unclear": "a strategy earns more, but within two standard errors: too few records to tell",
}


@dataclass(frozen=True)
class _Marks:
    """The scores of one record: chance, its variance over random guesses, and what each strategy earns."""

    form: str
    chance: float
    variance: float
    earned: Mapping[str, float]


def closed_book(questions: Mapping[str, Draw[Record]]) -> list[ClosedBookFacts]:
    """One entry per capability, each followed by one per task form of it.

    `questions` holds the records to answer per capability (`survey.Survey.questions`); prompts are not read.
    """
    found: list[ClosedBookFacts] = []
    for capability, draw in questions.items():
        marks = _marks(draw.drawn())
        if marks:
            found.append(_summary(capability, "", marks))
        for form in sorted({mark.form for mark in marks}):
            found.append(_summary(capability, form, [mark for mark in marks if mark.form == form]))
    return found


def _marks(answered: Sequence[Record]) -> list[_Marks]:
    """Every record of one capability, with chance and strategies scored."""
    everyone = _Golds(answered)
    marks = []
    for number, record in enumerate(answered):
        scores, question = _Scores(record), everyone.questions[number]
        size = 1 if record.metric in ONE_ANSWER else len(everyone.answers[number])
        rng = random.Random(content_key("closed book", record.extra_info["question"], everyone.answers[number]))
        guesses = everyone.others(number, rng) if question is None else _random_orders(question, size, rng)
        drawn = [scores.of(guess) or 0.0 for guess in guesses] or [0.0]
        given = everyone.frequent(number, size) | _strategies(record, question, size)
        earned = {
            name: score for name, answer in given.items() if answer and (score := scores.of(answer)) is not None
        }
        form = record.extra_info["task_form"]
        marks.append(_Marks(form, statistics.fmean(drawn), statistics.pvariance(drawn), earned))
    return marks


class _Golds:
    """The gold answers of one capability's records: what a reader knows who has seen the rest of the dataset."""

    def __init__(self, answered: Sequence[Record]) -> None:
        self.records = answered
        self.answers: list[Answer] = [tuple(golds(record)) for record in answered]
        self.questions = [listed(record) for record in answered]
        self._of_language: defaultdict[str, list[int]] = defaultdict(list)
        answers: defaultdict[Hashable, Counter[Answer]] = defaultdict(Counter)
        items: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for number, record in enumerate(answered):
            self._of_language[record.language].append(number)
            for group in self._groups(number):
                answers[group][self.answers[number]] += 1
            items[record.language].update(set(self.answers[number]))
        self._sizes = {group: tally.total() for group, tally in answers.items()}
        # Without one record's own answer, the first of the others is among the first two.
        self._answers = {group: _ranked(tally)[:2] for group, tally in answers.items()}
        self._items = {language: _ranked(tally) for language, tally in items.items()}

    def _groups(self, number: int) -> tuple[Hashable, Hashable]:
        """What a record's answer is compared with: the capability, and its form and language. Answers to as many
        candidates are alike; others are not."""
        question, record = self.questions[number], self.records[number]
        candidates = 0 if question is None else len(question.answers)
        return candidates, (candidates, record.extra_info["task_form"], record.language)

    def frequent(self, number: int, size: int) -> dict[str, Answer | None]:
        """The most frequent answer and items among the other records, where they occur there twice. To a question
        with one right candidate the most frequent letter of all is given: without the own one, the most frequent of
        balanced letters would never be right."""
        own, question = self.answers[number], self.questions[number]
        every, of_form = self._groups(number)
        out = (own,) if question is None or len(own) > 1 else ()
        given: dict[str, Answer | None] = {FREQUENT: _first(self._answers[every], out)}
        if self._sizes[of_form] >= LEAST_GROUP:
            given[FREQUENT_OF_FORM] = _first(self._answers[of_form], out)
        if question is not None:
            return {name: answer for name, answer in given.items() if answer and set(answer) <= set(question.answers)}
        if self.records[number].metric not in ONE_ANSWER:
            # An own item loses one place in the count, so no item from far behind moves up.
            near = self._items[self.records[number].language][: 4 * size + 20]
            ranked = _ranked({item: count - (item in own) for item, count in near})
            given[FREQUENT_ITEMS] = tuple(item for item, count in ranked[:size] if count > 1)
        return given

    def others(self, number: int, rng: random.Random) -> list[Answer]:
        """Answers of other records of the same language (of any, where there is no other), drawn with replacement."""
        pool: Sequence[int] = self._of_language[self.records[number].language]
        if len(pool) < 2:
            pool = range(len(self.records))
        drawn: list[Answer] = []
        while len(pool) > 1 and len(drawn) < DRAWS:
            other = pool[rng.randrange(len(pool))]
            if other != number:
                drawn.append(self.answers[other])
        return drawn


def _ranked(counts: Mapping[Key, int]) -> list[tuple[Key, int]]:
    """The largest count first; equal counts in the order of their keys."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _first(ranked: Sequence[tuple[Answer, int]], out: Collection[Answer]) -> Answer | None:
    """The most frequent answer when one occurrence of each in `out` is left aside; None where none occurs twice."""
    answer, count = _ranked({answer: count - (answer in out) for answer, count in ranked})[0]
    return answer if count > 1 else None


def guesses(record: Record) -> dict[str, bool]:
    """Of a choice: strategy -> whether it picks the right option from the question alone.

    Strategies without an answer are left out; other questions have none.
    """
    question = listed(record) if record.metric == "choice" else None
    if question is None:
        return {}
    gold = tuple(golds(record))
    given = _strategies(record, question, 1)
    return {name: answer == gold for name, answer in given.items() if answer is not None}


def free_items(record: Record) -> list[str]:
    """The normalised items of an answer that is a list; none where the question states candidates."""
    if record.metric in ONE_ANSWER or listed(record) is not None:
        return []
    return sorted(set(map(normalise_item, golds(record))))


def _strategies(record: Record, question: Listed | None, size: int) -> dict[str, Answer | None]:
    """What each strategy answers, cut to the gold's number of items; None where it has no answer."""
    if question is None:
        answers = {name: find(record) for name, find in OPEN.items()}
    else:
        answers = {name: ordered(question, name) for name in ORDERS}
    return {name: None if answer is None else tuple(answer[:size]) for name, answer in answers.items()}


class _Scores:
    """Scores of answers to one record under its own reward; equal answers are scored once."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._known: dict[Answer, float | None] = {}

    def of(self, answer: Sequence[str]) -> float | None:
        """The score, or None where the metric has no format for such an answer."""
        key = tuple(answer)
        if key not in self._known:
            response = response_of(self.record, key)
            self._known[key] = None if response is None else score_response(self.record, response).value
        return self._known[key]


def _random_orders(question: Listed, size: int, rng: random.Random) -> list[Answer]:
    """Every candidate once where one is asked for, else random orders of them, cut to the gold's number of items."""
    if size == 1:
        return [(answer,) for answer in question.answers]
    return [tuple(rng.sample(question.answers, len(question.answers))[:size]) for _ in range(DRAWS)]


def _summary(capability: str, form: str, marks: Sequence[_Marks]) -> ClosedBookFacts:
    chance = statistics.fmean(mark.chance for mark in marks)
    every = (FREQUENT, FREQUENT_OF_FORM, FREQUENT_ITEMS, *ORDERS, *OPEN)
    names = [name for name in every if any(name in mark.earned for mark in marks)]
    guesses = [_guess(name, chance, marks) for name in names]
    if not guesses:
        guesses = [_guess("no strategy has an answer", chance, marks)]
    highest = max(guesses, key=lambda guess: guess["difference"])
    if highest["difference"] <= MARGIN:
        verdict = "within"
    else:
        verdict = "above" if highest["difference"] - 2 * highest["error"] > MARGIN else "unclear"
    return {
        "capability": capability,
        "form": form,
        "scored": len(marks),
        "chance": round(chance, 4),
        "guesses": guesses,
        "highest": highest,
        "widest": max(guesses, key=lambda guess: abs(guess["difference"])),
        "verdict": verdict,
    }


def _guess(name: str, chance: float, marks: Sequence[_Marks]) -> GuessFacts:
    answered = [mark for mark in marks if name in mark.earned]
    differences = [mark.earned[name] - mark.chance if name in mark.earned else 0.0 for mark in marks]
    difference = statistics.fmean(differences)
    # A few equal scores say nothing of their spread; what random guessing would spread bounds it from below.
    spread = max(sum((d - difference) ** 2 for d in differences), sum(mark.variance for mark in answered))
    return {
        "strategy": name,
        "n": len(answered),
        "mean": round(chance + difference, 4),
        "difference": round(difference, 4),
        "error": round(math.sqrt(spread) / len(marks), 4),
    }

"""How often an answer passes by luck alone, so that a guess that was right is not taken for knowledge."""

import itertools
import math
import random
from collections.abc import Iterable

from golongrl.core.records import Record
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct.form import LETTERS
from golongrl.pipeline.dataset.refine import CHANCE
from golongrl.pipeline.dataset.reporting.closed_book_strategies import ONE_ANSWER, golds, listed, response_of
from golongrl.pipeline.dataset.verifying.rollouts import passes
from golongrl.rewards import score_response
from golongrl.rewards.choice import gold_letter, option_letters

LUCK = 0.1
"""Chance answers that pass this often, or more often, prove nothing. With two answers to a question of four options,
both right happen by luck in 1/16 of all cases and count; one of two right happens in 7/16 and does not."""
ORDERS_COUNTED = 720
"""Orders of the candidates up to which all are scored; of more, as many are drawn."""
SMALL_NUMBER = 10
"""Whole numbers from 0 up to this one are guessed right one time in as many."""
_EITHER_OR = (("yes", "no"), ("true", "false"), ("是", "否"), ("是", "不是"), ("对", "错"))


def chance(record: Record, mark: float) -> float:
    """Share of random answers that score `mark` or more: choices and orders of the candidates that the question
    states. Where it states none: 1/2 for yes or no, 1/10 for a small whole number, one among the letters of the
    options, which count as four where nobody lists them; else 0."""
    question = listed(record) if record.extra_info.get("question") else None
    if question is None:
        return _open_chance(record)
    size = 1 if record.metric in ONE_ANSWER else len(golds(record))
    answers = question.answers
    if math.perm(len(answers), size) <= ORDERS_COUNTED:
        guesses: Iterable[tuple[str, ...]] = itertools.permutations(answers, size)
    else:
        rng = random.Random(record.extra_info["question"])
        guesses = (tuple(rng.sample(answers, size)) for _ in range(ORDERS_COUNTED))
    responses = [response_of(record, guess) for guess in guesses]
    values = [None if one is None else score_response(record, one).value for one in responses]
    return sum(value is not None and passes(value, mark) for value in values) / len(values)


def beyond_luck(passes: int, answers: int, chance: float) -> bool:
    """Whether so many passes among the answers happen by luck in fewer than `LUCK` of all cases: the upper tail of
    the binomial distribution with the chance of one pass."""
    tail = sum(math.comb(answers, n) * chance**n * (1 - chance) ** (answers - n) for n in range(passes, answers + 1))
    return passes > 0 and tail < LUCK


def _open_chance(record: Record) -> float:
    gold = normalise(golds(record)[0]) if golds(record) else ""
    if record.metric in ("em", "choice") and any(gold in pair for pair in _EITHER_OR):
        return 0.5
    if record.metric == "choice" and gold_letter(gold):
        letters = len(option_letters(record))
        return 1 / letters if letters < len(LETTERS) else CHANCE
    small = record.metric in ("em", "math") and gold.isascii() and gold.isdigit() and int(gold) <= SMALL_NUMBER
    return 1 / SMALL_NUMBER if small else 0.0

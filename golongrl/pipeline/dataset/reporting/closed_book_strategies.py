"""How a reader who was given no document would guess: orders of the candidates that a question states, and answers
where it states none."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from golongrl.core.errors import DataError
from golongrl.core.records import GroundTruth, Record
from golongrl.core.text import normalise_item
from golongrl.pipeline.dataset.construct.form import LETTERS
from golongrl.rewards import gold_response
from golongrl.rewards.choice import gold_letter
from golongrl.rewards.items import gold_aliases, gold_texts

ONE_ANSWER = ("em", "choice", "math", "iou", "rouge_l")
"""Metrics that read one answer; the others read a list of items."""

_WORD = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]+")
_NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_MONTH = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZH_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千]+")
_ZH_DIGITS = {"零": 0, "〇": 0, **dict(zip("一二三四五六七八九", range(1, 10), strict=True)), "两": 2}
_ZH_UNITS = {"十": 10, "百": 100, "千": 1000}
_QUOTED = re.compile(r'"([^"\n]{1,200})"|“([^”\n]{1,200})”|「([^」\n]{1,200})」|《([^》\n]{1,200})》')
_OPTION = re.compile(r"^\s*(?:[-*•]|\(?[A-Z][.)]|\(?\d{1,3}[.)])\s+")


@dataclass(frozen=True)
class Listed:
    """The candidates that a question states: their texts, what to answer for each, and the question around them."""

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    stem: str


def golds(record: Record) -> list[str]:
    """The items of the gold answer, one for a metric that reads one answer."""
    if record.metric == "choice":
        return [gold_letter(alias) or alias for alias in gold_aliases(record)[:1]]
    return gold_aliases(record)[:1] if record.metric in ONE_ANSWER else gold_texts(record)


def listed(record: Record) -> Listed | None:
    """The options of a choice, else `extra_info.listed`: answered by letter or number where the gold is one, else as
    they stand. None where the question states no candidates, or such that the gold answer is not among them."""
    choice = record.metric == "choice"
    texts = tuple((record.extra_info.get("options") if choice else record.extra_info.get("listed")) or ())
    wanted = golds(record)
    known = {normalise_item(text) for text in texts}
    for answers in (texts, tuple(LETTERS[: len(texts)]), tuple(str(n + 1) for n in range(len(texts)))):
        # Options may read "A" themselves, but a choice is answered by letter.
        if choice and answers is texts and gold_letter(wanted[0]) is not None:
            continue
        known = {normalise_item(answer) for answer in answers}
        if len(texts) > 1 and len(answers) == len(texts) and all(normalise_item(gold) in known for gold in wanted):
            return Listed(texts, answers, stem(record.extra_info["question"], texts))
    return None


def stem(question: str, texts: Sequence[str]) -> str:
    """The question without the lines, or else the last places, where it states its candidates."""
    lines = question.split("\n")
    for text in sorted(texts, key=len, reverse=True):
        for number, line in enumerate(lines):
            if line.strip() == text.strip() or _OPTION.sub("", line).strip() == text.strip():
                del lines[number]
                break
        else:
            before, found, after = "\n".join(lines).rpartition(text)
            lines = f"{before} {after}".split("\n") if found else lines
    return "\n".join(lines)


def words(text: str) -> set[str]:
    """Lower-case words and numbers; of Chinese, pairs of neighbouring characters."""
    found: set[str] = set()
    for word in _WORD.findall(text.lower()):
        found.update([word] if word.isascii() or len(word) == 1 else map("".join, itertools.pairwise(word)))
    return found


def numbers(text: str) -> tuple[float, ...]:
    """The numbers of a text, as a key to sort by: year and month before the rest of a date."""
    plain = text.lower()
    found = [float(number.replace(",", "")) for number in _NUMBER.findall(plain)]
    if not found:
        found = [_chinese(number) for number in _ZH_NUMBER.findall(plain)]
    months = [float(_MONTHS.index(month) + 1) for month in _MONTH.findall(plain)]
    years = [number for number in found if number.is_integer() and 1000 <= number <= 2999]
    if not years:
        return tuple(found)
    found.remove(years[0])
    return (years[0], *months[:1], *found)


def _chinese(number: str) -> float:
    if not set(number) & set(_ZH_UNITS):
        # Years are written digit by digit.
        return float("".join(str(_ZH_DIGITS[char]) for char in number))
    total, digit = 0, 0
    for char in number:
        if char in _ZH_UNITS:
            total, digit = total + (digit or 1) * _ZH_UNITS[char], 0
        else:
            digit = _ZH_DIGITS[char]
    return float(total + digit)


Order = Callable[[Listed], Sequence[float] | Sequence[str] | Sequence[tuple[float, ...]] | None]
"""A key per candidate, the smallest first, ties as listed; None where it tells no two candidates apart."""


def _lengths(question: Listed) -> Sequence[float]:
    return [len(text) for text in question.texts]


def _shared(question: Listed) -> Sequence[float]:
    around = words(question.stem)
    return [len(words(text) & around) for text in question.texts]


def _share(question: Listed) -> Sequence[float]:
    around = words(question.stem)
    return [len(words(text) & around) / max(1, len(words(text))) for text in question.texts]


def _alike(question: Listed) -> Sequence[float]:
    sets = [words(text) for text in question.texts]
    occurrences = Counter(word for found in sets for word in found)
    return [sum(occurrences[word] - 1 for word in found) / max(1, len(found)) for found in sets]


def _numbers(question: Listed) -> Sequence[tuple[float, ...]] | None:
    found = [numbers(text) for text in question.texts]
    return found if sum(map(bool, found)) > len(found) / 2 else None


def _middle(question: Listed) -> Sequence[float] | None:
    found = _numbers(question)
    if found is None:
        return None
    ranks = sorted(found)
    return [abs(ranks.index(key) + ranks.count(key) / 2 - len(ranks) / 2) for key in found]


def _negative(order: Callable[[Listed], Sequence[float]]) -> Order:
    return lambda question: [-key for key in order(question)]


ORDERS: dict[str, tuple[Order, bool]] = {
    "as listed": (lambda question: range(len(question.texts)), False),
    "last listed": (lambda question: range(len(question.texts)), True),
    "most words of the question": (_negative(_shared), False),
    "fewest words of the question": (_shared, False),
    "largest share in the question": (_negative(_share), False),
    "most like the others": (_negative(_alike), False),
    "longest": (_negative(_lengths), False),
    "shortest": (_lengths, False),
    "alphabetical": (lambda question: [text.lower() for text in question.texts], False),
    "alphabetical, last first": (lambda question: [text.lower() for text in question.texts], True),
    "smallest number or earliest date": (_numbers, False),
    "largest number or latest date": (_numbers, True),
    "middle number": (_middle, False),
}
"""Strategy -> (key of each candidate, whether the largest comes first)."""


def ordered(question: Listed, strategy: str) -> list[str] | None:
    """The answers in the order of a strategy; None where it tells no two candidates apart."""
    order, largest = ORDERS[strategy]
    keys = order(question)
    if keys is None or len(set(keys)) < 2:
        return None
    ranked = sorted(range(len(keys)), key=lambda number: keys[number], reverse=largest)
    return [question.answers[number] for number in ranked]


def _question_itself(record: Record) -> list[str] | None:
    return [record.extra_info["question"]] if record.metric == "rouge_l" else None


def _quoted(record: Record) -> list[str] | None:
    if record.metric in ("iou", "rouge_l", "math"):
        return None
    found = [next(filter(None, groups)) for groups in _QUOTED.findall(record.extra_info["question"])]
    # The first quotation is mostly the document's title.
    return list(dict.fromkeys(found[1:])) or None


def _stated_number(record: Record) -> list[str] | None:
    if record.metric != "math":
        return None
    return _NUMBER.findall(record.extra_info["question"])[:1] or None


OPEN: dict[str, Callable[[Record], list[str] | None]] = {
    "the question itself": _question_itself,
    "quoted in the question": _quoted,
    "first number of the question": _stated_number,
}
"""Strategies for questions that state no candidates; None where one has no answer."""


def response_of(record: Record, answer: Sequence[str]) -> str | None:
    """The answer in the metric's format: the ideal response to a record with this gold; None where the metric has no
    format for it."""
    if record.metric in ONE_ANSWER:
        truth = GroundTruth(golden_label=answer[0], summary=record.gold.summary)
    else:
        truth = GroundTruth(doc_ids=list(answer), summary=record.gold.summary)
    guessed = record.model_copy(
        update={"reward_model": record.reward_model.model_copy(update={"ground_truth": truth})}
    )
    try:
        return gold_response(guessed)
    except DataError:
        return None

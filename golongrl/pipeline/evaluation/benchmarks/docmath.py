"""DocMath-Eval: numbers computed from financial documents with tables.

Data set `yale-nlp/DocMath-Eval`, MIT, splits complong, compshort, simplong and simpshort `_testmini` (300, 200, 100
and 200 rows); no commit is pinned, because none is known here to be right: the newest is taken, and the run records
it. Columns: `question_id`, `question`, `paragraphs` (a list of texts and tables), `paragraph_evidence` and
`table_evidence` (numbers of those that count), `ground_truth` (a number or yes, no, true, false). Metric: share of
right numbers, `strict`: the sign counts, and 0.15 % is forgiven, the data set's own tolerance. `lenient` in the
details also forgives a wrong power of ten and rounding to two or more places, as the published metric does; that one
drops signs, too. A judge is asked only about what is not right by the strict rule.
Published (larger of lenient and judge): 61.0 (Qwen3-4B-Thinking-2507), 62.3 (GoLongRL-4B), 65.3 (GoLongRL-30B-A3B).
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.records import Score
from golongrl.core.store import content_key
from golongrl.core.text import answer_area, final_text
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import judging, reading
from golongrl.pipeline.evaluation.benchmarks.answers import after_thinking
from golongrl.pipeline.evaluation.benchmarks.answers import stated as stated_words
from golongrl.pipeline.evaluation.benchmarks.base import (
    Benchmark,
    Item,
    Judge,
    LoadOptions,
    Messages,
    Thinking,
)
from golongrl.pipeline.evaluation.benchmarks.evidence import located
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of, texts_of
from golongrl.rewards.math import gold_expression
from golongrl.rewards.quantity import Quantity, equal_quantities, parse_quantity
from golongrl.rewards.stated import stated_answer

SUBSETS = ("complong", "compshort", "simplong", "simpshort")
HUB = hub_data.HubSource("yale-nlp/DocMath-Eval", None, tuple(f"*{name}?testmini*" for name in SUBSETS))
TOLERANCE = 0.0015
"""Relative to the gold number."""

_TRUTH = {"yes": True, "true": True, "no": False, "false": False}
_WORD = re.compile(r"\W*(yes|no|true|false)\b", re.IGNORECASE)
_PLACES = re.compile(r"\d\.(\d+)")


def gold_text(value: Any, where: str) -> str:
    """A gold answer as text, either a number or one of yes, no, true and false."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        # repr keeps every digit; a float such as 1e-05 is written out by the parser of quantities.
        value = repr(value)
    if not isinstance(value, str) or (_truth(value) is None and gold_expression(value).quantity is None):
        raise DataError(
            f"{where}, column ground_truth: {str(value)[:40]!r} is neither a number nor yes, no, true or false; mend "
            "or remove the row"
        )
    return value


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The question and its answer."""
    question = text_of(row, where, "question")
    if "ground_truth" not in row:
        there = ", ".join(list(map(str, row))[:12])
        raise DataError(
            f"{where}, column ground_truth: is missing (there are {there}); the test splits hide it, take testmini"
        )
    return {"question": question, "answer": gold_text(row["ground_truth"], where)}


def read(row: Row, where: str) -> Item:
    """One row as an item."""
    gold, identity = read_gold(row, where), text_of(row, where, "question_id")
    paragraphs = texts_of(row, where, "paragraphs")
    document = "\n".join(paragraphs)
    messages, place = reading.prompt(document, gold["question"])
    subset = next((name for name in SUBSETS if name in f"{identity} {where.rpartition('/')[2]}"), None)
    buckets = {"subset": subset} if subset else {}
    item = Item(identity, messages, gold, buckets, content_key(document), 16, place)
    starts = [place[1]]
    for paragraph in paragraphs:
        starts.append(starts[-1] + len(paragraph) + 1)
    return located(item, [(place[0], starts[one], starts[one + 1] - 1) for one in _evidence(row, len(paragraphs))])


def _evidence(row: Row, count: int) -> list[int]:
    """Numbers of the paragraphs and tables that the answer is computed from; none where a row does not say."""
    named = [row.get(name) for name in ("paragraph_evidence", "table_evidence")]
    numbers = [one for several in named if isinstance(several, (list, tuple)) for one in several]
    return sorted({one for one in numbers if isinstance(one, int) and 0 <= one < count})


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the files."""
    return each_row("docmath", options, HUB, read)


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """1 if the stated number is right by the strict rule; `strict` and `lenient` in the details."""
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    wanted = _truth(gold["answer"])
    if wanted is not None:
        word = _WORD.match(stated_words(said).text)
        if word is None:
            return Score(value=0.0, reason="no_answer")
        right = float(_TRUTH[word[1].lower()] is wanted)
        return Score(value=right, details={"answer": word[1], "strict": right, "lenient": right})
    stated = stated_answer(*answer_area(said))
    if stated.text is None:
        return Score(value=0.0, reason="no_answer")
    details = {"answer": stated.text[:200], "how": stated.how}
    number, truth = parse_quantity(stated.text.strip().strip("$").strip()), gold_expression(gold["answer"]).quantity
    if truth is None:
        return Score(value=None, reason="malformed_gold", details=details)
    strict = number is not None and equal_quantities(truth, number, TOLERANCE)
    lenient = strict or (number is not None and _nearly(truth, number, _places(stated.text)))
    return Score(value=float(strict), details={**details, "strict": float(strict), "lenient": float(lenient)})


def judge_messages(gold: dict[str, Any], response: str, think: Thinking) -> Messages | Score:
    """Ask about an answer that is not right by the strict rule; what states no answer is not asked about."""
    rule = score(gold, response, think)
    if rule.reason == "unclosed_think" or rule.value == 1.0:
        return rule if rule.value != 1.0 else judging.without_asking(1.0, "strict")
    answer = stated_words(final_text(response, think).text)
    if not answer.text:
        return Score(value=0.0, reason="no_answer")
    return judging.equality(gold["question"], [gold["answer"]], answer.text)


def _truth(text: str) -> bool | None:
    return _TRUTH.get(text.strip().lower())


def _places(text: str) -> int:
    """Decimal places of the last number in a text."""
    found = _PLACES.findall(text)
    return len(found[-1]) if found else 0


def _nearly(gold: Quantity, answer: Quantity, places: int) -> bool:
    """Whether an answer is the gold number but for a power of ten, or rounded to its two or more places."""
    if not gold.value or not answer.value or (gold.value > 0) != (answer.value > 0):
        return False
    if places >= 2 and abs(gold.value - answer.value) * 2 <= Fraction(1, 10**places):
        return True
    ratio = gold.value / answer.value
    while ratio >= 5:
        ratio /= 10
    while ratio < Fraction(1, 2):
        ratio *= 10
    return abs(ratio - 1) <= Fraction(TOLERANCE)


DOCMATH = Benchmark(
    name="docmath",
    dataset=HUB.repo,
    split="complong, compshort, simplong, simpshort testmini",
    fields="question_id, question, paragraphs, ground_truth",
    licence="MIT",
    metric="share of right numbers, by the strict rule or the judge",
    load=load,
    score=score,
    from_row=from_response(read_gold, "question", "ground_truth"),
    hub=HUB,
    judge=Judge(judge_messages, judging.read_verdict, "share of right numbers by the strict rule"),
)

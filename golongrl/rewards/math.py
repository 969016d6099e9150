"""Mathematical equality of the stated answer and the gold: plain quantities here, everything else in a worker.

math-verify decides what is no plain number. It runs in processes that can be killed (`pool.py`), because sympy may
compute for ever inside one call.
"""

import functools
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any

from golongrl.core.records import Record, Score
from golongrl.core.text import answer_area, normalise
from golongrl.rewards import pool
from golongrl.rewards.items import gold_aliases
from golongrl.rewards.quantity import Quantity, equal_quantities, parse_quantity
from golongrl.rewards.stated import Stated, formulas, plain_text, stated_answer, without_filler

LONGEST = 1_000
"""An answer with more characters than this, and than four times the gold, states no result and is not parsed."""

_UNREAD: Any = object()
# Thin spaces between the groups of a number.
_THIN = re.compile(r"(?<=[\d,])\\[!,;]\s*(?=\d)")
_EMPTY_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{\s*\}")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[a-z*]+\}")
_SPACING = re.compile(r"(?<!\\)\\(?:left|right|displaystyle|[!,;: ])|~")
_WRAPS = re.compile(
    r"\\(?:text|textnormal|mathrm|textrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}|\$\$?([^$]+)\$\$?|\\\(([^()]*)\\\)|\\\[(.*)\\\]",
    re.DOTALL,
)
_SYMBOLS = str.maketrans(
    {
        "π": r"\pi ",
        "∞": r"\infty ",
        "×": r"\times ",
        "÷": r"\div ",
        "·": r"\cdot ",
        "√": r"\sqrt ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "°": r"^{\circ}",
    }
)
# A word that is neither a command nor a function makes prose, which equals only itself: to sympy, anagrams are equal
# products of letters.
_PROSE = re.compile(
    r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|lim|max|min|det|gcd|lcm|mod|sqrt|and)\b)[A-Za-z]{3,}"
    r"|[\u3400-\u9fff]"
)


@dataclass(slots=True)
class Expression:
    """One side of the comparison: its text without wrapping."""

    text: str
    _quantity: Any = _UNREAD

    @property
    def quantity(self) -> Quantity | None:
        """The plain quantity that the text states, if it is one; read on first use."""
        if self._quantity is _UNREAD:
            self._quantity = parse_quantity(self.text)
        found: Quantity | None = self._quantity
        return found

    @property
    def prose(self) -> bool:
        """Whether the text has words of its own, so that only string equality applies."""
        return self.quantity is None and _PROSE.search(_ENVIRONMENT.sub("", self.text)) is not None


def math_equal(record: Record, text: str) -> Score:
    """1 if the last boxed or stated answer of a final text equals a gold alias mathematically.

    Plain numbers (percent, units, thousands, fractions, scale words) are compared exactly, or within
    `extra_info.tolerance` (relative) where the record has one; anything else by math-verify. The value is None with
    reason `timeout` or `error` when the comparison found no end, and with `malformed_gold` without a usable gold.
    """
    golds = gold_aliases(record)
    if not golds:
        return Score(value=None, reason="malformed_gold", details={"problem": "no gold answer in golden_label"})
    tolerance = tolerance_of(record)
    if isinstance(tolerance, Score):
        return tolerance
    return compare(golds, stated_answer(*answer_area(text)), tolerance)


def compare(golds: list[str], stated: Stated, tolerance: float = 0.0) -> Score:
    """Score of a stated answer against gold aliases."""
    expected = [gold for gold in map(gold_expression, golds) if gold.text]
    if not expected:
        problem = f"golden_label {golds[0][:100]!r} holds no expression"
        return Score(value=None, reason="malformed_gold", details={"problem": problem})
    if any(_as_written(gold, stated.whole) for gold in expected):
        return Score(value=1.0, details={"answer": stated.whole[:200], "how": stated.how})
    if stated.text is None:
        return Score(value=0.0, reason="no_answer")
    details = {"answer": stated.text[:200], "how": stated.how}
    if len(stated.text) > max(LONGEST, 4 * max(map(len, golds))):
        return Score(value=0.0, reason="degenerate", details=details)
    answer = _expression(stated.text)
    open_golds = []
    for gold in expected:
        same = _same(gold, answer, tolerance)
        if same:
            return Score(value=1.0, details=details)
        if same is None:
            open_golds.append(gold)
    for gold in open_golds:
        for form in _forms(gold):
            verdict = pool.verdict(form, _forms(answer)[0], tolerance)
            if verdict.equal is None:
                return Score(value=None, reason=verdict.reason, details={**details, "problem": verdict.problem})
            if verdict.equal:
                return Score(value=1.0, details=details)
    return Score(value=0.0, details=details)


@functools.lru_cache(maxsize=1024)
def gold_expression(gold: str) -> Expression:
    """A gold label in comparable form, out of its box or phrase; cached for the rollouts of a group."""
    stated = stated_answer(gold)
    if stated.text and stated.how in ("box", "phrase"):
        return _expression(stated.text)
    plain = _EMPTY_BOX.sub("", plain_text(gold)).strip()
    return _expression(formulas(plain) or plain)


def _expression(text: str) -> Expression:
    stripped = _strip(text)
    if stripped[:1].isdigit():
        return Expression(stripped)
    if (bare := without_filler(stripped)) != stripped and (about := Expression(bare)).quantity:
        return about
    return Expression(stripped)


def _strip(text: str) -> str:
    """The text without delimiters, spacing commands and a full stop around it."""
    text = text.strip()
    while match := _WRAPS.fullmatch(text):
        text = next(group for group in match.groups() if group is not None).strip()
    if "\\" in text or "~" in text:
        text = _SPACING.sub(" ", _THIN.sub("", text)).strip()
    return text.rstrip(".。").strip("*` ")


def _as_written(gold: Expression, whole: str) -> bool:
    return 0 < len(whole) < 2 * len(gold.text) + 20 and normalise(_strip(whole)) == normalise(gold.text)


def _same(gold: Expression, answer: Expression, tolerance: float) -> bool | None:
    """Equality as far as it can be told without algebra; None where a worker has to decide."""
    if gold.text and gold.text == answer.text:
        return True
    if gold.quantity and answer.quantity:
        return equal_quantities(gold.quantity, answer.quantity, tolerance)
    if gold.prose or answer.prose:
        return normalise(gold.text) == normalise(answer.text)
    return None if answer.text else False


def _forms(side: Expression) -> list[str]:
    """What math-verify gets to read; a percentage as it stands and as a share of one."""
    if side.quantity is None:
        return [side.text.translate(_SYMBOLS)]
    if not side.quantity.percent:
        return [side.quantity.expression]
    return [side.quantity.expression, f"\\frac{{{side.quantity.expression}}}{{100}}"]


def tolerance_of(record: Record) -> float | Score:
    """`extra_info.tolerance`, relative to the gold value and 0 where there is none, or the Score of a bad one."""
    tolerance = record.extra_info.get("tolerance")
    if tolerance is None:
        return 0.0
    if isinstance(tolerance, Real) and not isinstance(tolerance, bool) and 0 <= float(tolerance) < 1:
        return float(tolerance)
    problem = f"extra_info.tolerance is {tolerance!r}, expected a share from 0 to 1"
    return Score(value=None, reason="malformed_gold", details={"problem": problem})

"""Equality of two mathematical expressions by math-verify and sympy; may take for ever, so workers run it."""

import functools
from typing import Any

from golongrl.core.errors import require


def equivalent(gold: str, answer: str, tolerance: float = 0.0) -> bool:
    """Whether `answer` states the same mathematics as `gold`; both are LaTeX or plain expressions.

    `tolerance`, relative to the gold value, applies where both evaluate to numbers. An answer that is no mathematics
    equals nothing. Raises what the comparison raises.
    """
    golds, answers = _parse(gold), _parse(answer)
    verify = require("math_verify").verify
    if verify(golds, answers, timeout_seconds=None, raise_on_error=True):
        return True
    return bool(tolerance) and any(_near(g, a, tolerance) for g in golds for a in answers)


@functools.lru_cache(maxsize=64)
def _parse(text: str) -> list[Any]:
    """Parsed expressions, cached because the rollouts of a group share their gold answer."""
    return require("math_verify").parse(f"\\boxed{{{text}}}", parsing_timeout=None, raise_on_error=True)


def _near(gold: Any, answer: Any, tolerance: float) -> bool:
    if isinstance(gold, str) or isinstance(answer, str):
        return False
    values = [part.evalf() for part in (gold, answer)]
    if not all(value.is_Number for value in values):
        return False
    return bool(abs(values[0] - values[1]) <= abs(values[0]) * tolerance)

"""Numbers of financial sets: derivations worked out again, scales and decimals that an answer is given in."""

import ast
import operator
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_BRACKETS = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "−": "-", "–": "-", "×": "*", "÷": "/"})
_NOISE = re.compile(r"[$€£¥%]|(?<=\d),(?=\d)")
_WRITTEN = re.compile(r"[\d\s.eE_+*/()-]+")
MAX_LENGTH = 500
"""Longer derivations are not worked out."""
MAX_EXPONENT = 100
"""Of a plain number: written out, one with more has no bound."""


def evaluate(derivation: str) -> float | None:
    """The value of a sum, product ... of numbers; None where it is anything else."""
    text = _NOISE.sub("", derivation.translate(_BRACKETS)).strip()
    if len(text) > MAX_LENGTH or not _WRITTEN.fullmatch(text):
        return None
    try:
        return _value(ast.parse(text, mode="eval").body)
    # MemoryError: a hundred brackets in a row.
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return -_value(node.operand) if isinstance(node.op, ast.USub) else _value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError("no arithmetic")


def plain_number(value: object) -> Decimal | None:
    """A number written plainly ("-12.6", "1,234", "14.3%", 0.143); None for anything else."""
    if isinstance(value, bool):
        return None
    text = _NOISE.sub("", str(value)).strip()
    negative = re.fullmatch(r"\((.+)\)", text)
    try:
        number = Decimal(f"-{negative[1]}" if negative else text)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    return number if isinstance(exponent, int) and abs(exponent) <= MAX_EXPONENT else None


def decimals(number: Decimal) -> int:
    """Digits behind the point."""
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def agrees(number: Decimal, value: float) -> bool:
    """Whether a number is a value rounded to the number's own digits; one unit of the last digit is forgiven."""
    return abs(float(number) - value) <= 1.01 * 10.0 ** -decimals(number)


def unit_note(scale: str, digits: int) -> str:
    """What a question says about its number: " (in millions, rounded to 2 decimals)"; nothing for a plain one."""
    named = {"percent": "in percent", "": ""}.get(scale, f"in {scale}s")
    notes = [named, f"rounded to {digits} decimal{'s' if digits > 1 else ''}" if digits else ""]
    said = ", ".join(note for note in notes if note)
    return f" ({said})" if said else ""


def tolerance(number: Decimal) -> float:
    """The relative tolerance that accepts one unit of the last digit of a rounded number; 0 for a whole one."""
    digits = decimals(number)
    return 0.0 if not digits or not number else float(Decimal(10) ** -digits / abs(number))

"""Numbers as gold answers: exact and rounded, how a question states the rounding, and the tolerance of the reward."""

from decimal import Decimal
from fractions import Fraction

EXACT = {
    "en": "Answer with one exact number, in the unit that the table uses.",
    "zh": "用一个精确的数回答，单位与表格相同。",
}
_ROUNDED = {
    "en": "Round to {places}, halves away from zero.",
    "zh": "结果四舍五入保留{places}（负数按绝对值取舍）。",
}
_PLACES = {"en": {1: "one decimal place", 2: "two decimal places"}, "zh": {1: "一位小数", 2: "两位小数"}}
SMALL = 5
"""Counts and differences below this are guessed too easily."""


def plain(value: Decimal | Fraction | int) -> str:
    """An exact number as a plain string, without exponent and trailing zeros; ValueError for an endless fraction."""
    if isinstance(value, Fraction):
        divisor = value.denominator
        for prime in (2, 5):
            while divisor % prime == 0:
                divisor //= prime
        if divisor != 1:
            raise ValueError(f"{value} has no finite decimal form; round it")
        value = Decimal(value.numerator) / Decimal(value.denominator)
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def rounded(value: Fraction, places: int) -> str:
    """The value with so many decimals, halves away from zero; trailing zeros stay."""
    units = abs(value) * 10**places + Fraction(1, 2)
    whole = units.numerator // units.denominator
    digits = str(whole).rjust(places + 1, "0")
    sign = "-" if value < 0 and whole else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else sign + digits


def gold_rounded(value: Fraction, places: int) -> str | None:
    """The gold of a question that asks for a rounded number; None halfway between two numbers, where people round
    differently, and below 1, where nothing is left to find out."""
    if (abs(value) * 10**places).denominator == 2:
        return None
    gold = rounded(value, places)
    return gold if abs(Decimal(gold)) >= 1 else None


def rounding(places: int, language: str) -> str:
    """The sentence of a question that states the rounding."""
    return _ROUNDED[language].format(places=_PLACES[language][places])


def tolerance(gold: str, places: int) -> dict[str, float]:
    """`extra_info.tolerance` (relative) under which the gold counts with more decimals too, its neighbours do not."""
    return {"tolerance": float(f"{Decimal('0.49').scaleb(-places) / abs(Decimal(gold)):.3g}")}

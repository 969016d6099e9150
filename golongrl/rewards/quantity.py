"""Numbers as people write them: thousands, fractions, scientific, percent, scale words, units, currencies.

Two answers that are both plain quantities are compared here, exactly and without a worker process.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from golongrl.rewards.units import UNITS, unit_name

MAX_DIGITS = 400
"""Numbers with more digits or a larger exponent are no quantities: exact arithmetic on them has no bound."""

_MICRO = Fraction(1, 10**6)

_SCALES = {
    **dict.fromkeys(("hundred", "百"), 10**2),
    **dict.fromkeys(("thousand", "thousands", "千"), 10**3),
    **dict.fromkeys(("万", "萬"), 10**4),
    **dict.fromkeys(("million", "millions", "mn", "百万"), 10**6),
    "千万": 10**7,
    **dict.fromkeys(("亿", "億"), 10**8),
    **dict.fromkeys(("billion", "billions", "bn", "十亿"), 10**9),
    **dict.fromkeys(("trillion", "trillions", "tn", "万亿"), 10**12),
}
_MONEY = {"k": 10**3, "m": 10**6, "mm": 10**6, "b": 10**9}
_PERCENT = {
    "%",
    "percent",
    "per cent",
    "percentage",
    "pct",
    "percentage point",
    "percentage points",
    "个百分点",
    "个点",
}

_CURRENCY = r"(?:US\$|HK\$|\\\$|[$€£¥₹]|USD|RMB|CNY|EUR|GBP|人民币)"
_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
NUMBER = rf"(?:{_INTEGER}(?:\.\d+)?|\.\d+)"
"""A number without sign."""

_QUANTITY = re.compile(
    rf"(?:(?P<variable>[A-Za-z])\s*=\s*)?(?P<sign>[-+]?)\s*(?P<percent>百分之)?(?P<currency>{_CURRENCY})?\s*(?P<late>[-+]?)"
    r"(?:(?P<whole>\d+)(?:\s+(?=\d+\s*/)|\s*(?=\\[dt]?frac)))?"
    r"(?:\\[dt]?frac\s*(?:\{\s*(?P<over>-?\d+)\s*\}\s*\{\s*(?P<under>\d+)\s*\}|(?P<short>\d\d)(?!\d))"
    rf"|(?P<number>{NUMBER})(?:\s*/\s*(?P<divisor>{NUMBER}))?"
    r"(?:[eE](?P<exponent>[-+]?\d{1,3})|\s*(?:\\times|\\cdot|[×*x])\s*10\s*\^\s*(?P<brace>\{)?\s*(?P<power>[-+]?\d{1,3})\s*(?(brace)\}))?"
    r")(?P<tail>(?![\d,]\d).*)"
)
_PLAIN = re.compile(r"(-?(?:\d{1,3}(?:,\d{3})+|\d{1,300}))(?:\.(\d{1,100}))?(?: ?([a-z]{2,20}|[元年倍]))?")
_OVER = re.compile(r"(-?)(?:\\[dt]?frac\{(\d{1,200})\}\{(\d{1,200})\}|(\d{1,200})/(\d{1,200}))")
# Words after a number are a unit, a letter only apart from it ("3 m"): glued to it, it is algebra ("3x").
_UNKNOWN_UNIT = re.compile(
    r"(?:\s+|-)[a-z]{3,}(?:[\s/-]+[a-z]+){0,3}|\s*[\u3400-\u9fff]{1,8}|\s*/\s*(?:[a-z]{3,}|[\u3400-\u9fff]{1,4})"
)
# "12亿3000万" is one number.
_TWO_SCALES = re.compile(rf"({NUMBER})\s*亿\s*({NUMBER})\s*万")
_TEXT = re.compile(r"\\(?:text|textnormal|mathrm|textrm|textbf|mathbf|operatorname|mbox)\s*\{([^{}]*)\}")


@dataclass(frozen=True)
class Quantity:
    """A number with what was written around it; `value` leaves the percent sign out ("50%" is 50)."""

    value: Fraction
    percent: bool = False
    decimal: bool = False
    unit: str = ""
    variable: str = ""

    @property
    def expression(self) -> str:
        """The bare number in LaTeX, as a decimal where it was written as one."""
        number, divisor = self.value.as_integer_ratio()
        if self.decimal and not 10**MAX_DIGITS % divisor:
            return f"{Decimal(number) / Decimal(divisor):f}"
        return str(number) if divisor == 1 else f"\\frac{{{number}}}{{{divisor}}}"


def parse_quantity(text: str) -> Quantity | None:
    """The quantity that a whole text (NFKC, no surrounding markup) states, or None when it is anything else."""
    if (plain := _PLAIN.fullmatch(text)) and (plain[3] is None or plain[3] in UNITS):
        return _plain(*plain.groups())
    if over := _OVER.fullmatch(text):
        sign, *sides = over.groups()
        above, below = (int(side) for side in sides if side is not None)
        return Quantity(Fraction(-above if sign else above, below)) if below else None
    if "亿" in text and len(text) < MAX_DIGITS:
        text = _TWO_SCALES.sub(_in_ten_thousands, text)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    value = _value(match)
    tail = _tail(match["tail"], money=match["currency"] is not None)
    if value is None or tail is None:
        return None
    scale, percent, unit = tail
    if match["currency"]:
        symbol = match["currency"].lower().removeprefix("\\")
        unit = UNITS.get(symbol, symbol)
    exponent = match["exponent"] or match["power"]
    return Quantity(
        value=value * scale,
        percent=percent or match["percent"] is not None,
        decimal="." in (match["number"] or "") + (match["divisor"] or "") or exponent is not None,
        unit=unit,
        variable=match["variable"] or "",
    )


def _in_ten_thousands(match: re.Match[str]) -> str:
    hundred_millions, ten_thousands = (Decimal(part.replace(",", "")) for part in match.groups())
    return f"{10_000 * hundred_millions + ten_thousands:f}万"


def _plain(whole: str, places: str | None, unit: str | None) -> Quantity | None:
    """A number with or without a unit, the usual answer, without the cost of all else that may stand around one."""
    digits = whole.replace(",", "") + (places or "")
    if len(digits) > MAX_DIGITS:
        return None
    value = Fraction(int(digits), 10 ** len(places or ""))
    return Quantity(value, decimal=places is not None, unit=UNITS[unit] if unit else "")


def _value(match: re.Match[str]) -> Fraction | None:
    over, under = match["over"] or match["number"], match["under"] or match["divisor"]
    if match["short"]:
        over, under = match["short"][0], match["short"][1]
    if len(over) + len(under or "") > MAX_DIGITS:
        return None
    value = Fraction(over.replace(",", ""))
    if under is not None:
        divisor = Fraction(under.replace(",", ""))
        if not divisor:
            return None
        value /= divisor
    if match["whole"]:
        if under is None or len(match["whole"]) > MAX_DIGITS:
            return None
        value += int(match["whole"])
    exponent = int(match["exponent"] or match["power"] or 0)
    if abs(exponent) > MAX_DIGITS:
        return None
    if exponent:
        value *= Fraction(10) ** exponent
    return -value if (match["sign"] == "-") != (match["late"] == "-") else value


def _tail(text: str, money: bool) -> tuple[int, bool, str] | None:
    """(scale, percent, unit) of what follows a number, or None when that makes it no quantity.

    `money`: a currency stands in front, so that "M" is a million and not a metre.
    """
    if not text:
        return 1, False, ""
    plain = _TEXT.sub(r" \1 ", text).replace("\\%", "%").rstrip(" .").lower()
    if "\\" in plain:
        return None
    bare = plain.strip()
    if bare in _PERCENT:
        return 1, True, ""
    if money and bare in _MONEY:
        return _MONEY[bare], False, ""
    scale = 1
    word = max((name for name in _SCALES if bare.startswith(name)), key=len, default="")
    rest = bare[len(word) :]
    if word and not (word.isascii() and rest[:1].isalpha() and rest.isascii()):
        scale, plain, bare = _SCALES[word], rest, rest.strip()
    unit = unit_name(bare, glued=bare == plain)
    if unit is not None:
        return scale, False, unit
    return (scale, False, "") if not bare or _UNKNOWN_UNIT.fullmatch(plain.rstrip()) else None


def equal_quantities(gold: Quantity, answer: Quantity, tolerance: float = 0.0) -> bool:
    """Whether an answer states the gold quantity.

    Units are ignored unless both are known and differ (what they are per counts where both say so); a missing
    percent sign is forgiven in either direction (50 and 0.5 both equal 50%). Decimals agree when they do after
    rounding to 6 places, unless that leaves 0. `tolerance` is relative to the gold value.
    """
    units = zip(gold.unit.split("/"), answer.unit.split("/"), strict=False)
    if gold.unit and answer.unit and any(own != other for own, other in units):
        return False
    if gold.variable and answer.variable and gold.variable != answer.variable:
        return False
    rounded = gold.decimal or answer.decimal
    if gold.percent == answer.percent:
        return _close(gold.value, answer.value, rounded, tolerance)
    gold_share = gold.value / 100 if gold.percent else gold.value
    answer_share = answer.value / 100 if answer.percent else answer.value
    return _close(gold.value, answer.value, rounded, tolerance) or _close(
        gold_share, answer_share, rounded, tolerance
    )


def _close(gold: Fraction, answer: Fraction, rounded: bool, tolerance: float) -> bool:
    if gold == answer:
        return True
    difference = abs(gold - answer)
    if tolerance and difference <= abs(gold) * Fraction(tolerance):
        return True
    if not rounded or difference > _MICRO:
        return False
    micro = round(gold / _MICRO)
    return micro != 0 and micro == round(answer / _MICRO)

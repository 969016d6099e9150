"""Units and currencies as people write them, each under one name."""

import re

UNITS = {
    name: unit
    for unit, names in {
        "usd": "$ usd us$ dollar dollars 美元",
        "eur": "€ eur euro euros 欧元",
        "gbp": "£ gbp pound pounds 英镑",
        "jpy": "jpy yen 日元",
        "rmb": "¥ rmb cny yuan 元 人民币 元人民币",
        "hkd": "hkd hk$ 港元 港币",
        "mm": "mm millimeter millimeters millimetre millimetres 毫米",
        "cm": "cm centimeter centimeters centimetre centimetres 厘米",
        "m": "m meter meters metre metres 米",
        "km": "km kilometer kilometers kilometre kilometres 千米 公里",
        "mile": "mi mile miles 英里",
        "ft": "ft foot feet 英尺",
        "inch": "in inch inches 英寸",
        "mg": "mg milligram milligrams 毫克",
        "g": "g gram grams 克",
        "kg": "kg kilogram kilograms 千克 公斤",
        "t": "t ton tons tonne tonnes 吨",
        "ms": "ms millisecond milliseconds 毫秒",
        "s": "s sec second seconds 秒 秒钟",
        "min": "min minute minutes 分钟",
        "h": "h hr hrs hour hours 小时",
        "day": "d day days 天 日",
        "week": "week weeks 周 星期",
        "month": "month months 月 个月",
        "year": "yr yrs year years 年",
        "times": "times 倍",
        "m2": "sqm 平方米",
        "km2": "平方公里 平方千米",
        "m3": "立方米",
        "l": "litre litres liter liters 升",
        "ml": "ml 毫升",
        "ha": "ha hectare hectares 公顷",
        "°c": "°c 摄氏度",
        "°f": "°f 华氏度",
        **{name: name for name in ("kb", "mb", "gb", "tb", "hz", "khz", "mhz", "ghz", "kw", "mw", "gw", "kwh")},
    }.items()
    for name in names.split()
}
"""How a unit is written, in lower case -> its one name."""

_PER = re.compile(r"\s*/\s*|\s+per\s+")
_POWER = re.compile(r"(.+?)\s*\^?\{?([23])\}?")


def _either(names: list[str]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


# "in" is a preposition far more often than an inch.
_WORDS = _either([name for name in UNITS if name.isascii() and name.isalpha() and len(name) > 1 and name != "in"])
_SIGNS = _either([name for name in UNITS if not name.isascii()])
_SQUARED = r"(?:\^\{?[23]\}?)?"
UNIT = (
    rf"(?:(?=[ ]?[^\s\d.,;:()])(?:[ ]?(?:(?i:{_WORDS})|(?i:{_SIGNS}))|[ ][dghmst]){_SQUARED})"
    rf"(?:[ ]?/[ ]?(?:[A-Za-z]{{1,12}}|[\u3400-\u9fff]{{1,4}}){_SQUARED})?(?![A-Za-z0-9_^])"
)
"""A known unit behind a number, with what it is per; single letters only apart from the number."""


def unit_name(text: str, glued: bool) -> str | None:
    """One name for a known unit ("km", "m^{2}", "km/h"), or None; one letter `glued` to its number is algebra."""
    first, *per = _PER.split(text)
    name, letters = _named(first), first.rstrip("^{}23 ")
    algebra = glued and len(letters) == 1 and letters.isascii() and letters.isalpha()
    if name is None or algebra or len(per) > 1:
        return None
    below = _named(per[0]) if per else None
    return f"{name}/{below}" if below else name


def _named(text: str) -> str | None:
    if text in UNITS:
        return UNITS[text]
    power = _POWER.fullmatch(text)
    return UNITS[power[1]] + power[2] if power and power[1] in UNITS else None

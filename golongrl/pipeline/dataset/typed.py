"""What table cells and columns are: numbers with units, exact values, dates, missing cells, labels and total rows.

Everything here reads the cells' text alone, so it serves a parsed table and a table read back from a prompt alike.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from golongrl.core.text import compatible, normalise

CellKind = Literal["integer", "decimal", "percent", "currency", "year", "date", "text", "empty"]

NUMERIC: frozenset[str] = frozenset({"integer", "decimal", "percent", "currency"})
"""Kinds whose cells may be compared and, where the column is an amount, added."""

_MISSING = re.compile(
    r"(?:[-–—‒―−\s]+%?|\.{2,}|…|n\.?/?a\.?|n\.?m\.?|none|nil|null|tbd|无|暂无|不适用|未知|空缺)?", re.I
)
_CURRENCIES = {
    **dict.fromkeys(("us$", "$", "usd", "美元"), "usd"),
    **dict.fromkeys(("€", "eur", "欧元"), "eur"),
    **dict.fromkeys(("£", "gbp", "英镑"), "gbp"),
    **dict.fromkeys(("¥", "rmb", "cny", "元", "人民币"), "rmb"),
    **dict.fromkeys(("hk$", "hkd", "港元"), "hkd"),
    **dict.fromkeys(("jpy", "日元"), "jpy"),
    **dict.fromkeys(("₹", "inr"), "inr"),
}
_SCALES = {
    **dict.fromkeys(("thousand", "thousands", "千"), 10**3),
    **dict.fromkeys(("million", "millions", "百万"), 10**6),
    **dict.fromkeys(("billion", "billions", "十亿"), 10**9),
    **dict.fromkeys(("万", "萬"), 10**4),
    **dict.fromkeys(("亿", "億"), 10**8),
}
_LONGEST_FIRST = sorted(_SCALES, key=len, reverse=True)
_BARE_OR_CURRENCY = {"", *_CURRENCIES.values()}
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,18})(?:\.\d{1,12})?|\.\d{1,12}"
_NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+])?\s*(?P<currency>us\$|hk\$|[$€£¥₹]|usd|eur|gbp|rmb|cny|hkd|jpy|inr|人民币)?\s*"
    rf"(?P<late>[-+]|\()?\s*(?P<digits>{_DIGITS})\s*(?P<percent>%)?\s*(?P<close>\))?\s*(?P<outer>%)?"
    r"\s*(?P<unit>[^\W\d_][^\W\d_./²³]{0,15}|°[cf])?",
    re.IGNORECASE,
)
_ZERO_LED = re.compile(r"[-+]?0\d")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DATE = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?(?:[ T]\d\d:\d\d(?::\d\d)?)?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|{_MONTH}\s+\d{{1,2}}\s*,?\s*\d{{4}}|\d{{1,2}}\s+{_MONTH}\s*,?\s*\d{{4}}|{_MONTH}\s+\d{{4}}"
    r"|\d{4}\s*年\s*\d{1,2}\s*月(?:\s*\d{1,2}\s*日)?",
    re.IGNORECASE,
)
_IN_SCALE = re.compile(
    r"\b(?:in|of)\s+(?P<word>thousand|million|billion)s?\b|(?P<short>[$€£¥]\s?(?:m|mn|bn|k)\b|[$€£¥]\s?['’]?000\b)"
    r"|(?P<zh>百万|十亿|千|万|亿)(?:[美欧港日]?元|人民币)",
    re.IGNORECASE,
)
_SHORT_SCALES = {"m": 10**6, "mn": 10**6, "bn": 10**9, "k": 10**3, "000": 10**3}
_IDENTIFIER = re.compile(
    r"(?:\b(?:ids?|code|index|rank|ranking|position|zip|phone|year|page|version|port|key|seat)\b"
    r"|\b(?:no|nr|number)\.?$|#|编号|序号|代码|排名|名次|年份|电话|邮编|页码|号$)",
    re.IGNORECASE,
)
_SUM = re.compile(r"\b(?:sub-?totals?|totals?|sum)\b|合计|总计|小计|总和|共计", re.IGNORECASE)
_OTHER_SUMMARY = re.compile(r"\b(?:average|mean|median|overall|all)\b|平均", re.IGNORECASE)
MOST_LABEL = 120
"""Longest row label in characters."""
MOST_SUMMED = 300
"""Rows of a table above which no row is taken for the unnamed sum of others."""


@dataclass(frozen=True)
class Cell:
    """One cell: its kind and, where it is a number, the exact value as written, the unit ("usd", "%", "km", "million
    usd", "万 rmb"; empty for bare numbers) and the decimals shown."""

    text: str
    kind: CellKind
    value: Decimal | None = None
    unit: str = ""
    decimals: int = 0

    @property
    def amount(self) -> bool:
        """Whether it is a number other than a percentage or year, without a scale word ("1.2 million")."""
        return self.kind in NUMERIC and self.kind != "percent" and self.unit.split(" ")[0] not in _SCALES


@dataclass(frozen=True)
class Column:
    """One column: the kind all its filled cells share ("text" where they share none), the one unit of its numbers,
    and the scale that its name states ("in millions" is 1000000, else 1)."""

    name: str
    index: int
    kind: CellKind
    unit: str
    scale: int
    cells: tuple[Cell, ...]

    @property
    def numeric(self) -> bool:
        """Whether the filled cells are numbers of one unit."""
        return self.kind in NUMERIC

    @property
    def additive(self) -> bool:
        """Whether a sum over the column is a plain number that means something: amounts, neither percentages nor
        identifiers, without a scale word in the cells ("1.2 million")."""
        plain = self.kind in NUMERIC and self.kind != "percent" and self.unit.split(" ")[0] not in _SCALES
        return plain and not self.identifies

    @property
    def identifies(self) -> bool:
        """Whether its name announces numbers that name things ("No.", "year") instead of amounts."""
        return _IDENTIFIER.search(self.name) is not None

    @property
    def filled(self) -> bool:
        """Whether no cell is missing."""
        return all(cell.kind != "empty" for cell in self.cells)


@dataclass(frozen=True)
class TypedTable:
    """A table's columns and the column that labels its rows."""

    columns: tuple[Column, ...]
    labels: int | None

    @functools.cached_property
    def totals(self) -> frozenset[int]:
        """The numbers of the total rows (and rows of averages), which sums over the rows would count twice."""
        return frozenset(_totals(self.columns, self.labels))

    @property
    def numeric(self) -> list[Column]:
        """The columns of numbers."""
        return [column for column in self.columns if column.numeric]


@functools.lru_cache(maxsize=50_000)
def read_cell(text: str) -> Cell:
    """What a cell holds. "(1,234)" is negative, "—" and "n/a" are missing, "007" is text, "1,234 元" is currency."""
    plain = compatible(text).replace("−", "-").strip()
    if _MISSING.fullmatch(plain):
        return Cell(text, "empty")
    if len(plain) > 40 or not any(char.isdigit() for char in plain):
        return Cell(text, "text")
    if _YEAR.fullmatch(plain):
        return Cell(text, "year", Decimal(plain))
    match = _NUMBER.fullmatch(plain)
    if match is not None:
        return _number(text, match)
    return Cell(text, "date" if _DATE.fullmatch(plain) else "text")


def _number(text: str, match: re.Match[str]) -> Cell:
    digits = match["digits"]
    brackets = [match["open"] is not None or match["late"] == "(", match["close"] is not None]
    if brackets[0] != brackets[1] or _ZERO_LED.match(digits):
        return Cell(text, "text")
    signs = [sign for sign in (match["sign"], match["late"]) if sign in ("-", "+")]
    if len(signs) + brackets[0] > 1 or (match["percent"] and match["outer"]):
        return Cell(text, "text")
    value = Decimal(digits.replace(",", ""))
    if signs == ["-"] or brackets[0]:
        value = -value
    decimals = len(digits.partition(".")[2])
    word = (match["unit"] or "").casefold()
    currency = _CURRENCIES.get((match["currency"] or "").casefold(), "")
    scale = ""
    if word:
        scale = next((n for n in _LONGEST_FIRST if word.startswith(n) and (word == n or not n.isascii())), "")
    word = word[len(scale) :]
    if word in _CURRENCIES:
        if currency not in ("", _CURRENCIES[word]):
            return Cell(text, "text")
        currency, word = _CURRENCIES[word], ""
    percent = match["percent"] or match["outer"]
    if sum(map(bool, (currency, percent, word))) > 1:
        return Cell(text, "text")
    if percent:
        return Cell(text, "text") if scale else Cell(text, "percent", value, "%", decimals)
    unit = f"{scale} {currency or word}".strip()
    kind: CellKind = "currency" if currency else "decimal" if decimals else "integer"
    return Cell(text, kind, value, unit, decimals)


def same_unit(one: Cell, other: Cell) -> bool:
    """Whether two numbers are of one unit; a bare number goes with a currency, which tables write only here and
    there."""
    units = {one.unit, other.unit}
    return len(units) == 1 or ("" in units and units <= _BARE_OR_CURRENCY)


def scale_of(text: str) -> int:
    """The scale that a header or caption states: 1000000 for "in millions" or "€m", 10000 for "万元", else 1."""
    match = _IN_SCALE.search(compatible(text))
    if match is None:
        return 1
    if match["word"]:
        return _SCALES[match["word"].casefold()]
    if match["zh"]:
        return _SCALES[match["zh"]]
    return _SHORT_SCALES[re.sub(r"[^a-z0-9]", "", match["short"].casefold())]


def year_of(name: str) -> tuple[int, str] | None:
    """The one year of a column name and what else the name says ("30 June 2019" -> 2019, "30 june"), else None."""
    found = re.findall(rf"(?<!\d){_YEAR.pattern}(?!\d)", name)
    if len(found) != 1:
        return None
    return int(found[0]), normalise(name.replace(found[0], " "))


def typed_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> TypedTable:
    """The typed columns of a table whose rows all have as many cells as there are columns."""
    typed = tuple(_column(name, index, [row[index] for row in rows]) for index, name in enumerate(columns))
    labels = next((column.index for column in typed if _labels(column)), None)
    return TypedTable(typed, labels)


def _column(name: str, index: int, texts: Sequence[str]) -> Column:
    cells = tuple(map(read_cell, texts))
    kind, unit = _shared_kind([cell for cell in cells if cell.kind != "empty"])
    return Column(name, index, kind, unit, scale_of(name), cells)


def _shared_kind(cells: Sequence[Cell]) -> tuple[CellKind, str]:
    kinds = {cell.kind for cell in cells}
    if not kinds:
        return "empty", ""
    if kinds in ({"year"}, {"date"}):
        return cells[0].kind, ""
    # A number like 1950 reads as a year until its neighbours are amounts.
    kinds.discard("year")
    if not kinds <= NUMERIC:
        return "text", ""
    units = {cell.unit for cell in cells}
    if kinds <= {"integer", "decimal"} and len(units) == 1:
        return "decimal" if "decimal" in kinds else "integer", cells[0].unit
    if len(kinds) == 1 and len(units) == 1:
        return cells[0].kind, cells[0].unit
    # Financial tables write the currency on their first and last rows only.
    if "currency" in kinds and "percent" not in kinds and len(units - {""}) == 1 and units <= _BARE_OR_CURRENCY:
        return "currency", (units - {""}).pop()
    return "text", ""


def _labels(column: Column) -> bool:
    filled = [cell for cell in column.cells if cell.kind != "empty"]
    if not filled or column.kind not in ("text", "year", "date"):
        return False
    return 2 * len(filled) > len(column.cells) and all(len(cell.text) <= MOST_LABEL for cell in filled)


def is_total(label: str) -> bool:
    """Whether a row label announces a total, an average or another summary of rows."""
    return bool(_SUM.search(label) or _OTHER_SUMMARY.search(label))


def is_sum(label: str) -> bool:
    """Whether a row label announces a total and not an average."""
    return bool(_SUM.search(label)) and not _OTHER_SUMMARY.search(label)


def _totals(columns: Sequence[Column], labels: int | None) -> set[int]:
    rows = len(columns[0].cells) if columns else 0
    named = set() if labels is None else {i for i, c in enumerate(columns[labels].cells) if is_total(c.text)}
    amounts = [column for column in columns if column.additive]
    if not amounts or rows > MOST_SUMMED:
        return named
    vectors = [tuple(column.cells[row].value for column in amounts) for row in range(rows)]
    return named | set(_sums(vectors, named))


def _sums(vectors: Sequence[tuple[Decimal | None, ...]], named: set[int]) -> list[int]:
    """Rows that equal, in every filled column, the sum of two or more rows right above them."""
    found: list[int] = []
    width = len(vectors[0]) if vectors else 0
    running = (Decimal(0),) * width
    starts = {running: -1}
    before: tuple[Decimal, ...] | None = None
    for row, vector in enumerate(vectors):
        if all(value is None for value in vector):
            continue
        plain = tuple(value or Decimal(0) for value in vector)
        at = starts.get(tuple(total - value for total, value in zip(running, plain, strict=True)))
        # Few or small numbers add up by chance.
        weighty = sum(abs(value) >= 100 for value in plain) + (width > 1)
        adds = at is not None and row - at > 2 and plain != before and weighty >= 2 and any(plain)
        if adds or row in named:
            found += [row] if adds else []
            running, starts = (Decimal(0),) * width, {(Decimal(0),) * width: row}
            before = None
            continue
        running = tuple(total + value for total, value in zip(running, plain, strict=True))
        starts.setdefault(running, row)
        before = plain
    return found

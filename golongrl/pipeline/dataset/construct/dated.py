"""T8, sentences in the order of their dates: each names exactly one date, which the question leaves blank."""

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from golongrl.core.documents import Document, Span
from golongrl.core.text import compatible, normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import (
    LETTERS,
    Candidate,
    Phrasings,
    Place,
    Scene,
    Unfit,
    distinct,
    lettered,
    named,
)
from golongrl.pipeline.dataset.construct.ordering import DRAWS, FEWEST, LEANING, MOST, POOL, leaning, spread
from golongrl.pipeline.dataset.view import View

BLANK = "____"
Date = tuple[int, int, int]
"""Year, month and day; month and day are 0 where the text does not name them."""

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september")
_MONTHS += ("october", "november", "december")
_MONTH = (
    "(?P<month{0}>" + "|".join(name if len(name) < 5 else f"{name[:3]}(?:{name[3:]}|t?\\.)" for name in _MONTHS) + ")"
)
_YEAR = r"(?P<year{0}>1\d\d\d|20\d\d)(?![\d,]\d|\d|s\b|['’]s\b|[-–—/]\d|%)"
_DAY = r"(?P<day{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_BEFORE = (
    r"\b(?:in|since|until|till|by|during|before|after|of|from|to|year|early|late|mid|spring|summer|autumn|winter)"
)
_AFTER = (
    r"(?=[.,;:)!?]|$|\s+(?:the|a|an|and|or|to|by|at|with|when|as|for|he|she|it|they|we|was|were|is|had|has|have|that"
    r"|after|before|under|on|from|because|but|where|which|who|his|her|its|their|did|there|until)\b)"
)
_EN = re.compile(
    "|".join(
        form.format(index)
        for index, form in enumerate(
            (
                rf"\b{_MONTH}\s+{_DAY}(?:,\s*|\s+){_YEAR}",
                rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}",
                rf"\b{_MONTH},?\s+{_YEAR}",
                r"(?<![\d-])(?P<year{0}>1\d\d\d|20\d\d)-(?P<month{0}>[01]\d)-(?P<day{0}>[0-3]\d)(?![\d-])",
            )
        )
    ),
    re.IGNORECASE,
)
_EN_BARE = re.compile(rf"{_BEFORE}[\s-]+(?P<bare>{_YEAR.format(0)}){_AFTER}", re.IGNORECASE)
_ZH_DIGITS = "〇○零一二三四五六七八九"
_ZH_SMALL = "[一二三四五六七八九十]{1,3}"
_ZH = re.compile(
    rf"(?P<year>(?<!\d)(?:1\d\d\d|20\d\d)|(?<![{_ZH_DIGITS}十百千])[一二][{_ZH_DIGITS}]{{3}})\s?年"
    rf"(?:\s?(?P<month>\d{{1,2}}|{_ZH_SMALL})\s?月(?:\s?(?P<day>\d{{1,2}}|{_ZH_SMALL})\s?日)?)?"
    # Nothing that goes on as a longer date or a span of days: half of it would be left standing.
    rf"(?![代度]|\s?[-—–~～至到]\s?\d|\s?(?:\d{{1,2}}|{_ZH_SMALL})\s?[月日号至到—–~～-])"
)
_EN_REST = re.compile(
    r"(?<![\d.,$€£])(?:1\d\d\d|20\d\d)(?![\d,]\d|\d)|\d0['’]?s\b|\bcentur|\bB\.?C\b|\bA\.?D\b"
    r"|\b(?:January|February|March|April|June|July|August|September|October|November|December)\b|\bMay\s+\d"
    r"|\byears?\s+(?:later|earlier|before|after|ago)\b|\bsame year\b"
)
_SPAN = re.compile(r"\d(?:st|nd|rd|th)?\s?(?:[-–—/]|to|and|or|until|through)\s?$")
"""What stands before the second half of a span of days."""
_ZH_REST = re.compile(
    rf"\d{{2,4}}\s?年|[{_ZH_DIGITS}]{{2,4}}年|\d\s?月|[一二三四五六七八九十]月|世纪|年代|公元前|同年|次年|当年"
)
_TIMED = re.compile(
    r"\b(?:first\w*|last\w*|later|latter|earlier|former\w*|previous\w*|next|then|follow\w+|since then|subsequent\w*"
    r"|eventually|finally|ago|original\w*|current\w*|now|new|today|still|no longer)\b"
    r"|首[次先批]|最[初早后终近]|起初|后来|随[后即]|此[前后]|先前|之[前后]|至此|第[一二三]|终于|再次|目前|现在|如今|至今|今后",
    re.IGNORECASE,
)
"""Words that tell early from late."""
_FOUR_DIGITS = (re.compile(r"1\d{3}(?!\d)"), re.compile(r"2\d{3}(?!\d)"))
"""An expression that starts with a character is searched for many times faster than one that starts with a choice."""
_FOUR_DIGITS_YEAR = re.compile(r"年(?:(?<=[12]\d{3}年)|(?<=[12]\d{3} 年))")
_ZH_YEAR = re.compile(rf"年(?<=[一二][{_ZH_DIGITS}]{{3}}年)")
_CUES = (
    *("in ", "since ", "until ", "by ", "during ", "of "),
    *(f"{name} " for name in _MONTHS),
    *(f"{digit}, " for digit in range(10)),
)
"""What stands before a year that dates something."""
LONGEST_DATE = 30
MOST_TEXT = 2_000_000
"""Characters of a document in which years are looked for."""


@dataclass(frozen=True)
class Dated:
    """A sentence with one date: `blanked` has `____` in its place, `written` is what stands there."""

    blanked: str
    written: str
    date: Date


def dated(sentence: str, language: str) -> Dated | None:
    """The sentence and its date; None when it names no date, several, or anything else that dates it."""
    found = list((_ZH if language == "zh" else _EN).finditer(sentence))
    if not found and language == "en":
        found = list(_EN_BARE.finditer(sentence))
    if len(found) != 1:
        return None
    start, end = found[0].span("bare") if "bare" in found[0].groupdict() else found[0].span()
    written = sentence[start:end]
    date = read_date(written, language)
    blanked = sentence[:start] + BLANK + sentence[end:]
    rest = sentence[:start] + " " + sentence[end:]
    if language == "en" and _SPAN.search(sentence[:start]):
        return None
    if date is None or BLANK in sentence or (_ZH_REST if language == "zh" else _EN_REST).search(rest):
        return None
    return Dated(blanked, written, date)


def read_date(written: str, language: str) -> Date | None:
    """The date that a text is, in any of the forms that `dated` knows; None for anything else."""
    text = compatible(written).strip()
    if language == "en" and re.fullmatch(r"1\d\d\d|20\d\d", text):
        return int(text), 0, 0
    match = (_ZH if language == "zh" else _EN).fullmatch(text)
    if match is None:
        return None
    parts = {name.rstrip("0123456789"): value for name, value in match.groupdict().items() if value}
    month, day = _month(parts.get("month", "0")), _number(parts.get("day", "0"))
    valid = month <= 12 and day <= 31 and (month or not day)
    return (_number(parts["year"]), month, day) if valid else None


def _month(text: str) -> int:
    names = [number for number, name in enumerate(_MONTHS, 1) if name[:3] == text[:3].lower()]
    return names[0] if names else _number(text)


def _number(text: str) -> int:
    """Arabic digits, Chinese digits read one by one (a year), or a Chinese number below one hundred."""
    if text.isascii():
        return int(text)
    if "十" in text:
        tens, _, ones = text.partition("十")
        return 10 * (_ZH_DIGITS.index(tens) - 2 if tens else 1) + (_ZH_DIGITS.index(ones) - 2 if ones else 0)
    return int("".join(str(max(0, _ZH_DIGITS.index(char) - 2)) for char in text))


def comparable(a: Date, b: Date) -> bool:
    """Whether one of two dates is surely the earlier: "1981" and "March 1981" are not comparable."""
    for x, y in zip(a, b, strict=True):
        if not x or not y:
            return False
        if x != y:
            return True
    return False


def all_comparable(dates: Sequence[Date]) -> bool:
    """Whether dates have exactly one chronological order."""
    return all(comparable(a, b) for a, b in itertools.combinations(dates, 2))


def holds_dates(document: Document) -> int:
    """How many different years a document seems to date something by (criterion `dates`, least 4)."""
    text = document.text[:MOST_TEXT]
    years = set()
    for four_digits in _FOUR_DIGITS:
        for match in four_digits.finditer(text):
            start = match.start()
            # Every cue ends in a space.
            if text[start - 1 : start] == " " and text[max(0, start - 10) : start].lower().endswith(_CUES):
                years.add(match[0])
    ends = (match.start() for match in _FOUR_DIGITS_YEAR.finditer(text))
    years.update(text[max(0, end - 5) : end].rstrip(" ")[-4:] for end in ends)
    if document.language == "zh":
        years.update(text[match.start() - 4 : match.end()] for match in _ZH_YEAR.finditer(text))
    return len(years)


def may_hold_date(text: str, language: str) -> bool:
    """A quick look whether a text can hold a date at all."""
    return re.search(rf"\d{{4}}|[一二][{_ZH_DIGITS}]{{3}}年" if language == "zh" else r"\d{4}", text) is not None


DATE_ORDER = Phrasings(
    "date_order",
    en=(
        "In each sentence below, taken from the document {title}, the one date it names is replaced by ____. Find "
        "the dates and give the letters of the sentences from the earliest date to the latest.\n{listed}",
        "The document {title} holds the following sentences, each with a date where ____ stands. Order the letters "
        "by these dates, the earliest first.\n{listed}",
        "A date has been taken out of each of these sentences of the document {title} (____). Look the dates up and "
        "sort the letters chronologically, starting with the oldest date.\n{listed}",
    ),
    zh=(
        "下面各句出自文档{title}，句中唯一的日期换成了____。查出这些日期，按日期由早到晚写出句子前的字母。\n{listed}",
        "文档{title}中有以下句子，____处原为一个日期。请按这些日期的先后（最早的在前）排列字母。\n{listed}",
        "以下句子取自文档{title}，各有一个日期被删去（以____表示）。请找出日期，并按时间顺序从最早的开始写出字母。\n{listed}",
    ),
)


def date_order(scene: Scene) -> Candidate | Unfit:
    """Lettered sentences by the dates they name, which the question leaves blank; the answer is the letters."""
    excerpt, rng, language = scene.target, scene.rng, scene.language
    blocks = [
        number
        for number, block in enumerate(excerpt.blocks)
        if block.kind in ("paragraph", "turn", "item") and may_hold_date(excerpt.content(block), language)
    ]
    found: list[tuple[Dated, Span]] = []
    for number in spread(blocks, 2 * POOL * MOST, rng):
        for span in prose.sentences(excerpt.document.text, excerpt.blocks[number].content, language):
            text = excerpt.document.slice(span)
            known = dated(text, language) if prose.quotable(text, language) else None
            if known and not _TIMED.search(known.blanked) and excerpt.once(text):
                found.append((known, span))
    stem, _ = DATE_ORDER.pick(scene, title=named(excerpt), listed="")
    drawings = [drawn for _ in range(DRAWS) if len(drawn := _drawn(found, rng)) >= FEWEST]
    if not drawings:
        return Unfit("no four sentences of different dates")
    # Rather not what the text tells in the order of time, where places would do instead of dates.
    orders = [(sorted(drawn, key=lambda pair: pair[0].date), drawn) for drawn in drawings]
    leans = [leaning([pair[0].blanked for pair in by_date], stem) for by_date, _ in orders]
    too_plain, _, _, number = min(
        (leans[n] > LEANING, by_date == drawn, leans[n], n) for n, (by_date, drawn) in enumerate(orders)
    )
    if too_plain:
        return Unfit("the order can be guessed from alphabet, length, numbers or shared words")
    best = orders[number][0]
    order = rng.sample(range(len(best)), len(best))
    listed = [best[index][0].blanked for index in order]
    gold = tuple(LETTERS[order.index(index)] for index in range(len(best)))
    if not distinct(listed):
        return Unfit("two sentences read the same without their dates")
    question, template = DATE_ORDER.pick(scene, title=named(excerpt), listed=lettered(listed))
    title = excerpt.document.title

    def solve(view: View) -> list[str]:
        shown = view.titled(title).flat
        dates = [_date_in(shown, text, language) for text in listed]
        if not all_comparable(dates):
            raise LookupError("two dates have no order")
        return [LETTERS[index] for index in sorted(range(len(listed)), key=dates.__getitem__)]

    spans = [span for _, span in best]
    texts = tuple(excerpt.document.slice(span) for span in spans)
    return Candidate(
        question,
        template,
        gold,
        tuple(Place(0, span) for span in spans),
        solve,
        proof=texts,
        listed=tuple(listed),
        once=texts,
    )


def _drawn(found: Sequence[tuple[Dated, Span]], rng: random.Random) -> list[tuple[Dated, Span]]:
    """Four to seven of the sentences from all over the text, in its order, whose dates have one order."""
    size = rng.randint(FEWEST, MOST)
    # Twice as many as wanted, since sentences of the same or an overlapping date drop out.
    pool = spread(found, 2 * size, rng)
    kept: list[tuple[Dated, Span]] = []
    for pair in rng.sample(pool, len(pool)):
        if len(kept) < size and all(comparable(pair[0].date, other.date) for other, _ in kept):
            kept.append(pair)
    return sorted(kept, key=lambda pair: pair[1].start)


def _date_in(shown: str, blanked: str, language: str) -> Date:
    """The date that stands in a normalised text where a sentence has its blank; LookupError unless one does."""
    before, _, after = (normalise(part) for part in blanked.partition(BLANK))
    dates: set[Date] = set()
    at = shown.find(after)
    while at >= 0:
        # The longest date first: "july 10, 1995" ends with a date itself.
        for size in range(LONGEST_DATE, 3, -1):
            start = at - size
            date = read_date(shown[start:at], language) if start >= 0 else None
            if date and shown[max(0, start - len(before) - 1) : start].rstrip().endswith(before):
                dates.add(date)
                break
        at = shown.find(after, at + 1)
    if len(dates) != 1:
        raise LookupError(f"{len(dates)} dates fit {blanked!r}")
    return dates.pop()

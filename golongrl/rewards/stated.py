"""Finding the answer that a text states: the last box or answer phrase, else the last value written.

One answer is read, whatever else stands around it; answers offered side by side ("3 or 5") are read together, so that
hedging states something else than the gold answer.
"""

import re
from dataclasses import dataclass
from typing import Literal

from golongrl.core.text import compatible
from golongrl.rewards.quantity import NUMBER
from golongrl.rewards.units import UNIT

TAIL = 4_000
"""Without a box or a phrase, the answer is looked for in this many characters at the end."""

_BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[{}\\]|[{}]")
_PHRASE = re.compile(
    r"\banswer\s*(?:is|are|was|equals|would\s+be|should\s+be|must\s+be|comes\s+to|[:=])[ \t]*:?"
    r"|(?:答案|结果)\s*(?:应该|应当|应)?(?:是|为|等于|[:=])[ \t]*:?"
    r"|^[ \t]*\#{4}(?!\#)",
    re.IGNORECASE | re.MULTILINE,
)
_MATHS = re.compile(
    r"(?<!\\)\$\$(?P<display>[^$]+)\$\$|(?<![\\$])\$(?P<inline>[^$\n]+)(?<!\\)\$(?!\d)"
    r"|\\\((?P<round>(?:[^\\]|\\[^)(])*)\\\)|\\\[(?P<square>(?:[^\\]|\\[^\]\[])*)\\\]"
)
# Letters behind a number that are left out as its unit; any other there is algebra.
_GLUED = r"[mgshl](?:\^\{?[23]\}?)?(?![\w^(])"
_SCALE = (
    rf"(?=[ ]?[tmb十百千万亿])[ ]?(?:(?:thousand|million|billion|trillion|bn|mn)\b|亿{NUMBER}万|[十百千万亿]{{1,2}})"
)
_MONEY = r"[ ]?(?:[Kk]|MM?|m|[Bb])(?![A-Za-z0-9_^])"
_NUMBERS = re.compile(
    rf"(?<![A-Za-z0-9_.^{{/])[-+]?(?P<currency>(?:US|HK)?\\?\$|[€£¥₹])?"
    rf"(?:(?:\d{{1,6}}[ ](?=\d{{1,3}}/\d{{1,3}}(?!\d)))?{NUMBER}(?:[eE][-+]?\d{{1,3}}(?!\w))?"
    rf"(?:(?:\s?[-+*/^×÷]\s?[({{]?|:)-?{NUMBER}[)}}]?(?![\d,]\d))*)"
    rf"(?:\s?\\?%|\s?percent\b|(?(currency){_MONEY}|(?!))|{_SCALE}(?:{UNIT})?|{UNIT}"
    rf"|(?={_GLUED})|(?![A-Za-z0-9_^π√]|\.\d))"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。；;！？\n]")
_JOIN = re.compile(r"[\s$,、，]*(?:,|、|，|\band\b|\bor\b|&|和|或者?|与|以及|/)[\s$,、，]*", re.IGNORECASE)
# Behind a number its unit comes first ("5 km or 6 km").
_OR = re.compile(r"[ ]?[^\W\d_]{0,12}[ ]{0,2}(?:,[ ]?)?(?:\bor\b|或者?)[ ]{0,2}(?:[^\W\d_]{1,12}[ ])?", re.IGNORECASE)
_FILLER = re.compile(
    r"(?:\s|[:*`~≈]|\b(?:approximately|about|around|roughly|exactly|nearly|equal\s+to|only|thus|therefore|simply|just|the)\b"
    r"|大约|约为|约|近似)*",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"[\\^_π√∞]")
_NEGATION = re.compile(r"\bnot\b|n't\b|\bunknown\b|\bnever\b|\bneither\b|不是|并非|没有|未知|无法", re.IGNORECASE)
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴-⁹]+")
_MIXED = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_SIGNS = str.maketrans({"−": "-", "⁄": "/"})
_DENIED = re.compile(
    r"(?:\bnot|n't|\bnever|不是|并非)\s*(?:(?:equal|exactly|to|the|a|in|\$)\s+){0,3}$", re.IGNORECASE
)
# What points at a source is no value: "42 (see Table 3)", "42 [1]".
_REFERENCE = re.compile(
    r"\((?:(?:see|cf|source|table|page|pp?|fig|figure|section|note)\b|参?见|表|图|第)[^()\n]{0,80}\)"
    r"|(?<=\d)[ ]?\[\d{1,3}\]",
    re.IGNORECASE,
)
_LATEX_ONLY = re.compile(r"(?![^\n]*(?<![\\A-Za-z{])[A-Za-z]{3,})[^\n]*\\[a-zA-Z]+[^\n]*")
# What LaTeX puts between formulas side by side.
_BETWEEN = re.compile(r"\\(?:q?quad|text|[()\[\],;! ])|[{}$]")
_BOLD = re.compile(r"(?<![\w)])\*\*|\*\*(?![\w(])|`")


@dataclass(frozen=True)
class Stated:
    """An answer as written, without its box or phrase; `text` is None where nothing is stated."""

    text: str | None
    how: Literal["box", "phrase", "last value", "nothing"]
    whole: str = ""
    """All that the phrase governs, or the last line: right as it stands where it is the gold answer word by word."""


def stated_answer(text: str, marked: bool = False) -> Stated:
    """The answer a final text states; linear in its length. `marked`: the text follows an answer marker."""
    text = plain_text(text)
    box = _last_box(text) if "\\boxed" in text or "\\fbox" in text else None
    phrase = None
    for phrase in _PHRASE.finditer(text, box[0] if box else 0):  # noqa: B007  the last one counts
        pass
    if phrase is not None or (marked and box is None):
        clause = _BOLD.sub("", _clause(text, phrase.end() if phrase else 0)).strip()
        rest = without_filler(clause)
        end = _SENTENCE_END.search(rest)
        sentence = (rest[: end.start()] if end else rest).strip()
        # Behind a box, a phrase replaces it only by a value of its own ("The answer is correct" does not).
        found = None if _NEGATION.match(clause) else _from_clause(rest, sentence, value_only=box is not None)
        if found:
            return Stated(found, "phrase", "" if box else sentence)
        if box is None and _NEGATION.search(clause):
            return Stated(None, "nothing", sentence)
    if box:
        return Stated(box[1], "box")
    tail = text[-TAIL:]
    found, last_line = _last_value(tail), tail.rstrip().rpartition("\n")[2].lstrip()
    if found is None:
        return Stated(None, "nothing", last_line)
    # A word below a number would state a second answer.
    return Stated(found, "last value", last_line if found in last_line else "")


def plain_text(text: str) -> str:
    """NFKC, with superscripts as powers and mixed fractions apart ("2½" is "2 1/2")."""
    if not text.isascii():
        text = _SUPERSCRIPTS.sub(_power, text)
        text = _MIXED.sub(" ", text)
        text = compatible(text).translate(_SIGNS)
    return text


def _power(match: re.Match[str]) -> str:
    digits = compatible(match[0])
    alone = len(digits) == 1 and not match.string[match.end() : match.end() + 1].isdigit()
    return f"^{digits}" if alone else f"^{{{digits}}}"


def _last_box(text: str) -> tuple[int, str] | None:
    """(start, content) of the last closed box; boxes side by side, or joined by "and", count as one list."""
    opened: list[tuple[int, int] | None] = []
    boxes: list[tuple[int, int, int]] = []
    """Outermost boxes so far: where they start, where their content starts and ends."""
    for match in _BRACES.finditer(text):
        token = match[0]
        if token == "{":
            opened.append(None)
        elif token.endswith("{") and token != "\\{":
            opened.append((match.start(), match.end()))
        elif token == "}" and opened and (box := opened.pop()):
            if boxes and boxes[-1][0] == box[1] and boxes[-1][2] + 1 == match.start():
                # A box around nothing but a box.
                continue
            while boxes and boxes[-1][0] > box[0]:
                boxes.pop()
            if match.start() > box[1]:
                boxes.append((*box, match.start()))
    if not boxes:
        return None
    start, content, end = boxes[-1]
    parts = [text[content:end]]
    for earlier, content, end in reversed(boxes[:-1]):
        gap = _BETWEEN.sub(" ", text[end + 1 : start]) if start - end < 60 else "apart"
        if gap.strip() and not _JOIN.fullmatch(gap):
            break
        parts.append(text[content:end])
        start = earlier
    return start, ", ".join(reversed(parts))


def _clause(text: str, start: int) -> str:
    """What an answer phrase governs: the rest of its line, or the next line that holds anything."""
    window = text[start : start + TAIL].lstrip(" \t*:：")
    if window.lstrip().startswith(("$$", "\\[")):
        return window.lstrip()
    return next((line for line in window.split("\n") if line.strip()), "")


def without_filler(text: str) -> str:
    """A text without words like "about" in front."""
    filler = _FILLER.match(text)
    return text[filler.end() :] if filler else text


def _from_clause(rest: str, sentence: str, value_only: bool) -> str | None:
    """The answer in a clause without filler, whose first sentence is given."""
    if math := formulas(rest):
        return math
    if value_only:
        number = _NUMBERS.match(sentence)
        return number[0] if number else None
    if _MATHS.search(sentence):
        return _last_value(sentence) or sentence
    if _FORMULA.search(sentence):
        return sentence
    if "=" in sentence and (value := _numbers(sentence.rpartition("=")[2])):
        return value
    return _numbers(sentence) or sentence or None


def formulas(text: str) -> str | None:
    """The formula at the start of a text, with those joined to it by a comma or "and"."""
    match = _MATHS.match(text)
    if match is None:
        return None
    parts, end = [_content(match)], match.end()
    for later in _MATHS.finditer(text, end):
        if not _JOIN.fullmatch(text, end, later.start()):
            break
        parts.append(_content(later))
        end = later.end()
    return ", ".join(parts)


def _content(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()


def _numbers(text: str) -> str | None:
    """The first number of a text with its sign, scale and percent; numbers offered side by side come together."""
    match = _NUMBERS.search(text)
    if match is None:
        return None
    parts, end = [match[0]], match.end()
    for later in _NUMBERS.finditer(text, end):
        if not (_JOIN.fullmatch(text, end, later.start()) or _OR.fullmatch(text, end, later.start())):
            break
        parts.append(later[0])
        end = later.end()
    return ", ".join(parts) if len(parts) > 1 else match[0]


def _last_value(tail: str, before_denial: bool = False) -> str | None:
    """The last formula or number of a text; a last line of bare LaTeX as a whole.

    One under a denial is passed over ("It is 42, not 43") unless the same stands before it.
    """
    tail = _BOLD.sub("", tail)
    if "(" in tail or "[" in tail:
        tail = _REFERENCE.sub("", tail)
    found, start, position = None, 0, -1
    for match in _MATHS.finditer(tail):
        found, start, position = _content(match), match.start(), match.end()
    line = tail.rstrip().rpartition("\n")[2].strip()
    if position < 0 and len(line) < 300 and "boxed" not in line and _LATEX_ONLY.fullmatch(line):
        return line
    for match in _NUMBERS.finditer(tail, max(position, 0)):
        found, start = match[0], match.start()
    if found is None or not (denial := _DENIED.search(tail, max(0, start - 60), start)):
        return found
    before = None if before_denial else _last_value(tail[: denial.start()], before_denial=True)
    return None if before == found else before

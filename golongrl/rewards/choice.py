"""Multiple choice: the last stated letter counts, hedging over several letters earns nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from golongrl.core.records import Record, Score
from golongrl.core.text import answer_area, compatible, item_forms, normalise, split_lines, unwrap
from golongrl.rewards.items import gold_aliases

_ALL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

# One letter: wrapped, or bare and not part of a word ("Apple", "A-level", "U.S."). A bare "A", "I" or lower-case
# letter is a word of its own in English, so it needs an end, punctuation or a connective behind it.
_WRAPPED = r"[(\[{<\"'“‘「]\s*(?:\\text\s*\{)?\s*([A-Za-z])\s*\}?\s*[)\]}>\"'”’」]"
_NOT_WORD = r"(?![A-Za-z0-9_'’])(?![-.][A-Za-z0-9])"
_AFTER = (
    r"(?=\s*(?:$|[\n.,;:!?()\[\]|/&、，。；：！？—]|[-–]\s|[\u3400-\u9fff])"
    r"|\s+(?:or|and|because|since|as|for|with|but|not|which|given|based|is|due)\b)"
)
_LETTER = (
    rf"(?:{_WRAPPED}"
    rf"|(?<![A-Za-z0-9_])(?:((?-i:[B-HJ-Z])){_NOT_WORD}|((?-i:[AIa-z])){_NOT_WORD}{_AFTER}))"
)
_JOIN = r"(?:[,;/&+|、]|\bor\b|\band\b|或者?|和|与|以?及)"
_MAYBE = r"(?:(?:perhaps|possibly|maybe|even)\s|可能)?"
# A letter that goes on in words begins a clause ("B, C is wrong") and is not offered beside the first.
_NO_CLAUSE = (
    r"(?!\s(?!(?:or|and|because|since|as|for|with|but|both)\b)(?-i:[a-z]{2})"
    r"|\s?(?:选?项)?(?![或和与及以选项都两均])[\u3400-\u9fff])"
)
# Possessive: giving letters back one by one would take for ever on a long enumeration.
_MORE = rf"(?:(?:\s?{_JOIN}\s?(?:{_JOIN}\s?)?|[ ]?){_MAYBE}(?:option\s)?{_LETTER}{_NO_CLAUSE}){{0,25}}+"
_ALL_OF = rf"(?P<subject>{_LETTER}(?:\s?{_JOIN}\s?(?:{_JOIN}\s?)?{_LETTER}){{0,25}}+)"
_LETTERS = rf"(?P<letters>{_LETTER}{_MORE})"

_SUBJECT = r"(?:(?:answer|choice|option|selection)\b[\"']?|(?:correct|right)\sone\b)"
_VERB = r"(?:(?:is|are|was|would\sbe|should\sbe|must\sbe|(?:seems|appears)\sto\sbe)\b|[:=]|(?<=\s)[-–—](?=\s))"
_CHOOSE = r"(?=[csgp])(?<!\bnot\s)(?<!n['’]t\s)(?<!never\s)(?<!cannot\s)\b(?:choose|select|pick|go\swith)\s"
_CHOOSE_ZH = r"(?=[应故选])(?<![不别勿])(?<!不[应该能会要])(?<!不应该)(?:应选|故选|选择|选)"
_LIKELY = r"(?:(?:most\slikely|likely|probably|definitely|clearly|therefore|thus|indeed|actually|simply)\s)?"
_NAME = r"(?:the\s)?(?:(?:option|choice|letter|answer|选项)\s?)?(?:\\text\s?\{)?"
_STATED = re.compile(
    rf"(?:\b{_SUBJECT}\s?{_VERB}\s?:?\s?(?:[-+•]\s)?"
    rf"|{_CHOOSE}"
    rf"|(?:答案|选项)\s?(?:应该|应当|应|就)?\s?(?:(?:不是|并非)\s?{_LETTER}\s?,?\s?而)?(?:是|为|选|[:=])\s?:?\s?"
    rf"|{_CHOOSE_ZH}\s?:?\s?)"
    rf"{_LIKELY}(?:not\s{_NAME}{_LETTER}\s?,?\s?but\s(?:rather\s)?)?{_NAME}{_LETTERS}"
    rf"|{_ALL_OF}\s?(?:is|seems|是|为)\s?"
    r"(?:the\s)?(?:correct|right|best|answer\b|正确|对的)",
    re.IGNORECASE,
)
_BOXED = re.compile(
    r"\\(?:boxed|fbox)\s?\{\s?(?:\\(?:text|mathrm|mathbf|textbf)\s?\{)?\s?(?:(?:[Oo]ption|[Cc]hoice)\s)?[(\[]?\s?"
    r"(?P<letters>[A-Za-z](?:\s?(?:[,;/|]|\bor\b|\band\b)\s?[A-Za-z]){0,25})\s?"
    # The option may follow its letter, but no second one.
    r"(?:[)\]]?\s?\.?\s?\}|[)\].:](?:[^{}\n](?![A-Z][).:]))*(?:\\text\s?\{[^{}\n]*)?\})"
)
_BARE = re.compile(
    rf"^(?:[-+•]\s)?(?:(?:option|choice|选项)\s?)?{_LETTERS}[ ]?(?:选项)?[.。,:;!]?[ ]?$",
    re.MULTILINE | re.IGNORECASE,
)
_LISTED = re.compile(r"^[(\[]?(?P<letters>[A-Z])(?:[)\]][.:]?|[.:、]|[ ][-–—](?=[ ]))[ ]?\S[^\n]*$", re.MULTILINE)
_CALLED_RIGHT = re.compile(rf"{_LETTERS}\s?(?:选?项|的说法)?正确")
_LEADING = re.compile(rf"\s?(?:(?:option|choice|选项)\s?)?{_LETTERS}", re.IGNORECASE)
_SINGLE = re.compile(r"(?:option\s+|choice\s+)?[(\[{]?\s*([a-z])\s*[)\]}]?[.:]?", re.IGNORECASE)
_GOLD_PHRASE = re.compile(
    rf"(?:the\s+)?(?:(?:correct|right|best|final|正确)\s*)?(?:{_STATED.pattern})", re.IGNORECASE
)
_OPTION_LINE = re.compile(r"^[^\S\n]*[(\[]?([A-Z])[)\].:、][^\S\n]*\S", re.MULTILINE)
_FILLER = re.compile(r"[\W_]*(?:(?:or|and|或者?|和|与|及)[\W_]*)?", re.IGNORECASE)
_MARKUP = str.maketrans("", "", "*`$")
_TAG = re.compile(r"</?answer>", re.IGNORECASE)
_INLINE = re.compile(r"\\[()]")


@dataclass(frozen=True)
class _Statement:
    letters: frozenset[str]
    start: int
    end: int
    kind: str


def choice(record: Record, text: str) -> Score:
    """1 if the last stated choice is the gold letter; for a gold text, if the answer's first line equals an alias."""
    aliases = gold_aliases(record)
    if not aliases:
        return Score(value=None, reason="malformed_gold", details={"problem": "no gold choice in golden_label"})
    golds = [gold_letter(alias) for alias in aliases]
    area, marked = answer_area(text)
    if not area.strip():
        return Score(value=0.0, reason="no_answer")
    if None in golds:
        first = item_forms(split_lines(area)[0])
        accepted = {form for alias in aliases for form in (item_forms(alias)[-1], normalise(unwrap(alias)))}
        return Score(value=float(not accepted.isdisjoint(first)), details={"answer": first[-1][:200]})
    options = option_letters(record)
    if not options.issuperset(golds):
        problem = f"gold {', '.join(filter(None, golds))} is not among the options {''.join(sorted(options))}"
        return Score(value=None, reason="malformed_gold", details={"problem": problem})
    stated = stated_letters(area, options, marked)
    if not stated:
        return Score(value=0.0, reason="no_answer")
    if len(stated) > 1:
        return Score(value=0.0, details={"hedged": "".join(sorted(stated))})
    (letter,) = stated
    return Score(value=float(letter in golds), details={"answer": letter})


def gold_letter(gold: str) -> str | None:
    """The letter a gold label stands for ("B", "(b)", "The correct answer is (B)"), or None for a gold text."""
    plain = _plain(gold)
    single = _SINGLE.fullmatch(plain) or _SINGLE.fullmatch(unwrap(plain))
    if single:
        return single[1].upper()
    stated = _BOXED.fullmatch(plain) or _GOLD_PHRASE.fullmatch(plain.rstrip(".。 "))
    letters = _letters(stated) if stated else frozenset()
    return next(iter(letters)) if len(letters) == 1 else None


def option_letters(record: Record) -> frozenset[str]:
    """Letters of the options: as many as `extra_info.options` has, else those listed in the question, else A to Z."""
    given = record.extra_info.get("options")
    if given is not None and len(given):
        return frozenset(sorted(_ALL)[: len(given)])
    listed = frozenset(_OPTION_LINE.findall(compatible(str(record.extra_info.get("question") or ""))))
    complete = frozenset(sorted(_ALL)[: len(listed)])
    return listed if len(listed) > 1 and listed == complete else _ALL


def stated_letters(area: str, options: frozenset[str], marked: bool) -> frozenset[str]:
    """Letters of the last statement, several when it hedges, none when there is none.

    Statements are phrases, boxes and lines with nothing but a letter; without any, a leading letter behind a marker,
    listed options ("B. Paris"), and letters called right ("B选项正确"). Statements of one kind with nothing between
    them are one hedged statement.
    """
    plain = _plain(area)
    statements = [s for s in sorted(_strong(plain), key=lambda s: (s.end, s.start)) if s.letters & options]
    if not statements and marked and (match := _LEADING.match(plain)):
        statements = [s for s in [_statement(match, "leading")] if s.letters & options]
    for kind, pattern in (("listed", _LISTED), ("called right", _CALLED_RIGHT)):
        if not statements:
            statements = [s for s in (_statement(m, kind) for m in pattern.finditer(plain)) if s.letters & options]
    if not statements:
        return frozenset()
    last = statements[-1]
    letters = last.letters & options
    for earlier in reversed(statements[:-1]):
        if earlier.kind != last.kind or not _FILLER.fullmatch(plain, earlier.end, max(earlier.end, last.start)):
            break
        letters, last = letters | (earlier.letters & options), earlier
    return letters


def _plain(area: str) -> str:
    """NFKC without markup, answer tags and inline delimiters; white space is single spaces and newlines.

    The patterns rely on that: they allow white space in many places, and runs of it would take them cubic time.
    """
    text = compatible(area).translate(_MARKUP)
    if "<" in text:
        text = _TAG.sub("\n", text)
    if "\\" in text:
        text = _INLINE.sub("", text)
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def _strong(text: str) -> Iterator[_Statement]:
    patterns = {"phrase": _STATED, "bare": _BARE, **({"boxed": _BOXED} if "box" in text else {})}
    for kind, pattern in patterns.items():
        for match in pattern.finditer(text):
            yield _statement(match, kind)


def _statement(match: re.Match[str], kind: str) -> _Statement:
    return _Statement(_letters(match), match.start(), match.end(), kind)


def _letters(match: re.Match[str]) -> frozenset[str]:
    groups = match.groupdict()
    text = groups["letters"] or groups.get("subject") or ""
    return frozenset(letter.upper() for letter in re.findall(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", text))

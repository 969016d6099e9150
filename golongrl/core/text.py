"""Reading a model's answer: thinking, answer area, line lists, normalisation; one source for rewards and eval."""

import re
import string
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

from golongrl.core.errors import UsageError

Think = Literal["required", "optional", "auto"]

_OPEN, _CLOSE = "<think>", "</think>"
_MARKER = re.compile(
    r"(?P<bold>\*{1,2})?(?:[\[［]\s*(?:answer|答案)\s*[\]］]|【\s*(?:answer|答案)\s*】)"
    # Closing bold stands before white space, a colon or the end; opening bold ("[Answer] **Paris**") never does.
    r"(?P<close>\*{1,2}(?=\s|[:：]|$))?[ \t]*[:：]?(?P<late>\*{1,2}(?=\s|$))?",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*+–—]\s+|[•●▪◦‣·・]\s*)")
# "①③" is content, as an answer to which statements hold.
_CIRCLED = re.compile(r"\s*[①-⑳](?=\s*[^\s①-⑳])")
# A bare "3.x" or "1.5" is content; a number counts as numbering when white space, a word or Han follows it.
_NUMBER = re.compile(
    r"(?:\*\*\d{1,3}[.)]\*\*\s*|\(\d{1,3}\)\s*|\d{1,3}(?:\)\s*|、\s*|\.\s+|\.(?=[^\W\d_]{2}|[\u3400-\u9fff])))"
)
_PAIRS = (
    ("**", "**"),
    ("`", "`"),
    ('"', '"'),
    ("'", "'"),
    ("“", "”"),
    ("‘", "’"),
    ("「", "」"),
    ("『", "』"),
    ("*", "*"),
)
_LEFTS = tuple(left for left, _ in _PAIRS)
_STOPS = (".", "。")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_IS_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_WIDE = tuple((char, unicodedata.normalize("NFKC", char)) for char in "，：；？！（）％．…\u3000\xa0")
"""Common characters outside ASCII that NFKC replaces, wherever they stand, by ASCII ones that never combine with what
follows them, as "=" does with a stroke."""
_NEWLINE = re.compile(r"\r\n|\r|\n")
_HALF = re.compile("[\ud800-\udfff]")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_HAN_AND_OTHERS = b"\xe3\xef"
_HAN = _HAN_AND_OTHERS + bytes(range(0xE4, 0xEA))
"""First bytes, in UTF-8, of the characters of `_CJK`, and those of them that other characters have too."""
_LATIN = string.ascii_letters.encode()


@dataclass(frozen=True)
class Final:
    """What counts of a response: the text after thinking, and whether thinking was closed wherever it had to be."""

    text: str
    closed: bool


def final_text(response: str, think: Think = "auto") -> Final:
    """Text after the last `</think>`; thinking never earns anything.

    `required`: without a closing tag nothing counts. `optional`: a response that neither opens nor closes a block
    counts whole. `auto`: required iff the response opens one. In every mode a block that is opened and not closed
    again makes the response count for nothing.
    """
    if think not in get_args(Think):
        raise UsageError(f"think={think!r}: expected one of {', '.join(get_args(Think))}")
    _, tag, after = response.rpartition(_CLOSE)
    if _OPEN in after or (think == "required" and not tag):
        return Final("", False)
    return Final(after, True)


def answer_area(text: str) -> tuple[str, bool]:
    """(text after the last answer marker, True), or (the whole text, False) when there is no marker."""
    last = max(_MARKER.finditer(text), key=re.Match.end, default=None)
    if last is None:
        return text, False
    area, bold = text[last.end() :], last["bold"]
    if bold and not last["close"] and not last["late"]:
        # "**[Answer] Paris**": the bold that opened before the marker closes at the end of its line.
        head, newline, rest = area.partition("\n")
        head = head.rstrip()
        if head.endswith(bold) and head.count(bold) % 2:
            area = head.removesuffix(bold) + newline + rest
    return area, True


def compatible(text: str) -> str:
    """NFKC without zero-width characters."""
    if text.isascii():
        return text
    # Replacing these first is fifty times faster, since a text without them mostly is in its normal form already.
    for wide, plain in _WIDE:
        if wide in text:
            text = text.replace(wide, plain)
    text = unicodedata.normalize("NFKC", text)
    # Searching is many times faster than translating, and hardly any text holds one.
    return text.translate(_INVISIBLE) if _IS_INVISIBLE.search(text) else text


def normalise(text: str) -> str:
    """NFKC, casefolded, white space collapsed, zero-width characters dropped."""
    return " ".join(compatible(text).casefold().split())


def unwrap(text: str) -> str:
    """Strip surrounding quotes, bold and backticks, and one trailing full stop, in either order."""
    text, stopped = text.strip(), False
    while True:
        if not stopped and len(text) > 1 and text.endswith(_STOPS) and not text.endswith(".."):
            text, stopped = text[:-1].rstrip(), True
            continue
        if not text.startswith(_LEFTS):
            return text
        for left, right in _PAIRS:
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                inner = text[len(left) : len(text) - len(right)]
                if left in inner or right in inner or not inner.strip():
                    continue
                text = inner.strip()
                break
        else:
            return text


def item_forms(line: str) -> list[str]:
    """Comparable forms of one list line: without bullet and wrapping, then also without numbering where it has some.

    The last form is the normal one; the first matters only where gold items differ in nothing but their numbers.
    """
    if not line.isascii():
        line = compatible(_CIRCLED.sub(" ", line, count=1) if _CIRCLED.match(line) else line)
    text = line.strip()
    bullet = _BULLET.match(text)
    if bullet and bullet.end() < len(text):
        text = text[bullet.end() :]
    number = _NUMBER.match(text)
    if number is None:
        text = unwrap(text)
        number = _NUMBER.match(text)
    forms = [normalise(unwrap(text))]
    if number and number.end() < len(text):
        forms.append(normalise(unwrap(text[number.end() :])))
    return forms


def normalise_item(line: str) -> str:
    """One list line in comparable form: no bullet or numbering, no wrapping, then `normalise`."""
    return item_forms(line)[-1]


def split_lines(text: str) -> list[str]:
    """Non-blank lines; only newlines end a line (not form feeds or Unicode separators)."""
    return [line for line in _NEWLINE.split(text) if line.strip()]


def lines(text: str) -> list[str]:
    """Items of a line list in order; blanks dropped, duplicates keep their first rank."""
    return list(dict.fromkeys(item for item in map(normalise_item, split_lines(text)) if item))


def is_whole(text: str) -> bool:
    """False for a text with half of a surrogate pair, which JSON can hold and no file of UTF-8 or parquet takes."""
    return text.isascii() or not _HALF.search(text)


def is_chinese(text: str) -> bool:
    """True when at least a fifth of the letters are Han characters."""
    if text.isascii():
        return False
    # Bytes nearly always decide, and are counted many times faster than characters.
    stored = text.encode("utf-8", "surrogatepass")
    most = _count(stored, _HAN)
    if most == 0 or most < 0.2 * _count(stored, _LATIN):
        return False
    if most - _count(stored, _HAN_AND_OTHERS) >= 0.2 * len(text):
        return True
    han = len(_CJK.findall(text))
    return han > 0 and han >= 0.2 * sum(map(str.isalpha, text))


def _count(stored: bytes, values: bytes) -> int:
    """How many bytes have one of these values."""
    return len(stored) - len(stored.translate(None, values))

"""Reading a model's answer: thinking, answer area, line lists, normalisation. Rewards and eval share this one source."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Think = Literal["required", "optional", "auto"]

_MARKER = re.compile(r"\*{0,2}(?:\[\s*(?:answer|答案)\s*\]|【\s*答案\s*】)\*{0,2}[ \t]*[:：]?\*{0,2}", re.IGNORECASE)
_BULLET = re.compile(r"^(?:[-*+•·–—]\s+|\(?\d{1,3}[.)、）](?:\s+|(?=[^\d\s]))|[（(]\d{1,3}[)）]\s*)")
_PAIRS = (("**", "**"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"), ("*", "*"))
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Final:
    """What counts of a response: the text after thinking, and whether a required thinking block was closed."""

    text: str
    closed: bool


def final_text(response: str, think: Think = "auto") -> Final:
    """Text after the last `</think>`; thinking never earns anything.

    `required`: without a closing tag nothing counts. `optional`: a response that neither opens nor closes a block
    counts whole, one that opens without closing counts for nothing. `auto`: required iff the response opens one.
    """
    _, tag, after = response.rpartition("</think>")
    if tag:
        return Final(after, True)
    if think == "required" or "<think>" in response:
        return Final("", False)
    return Final(response, True)


def answer_area(text: str) -> tuple[str, bool]:
    """(text after the last answer marker, True), or (the whole text, False) when there is no marker."""
    last = None
    for last in _MARKER.finditer(text):
        pass
    return (text[last.end() :], True) if last else (text, False)


def normalise(text: str) -> str:
    """NFKC, casefolded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def unwrap(text: str) -> str:
    """Strip surrounding quotes, bold and backticks, and one trailing full stop, in either order."""
    text, stopped = text.strip(), False
    while True:
        if not stopped and len(text) > 1 and text[-1] in ".。．" and not text.endswith(".."):
            text, stopped = text[:-1].rstrip(), True
            continue
        for left, right in _PAIRS:
            inner = text[len(left) : len(text) - len(right)]
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                if left in inner or right in inner:
                    continue
                text = inner.strip()
                break
        else:
            return text


def normalise_item(line: str) -> str:
    """One list line in comparable form: no bullet or numbering, no wrapping, then `normalise`."""
    stripped = unicodedata.normalize("NFKC", line).strip()
    return normalise(unwrap(_BULLET.sub("", stripped, count=1)))


def lines(text: str) -> list[str]:
    """Items of a line list in order; blanks dropped, duplicates keep their first rank."""
    return list(dict.fromkeys(item for item in map(normalise_item, text.splitlines()) if item))


def is_chinese(text: str) -> bool:
    """True when at least a fifth of the letters are Han characters."""
    letters = sum(char.isalpha() for char in text)
    return letters > 0 and len(_CJK.findall(text)) >= 0.2 * letters

"""How a question may not be worded: it stands on its own among many documents."""

import re

from golongrl.core.text import is_chinese, normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.excerpt import Excerpt

LENGTHS = {"en": (4, 150), "zh": (6, 300)}
"""Fewest and most words (characters of Chinese) of a question."""
QUOTED = {"en": 13, "zh": 20}
"""Words or characters of the document in a row that a question may not hold."""
_INSIDE_QUOTES = re.compile(r'"[^"]*"|“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》')
_BANNED = {
    "en": re.compile(
        r"\b(?:the|this|that|above|given|provided|following) (?:above |given |provided |following )?"
        r"(?:passage|excerpt|snippet|context|window)\b"
        r"|\b(?:in|of|by|from|to|according to) (?:the|this) (?:above |given |provided )?(?:document|text|article)\b"
        r"|\b(?:this|the (?:above|given|provided)) (?:document|text|article|paragraph|section)\b"
        r"|\b(?:mentioned|described|stated|listed|shown|quoted) (?:above|below|earlier)\b|\bas an ai\b"
        r"|\b(?:I|me|my|mine|we|our|ours)\b(?![.)'-])",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"本文|文中|上文|下文|原文|前文|全文|节选|[这该]段|[这该]篇|以上(?:内容|文字|段落)"
        r"|(?:上述|所给|给定|提供的)(?:文字|文档|文本|段落|材料|内容)|(?:这份|本|该)文档|文档中|根据(?:文档|文本|文章|材料)"
        r"|我们|咱|我(?![国省市县乡])"
    ),
}
"""What points at a text that the reader of a record cannot tell from others, and the first person."""


def wording_fault(question: str, excerpt: Excerpt) -> str | None:
    """Why a question may not be asked in these words, or None."""
    language = excerpt.language
    own = _INSIDE_QUOTES.sub(" ", question)
    if own.strip() and is_chinese(own) != (language == "zh"):
        return "the question is in another language than its document"
    size = prose.length(question.strip(), language)
    low, high = LENGTHS[language]
    if size < low:
        return "the question is too short to ask something"
    if size > high:
        return "the question is too long"
    if _BANNED[language].search(own):
        return "the question points at a text in front of it, or speaks in the first person"
    if quotes_long(question, excerpt):
        return "the question quotes a long stretch of the document"
    return None


def quotes_long(question: str, excerpt: Excerpt) -> bool:
    """Whether a question repeats more of the document in a row than it may."""
    most = QUOTED[excerpt.language]
    text = normalise(question)
    if excerpt.language == "zh":
        return any(text[at : at + most] in excerpt.flat for at in range(len(text) - most + 1))
    words = text.split()
    return any(" ".join(words[at : at + most]) in excerpt.flat for at in range(len(words) - most + 1))

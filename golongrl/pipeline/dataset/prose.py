"""Sentences and words of English and Chinese text, as far as building questions needs them."""

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from golongrl.core.documents import Span
from golongrl.pipeline.dataset import chinese_words

_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Rev|Gen|Col|Capt|Sr|Jr|vs|etc|al|cf|No|Nos|Fig|Figs|Eq|Sec|Vol|pp|approx|Inc|Ltd"
    r"|Corp|Co|U\.S)|\be\.g|\bi\.e|\b[A-Z])\.$"
)
LONGEST_ABBREVIATION = 8
"""Characters from its end on in which an abbreviation is looked for; "approx." has seven."""
_EN_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9])|[.!?][\"'”’)\]]*$")
_ZH_END = re.compile(r"[。！？][”’」』）]*")
_EN_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*[A-Za-z]|[A-Za-z]")
_ORDINAL = re.compile(r"第[一二三四五六七八九十百千零〇两]+")
QUOTES = ("“”", "「」", "『』")
_PAIRS = (*QUOTES, "()", "（）", "《》")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_LETTER = re.compile(r"[^\W\d_]")
_ODD = re.compile(r"[|<>{}\\=`*_#\[\]]|__|\.\.\.|https?:")
_MARKUP = re.compile(r"\{[^{}\n]{1,200}\}|<[^<>\n]{1,200}>|(?:https?://|www\.)\S+")
_OPENING = "“‘「『《〈（(【\"'"
WORDS = (8, 40)
"""Fewest and most words of a sentence that a question may quote."""
CHARACTERS = (14, 90)
"""The same for Chinese, in characters."""

_COMMON = """
about above after again against allow allows also although always among another because been before being below
between both called calls cannot could does doing done down during each either else even every first found from
further gets given goes have having help hence here hers herself himself however into itself just keep kept known
later least less let lets like made make makes many means meant might more most much must myself neither never
nevertheless next none nothing often once only other others ought ours ourselves over perhaps quite rather same
second seen several shall should show shows since some something still such take taken takes than that their theirs
them themselves then there therefore these they thing things this those though three through thus together under
unless until upon used uses using value values very want wants well were what whatever when whenever where whether
which while whole whom whose will with within without work works would write writes writing written years your yours
yourself
"""
STOPWORDS = frozenset(_COMMON.split())
"""Words of five letters or more, and some shorter ones, that say nothing about a text."""
_ZH_COMMON = """
可以 因此 应当 如果 没有 一个 以及 或者 并且 但是 进行 有关 其他 规定 根据 我们 他们 你们
自己 这个 那个 什么 不能 不得 需要 使用 通过 所有 之后 以后 之前 因为 所以 于是 如此 不可
只见 这些 那些 一些 已经 不是 就是 还是 这样 那样 怎么 如何 不会 可能 必须 及其 以上 以下
其中 对于 关于 由于 然后 同时 而且 不过 虽然 只是 只有 任何 某些 时候 之间 的话 一样 为了
除了
"""
ZH_STOPWORDS = frozenset(_ZH_COMMON.split())
"""The same for Chinese words of two characters or more."""


def sentences(text: str, span: Span, language: str) -> Iterator[Span]:
    """Spans of the sentences inside a span of a text; what lacks a final mark is left out."""
    body = text[span.start : span.end]
    start = 0
    for end in (_ZH_END if language == "zh" else _EN_END).finditer(body):
        stop = end.start() + 1
        if language == "en" and _ABBREVIATION.search(body, max(start, stop - LONGEST_ABBREVIATION), stop):
            continue
        while start < end.end() and body[start].isspace():
            start += 1
        yield Span(span.start + start, span.start + end.end())
        start = end.end()


def quotable(sentence: str, language: str) -> bool:
    """Whether a sentence reads as one: of fair length, mostly letters, without markup, not cut out of a quotation."""
    low, high = CHARACTERS if language == "zh" else WORDS
    # The cheap tests come first: most fragments are too short or too long.
    if not low <= length(sentence, language) <= high:
        return False
    first = sentence[0]
    if not ((first.isalnum() or first in _OPENING) if language == "zh" else first.isupper()):
        return False
    if _ODD.search(sentence) or not closed(sentence):
        return False
    return len(_LETTER.findall(sentence)) >= 0.6 * len(sentence.replace(" ", ""))


def content_words(text: str, language: str) -> Counter[str]:
    """Content words with their counts: English words of five letters or more in lower case, Chinese words of two
    characters or more; none of mark-up."""
    text = _MARKUP.sub(" ", text)
    if language == "zh":
        return Counter({word: n for word, n in chinese_words.count_words(text).items() if _is_content(word)})
    counts: Counter[str] = Counter(map(str.lower, _EN_WORD.findall(text)))
    return Counter(
        {word: n for word, n in counts.items() if len(word) >= 5 and word not in STOPWORDS and word.isalpha()}
    )


@functools.lru_cache(maxsize=65_536)
def _is_content(word: str) -> bool:
    return _HAN.fullmatch(word) is not None and word not in ZH_STOPWORDS and not _ORDINAL.fullmatch(word)


def markup(text: str) -> str:
    """What of a text is mark-up or an address: everything in braces or angle brackets, and URLs, one a line."""
    return "\n".join(_MARKUP.findall(text))


def count_word(text: str, word: str, language: str) -> int:
    """How often a word occurs: whole words in any case for English, plain occurrences for Chinese."""
    if language == "zh":
        return text.count(word)
    return len(re.findall(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text.lower()))


def length(text: str, language: str) -> int:
    """Words of an English text, characters of a Chinese one."""
    return len(text) if language == "zh" else len(text.split())


def closed(sentence: str, pairs: Sequence[str] = _PAIRS) -> bool:
    """Whether quotation marks and brackets that open in a sentence close in it, and none close that did not open."""
    if sentence.count('"') % 2:
        return False
    for opening, closing in pairs:
        if opening not in sentence and closing not in sentence:
            continue
        depth = 0
        for char in sentence:
            depth += (char == opening) - (char == closing)
            if depth < 0:
                return False
        if depth:
            return False
    return True

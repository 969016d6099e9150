"""The language a text is written in, told from samples of it: by script and function words where they settle it, by
py3langid (Lui and Baldwin 2012; naive Bayes over byte n-grams) where they do not."""

import functools
import re
from collections import Counter
from typing import Any

from golongrl.pipeline.dataset.filters import characters

SAMPLES, SAMPLE_CHARACTERS = 9, 500
"""Stretches that are looked at, evenly spread, and their length; a shorter text is looked at whole."""
SETTLED = 4
"""Samples that agree from the first on English or Chinese, after which no more are looked at."""
CHINESE_SHARE = 0.2
"""Share of Han characters among the letters from which a stretch is Chinese (or Japanese, by its kana)."""
KANA_SHARE = 0.1
"""Share of kana among Han and kana from which it is Japanese."""
ENGLISH_SHARE = 0.05
"""Share of "the", "of", "and" and "to" among the words from which a stretch is English; running text has 0.15."""
CONFIDENCE = 0.5
"""Probability below which py3langid's guess counts as unknown: code, names and numbers resemble no language."""
MIN_WORDS = 3
"""Fewest words that a guess is made from."""

_WORD = re.compile(r"(?<![\w@/.])[^\W\d_]{2,}(?![\w@/]|\.\w)")
_ASCII_WORD = re.compile(r"(?<![A-Za-z0-9_@/.])[A-Za-z]{2,}(?![A-Za-z0-9_@/]|\.\w)", re.ASCII)
"""The same in a text of ASCII alone, in two thirds of the time."""
_ENGLISH = frozenset(("the", "of", "and", "to"))
_SPACED_ENGLISH = tuple(f" {word} " for word in _ENGLISH)
_LETTERS = bytes(ord("a" if chr(code).isalpha() else " ") for code in range(128)) + b" " * 128
_HAN_AND_KANA = bytes((*range(0xE3, 0xEA), 0xEF))
"""First bytes, in UTF-8, of Han characters and kana (and of some others)."""
_SAME = {"pcm": "en", "yue": "zh", "wuu": "zh", "zxx": "unknown"}
"""Labels of py3langid read as others: English and Chinese kin that short texts are taken for, and "no language"."""


def detect(text: str) -> str:
    """ "en", "zh" (simplified or traditional), another ISO 639 code, or "unknown" where too little of the text is
    running words: tables of numbers, code, identifiers. Of several languages the one that most samples are in."""
    votes: Counter[str] = Counter()
    # What script and function words leave open waits: the model is asked only where its answers can matter.
    left_open: list[str] = []
    samples = _samples(text)
    for place, sample in enumerate(samples, 1):
        code = _plain_language(sample)
        if code is None:
            left_open.append(sample)
            continue
        votes[code] += 1
        unseen = len(samples) - place
        agree = votes[code] == SETTLED and len(votes) == 1 and not left_open
        if code in ("en", "zh") and (agree or _wins(code, votes, len(left_open) + unseen)):
            return code
    for place, sample in enumerate(left_open, 1):
        code = _guess(" ".join(_words(sample)))
        votes[code] += 1
        if _wins(code, votes, len(left_open) - place):
            return code
    # Equal votes go to what can be used.
    return max(votes, key=lambda code: (votes[code], code in ("en", "zh"), code == "unknown", code))


def _wins(code: str, votes: Counter[str], open_votes: int) -> bool:
    """Whether a language stays first, however the votes that are still open fall."""
    most_of_others = max((count for other, count in votes.items() if other != code), default=0)
    return votes[code] > most_of_others + open_votes


def _samples(text: str) -> list[str]:
    if len(text) <= 2 * SAMPLE_CHARACTERS:
        return [text]
    count = min(SAMPLES, len(text) // SAMPLE_CHARACTERS)
    step = (len(text) - SAMPLE_CHARACTERS) / (count - 1)
    # Every other one first, so that a few of them already come from all over the text.
    starts = (round(number * step) for number in (*range(0, count, 2), *range(1, count, 2)))
    return [text[start : start + SAMPLE_CHARACTERS] for start in starts]


def _plain_language(sample: str) -> str | None:
    """The language by script and function words; None where they do not settle it."""
    stored = sample.encode("utf-8", "surrogatepass")
    if len(stored.translate(None, _HAN_AND_KANA)) < len(stored):
        kinds = characters.classes(sample)
        letters = characters.count(kinds, characters.LETTER)
        han, kana = characters.count(kinds, characters.HAN), characters.count(kinds, characters.KANA)
        if letters and han + kana >= CHINESE_SHARE * letters:
            return "ja" if kana >= KANA_SHARE * (han + kana) else "zh"
    elif _is_surely_english(sample, stored):
        return "en"
    words = _words(sample)
    if len(words) < MIN_WORDS:
        return "unknown"
    function_words = sum(map(_ENGLISH.__contains__, map(str.lower, words)))
    if function_words >= 2 and function_words >= ENGLISH_SHARE * len(words):
        return "en"
    return None


def _words(sample: str) -> list[str]:
    return (_ASCII_WORD if sample.isascii() else _WORD).findall(sample)


def _is_surely_english(sample: str, stored: bytes) -> bool:
    """Whether the function words between spaces would be enough even if every run of Latin letters, and every two
    bytes that other characters have in addition, were a word: true of most English texts, in a third of the time that
    finding the words takes."""
    most_words = 1 + stored.translate(_LETTERS).count(b" a") + (len(stored) - len(sample)) // 2
    return sum(map(sample.count, _SPACED_ENGLISH)) >= max(MIN_WORDS, ENGLISH_SHARE * most_words)


def _guess(words: str) -> str:
    code, probability = _identifier().classify(words)
    return _SAME.get(code, code) if probability >= CONFIDENCE else "unknown"


@functools.lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, loaded when a text first needs it (about a second)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

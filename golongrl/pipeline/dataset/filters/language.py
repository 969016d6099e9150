"""The language a text is written in, told from samples of it: by script and function words where they settle it, by
py3langid (Lui and Baldwin 2012; naive Bayes over byte n-grams) where they do not."""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

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
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3041-\u30ff]")
_LETTERS = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(("the", "of", "and", "to"))
_SAME = {"pcm": "en", "yue": "zh", "wuu": "zh", "zxx": "unknown"}
"""Labels of py3langid read as others: English and Chinese kin that short texts are taken for, and "no language"."""


def detect(text: str) -> str:
    """ "en", "zh" (simplified or traditional), another ISO 639 code, or "unknown" where too little of the text is
    running words: tables of numbers, code, identifiers. Of several languages the one that most samples are in."""
    votes: Counter[str] = Counter()
    for sample in _samples(text):
        code = _language(sample)
        votes[code] += 1
        if votes[code] == SETTLED and len(votes) == 1 and code in ("en", "zh"):
            return code
    # Equal votes go to what can be used.
    return max(votes, key=lambda code: (votes[code], code in ("en", "zh"), code == "unknown", code))


def _samples(text: str) -> Iterator[str]:
    if len(text) <= 2 * SAMPLE_CHARACTERS:
        yield text
        return
    count = min(SAMPLES, len(text) // SAMPLE_CHARACTERS)
    step = (len(text) - SAMPLE_CHARACTERS) / (count - 1)
    # Every other one first, so that a few of them already come from all over the text.
    for number in (*range(0, count, 2), *range(1, count, 2)):
        start = round(number * step)
        yield text[start : start + SAMPLE_CHARACTERS]


def _language(sample: str) -> str:
    if not sample.isascii():
        letters = sum(map(len, _LETTERS.findall(sample)))
        han, kana = len(_HAN.findall(sample)), len(_KANA.findall(sample))
        if letters and han + kana >= CHINESE_SHARE * letters:
            return "ja" if kana >= KANA_SHARE * (han + kana) else "zh"
    words = _WORD.findall(sample)
    if len(words) < MIN_WORDS:
        return "unknown"
    function_words = sum(word.lower() in _ENGLISH for word in words)
    if function_words >= 2 and function_words >= ENGLISH_SHARE * len(words):
        return "en"
    return _guess(" ".join(words))


def _guess(words: str) -> str:
    code, probability = _identifier().classify(words)
    return _SAME.get(code, code) if probability >= CONFIDENCE else "unknown"


@functools.lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, loaded when a text first needs it (about a second)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

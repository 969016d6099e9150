"""Token F1 of a short answer, as reading-comprehension benchmarks score it (SQuAD, LongBench).

Not a training reward: it pays for a part of an answer, and for words around it.
"""

import re
import string
from collections import Counter

from golongrl.rewards.rouge_l import words

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHINESE_PUNCTUATION = re.compile(r"[^\w]|_")


def token_f1(prediction: str, gold: str, *, chinese: bool = False) -> float:
    """2 P R / (P + R) over multisets of tokens; 0 when they share none, also when one side is empty.

    English tokens are words in lower case without punctuation and articles; Chinese ones are jieba's words without
    punctuation.
    """
    predicted, wanted = _tokens(prediction, chinese), _tokens(gold, chinese)
    common = (Counter(predicted) & Counter(wanted)).total()
    return 2 * common / (len(predicted) + len(wanted)) if common else 0.0


def _tokens(text: str, chinese: bool) -> list[str]:
    if chinese:
        return [_CHINESE_PUNCTUATION.sub("", word) for word in words(text, chinese=True)]
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()

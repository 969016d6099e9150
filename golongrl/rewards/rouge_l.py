"""ROUGE-L F: longest common subsequence of words (Lin 2004), for English and Chinese.

English words are those of the package `rouge-score` (lower case, runs of a-z and 0-9), so values agree with it;
Chinese words come from jieba without punctuation.
"""

import functools
import re
import threading
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core.errors import require
from golongrl.core.records import Record, Score
from golongrl.core.text import answer_area, compatible, is_chinese

_WORD = re.compile(r"[a-z0-9]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LOADING = threading.Lock()


def rouge_l(record: Record, text: str) -> Score:
    """Maximum over the non-empty references of the LCS F-measure; details describe the best reference."""
    golds = references(record)
    if not golds:
        return Score(value=None, reason="malformed_gold", details={"problem": "no reference summary with words"})
    area = answer_area(text)[0]
    answers = {chinese: words(area, chinese) for chinese in {gold.chinese for gold in golds}}
    if not any(answers.values()):
        return Score(value=0.0, reason="no_answer")
    best = max((_f_measure(gold.words, answers[gold.chinese]) for gold in golds), key=lambda part: part["f"])
    return Score(value=best.pop("f"), details=best)


@dataclass(frozen=True)
class Reference:
    """One reference summary, cut into words as its language asks."""

    text: str
    chinese: bool
    words: Sequence[str]


def references(record: Record) -> list[Reference]:
    """The references that hold any word.

    A reference is Chinese when it reads as Chinese, or holds any Han character under the label "zh".
    """
    label = record.language == "zh"
    texts = record.gold.doc_ids or [record.gold.golden_label]
    return [reference for reference in (_reference(text, label) for text in texts) if reference.words]


@functools.lru_cache(maxsize=256)
def _reference(text: str, label: bool) -> Reference:
    """Cached, because every rollout of a group meets the same references."""
    chinese = is_chinese(text) or (label and _HAN.search(text) is not None)
    return Reference(text, chinese, tuple(words(text, chinese)))


def _f_measure(gold: Sequence[str], answer: Sequence[str]) -> dict[str, float]:
    common = lcs_length(gold, answer)
    return {
        "f": 2 * common / (len(gold) + len(answer)),
        "precision": common / len(answer) if answer else 0.0,
        "recall": common / len(gold),
        "words": len(answer),
        "reference_words": len(gold),
    }


def words(text: str, chinese: bool) -> list[str]:
    """Words of a text, lower case, without punctuation."""
    if not chinese:
        return _WORD.findall(text.lower())
    return [word for word in _segmenter().cut(compatible(text).lower()) if any(map(str.isalnum, word))]


def lcs_length(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyrö 2004): one big-integer step per element."""
    if len(first) > len(second):
        first, second = second, first
    positions: dict[Hashable, int] = {}
    for index, item in enumerate(first):
        positions[item] = positions.get(item, 0) | 1 << index
    full = (1 << len(first)) - 1
    row = full
    for item in second:
        if match := row & positions.get(item, 0):
            row = (row + match | row - match) & full
    return len(first) - row.bit_count()


def _segmenter() -> Any:
    with _LOADING:
        return _load_segmenter()


@functools.cache
def _load_segmenter() -> Any:
    """A jieba tokenizer of our own, so that words other code adds to the global one do not change scores.

    Its dictionary is read from the package: jieba's own loader would take a cache from the shared temporary folder,
    which anybody on the machine can write.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jieba = require("jieba")
    segmenter = jieba.Tokenizer()
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return segmenter

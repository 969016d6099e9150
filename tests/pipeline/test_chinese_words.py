"""Words of Chinese text are those that jieba finds without guessing at unknown ones."""

import logging
from collections import Counter

import jieba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.chinese_words import count_words

PIECES = st.sampled_from(
    ["中", "国", "人民", "卡拉OK", "T恤", "AA制", "第三", "长江大桥", "研究生命", "㐀", "鿿", "。", "，"]
)
TEXT = st.lists(st.one_of(PIECES, st.text("的一是不了在有和人这大上为们地到时A1.%- \n", max_size=6)), max_size=30)


def by_jieba(text):
    jieba.setLogLevel(logging.WARNING)
    return Counter(word for word in jieba.lcut(text, HMM=False) if len(word) > 1)


def worded(counts):
    """Without what holds no Chinese character: white space and Latin words, which nobody asks for."""
    return [(word, n) for word, n in counts.items() if any("\u4e00" <= char <= "\u9fff" for char in word)]


@settings(deadline=None)
@given(TEXT.map("".join))
def test_words_and_their_order_are_those_of_jieba(text):
    assert worded(count_words(text)) == worded(by_jieba(text))


@pytest.mark.parametrize("text", ["南京市长江大桥，" * 3, "研究生命起源" * 40])
def test_long_and_repeated_blocks_are_cut_alike(text):
    assert worded(count_words(text)) == worded(by_jieba(text))


def test_content_words_leave_out_mixed_words_ordinals_and_stopwords():
    assert prose.content_words("我们走长江大桥。第三，T恤，长江大桥，我们。", "zh") == {"长江大桥": 2}

"""Hand-computed scores of the metrics over lines, tables and summaries."""

import json
import math

import pytest

from golongrl.core.records import parse_record
from golongrl.rewards import score_response
from golongrl.rewards.rouge_l import lcs_length, words


def record(metric, *golds, label="", **extra):
    return parse_record(
        {
            "data_source": "test",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": {"golden_label": label, "doc_ids": list(golds)}},
            "extra_info": {"metric": metric, **extra},
        }
    )


def value(sample, response):
    return score_response(sample, response).value


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Paris", 1),
        ("[Answer]\n**paris.**", 1),
        ("thinking aloud\n[Answer] “Paris”", 1),
        ("[Answer] city of\n light", 1),
        ("The answer is Paris", 0),
        ("Paris, France", 0),
    ],
)
def test_exact_match(response, expected):
    assert value(record("em", "City of Light", label="Paris"), response) == expected


def test_lines_that_only_wrap_an_answer_are_no_content():
    assert value(record("em", label="Paris"), "[Answer]\n```\nParis\n```") == 1
    assert value(record("f1", "a1", "b2"), "[Answer]\n```text\na1\nb2\n```") == 1
    assert value(record("pairwise", "a1", "b2"), "<answer>\na1\nb2\n</answer>") == 1
    # Two hits of three lines, the last of which says something: 4 / 5.
    assert value(record("f1", "a1", "b2"), "a1\nb2\n```c3```") == pytest.approx(4 / 5)


def test_circled_numbers_are_items_where_nothing_follows_them():
    assert value(record("f1", "①", "③"), "1. ①\n2. ③") == 1
    # One hit of two golds and two lines.
    assert value(record("f1", "①", "③"), "①\n②") == 0.5


def test_a_gold_without_content_is_malformed():
    assert score_response(record("f1", "\u200b"), "a").reason == "malformed_gold"


def test_exact_match_in_chinese():
    assert value(record("em", label="北京"), "【答案】北京。") == 1
    assert value(record("em", label="AB"), "ＡＢ") == 1
    assert value(record("em", label="北京"), "上海") == 0


def test_verbatim_answers_are_graded_behind_their_prefix():
    sample = record("em", label="Xq7 abcd", strict_prefix="Xq7")
    assert value(sample, "<think>Xq7</think>\nXq7 abcd\n") == 1
    # " ab" of " abcd": 2 * 3 / (3 + 5)
    assert value(sample, "Xq7 ab") == pytest.approx(0.75)
    assert value(sample, "Here: Xq7 abcd") == 0
    assert value(sample, "<think>Xq7 abcd</think> no") == 0
    assert score_response(sample, "Xq7 abcd", think="required").reason == "unclosed_think"
    assert score_response(sample, "  ").reason == "no_answer"
    assert value(record("em", label="Xq7a </think> b", strict_prefix="Xq7"), "<think>?</think>Xq7a </think> b") == 1


def test_set_f1():
    sample = record("f1", "a1", "b2", "c3")
    # 2 hits, 4 lines, 3 golds: 4 / 7
    assert value(sample, "[Answer]\n1. A1\n2. B2\n3. x\n4. y\n- a1") == pytest.approx(4 / 7)
    assert score_response(sample, "[Answer]\na1").details == {
        "golds": 3,
        "predictions": 1,
        "precision": 1.0,
        "recall": pytest.approx(1 / 3),
    }
    assert value(record("f1", "北京", "上海"), "[答案]\n① 北京。\n② 上海。") == 1


def test_numbering_counts_where_golds_differ_in_nothing_else():
    sample = record("f1", "1. Scope", "2. Scope", "3. Terms")
    assert value(sample, "1. Scope\n2. Scope\nTerms") == 1
    assert value(sample, "- 2. Scope\n- 3. Terms\n- 1. 1. Scope") == 1
    # "Scope" alone names neither: one hit of two lines.
    assert value(sample, "Scope\n3. Terms") == pytest.approx(2 / 5)


def test_sub_em_guards_against_listing_everything():
    sample = record("subem", "a1", "b2")
    assert value(sample, "a1\nb2") == 1
    assert value(sample, "a1") == 0.5
    assert value(sample, "x\ny") == 0
    # 1 of 2 golds in 5 lines: 0.5 * 2 / 5
    assert value(sample, "a1\nv\nw\nx\ny") == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("a\nb\nc\nd", 1.0),
        ("d\nc\nb\na", 0.0),
        ("b\na\nc\nd", 5 / 6),
        ("a\nb", 1 / 6),
        ("a\nb\nc\nd\nx", 6 / 10),
        ("a\nb\nc\nd\na", 1.0),
        ("a", 0.0),
    ],
)
def test_pairwise(answer, expected):
    assert value(record("pairwise", "a", "b", "c", "d"), answer) == pytest.approx(expected)


def test_pairwise_with_a_single_gold():
    assert value(record("pairwise", "甲"), "[答案]\n甲") == 1
    assert value(record("pairwise", "甲"), "[答案]\n甲\n乙") == 0


def test_ndcg():
    sample = record("ndcg", "a", "b", "c")
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert value(sample, "a\nb\nc") == 1
    assert value(sample, "c\na\nb") == pytest.approx((1 + 3 / math.log2(3) + 2 / 2) / ideal)
    assert value(sample, "a") == pytest.approx(3 / ideal)
    beyond = score_response(sample, "x\ny\nz\na")
    assert (beyond.value, beyond.details["surplus"]) == (0.0, 1)


def test_ndcg_with_graded_relevance():
    sample = record("ndcg", "a", "b", "c", relevance=[1, 1, 0])
    assert value(sample, "b\na") == 1
    assert value(sample, "c\na\nb") == pytest.approx((1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)))
    for bad in ([1, 1], [1, -1, 0], [0, 0, 0], ["x", 1, 1], 3, [math.nan, 1, 1]):
        assert score_response(record("ndcg", "a", "b", "c", relevance=bad), "a").reason == "malformed_gold"


def table(*rows):
    return record("iou", label=json.dumps({"data": list(rows)}, ensure_ascii=False))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ('<answer>{"data": [["a", 1.0], ["b", "1,000"]]}</answer>', 1),
        ('```json\n[["b", 1000], ["a", 1]]\n```', 1),
        ('It is {"note": 1} and [["a", "1"], ["b", 1000]] then {"x": 2}.', 1),
        ('By [3]: {"data": [["a", 1], ["b", 1000]]}, see [1].', 1),
        ('<answer>[["a", 2]]</answer> no, <answer>[["a", 1], ["b", 1000]]</answer>', 1),
        # 1 common row of 3 in the union
        ('<answer>[["a", 1], ["b", 7]]</answer>', 1 / 3),
        ('<answer>[["a", 1], ["a", 1], ["b", 1000]]</answer>', 2 / 3),
        ('<answer>[[1, "a"], [1000, "b"]]</answer>', 0),
        ('<answer>[["a", true], ["b", 1000]]</answer>', 1 / 3),
        ('<answer>{"data": [["a", 1], ["b", 1000]]', 0),
        ('{"data": [["a", 1], ["b", 1000]]', 0),
        ('<answer>Here it is: {"data": [["a", 1], ["b", 1000]]}</answer>', 1),
        ('<answer>\u200b[["a", 1], ["b", 1000]]</answer> as asked </answer>', 1),
        ('```json\n[["a", 1], ["b", 1000]]\n```\nUse it so:\n```python\nprint(rows)\n```', 1),
        ('<answer>[["a", 1], ["b", 1000]]</answer>, not <answer></answer>', 0),
    ],
)
def test_table_iou(response, expected):
    assert value(table(["a", 1], ["b", 1000]), response) == pytest.approx(expected)


def test_table_cells_keep_their_type():
    assert value(table(["007"]), '[["7"]]') == 0
    assert value(table(["Ａ"]), '[["A"]]') == 1
    assert value(table([12345678901234567890]), "[[12345678901234567891]]") == 0
    assert value(table([None]), '[["None"]]') == 0
    assert value(table([-5]), '[["\u22125"]]') == 1
    assert value(table(["two lines"]), '[["two\nlines"]]') == 1
    assert value(table([1]), "[[1e99999999999999999999]]") == 0
    assert value(table(), '{"data": []}') == 1


def test_tables_that_are_none():
    assert score_response(table([1]), "I do not know").reason == "no_answer"
    assert score_response(table([1]), "[" * 100_000).reason == "no_answer"
    assert score_response(table([1]), "[1," * 500 + "1," * 50_000).reason == "no_answer"
    assert score_response(record("iou", label="not json"), "[]").reason == "malformed_gold"
    assert score_response(record("iou", label='{"rows": []}'), "[]").reason == "malformed_gold"


def test_rouge_l():
    sample = record("rouge_l", "the cat sat on the mat")
    assert value(sample, "[Answer]\nThe cat sat on the mat.") == 1
    # LCS "the cat on the mat" = 5 of 6 and of 5 words: 10 / 11
    assert value(sample, "the cat on the mat") == pytest.approx(10 / 11)
    # LCS "the cat" or "on the cat"... "on" "mat" "sat" "the" "cat": longest is 2 ("on mat", "the cat")
    assert value(sample, "on. mat. sat. the. cat") == pytest.approx(4 / 11)
    assert value(sample, " ".join(["the cat sat on the mat"] * 8)) == pytest.approx(12 / 54)


def test_rouge_l_takes_the_best_reference_and_skips_empty_ones():
    sample = record("rouge_l", "", "...", "one two three four", "one two")
    score = score_response(sample, "one two")
    assert (score.value, score.details["reference_words"]) == (1.0, 2)
    assert score_response(record("rouge_l", "", "..."), "x").reason == "malformed_gold"
    assert score_response(sample, "...").reason == "no_answer"


@pytest.mark.parametrize("language", ["Chinese", "zh", "English", ""])
def test_rouge_l_cuts_chinese_into_words_whatever_the_label(language):
    sample = record("rouge_l", "今天天气不错").model_copy(deep=True)
    sample.reward_model.ground_truth.summary = language
    # 今天天气 / 不错 against 今天天气 / 很 / 好: 2 * 1 / (2 + 3)
    assert value(sample, "今天天气很好！") == pytest.approx(0.4)


def test_english_words_are_those_of_rouge_score():
    from rouge_score.tokenizers import DefaultTokenizer

    text = "Don't SPLIT e-mail_v2 at 3.14, Zürich; 北京 ok"
    assert words(text, chinese=False) == DefaultTokenizer().tokenize(text)


def test_lcs_of_long_sequences():
    first = [f"w{i % 977}" for i in range(3000)]
    assert lcs_length(first, first) == 3000
    assert lcs_length(first, first[1500:] + ["x"] * 1500) == 1500
    assert lcs_length([], first) == 0
    assert lcs_length("ABCBDAB", "BDCABA") == 4

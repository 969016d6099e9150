"""Every row of the table "Where we differ from the reference implementation" in docs/rewards.md, scored."""

import concurrent.futures
import json

import pytest

from golongrl.rewards import score_response

THOUSAND = " ".join(f"word{number}" for number in range(1260))


def score(metric, gold, response, **extra_info):
    single = metric in ("em", "choice", "math", "iou")
    row = {
        "data_source": "test",
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"ground_truth": {"golden_label": gold} if single else {"doc_ids": gold}},
        "extra_info": {"metric": metric, **extra_info},
    }
    return score_response(row, response, think="optional")


@pytest.mark.parametrize(
    ("metric", "gold", "response", "expected"),
    [
        ("pairwise", ["a", "b", "c", "d"], "a\nb", 1 / 6),
        ("pairwise", ["a", "b", "c", "d"], "a\n\nb\n\nc\n\nd", 1),
        ("pairwise", ["A", "a", "b"], "a\nb", 1),
        ("pairwise", ["a"], "a", 1),
        ("pairwise", ["a", "b", "c"], "a\nb\nc\na", 1),
        ("ndcg", ["a", "b", "c"], "a\n\nb\nc\na", 1),
        ("f1", ["A1"], "- Ａ１.", 1),
        ("subem", ["417"], "\n".join(map(str, range(500))), 1 / 500),
        ("subem", [""], "\n", None),
        ("subem", ["paris"], "<think>\nparis\n</think>\nI do not know.", 0),
        ("f1", ["paris"], "<think>\nparis\n</think>\nI do not know.", 0),
        ("math", "42", "<think>so \\boxed{42}</think>I am not sure.", 0),
        ("iou", '{"data": [[1]]}', '<think><answer>{"data": [[1]]}</answer></think>No idea.', 0),
        ("choice", "Paris", "**[Answer]**\nParis", 1),
        ("choice", "Paris", "[answer]: Paris", 1),
        ("choice", "Paris", "【答案】Paris", 1),
        ("choice", "Paris", "[Answer] Rome\n[答案] Paris", 1),
        ("rouge_l", ["The cat sat."], "<think>" + THOUSAND + "</think>[Answer]\nThe cat sat.", 1),
        ("rouge_l", [THOUSAND], THOUSAND, 1),
        ("rouge_l", ["the cat sat on the mat"], "on. mat. sat. the. cat", 4 / 11),
        ("rouge_l", ["the cat sat on the mat"], "the cat sat on the mat. " * 8, 2 / 9),
        ("rouge_l", ["the cat sat", "..."], "the cat sat", 1),
        ("rouge_l", ["公司计划明年扩大生产规模"], "公司计划明年扩大生产规模", 1),
        ("choice", "B", "The correct answer is (A). Wait, the correct answer is (B)", 1),
        ("choice", "A", "The correct answer is Apple", 0),
        ("choice", "D", "Definitely B", 0),
        ("choice", "A", "The correct answer is (A) or (B) or (C) or (D)", 0),
        ("choice", "B", "\\boxed{B}", 1),
        ("choice", "(b)", "答案：B", 1),
        ("choice", "E", "The correct answer is  E", 1),
        ("em", "Paris", "paris.", 1),
        ("em", "Paris", "[Answer]\nParis", 1),
        ("em", 7, "7", 1),
        ("em", "", "", None),
        ("math", "42", "\\boxed{42}" + " and so on" * 60, 1),
        ("math", "50%", "\\boxed{50\\%}", 1),
        ("math", "1.5", "\\boxed{1.5倍}", 1),
        ("math", "3 million", "\\boxed{3000000}", 1),
        ("math", "12", "\\boxed{１２}", 1),
        ("math", "1000000", "1e6", 1),
        ("math", "3", "\\boxed{1} so \\boxed{3}", 1),
        ("iou", '{"data": [["1"]]}', '```json\n{"data": [[1.0]]}\n```', 1),
        ("iou", '{"data": []}', '{"data": []}', 1),
        ("em", "Paris", "<think>The tag </think> ends it.</think>Paris", 1),
        ("f1", [], "a", None),
        ("iou", "no table", "[]", None),
    ],
)
def test_row(metric, gold, response, expected):
    value = score(metric, gold, response).value
    assert value is None if expected is None else value == pytest.approx(expected, abs=1e-9)


def test_an_unusable_gold_names_its_problem():
    found = score("f1", [], "a")
    assert found.reason == "malformed_gold"
    assert found.details["problem"]


def test_lines_after_the_last_rank_are_counted():
    assert score("ndcg", ["a", "b"], "a\nb\nc\nd").details["surplus"] == 2


def test_a_gold_wrapped_in_a_list_is_unwrapped():
    row = {
        "data_source": "multitableqa_pretraining",
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"ground_truth": [{"golden_label": json.dumps({"data": [["a", 1]]})}]},
        "extra_info": {"reward_mode": "multitableqa_pretraining"},
    }
    assert score_response(row, '<answer>{"data": [["a", 1.0]]}</answer>').value == 1.0


def test_math_scores_off_the_main_thread():
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        values = list(threads.map(lambda gold: score("math", gold, r"\boxed{\sqrt{2}}").value, [r"\sqrt2", "2"]))
    assert values == [1.0, 0.0]

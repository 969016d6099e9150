"""No text makes a metric blow up: long adversarial answers are scored in time that grows with their length.

Quadratic code would need minutes where these take milliseconds, so the limit is generous on any machine.
"""

import time

import pytest

from golongrl.core.records import parse_record
from golongrl.rewards import REWARDS, score_response

SIZE = 200_000
LIMIT_SECONDS = 20
UNITS = [
    *("[", "]", "{", "}", "(", "**", "`", '"', "'", "“", "\\", "$", "$$", "\\(", "\\[", "#", "<", "|", "9", "0."),
    *(" ", "\n", "\t", "\u3000", "\r\n", " \n", "A ", "a", "今", "½", "①", "\0", "\u200b", "-", "- ", "1. ", "(1) "),
    *(
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "[Answer]",
        "**[Answer]**",
        "【答案】",
        "```\n",
        "```json\n[",
        "~",
    ),
    *(
        "the answer is ",
        "The correct answer is ",
        "(A) or ",
        "(A) and ",
        "答案",
        "答案：",
        "option ",
        "A, B, ",
        "not ",
    ),
    *(
        "\\boxed{",
        "\\boxed{1} and ",
        "\\frac{1}{",
        "\\text{",
        "1,000,",
        "1 + ",
        "1/",
        "1e5",
        "x = ",
        "5 km or ",
        "#### 3\n",
    ),
    *('{"data":[', '[["a",', '{"data": [["a", 1]]} ', "[1] ", '\\"', "<relevant_doc_ids>", "<|doc_1|>"),
]


def sample(metric):
    single = {"choice": "B", "em": "Paris", "math": "42", "iou": '{"data": [["a", 1]]}'}
    return parse_record(
        {
            "data_source": "test",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {
                "ground_truth": {
                    "golden_label": single.get(metric, ""),
                    "doc_ids": [] if metric in single else ["the cat sat", "on the mat"],
                }
            },
            "extra_info": {"metric": metric, "options": ["w", "x", "y", "z"]},
        }
    )


@pytest.mark.parametrize("metric", REWARDS)
def test_long_adversarial_answers(metric):
    record = sample(metric)
    for unit in UNITS:
        for answer in (unit * (SIZE // len(unit)), "[Answer]\n" + unit * (SIZE // len(unit)) + "\n"):
            start = time.monotonic()
            score = score_response(record, answer, think="optional")
            assert score.value is not None
            assert time.monotonic() - start < LIMIT_SECONDS, f"{unit!r} took too long"


@pytest.mark.parametrize("metric", ["choice", "math", "em"])
@pytest.mark.parametrize("phrase", ["The answer is", "答案是", "I choose", "\\boxed{", "[Answer]\nB"])
def test_white_space_without_end_behind_an_answer_phrase(metric, phrase):
    for space in (" ", "\t", "\n", "\u3000", " \n", "\r\n"):
        start = time.monotonic()
        score_response(sample(metric), phrase + space * (SIZE // len(space)) + "x", think="optional")
        assert time.monotonic() - start < LIMIT_SECONDS, f"{space!r} took too long"


def test_documents_and_number_in_long_text():
    record = parse_record(
        {
            "data_source": "retrieval_calculate",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": {"golden_label": "4", "doc_ids": ["<|doc_1|>"]}},
            "extra_info": {"reward_mode": "retrieval_calculate"},
        }
    )
    for unit in UNITS:
        wrapped = f"<relevant_doc_ids>{unit * (SIZE // len(unit))}</relevant_doc_ids>"
        start = time.monotonic()
        assert (
            score_response(record, f"{wrapped}<continue_reasoning>{wrapped}</continue_reasoning>").value is not None
        )
        assert time.monotonic() - start < LIMIT_SECONDS, f"{unit!r} took too long"

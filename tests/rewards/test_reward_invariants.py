"""What holds for every metric: bounds, gold = 1, determinism, and that thinking never matters."""

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from golongrl.core.errors import DataError
from golongrl.core.records import parse_record
from golongrl.core.text import item_forms
from golongrl.rewards import REWARDS, gold_response, score_response

# The first Chinese summary loads a dictionary for about a second.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

WORDS = st.text(alphabet=st.sampled_from('abcdefgh甲乙丙 12.-*()"'), min_size=1, max_size=12)
ITEMS = st.lists(WORDS.filter(str.strip), min_size=1, max_size=8)
LIST_METRICS = ("f1", "subem", "ndcg", "pairwise")


def row(metric, golds):
    gold = {"golden_label": "", "doc_ids": golds}
    if metric == "em":
        gold = {"golden_label": golds[0], "doc_ids": golds[1:]}
    if metric == "choice":
        gold = {"golden_label": "ABCD"[len(golds) % 4], "doc_ids": []}
    if metric == "math":
        gold = {"golden_label": f"{sum(map(len, golds))}/7", "doc_ids": []}
    if metric == "iou":
        gold = {"golden_label": json.dumps({"data": [[item, len(item)] for item in golds]}), "doc_ids": []}
    return {
        "data_source": "test",
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"metric": metric, "options": ["w", "x", "y", "z"]},
    }


def samples(metric):
    return ITEMS.map(lambda golds: parse_record(row(metric, golds)))


ANY_RECORD = st.sampled_from(sorted(REWARDS)).flatmap(samples)
RESPONSES = st.one_of(
    st.text(),
    ITEMS.map("\n".join),
    st.lists(
        st.sampled_from(
            [
                "[Answer]",
                "</think>",
                "<think>",
                "<answer>",
                "</answer>",
                "(A)",
                "B\n",
                "\\boxed{C}",
                '[["a", 1]]',
                "甲\n",
            ]
        )
    ).map("".join),
)


@given(ANY_RECORD, RESPONSES, st.sampled_from(["required", "optional", "auto"]))
def test_scores_lie_in_the_unit_interval_and_repeat(record, response, think):
    score = score_response(record, response, think=think)
    assert score.value is None or 0.0 <= score.value <= 1.0
    assert (score.value is None) == (score.reason == "malformed_gold")
    assert score_response(record, response, think=think) == score
    json.dumps(score.model_dump())


@given(ANY_RECORD)
def test_the_gold_response_scores_one(record):
    assume(score_response(record, "x").reason != "malformed_gold")
    assert score_response(record, gold_response(record)).value == pytest.approx(1.0, abs=1e-9)


@given(ANY_RECORD, RESPONSES, st.text())
def test_thinking_in_front_changes_nothing(record, response, thinking):
    assume("think>" not in response and "<think" not in thinking)
    plain = score_response(record, response, think="optional")
    assert score_response(record, f"<think>{thinking}</think>{response}", think="required") == plain


@given(ANY_RECORD)
def test_gold_inside_thinking_earns_nothing(record):
    assume(score_response(record, "x").reason != "malformed_gold")
    response = gold_response(record)
    for attack in (f"<think>{response}</think>", f"<think>{response}", f"<think></think><think>{response}"):
        assert not score_response(record, attack).value


@given(ITEMS, ITEMS, st.randoms())
def test_f1_and_subem_ignore_order(golds, answer, rng):
    shuffled = rng.sample(answer, len(answer))
    for metric in ("f1", "subem"):
        record = parse_record(row(metric, golds))
        # Separate lines stay lines: an item of white space only is no line.
        first = score_response(record, "[Answer]\n" + "\n".join(answer)).value
        assert score_response(record, "[Answer]\n" + "\n".join(shuffled)).value == first


@given(ITEMS, st.sampled_from(LIST_METRICS))
def test_repeating_the_gold_list_changes_nothing(golds, metric):
    record = parse_record(row(metric, golds))
    assert score_response(record, "[Answer]\n" + "\n".join(golds * 3)).value == pytest.approx(1.0)


LETTERS = st.sampled_from([f"item {letter}" for letter in "abcdefghij"])
DISTINCT = st.lists(LETTERS, min_size=2, max_size=8, unique=True)


@given(DISTINCT, st.integers(0, 7), st.integers(0, 5), st.sampled_from(LIST_METRICS))
def test_one_more_right_item_in_its_place_never_costs(golds, kept, wrong, metric):
    record = parse_record(row(metric, golds))
    junk = [f"zz{index}" for index in range(wrong)]
    values = [
        score_response(record, "\n".join([*golds[:count], *junk]) or "none").value
        for count in (min(kept, len(golds) - 1), min(kept, len(golds) - 1) + 1)
    ]
    assert values[0] <= values[1]


@given(ITEMS, ITEMS, st.sampled_from(LIST_METRICS), st.sampled_from(["- {}", "* {}", "• {}"]))
def test_bullets_change_nothing(golds, answer, metric, bullet):
    record = parse_record(row(metric, golds))
    # A line that begins or ends with a sign of its own may read otherwise behind a bullet.
    assume(all(line[0].isalnum() and line == line.strip() for line in answer))
    plain, dressed = "\n".join(answer), "\n".join(map(bullet.format, answer))
    assert score_response(record, dressed).value == score_response(record, plain).value


@given(ITEMS, ITEMS, st.sampled_from([*LIST_METRICS, "em", "rouge_l"]))
def test_case_changes_nothing(golds, answer, metric):
    record = parse_record(row(metric, golds))
    assert score_response(record, "\n".join(answer).upper()) == score_response(record, "\n".join(answer))


def test_processes_agree():
    rng = random.Random(1)
    jobs = [
        (row(metric, [rng.choice("abcdefgh") * 2 for _ in range(5)]), "\n".join(rng.choices("aabbccdd甲乙", k=9)))
        for metric in sorted(REWARDS) * 4
    ]
    code = (
        "import json, sys; from golongrl.rewards import score_response; "
        "print(json.dumps([score_response(*job).model_dump() for job in json.load(sys.stdin)]))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(jobs),
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert seen == {json.dumps([score_response(*job).model_dump() for job in jobs]) + "\n"}


@given(ITEMS, st.integers(1, 30), st.sampled_from(["f1", "subem", "pairwise"]))
def test_surplus_lines_never_pay(golds, surplus, metric):
    record = parse_record(row(metric, golds))
    assume(len({item_forms(gold)[0] for gold in golds}) == len(golds))
    dump = "\n".join([*golds, *(f"zz{index}zz" for index in range(surplus))])
    assert score_response(record, "[Answer]\n" + dump).value < 1


def test_a_reversed_order_earns_nothing_pairwise():
    golds = [f"event {index}" for index in range(6)]
    record = parse_record(row("pairwise", golds))
    assert score_response(record, "\n".join(golds[::-1])).value == 0


def test_dicts_and_records_score_alike():
    plain = row("f1", ["a", "b"])
    assert score_response(plain, "a") == score_response(parse_record(plain), "a")


def test_what_cannot_be_scored_is_an_error():
    with pytest.raises(DataError, match=r"no metric is known .* set extra_info.metric to one of em, choice"):
        score_response(row("taste", ["42"]), "42")
    with pytest.raises(DataError, match="NoneType"):
        score_response(row("em", ["42"]), None)
    with pytest.raises(DataError, match="prompt"):
        score_response({**row("em", ["42"]), "prompt": []}, "42")
    with pytest.raises(DataError, match="ground truth is empty"):
        gold_response(parse_record(row("f1", [" "])))


@pytest.mark.parametrize("metric", sorted(set(REWARDS) - {"choice"}))
def test_an_empty_gold_has_no_score(metric):
    sample = row(metric, [" "])
    if metric in ("iou", "math"):
        sample["reward_model"]["ground_truth"]["golden_label"] = ""
    score = score_response(sample, "anything")
    assert (score.value, score.reason) == (None, "malformed_gold")


def test_threads_agree_with_one_thread():
    rng = random.Random(0)
    golds = [["今天天气不错，我们去公园散步", "the cat sat on the mat"], ["甲", "b", "c"], ["d", "e"]]
    jobs = [
        (parse_record(row(metric, rng.choice(golds))), rng.choice(["今天我们去公园", "b\nc", "(B)", "e\nd"]))
        for metric in sorted(REWARDS)
        for _ in range(25)
    ]
    alone = [score_response(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda job: score_response(*job), jobs)) == alone


def test_importing_rewards_is_light():
    heavy = "jieba rouge_score nltk pyarrow jinja2 sklearn torch transformers"
    code = f"import sys, golongrl.rewards; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

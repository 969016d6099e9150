import llm_server
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_calls import ScriptedCalls, cut, documented, failed, prompt_of

from golongrl.core.config import build
from golongrl.core.errors import ConfigError
from golongrl.core.records import parse_record
from golongrl.core.tokens import load
from golongrl.pipeline.dataset.calls import open_calls
from golongrl.pipeline.dataset.llm_settings import DifficultyConfig, ModelConfig, VerifyConfig
from golongrl.pipeline.dataset.verifying.difficulty import (
    calibrate,
    large_level,
    quarantined,
    small_level,
    together,
    wilson,
)
from golongrl.pipeline.dataset.verifying.verification import verify

CONFIG = DifficultyConfig(small="s", large="l")
ALONE = DifficultyConfig(small="s")
DOCUMENTS = [("Harbour", "The ferry is blue."), ("Mill", "The mill stands on a hill.")]


def ferry(question="What colour is the ferry?", **more):
    return documented("T1", question, "blue", DOCUMENTS, evidence=["ferry is blue"], **more)


def right(**rollouts):
    """A script: model -> how many of its rollouts are right."""
    return lambda call: "[Answer]\nblue" if call.repeat < rollouts[call.model] else "[Answer]\nred"


def calibrated(records, script, config=CONFIG, **more):
    calls = ScriptedCalls(script)
    found, facts = calibrate(calls, lambda: iter(records), config, seed=3, **more)
    return found, facts, calls


@pytest.mark.parametrize(
    ("small", "large", "level", "model", "rate"),
    [
        (8, 0, "easy", "s", 1.0),
        (7, 0, "easy", "s", 0.875),
        # 0.75 is no more than 0.75.
        (6, 0, "medium", "s", 0.75),
        (4, 0, "medium", "s", 0.5),
        (3, 8, "medium", "l", 1.0),
        (3, 7, "medium", "l", 0.875),
        (3, 6, "hard", "l", 0.75),
        (0, 2, "hard", "l", 0.25),
        (0, 1, "quarantined", "l", 0.125),
        (3, 0, "quarantined", "l", 0.0),
    ],
)
def test_two_stages(small, large, level, model, rate):
    (one,), facts, calls = calibrated([ferry()], right(s=small, l=large), names={"s": "Small-4B", "l": "Large-30B"})
    decided = {"s": small, "l": large}[model]
    assert one.fields == {
        "difficulty": level,
        "calibrated_by": {"s": "Small-4B", "l": "Large-30B"}[model],
        "rollouts": [1.0] * decided + [0.0] * (8 - decided),
        "pass_rate": rate,
        "pass_interval": list(wilson(decided, 8)),
    }
    assert facts["levels"] == {level: 1}
    assert facts["capabilities"] == {"T1": {level: 1}}
    assert facts["mean_pass_rate"] == {"T1": rate, "all": rate}
    assert facts["stages"] == {"Small-4B": 1} | ({"Large-30B": 1} if model == "l" else {})
    assert len(calls.asked) == (8 if model == "s" else 16)
    assert len({(call.model, call.seed) for call in calls.asked}) == len(calls.asked)


def test_the_facts_of_two_rounds_are_those_of_one_round_of_all_records():
    def script(call):
        if "silent" in prompt_of(call) or ("cut" in prompt_of(call) and call.repeat == 0):
            return failed("refused") if "silent" in prompt_of(call) else cut("so")
        return right(s=3 if "hard" in prompt_of(call) else 8, l=4)(call)

    def asked(*words):
        return [ferry(f"What colour is the ferry, {word}?") for word in words]

    rounds = [asked("hard", "silent"), asked("now", "cut")]
    first, second = (calibrated(records, script)[1] for records in rounds)
    whole = calibrated([*rounds[0], *rounds[1]], script)[1]
    assert together(first, second) == whole
    assert whole["levels"] == {"easy": 2, "hard": 1, "unknown": 1}
    assert list(together(second, first)["levels"]) == list(together(first, second)["levels"]) == list(whole["levels"])
    assert whole["mean_pass_rate"] == {"T1": (0.5 + 1 + 7 / 8) / 3, "all": (0.5 + 1 + 7 / 8) / 3}
    assert (whole["cut"], whole["stages"]) == ({"s": 1}, {"s": 4, "l": 2})


@pytest.mark.parametrize(("small", "level"), [(8, "easy"), (4, "medium"), (3, "hard"), (1, "hard"), (0, "unsolved")])
def test_without_a_large_model(small, level):
    (one,), _, calls = calibrated([ferry()], right(s=small), ALONE)
    assert (one.level, one.rate, len(calls.asked)) == (level, small / 8, 8)


def test_thresholds_are_settings():
    config = DifficultyConfig(small="s", large="l", easy=0.9, medium=0.6, large_medium=0.5, large_hard=0.1)
    assert [small_level(rate, config) for rate in (0.91, 0.9, 0.6)] == ["easy", "medium", "medium"]
    assert [large_level(rate, config) for rate in (0.51, 0.5, 0.1, 0.09)] == ["medium", "hard", "hard", "quarantined"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"easy": 0.4}, "medium is above easy"),
        ({"large_hard": 0.8}, "large_hard is above large_medium"),
        ({"large": "l"}, "name the model of the first as small"),
        ({"pass_scores": {"rouge": 0.3}}, "no metric 'rouge'"),
        ({"pass_scores": {"f1": 0}}, "expected a score above 0"),
    ],
)
def test_thresholds_that_make_no_level_are_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        build(DifficultyConfig, table)


def test_wilson_bounds():
    # 6 of 8: (0.75 + 3.8415 / 16 -+ 1.96 sqrt(0.75 * 0.25 / 8 + 3.8415 / 256)) / (1 + 3.8415 / 8).
    assert wilson(6, 8) == pytest.approx((0.40928, 0.92852), abs=1e-5)
    # None of 8: 0 and 3.8415 / (8 + 3.8415).
    assert wilson(0, 8) == pytest.approx((0.0, 0.32441), abs=1e-5)
    assert wilson(8, 8) == pytest.approx((0.67559, 1.0), abs=1e-5)
    assert wilson(1, 1) == pytest.approx((0.20655, 1.0), abs=1e-5)


@given(st.integers(1, 64).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_within_bounds_and_mirrors(counts):
    passed, count = counts
    low, high = wilson(passed, count)
    assert 0 <= low <= passed / count <= high <= 1
    assert high - low > 0
    mirrored = wilson(count - passed, count)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high))


def test_graded_metrics_pass_at_their_score():
    record = documented("T3", "Which?", ["a", "b", "c", "d"], DOCUMENTS, evidence=["ferry is blue"])
    # Three of four items: precision 1, recall 0.75, F1 6/7; two of four: F1 2/3.
    texts = ["[Answer]\na\nb\nc", "[Answer]\na\nb"] * 4
    (one,), _, _ = calibrated([record], lambda call: texts[call.repeat], ALONE)
    assert (one.level, one.rate) == ("medium", 0.5)
    assert one.scores == pytest.approx([6 / 7, 2 / 3] * 4)
    (one,), _, _ = calibrated([record], lambda call: texts[call.repeat], ALONE.model_copy(update={"pass_score": 0.6}))
    assert one.level == "easy"


def test_rollouts_without_a_score_leave_the_rate_and_are_counted():
    def script(call):
        return failed("overlong") if call.repeat < 4 else "[Answer]\nblue" if call.repeat < 7 else "[Answer]\nred"

    (one,), facts, _ = calibrated([ferry()], script, ALONE)
    assert (one.level, one.rate, one.interval) == ("medium", 0.75, wilson(3, 4))
    assert facts["unscored"] == {"s": {"overlong": 4}}


def test_too_few_scores_make_no_rate():
    def script(call):
        return failed("refused") if call.repeat < 5 else "[Answer]\nblue"

    (one,), facts, _ = calibrated([ferry()], script, ALONE)
    assert one.fields == {"difficulty": "unknown", "calibrated_by": "s", "rollouts": [1.0, 1.0, 1.0]}
    assert one.reason == "only 3 of 8 rollouts have a score (5 refused)"
    assert (facts["levels"], facts["mean_pass_rate"]) == ({"unknown": 1}, {})


def test_what_the_small_model_cannot_be_asked_the_large_one_is():
    (one,), _, _ = calibrated([ferry()], lambda c: failed("overlong") if c.model == "s" else "[Answer]\nblue")
    assert (one.level, one.model) == ("medium", "l")
    (one,), _, _ = calibrated([ferry()], lambda call: failed("overlong"))
    assert (one.level, one.model) == ("unknown", "l")


def test_a_rollout_cut_off_is_scored_for_what_is_there_and_counted():
    texts = [cut("[Answer]\nblue"), cut("let me see")] + ["[Answer]\nblue"] * 6
    (one,), facts, _ = calibrated([ferry()], lambda call: texts[call.repeat])
    assert (one.level, one.rate, facts["cut"], facts["unscored"]) == ("easy", 0.875, {"s": 2}, {})


def test_only_what_is_open_goes_to_the_large_model_in_any_order():
    records = [ferry(f"What colour is the ferry at {hour}?") for hour in range(6)]
    records.append(ferry(generator="rules/x"))

    def script(call):
        hour = prompt_of(call).split(" at ")[1][:1]
        wanted = {"0": 8, "1": 7, "2": 4}.get(hour, 1) if call.model == "s" else {"3": 8, "4": 3}.get(hour, 1)
        return "[Answer]\nblue" if call.repeat < wanted else "[Answer]\nred"

    config = CONFIG.model_copy(update={"tracks": ("qa",)})
    found, facts, calls = calibrated(records, script, config)
    assert [one and one.level for one in found] == ["easy", "easy", "medium", "medium", "hard", "quarantined", None]
    assert sum(call.model == "l" for call in calls.asked) == 3 * 8
    assert facts["levels"] == {"easy": 2, "medium": 2, "hard": 1, "quarantined": 1}
    # 1, 7/8, 4/8 of the small model, 1, 3/8, 1/8 of the large one.
    assert facts["mean_pass_rate"] == pytest.approx({"T1": 31 / 48, "all": 31 / 48})
    turned, turned_facts, _ = calibrated(records[::-1], script, config)
    assert turned[::-1] == found
    assert turned_facts == facts


def test_quarantined_rows_keep_every_rollout():
    records = [ferry("What colour is the ferry, then?"), ferry()]

    def script(call):
        return "[Answer]\nblue" if "then" in prompt_of(call) else f"<think>{call.repeat}</think>red {call.model}"

    calls = ScriptedCalls(script)
    found, _ = calibrate(calls, lambda: iter(records), CONFIG, seed=3)
    asked = len(calls.asked)
    (row,) = quarantined(calls, lambda: iter(records), found, CONFIG, seed=3, names={"s": "Small-4B"})
    assert len(calls.asked) == asked
    assert row["reason"] == "the large model hardly solves it"
    record = parse_record(row["record"])
    assert (record.prompt, record.extra_info["difficulty"]) == (records[1].prompt, "quarantined")
    assert record.extra_info["pass_rate"] == 0.0
    assert "difficulty" not in records[1].extra_info
    texts = [(one["model"], one["value"], one["text"]) for one in row["texts"]]
    assert texts == [
        *[("Small-4B", 0.0, f"<think>{n}</think>red s") for n in range(8)],
        *[("l", 0.0, f"<think>{n}</think>red l") for n in range(8)],
    ]


SCRIPT = """
def answer(messages, schema, model, seed):
    prompt = messages[-1]["content"]
    knows = model == "answerer" and "ferry is blue" in prompt or model == "large"
    return "[Answer]\\nblue" if knows else "[Answer]\\nred"
"""


def test_votes_and_rollouts_over_http_with_faults_are_paid_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    records = [ferry(), ferry("What colour is the ferry, then?")]
    arguments = (
        "--script",
        script,
        "--models",
        "answerer,small,large",
        "--faults",
        "429,500,cut",
        "--probability",
        0.3,
    )
    with llm_server.start(*arguments) as server:
        models = {
            name: ModelConfig(base_url=server.base_url, model=name, max_tokens=64)
            for name in ("answerer", "small", "large")
        }
        results, requests = [], []
        for _ in range(2):
            with open_calls(tmp_path, models, max_cost=None, tokenizer=load("approx")) as calls:
                config = VerifyConfig(answerers=("answerer",))
                verdicts, votes = verify(calls, lambda: iter(records), config, seed=1)
                found, levels = calibrate(
                    calls, lambda: iter(records), DifficultyConfig(small="small", large="large"), seed=1
                )
            results.append((verdicts, votes, found, levels))
            requests.append(server.stats()["requests"])
    assert results[0] == results[1]
    # 3 votes, 2 closed book, 2 without evidence, 2 with it alone, and 8 rollouts of either model.
    assert requests[0] == requests[1] >= 2 * (3 + 6 + 16)
    verdicts, votes, found, levels = results[0]
    assert [verdict.kept for verdict in verdicts] == [True, True]
    assert verdicts[0].fields["evidence_only"] == [1.0, 1.0]
    assert [(one.level, one.model, one.rate) for one in found] == [("medium", "large", 1.0)] * 2
    assert levels["stages"] == {"small": 2, "large": 2}

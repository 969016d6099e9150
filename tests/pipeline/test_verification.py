import itertools
import weakref

import pytest
from dataset_records import make
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_calls import ScriptedCalls, cut, documented, failed, prompt_of

from golongrl.core.errors import ConfigError
from golongrl.pipeline.dataset.llm_settings import ModelConfig, VerifyConfig
from golongrl.pipeline.dataset.verifying.judging import (
    AMBIGUOUS,
    CLOSED_BOOK,
    EVIDENCE_ONLY,
    TOO_FEW,
    UNSCORED,
    WITHOUT_EVIDENCE,
    judge_closed_book,
    judge_votes,
    stated,
)
from golongrl.pipeline.dataset.verifying.rollouts import Answer, pass_mark, passes, track_of, turns
from golongrl.pipeline.dataset.verifying.verification import Verdict, notes, together, verify
from golongrl.rewards import score_response

ONE, TWO = VerifyConfig(answerers=("m",)), VerifyConfig(answerers=("m", "n"))
HARBOUR = ("Harbour", "The ferry is blue.\n\nThe tug is red.")
MILL = ("Mill", "The mill stands on a hill.")


def ferry(**more):
    return documented("T1", "What colour is the ferry?", "blue", [MILL, HARBOUR], evidence=["ferry is blue"], **more)


def verified(records, script, config=ONE, **more):
    """The verdicts, the facts and the calls."""
    calls = ScriptedCalls(script)
    verdicts, facts = verify(calls, lambda: iter(records), config, seed=7, **more)
    return verdicts, facts, calls


def reader(call):
    """Answers what the prompt says, and nothing that it does not."""
    return "[Answer]\nblue" if "ferry is blue" in prompt_of(call) else "[Answer]\nunknown"


def test_a_record_that_needs_its_evidence_and_nothing_else_is_kept():
    (verdict,), facts, calls = verified([ferry()], reader, TWO, names={"n": "Big-7B"})
    assert verdict == Verdict(
        True,
        None,
        {
            "verifier_votes": [1.0, 1.0, 1.0],
            "verifiers": ["m", "Big-7B", "m"],
            "closed_book": [0.0, 0.0],
            "without_evidence": [0.0, 0.0],
            "evidence_only": [1.0, 1.0],
        },
    )
    assert calls.labels == ["verify: votes", "verify: closed book", "verify: without evidence, evidence only"]
    assert len(calls.asked) == 3 + 2 + 4
    assert facts == {
        "records": 1,
        "kept": 1,
        "reasons": {},
        "votes": {"3 of 3": 1},
        "abstentions": {},
        "tests": {"closed_book": {"asked": 1}, "without_evidence": {"asked": 1}, "evidence_only": {"asked": 1}},
        "groups": [{"track": "qa", "capability": "T1", "records": 1, "kept": 1, "reasons": {}}],
    }


def test_answers_of_one_model_differ_in_seed_and_repeat_to_the_same_prompt():
    _, _, calls = verified([ferry()], reader, TWO)
    votes = calls.asked[:3]
    assert [(call.model, call.repeat) for call in votes] == [("m", 0), ("n", 0), ("m", 1)]
    assert len({call.seed for call in votes}) == 3
    assert votes[0].messages == votes[1].messages == votes[2].messages


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["blue", "blue", "red"], None),
        (["blue", "green", "red"], TOO_FEW),
        (["white", "green", "red"], TOO_FEW),
        (["blue", "red", "Red."], AMBIGUOUS),
        (["red", "red", "red"], AMBIGUOUS),
        # Half of the answers, and as many for another one.
        (["blue", "red"], AMBIGUOUS),
        (["blue", "blue", "red", "green"], None),
        (["blue", "blue", "blue", "red", "red"], AMBIGUOUS),
        # Two stray answers among twelve are fewer than a quarter.
        (["blue"] * 10 + ["red"] * 2, None),
        (["blue", "", ""], TOO_FEW),
    ],
)
def test_votes(answers, reason):
    config = ONE.model_copy(update={"votes": len(answers), "necessity": False})
    (verdict,), facts, _ = verified([ferry()], lambda call: f"[Answer]\n{answers[call.repeat]}", config)
    assert (verdict.kept, verdict.reason) == (reason is None, reason)
    assert verdict.fields["verifier_votes"] == [float(answer == "blue") for answer in answers]
    right = answers.count("blue")
    assert facts["votes"] == {f"{right} of {len(answers)}": 1}
    assert facts["reasons"] == ({reason: 1} if reason else {})


def test_what_has_no_score_is_left_out_and_counted_and_never_a_nought():
    config = VerifyConfig(answerers=("m", "n"), votes=4, necessity=False)

    def script(call):
        return failed("overlong") if call.model == "n" else "[Answer]\nblue"

    (verdict,), facts, _ = verified([ferry()], script, config)
    assert (verdict.kept, verdict.fields) == (True, {"verifier_votes": [1.0, 1.0], "verifiers": ["m", "m"]})
    assert facts["abstentions"] == {"n": {"overlong": 2}}
    assert facts["votes"] == {"2 of 2": 1}
    (verdict,), _, _ = verified([ferry()], lambda call: failed("refused"), config)
    assert (verdict.reason, verdict.fields["verifier_votes"]) == (UNSCORED, [])


def test_an_answer_cut_off_says_nothing_unless_it_is_right():
    config = VerifyConfig(answerers=("m",), votes=4, necessity=False)
    texts = [cut("[Answer]\nblue"), cut("let me think"), cut("so the"), "[Answer]\nblue"]
    (verdict,), facts, _ = verified([ferry()], lambda call: texts[call.repeat], config)
    assert (verdict.kept, verdict.fields["verifier_votes"]) == (True, [1.0, 1.0])
    assert facts["abstentions"] == {"m": {"truncated": 2}}
    texts[0] = cut("[Answer]\nbl")
    assert verified([ferry()], lambda call: texts[call.repeat], config)[0][0].reason == UNSCORED


def test_a_malformed_gold_abstains_with_its_reason():
    broken = documented("T5", "Which rows?", "no table", [MILL, HARBOUR], evidence=["tug is red"])
    (verdict,), facts, _ = verified([broken], lambda call: '<answer>{"data": [[1]]}</answer>')
    assert (verdict.reason, facts["abstentions"]) == (UNSCORED, {"m": {"malformed_gold": 3}})


def test_what_a_model_knows_without_documents_is_refused_and_not_asked_further():
    (verdict,), facts, calls = verified([ferry()], lambda call: "[Answer]\nblue")
    assert (verdict.reason, verdict.fields["closed_book"]) == (CLOSED_BOOK, [1.0, 1.0])
    assert "without_evidence" not in verdict.fields
    assert len(calls.asked) == 3 + 2
    assert facts["tests"]["without_evidence"] == {}


def test_what_is_answered_without_its_evidence_is_refused():
    def script(call):
        return "[Answer]\nblue" if "[Document" in prompt_of(call) else "[Answer]\nunknown"

    (verdict,), _, _ = verified([ferry()], script)
    assert (verdict.reason, verdict.fields["without_evidence"]) == (WITHOUT_EVIDENCE, [1.0, 1.0])


def test_what_needs_more_than_the_documents_with_its_evidence_is_refused():
    def script(call):
        whole = "ferry is blue" in prompt_of(call) and "mill" in prompt_of(call)
        return "[Answer]\nblue" if whole else "[Answer]\nunknown"

    (verdict,), _, _ = verified([ferry()], script)
    assert (verdict.reason, verdict.fields["evidence_only"]) == (EVIDENCE_ONLY, [0.0, 0.0])


def test_a_record_without_evidence_is_tested_closed_book_alone_and_the_facts_say_so():
    record = documented("T1", "What colour is the ferry?", "blue", [MILL, HARBOUR])
    (verdict,), facts, _ = verified([record], reader)
    assert verdict.kept
    assert set(verdict.fields) == {"verifier_votes", "verifiers", "closed_book"}
    why = {"nobody said what its evidence is": 1}
    assert facts["tests"] == {"closed_book": {"asked": 1}, "without_evidence": why, "evidence_only": why}


def choice_record():
    question = "Which ship is blue?\nA. ferry\nB. tug\nC. yacht\nD. raft"
    options = ["ferry", "tug", "yacht", "raft"]
    return documented("T2", question, "A", [MILL, HARBOUR], evidence=["ferry is blue"], options=options)


def test_one_lucky_choice_is_no_knowledge_and_two_are():
    def lucky(times):
        def script(call):
            knows = "ferry is blue" in prompt_of(call) or ("[Document" not in prompt_of(call) and call.repeat < times)
            return "The correct answer is (A)" if knows else "The correct answer is (C)"

        return script

    (verdict,), _, _ = verified([choice_record()], lucky(1))
    assert (verdict.kept, verdict.fields["closed_book"]) == (True, [1.0, 0.0])
    (verdict,), _, _ = verified([choice_record()], lucky(2))
    assert (verdict.reason, verdict.fields["closed_book"]) == (CLOSED_BOOK, [1.0, 1.0])


def test_a_test_that_luck_alone_could_pass_is_counted_as_one_that_tells_nothing():
    record = documented("T1", "Is the ferry blue?", "yes", [MILL, HARBOUR], evidence=["ferry is blue"])
    (verdict,), facts, _ = verified([record], lambda call: "[Answer]\nyes")
    assert (verdict.kept, verdict.fields["closed_book"]) == (True, [1.0, 1.0])
    assert facts["tests"]["closed_book"] == {"asked too few times to tell knowledge from luck": 1}
    assert facts["tests"]["evidence_only"] == {"asked": 1}
    more = ONE.model_copy(update={"necessity_votes": 4})
    (verdict,), facts, _ = verified([record], lambda call: "[Answer]\nyes", more)
    assert (verdict.reason, facts["tests"]["closed_book"]) == (CLOSED_BOOK, {"asked": 1})


def test_a_test_without_a_scored_answer_refuses_nothing_and_is_counted():
    def script(call):
        return (
            "[Answer]\nblue"
            if "mill" in prompt_of(call) and "ferry is blue" in prompt_of(call)
            else failed("refused")
        )

    (verdict,), facts, _ = verified([ferry()], script)
    assert (verdict.kept, verdict.fields["evidence_only"]) == (True, [])
    assert set(map(str, facts["tests"].values())) == {"{'no answer could be scored': 1}"}
    assert facts["abstentions"] == {"m": {"refused": 6}}


def answer_to(record, text, *, was_cut=False):
    score = score_response(record, text, think="optional")
    return Answer("m", score.value, score.reason, text, was_cut)


def test_an_order_that_passes_by_luck_is_no_knowledge_but_the_whole_order_is():
    items = list("abcdef")
    record = documented("T8", "Order " + ", ".join(items), items, [MILL], listed=items)
    # 15 pairs, of which swapping neighbours breaks one or two: 0.93 and 0.87 pass at 0.75.
    swapped = answer_to(record, "[Answer]\nb\na\nc\nd\ne\nf")
    assert swapped.value == pytest.approx(14 / 15)
    # About 7 % of all orders pass: 13 % of two answers contain one that does.
    assert judge_closed_book(record, [swapped, answer_to(record, "[Answer]\nf\na\nb")], ONE) is None
    whole = answer_to(record, "[Answer]\n" + "\n".join(items))
    assert judge_closed_book(record, [whole, answer_to(record, "[Answer]\nf\na\nb")], ONE) == CLOSED_BOOK


def test_other_tracks_are_kept_without_a_question():
    verdicts, facts, calls = verified([ferry(generator="rules/next_sentence"), ferry()], reader)
    assert verdicts[0] == Verdict()
    assert (facts["records"], len(calls.asked)) == (1, 9)
    assert verified([ferry()], reader, VerifyConfig())[0] == [Verdict()]


def test_records_keep_their_verdicts_in_any_order():
    def script(call):
        return reader(call) if "ferry" in prompt_of(call) else "[Answer]\nred" if call.repeat else "[Answer]\ngreen"

    tug = documented("T1", "What colour is the tug?", "red", [("Tug", "The tug is red."), MILL], evidence=["tug is"])
    records = [ferry(), tug, ferry(generator="rules/x"), choice_record()]
    straight, facts, _ = verified(records, script)
    turned, turned_facts, _ = verified(records[::-1], script)
    assert turned[::-1] == straight
    assert turned_facts == facts
    assert {verdict.reason for verdict in straight} == {None, CLOSED_BOOK, TOO_FEW}


def test_the_facts_of_two_rounds_are_those_of_one_round_of_all_records():
    def script(call):
        if "raft" in prompt_of(call):
            return failed("overlong")
        return reader(call) if "ferry" in prompt_of(call) else "[Answer]\ngreen"

    tug = documented("T1", "What colour is the tug?", "red", [("Tug", "The tug is red."), MILL], evidence=["tug is"])
    rounds = [[tug, ferry(generator="rules/x")], [choice_record(), ferry()]]
    first, second = (verified(records, script)[1] for records in rounds)
    whole = verified([*rounds[0], *rounds[1]], script)[1]
    assert together(first, second) == whole
    assert (whole["records"], len(whole["groups"]), len(whole["reasons"])) == (3, 2, 2)
    assert whole["abstentions"]


def test_only_a_few_records_are_in_memory_at_once():
    alive, most = weakref.WeakValueDictionary(), 0

    def records():
        nonlocal most
        for hour in range(60):
            record = ferry()
            record.extra_info["index"] = hour
            alive[id(record)] = record
            yield record
            most = max(most, len(alive))

    verdicts, _ = verify(ScriptedCalls(reader), records, ONE, seed=7)
    assert len(verdicts) == 60
    assert most < 15


RAW = ["blue", "Blue.", "red", "RED", "green", "", "</think>blue", "<think>never closed"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(RAW), st.booleans()), min_size=1, max_size=5))
def test_the_order_of_the_votes_changes_nothing(drawn):
    record = ferry()
    answers = [answer_to(record, text, was_cut=was_cut) for text, was_cut in drawn]
    reasons = {
        judge_votes(record, list(some), ONE, lambda name: "optional") for some in itertools.permutations(answers)
    }
    assert len(reasons) == 1


@pytest.mark.parametrize(
    ("capability", "gold", "first", "second", "same"),
    [
        ("T1", "blue", "I think\n[Answer]\nThe Tug.", "[Answer] **the tug**", True),
        ("T1", "blue", "[Answer]\ntug", "[Answer]\nferry", False),
        ("T2", "A", "The correct answer is (B)", "\\boxed{B}", True),
        ("T4", "12", "\\boxed{13}", "[Answer]\n13", True),
        ("T3", ["x", "y"], "[Answer]\n- p\n- q", "[Answer]\n1. Q\n2. P", True),
        ("T8", ["x", "y"], "[Answer]\np\nq", "[Answer]\nq\np", False),
        (
            "T5",
            '{"data": [[1]]}',
            '<answer>{"data": [[2, "x"], [3, "y"]]}</answer>',
            '<answer>[[3.0,"y"],[2,"x"]]</answer>',
            True,
        ),
        ("T5", '{"data": [[1]]}', '<answer>{"data": [[2]]}</answer>', '<answer>{"data": [[3]]}</answer>', False),
    ],
)
def test_two_answers_are_the_same_in_the_form_that_their_metric_compares(capability, gold, first, second, same):
    record = make(capability, "Q?", gold)
    forms = [stated(record, text, "optional") for text in (first, second)]
    assert None not in forms
    assert (forms[0] == forms[1]) is same


def test_what_states_nothing_is_no_second_answer():
    assert stated(make("T1", "Q?", "x"), "[Answer]\n", "optional") is None
    assert stated(make("T1", "Q?", "x"), "<think>[Answer]\ny", "required") is None
    assert stated(make("T3", "Q?", ["x"]), "[Answer]\n", "optional") is None
    assert stated(make("T5", "Q?", "[[1]]"), "no rows", "optional") is None
    assert stated(make("T9", "Q?", ["a summary"]), "[Answer]\nanother", "optional") is None


def test_graded_answers_pass_at_their_mark_and_others_when_right():
    config = VerifyConfig(pass_score=0.6, pass_scores={"rouge_l": 0.3})
    marks = {c: pass_mark(make(c, "Q?", "1"), config) for c in ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9")}
    assert marks == {"T1": 1, "T2": 1, "T3": 0.6, "T4": 1, "T5": 0.6, "T6": 0.6, "T7": 0.6, "T8": 0.6, "T9": 0.3}
    assert pass_mark(make("T1", "Q?", "xy abc", strict_prefix="xy"), config) == 0.6
    assert passes(0.6, 0.6)
    assert passes(0.1 + 0.2 + 0.3 - 1e-12, 0.6)
    assert not passes(0.59, 0.6)


def test_answerers_take_turns():
    assert turns(("a", "b"), 5) == ("a", "b", "a", "b", "a")
    assert turns((), 3) == ()


def test_the_track_is_read_from_what_made_the_record():
    made = {"rules/x": "rules", "qa/squad": "qa", "llm:T3": "llm", "squad": "rules"}
    assert {name: track_of(make("T1", "Q?", "x", generator=name)) for name in made} == made


def model(name, temperature=0.7):
    return ModelConfig(base_url="http://127.0.0.1:1/v1", model=name, temperature=temperature)


def test_notes_warn_of_answerers_that_are_no_independent_check():
    models = {"gen": model("Big"), "a": model("Big"), "b": model("Small"), "cold": model("Small", 0.0)}
    assert notes(VerifyConfig(answerers=("b", "a"), votes=2), models, ["gen"]) == [
        "the answerer a is the generator's own model (Big) and may repeat its mistakes: its votes are no independent "
        "check"
    ]
    assert notes(VerifyConfig(answerers=("a", "b")), models, []) == []
    assert notes(VerifyConfig(answerers=("cold", "b"), votes=3), models, ["gen"]) == [
        "the answerer cold votes 2 times at temperature 0, which makes one vote of them",
        "all votes come from one model: what it takes for granted passes unnoticed",
    ]
    with pytest.raises(ConfigError, match=r"verify\.answerers names 'who', which models does not have"):
        notes(VerifyConfig(answerers=("who",)), models, [])

import pytest

from golongrl.core.records import parse_record
from golongrl.rewards import score_response
from golongrl.rewards.choice import gold_letter, option_letters


def record(gold, *aliases, **extra):
    return parse_record(
        {
            "data_source": "selection",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": {"golden_label": gold, "doc_ids": list(aliases)}},
            "extra_info": {"metric": "choice", **extra},
        }
    )


def stated(response, options=("w", "x", "y", "z")):
    """The one letter a response is taken to state, "" for none, several when it hedges."""
    details = score_response(record("A", options=list(options)), response).details
    return details.get("answer", details.get("hedged", ""))


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("The correct answer is (B)", "B"),
        ("**The correct answer is (B)**.", "B"),
        ("The correct answer is B because of A-level noise.", "B"),
        ("The correct answer is (C), not (D).", "C"),
        ("The correct option is: **C**", "C"),
        ("Final Answer: c", "C"),
        ("Answer:\n\n(D)", "D"),
        ("So I choose C", "C"),
        ("Option B is correct", "B"),
        ("(C) is the correct answer", "C"),
        ("$\\boxed{\\text{(C)}}$", "C"),
        ("\\boxed{B}", "B"),
        ("B.", "B"),
        ("**B**", "B"),
        ("(b)", "B"),
        ("B. Paris", "B"),
        ("[Answer]\nB\nBecause of (C).", "B"),
        ("[Answer] B since it fits", "B"),
        ("答案：B", "B"),
        ("答案是B选项", "B"),
        ("正确答案是（Ｂ）", "B"),
        ("综上，应选C。", "C"),
        ("The answer is (A). Wait, the answer is (B).", "B"),
        ("The answer is (A). The answer is (B).", "B"),
        ("\\boxed{A} no, \\boxed{B}", "B"),
        ("A. foo is wrong\nB. bar is right\nThe correct answer is (A)", "A"),
        ("The answer is (A). The appendix says (Z).", "A"),
        ("[Answer]\nOption B", "B"),
        ("[Answer]\noption (B): Paris", "B"),
        ("<answer>B</answer>", "B"),
        ("<answer>\n(B)\n</answer>", "B"),
        ('{"reasoning": "A is wrong", "answer": "B"}', "B"),
        ("\\boxed{\\text{B. Paris}}", "B"),
        ("\\boxed{B. \\text{Paris}}", "B"),
        ("\\fbox{B}", "B"),
        ("The answer is \\(B\\)", "B"),
        ("The answer is:\n- B", "B"),
        ("* B", "B"),
        ("B is the answer.", "B"),
        ("The answer is likely B.", "B"),
        ("The answer seems to be B", "B"),
        ("Final choice - B", "B"),
        ("B - Paris", "B"),
        ("The right answer is not A, but B.", "B"),
        ("正确答案不是A而是B", "B"),
        ("A选项错误，C选项错误。因此B选项正确。", "B"),
        ("答案：B。解析：A正确，C正确，D正确。", "B"),
        ("不选A，选B", "B"),
        # What is said about another letter takes nothing back.
        ("The answer is B, C is wrong", "B"),
        ("The answer is B; D is too broad.", "B"),
        ("答案是B,C项错误", "B"),
        ("Among options A, B, C and D, option B is correct.", "B"),
        ("The   answer\tis\r\n\r\nB", "B"),
    ],
)
def test_the_last_stated_letter_counts(response, letter):
    assert stated(response) == letter


@pytest.mark.parametrize(
    "response",
    [
        "The correct answer is Apple",
        "The correct answer is A dog",
        "The answer is a matter of taste",
        "The answer is U.S. policy",
        "The answer is not A",
        "The answer is E",
        "Definitely",
        "[Answer] A dog",
        "I have no idea",
        "I would not choose B",
        "Don't pick B",
        "不选B",
        "不应该选B",
        "option-B pricing",
        "\\boxed{B=3}",
    ],
)
def test_words_and_letters_that_are_no_option_state_nothing(response):
    assert stated(response) == ""
    assert score_response(record("A", options=list("wxyz")), response).reason == "no_answer"


@pytest.mark.parametrize(
    ("response", "letters"),
    [
        ("The correct answer is (A) or (B) or (C) or (D)", "ABCD"),
        ("Answer: A, B", "AB"),
        ("答案：A和B", "AB"),
        ("\\boxed{A}, \\boxed{B}", "AB"),
        ("\\boxed{A, B}", "AB"),
        ("A\nB\nC\nD", "ABCD"),
        ("A. w\nB. x\nC. y\nD. z", "ABCD"),
        ("The answer is B or perhaps A", "AB"),
        ("The answer is (B) (A)", "AB"),
        ("The answer is B; A; C; D", "ABCD"),
        ("(A) or (B) is correct", "AB"),
        ("<answer>A</answer><answer>B</answer>", "AB"),
    ],
)
def test_hedging_earns_nothing(response, letters):
    assert stated(response) == letters
    assert score_response(record("A", options=list("wxyz")), response).value == 0


def test_options_bound_the_letters():
    assert option_letters(record("A", options=["x", "y"])) == {"A", "B"}
    assert option_letters(record("A", question="Q?\nA. x\nB) y\n(C) z")) == {"A", "B", "C"}
    assert len(option_letters(record("A", question="Plan B: nothing listed"))) == 26
    assert score_response(record("F", options=list("wxyz")), "F").reason == "malformed_gold"
    assert score_response(record("F", options=list("uvwxyz")), "The correct answer is (F)").value == 1


@pytest.mark.parametrize(
    ("gold", "letter"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("The correct answer is (B)", "B"),
        ("\\boxed{D}", "D"),
        ("答案：B", "B"),
        ("Paris", None),
        ("Dr. B", None),
        ("①③", None),
        ("The answer", None),
    ],
)
def test_gold_letter(gold, letter):
    assert gold_letter(gold) == letter


def test_a_gold_text_is_compared_with_the_first_line():
    sample = record("", "paris", "City of Light")
    assert score_response(sample, "[Answer]\nCity of Light.\nBecause.").value == 1
    assert score_response(sample, "[Answer]\nParis").value == 1
    assert score_response(sample, "[Answer]\nIt is Paris").value == 0
    assert score_response(sample, "[Answer]\n").reason == "no_answer"


def test_circled_numbers_are_the_answer_to_which_statements_hold():
    assert score_response(record("①③"), "[答案]\n①③").value == 1
    assert score_response(record("①③"), "[答案]\n②③").value == 0
    assert score_response(record("①③"), "[答案]\n③").value == 0


def test_long_runs_of_letters_are_read_in_bounded_time():
    for text in ("A, " * 20_000, "(A" * 20_000, "the answer is " * 5_000, " " * 50_000, "A\n" * 20_000):
        assert score_response(record("B"), text).value == 0

"""The math reward: what counts as the stated answer, plain quantities, and what needs algebra."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.records import parse_record
from golongrl.rewards import gold_response, score_response
from golongrl.rewards.quantity import equal_quantities, parse_quantity
from golongrl.rewards.stated import stated_answer


def record(gold, **extra_info):
    return parse_record(
        {
            "data_source": "math_longcot_math_verify",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": {"golden_label": gold}},
            "extra_info": {"reward_mode": "math_longcot_math_verify", **extra_info},
        }
    )


def value(gold, answer, **extra_info):
    return score_response(record(gold, **extra_info), answer).value


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (r"First \boxed{1}, so finally \boxed{3}", "3"),
        (r"\boxed{\frac{1}{2}} and some closing words.", r"\frac{1}{2}"),
        (r"\boxed{\boxed{42}}", "42"),
        (r"\boxed{42", None),
        (r"\boxed{}", None),
        (r"\boxed{1} and \boxed{3}", "1, 3"),
        (r"\boxed{41}. Wait. The answer is 42.", "42"),
        (r"\boxed{42}. The answer is correct to two places.", "42"),
        ("The answer is **42**.", "42"),
        ("The answer is 2 + 3 = 5.", "5"),
        ("The answer is:\n\n$$\\frac{1}{2}$$", r"\frac{1}{2}"),
        ("The answer is:\n\\[\n\\frac{1}{2}\n\\]", r"\frac{1}{2}"),
        ("The answer is 3 or 5", "3, 5"),
        ("The answer is approximately $42$, see $x=1$", "42"),
        ("the answer is $100 per share, up from $90", "$100"),
        ("The answer is not 42.", None),
        ("It is not 42", None),
        ("答案：42元。", "42元"),
        ("答案是 42", "42"),
        ("#### 12", "12"),
        ("The growth rate is 12.5%.", "12.5%"),
        ("x = -3", "-3"),
        ("The answer is Paris.", "Paris"),
        ("nothing at all", None),
        ("The sum of 10 is not wanted; it comes to 1,000.99m²", "1,000.99"),
        ("the number is not 10 which is 1,000.99€", "1,000.99€"),
        ("Final Answer: The largest $n$ is 34.", "34"),
        ("So\n\n-\\frac{10}{9}", "-\\frac{10}{9}"),
        (r"$$\boxed{(2, 2)} \quad \text{and} \quad \boxed{(6, 2)}$$", "(2, 2), (6, 2)"),
        (r"\boxed{1}\boxed{2}", "1, 2"),
        ("答案是 1.2 亿元。", "1.2 亿元"),
        ("共计12亿3000万元", "12亿3000万元"),
        ("The answer is $42M.", "$42M"),
        ("It cost US$42.5B.", "US$42.5B"),
        ("The answer is 42 km/h on average", "42 km/h"),
        ("The answer is 42 in total", "42"),
        ("The answer is 2 1/2", "2 1/2"),
        ("The ratio is 1:2", "1:2"),
        ("The answer is 1,2", "1, 2"),
        ("10⁶", "10^6"),
        ("1.5x", None),
        ("**42** (see Table 3)", "42"),
        ("The value is 42 [1].", "42"),
        ("It is 42, not 43.", "42"),
        ("It is 42. It is not 42.", None),
    ],
)
def test_the_stated_answer(text, stated):
    assert stated_answer(text).text == stated


def test_behind_a_marker_the_first_line_is_the_answer():
    assert value("42", "[Answer]\n42\n\nExplanation: 7 apples remained.") == 1.0
    assert value("42", "[Answer] 42 (since 6*7 is 42 and 3 are left)") == 1.0
    assert value("7", "[Answer]\n42\n\nExplanation: 7 apples remained.") == 0.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("-5", -5),
        ("1,234,567.5", Fraction(2469135, 2)),
        (r"\frac12", Fraction(1, 2)),
        ("-3/4", Fraction(-3, 4)),
        ("2 1/2", Fraction(5, 2)),
        ("1.5e-3", Fraction(3, 2000)),
        (r"1.234567 \times 10^{6}", 1234567),
        ("3 million", 3_000_000),
        ("1.5万元", 15_000),
        ("1.2亿", 120_000_000),
        ("US$3.2 billion", 3_200_000_000),
        (r"5 \text{ km}", 5),
        ("12 students per class", 12),
        ("2023年", 2023),
        ("1.2 亿元", 120_000_000),
        ("12亿3000万", 1_230_000_000),
        ("$42M", 42_000_000),
        ("€1.5m", 1_500_000),
        ("42 km/h", 42),
        ("42 m^2", 42),
        ("42元/股", 42),
        ("$42/share", 42),
    ],
)
def test_quantities(text, number):
    assert parse_quantity(text).value == number


@pytest.mark.parametrize(
    "text", ["3m/s", "3/x", "3M", "3x", "5m", "1,2", "(1,2)", "3 or 5", "3-5", "2 pi", "", "-", "1e99999", "9" * 500]
)
def test_what_is_no_quantity(text):
    assert parse_quantity(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("50%", "50", True),
        ("50%", "0.5", True),
        ("50", r"50\%", True),
        ("50%", "5", False),
        ("1/3", "0.333333", True),
        ("1/3", "0.3333", False),
        ("0.0000001", "0", False),
        ("5 km", "5", True),
        ("5 km", "5 kilometres", True),
        ("5 km", "5 m", False),
        ("100元", "100美元", False),
        ("x=3", "3", True),
        ("x=3", "y=3", False),
        ("3 million", "3", False),
        ("42 km/h", "42 kilometres per hour", True),
        ("42 km/h", "42 km", True),
        ("42 km/h", "42 m/s", False),
        ("42 m^2", "42平方米", True),
        ("42 m^2", "42 m", False),
        ("42 GB", "42 MB", False),
        ("42元/股", "42", True),
    ],
)
def test_equal_quantities(gold, answer, equal):
    assert equal_quantities(parse_quantity(gold), parse_quantity(answer)) is equal


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        (r"\sqrt{2}", r"\boxed{\sqrt2}", 1.0),
        ("x^2+2x+1", r"\boxed{(x+1)^2}", 1.0),
        ("x^2", r"\boxed{x²}", 1.0),
        (r"2\pi", "The answer is 2π.", 1.0),
        (r"\{1,3\}", r"\boxed{1} and \boxed{3}", 1.0),
        ("3", r"\boxed{1} and \boxed{3}", 0.0),
        ("(1,2)", r"\boxed{(2,1)}", 0.0),
        ("50%", r"\boxed{\frac{\sqrt{1}}{2}}", 1.0),
        ("listen", r"\boxed{silent}", 0.0),
        (r"$x \leq 5$", r"$5 \geq x$", 1.0),
        (r"\begin{bmatrix}0 & 1\end{bmatrix}", r"$\begin{pmatrix}0 & 1\end{pmatrix}$", 1.0),
        ("11111", r"\boxed{11,\! 111}", 1.0),
        ("125 miles", r"\boxed{125\textnormal{ miles}}", 1.0),
        ("$1$ and $2$", r"\boxed{2,1}", 1.0),
        ("yes", r"\boxed{\text{Yes}}", 1.0),
        ("8", "Total: 3+5", 1.0),
        (r"\boxed{8}", "8", 1.0),
        ("The answer is 8", "8", 1.0),
        # The unit that follows a stated number counts, as it does in a box.
        ("5 km", "The answer is 5 m.", 0.0),
        ("5 km", "The answer is 5 kilometres.", 1.0),
        ("42 hours", "It took 42 minutes.", 0.0),
        ("100元", "答案是100美元", 0.0),
        ("1.2亿元", "答案是 1.2 亿元", 1.0),
        ("3", "答案是 3 万", 0.0),
        ("42 m²", r"\boxed{\text{42 m²}}", 1.0),
        ("约42", r"\boxed{42}", 1.0),
        # What equals the gold word by word is right, whatever else could be read from it.
        ("10:30", "The answer is 10:30.", 1.0),
        ("2023年5月", "答案是2023年5月。", 1.0),
        ("May 17, 2023", "May 17, 2023", 1.0),
        ("May 17, 2023", "May 18, 2023", 0.0),
        ("yes", "So:\n\nYes.", 1.0),
        ("(1, 2)", "(1, 2)", 1.0),
        ("42 ± 3", "**Answer:** 42 ± 3", 1.0),
        ("3 h 20 min", "The answer is 3 h 20 min", 1.0),
        # But two answers are none.
        ("0.5", "0.5\nyes", 1.0),
        ("yes", "0.5\nyes", 0.0),
    ],
)
def test_algebra_and_words(gold, answer, expected):
    assert value(gold, answer) == expected


def test_an_empty_box_is_no_gold():
    assert score_response(record(r"\boxed{ }"), r"\boxed{1}").reason == "malformed_gold"


def test_tolerance_counts_only_where_the_record_states_it():
    assert value("12.35", r"\boxed{12.3}") == 0.0
    assert value("12.35", r"\boxed{12.3}", tolerance=0.01) == 1.0
    assert value("12.35", r"\boxed{11}", tolerance=0.01) == 0.0
    assert value("1.414", r"\boxed{\sqrt{2}}", tolerance=0.001) == 1.0
    score = score_response(record("1", tolerance=-2.0), "1")
    assert (score.value, score.reason) == (None, "malformed_gold")


def test_an_endless_answer_is_no_score_and_an_overlong_one_is_wrong():
    score = score_response(record("42"), r"\boxed{9^{9^{9^9}}}")
    assert (score.value, score.reason) == (None, "timeout")
    score = score_response(record("42"), r"\boxed{" + r"\frac{1}{2}+" * 1_000 + "0}")
    assert (score.value, score.reason) == (0.0, "degenerate")


def test_retrieval_calculate_wants_documents_and_number():
    row = parse_record(
        {
            "data_source": "retrieval_calculate",
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"ground_truth": [{"golden_label": "42", "doc_ids": ["<|doc_3|>", "<|doc_11|>"]}]},
            "extra_info": {"reward_mode": "retrieval_calculate"},
        }
    )

    def answer(ids, number):
        return (
            f"<relevant_doc_ids>{ids}</relevant_doc_ids>\n"
            rf"<continue_reasoning>So \boxed{{{number}}}</continue_reasoning>"
        )

    assert score_response(row, gold_response(row)).value == 1.0
    assert score_response(row, answer("<|doc_11|>, <|doc_3|>", "42.0")).value == 1.0
    assert score_response(row, answer("<|doc_11|>", 42)).value == 0.0
    assert score_response(row, answer("<|doc_3|> <|doc_11|> <|doc_12|>", 42)).value == 0.0
    assert score_response(row, answer("<|doc_3|><|doc_11|>", 41)).value == 0.0
    assert score_response(row, r"\boxed{42}").reason == "no_answer"


numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False)


@given(numbers)
def test_a_number_equals_itself_in_every_dress(number):
    plain, thousands = f"{number:f}", f"{number:,f}"
    wide = plain.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789."})
    for dress in (
        rf"\boxed{{{thousands}}}",
        f"The answer is {plain}.",
        f"**{plain}**",
        wide,
        f"答案：{thousands}元。",
    ):
        assert value(plain, dress) == 1.0


@given(numbers, numbers)
def test_two_numbers_are_equal_iff_their_values_are(first, second):
    assert value(f"{first:f}", rf"\boxed{{{second:f}}}") == float(first == second)

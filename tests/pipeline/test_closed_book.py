import itertools
import random

import pytest
from dataset_records import choices, make, surveyed
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.pipeline.dataset.reporting.closed_book import closed_book
from golongrl.pipeline.dataset.reporting.closed_book_strategies import listed, numbers, ordered, stem, words
from golongrl.pipeline.dataset.reporting.survey import QUESTIONS, Draw
from golongrl.rewards import pool


def scored(records):
    """(entry of the capability, {strategy: (score, records with an answer)})."""
    entry = closed_book(surveyed(records).questions)[0]
    return entry, {guess["strategy"]: (guess["mean"], guess["n"]) for guess in entry["guesses"]}


def test_a_right_option_that_repeats_the_question_is_found_out():
    def options(n):
        texts = [f"nothing {letter} else" for letter in "vwx"]
        texts.insert(n % 4, "case of the harbour")
        return texts

    entry, guesses = scored(choices(40, options, lambda n: n % 4, stem="Which case of the harbour?"))
    assert entry["chance"] == 0.25
    assert guesses["most words of the question"] == (1.0, 40)
    assert guesses["as listed"] == guesses["last listed"] == guesses["most frequent answer"] == (0.25, 40)
    assert guesses["longest"] == (1.0, 40)
    assert (entry["verdict"], entry["highest"]["difference"]) == ("above", 0.75)
    # A random guess among four options has variance 3/16: sqrt(40 * 3 / 16) / 40.
    assert entry["highest"]["error"] == pytest.approx(0.0685, abs=1e-4)


def test_balanced_options_earn_chance_and_a_frequent_letter_does_not():
    texts = ["amber", "coral", "ivory", "olive"]
    balanced, guesses = scored(choices(200, lambda n: texts, lambda n: n % 4))
    assert (balanced["verdict"], balanced["chance"]) == ("within", 0.25)
    assert {mean for mean, _ in guesses.values()} == {0.25}
    _, guesses = scored(choices(200, lambda n: texts, lambda n: 2 if n % 2 else n % 4))
    assert guesses["most frequent answer"] == (0.75, 200)
    assert guesses["most frequent answer of the form"] == (0.75, 200)


def test_few_records_are_no_proof():
    entry, _ = scored(choices(4, lambda n: ["a b", "c", "d", "e"], lambda n: 0))
    assert entry["highest"]["difference"] == 0.75
    assert entry["verdict"] == "above"
    entry, _ = scored(choices(4, lambda n: ["a b", "c", "d", "e"], lambda n: n % 3))
    assert (entry["highest"]["difference"], entry["verdict"]) == (0.25, "unclear")


def ordering(order):
    """Pieces to put in order by letter; `order` says which of the sorted pieces stands in each place of the list."""
    pieces = ["alpha one", "beta one", "gamma one", "delta one"]
    shown = [pieces[number] for number in order]
    gold = ["ABCD"[order.index(number)] for number in range(4)]
    question = f"Order {order}:\n" + "\n".join(f"{x}. {text}" for x, text in zip("ABCD", shown, strict=True))
    return make("T8", question, gold, listed=shown)


def test_orders_are_answered_by_letter_and_scored_in_part():
    records = [ordering(order) for order in itertools.permutations(range(4))]
    entry, guesses = scored(records)
    # alpha, beta, delta, gamma: one of six pairs is wrong.
    assert guesses["alphabetical"] == (pytest.approx(5 / 6, abs=1e-4), 24)
    assert guesses["alphabetical, last first"][0] == pytest.approx(1 / 6, abs=1e-4)
    assert guesses["as listed"] == guesses["last listed"] == (0.5, 24)
    assert entry["chance"] == pytest.approx(0.5, abs=0.06)
    assert abs(entry["widest"]["difference"]) == max(abs(guess["difference"]) for guess in entry["guesses"])


def test_open_answers_are_compared_with_those_of_the_other_records():
    records = [make("T1", f"Who {n}?", answer) for n, answer in enumerate(["Ann", "Ann", "Ann", "Bob"])]
    entry, guesses = scored(records)
    # Ann is right for three of four; without its own answer every record still sees her twice.
    assert guesses["most frequent answer"] == (0.75, 4)
    assert 0 < entry["chance"] < 0.75
    unique, guesses = scored([make("T1", f"Who {n}?", f"name {n}") for n in range(30)])
    assert unique["chance"] == 0.0
    assert unique["highest"]["mean"] == 0.0
    assert "most frequent answer" not in guesses


def test_answers_of_one_language_are_no_chance_for_the_other():
    records = [make("T1", f"Who {n}?", "Ann") for n in range(3)]
    records += [make("T1", f"谁{n}？", f"名{n}", language="zh") for n in range(3)]
    entry, _ = scored(records)
    assert entry["chance"] == 0.5


def test_frequent_items_leave_the_own_answer_aside():
    records = [make("T3", f"Which {n}?", ["shared", f"own {n}"]) for n in range(4)]
    _, guesses = scored(records)
    # "shared" alone: two thirds of 2 * 1 / (1 + 2).
    assert guesses["most frequent items"] == (pytest.approx(2 / 3, abs=1e-4), 4)


def test_a_number_that_the_question_states_is_found_out_without_a_worker(monkeypatch):
    def never(*_):
        raise AssertionError("a plain number went to a worker process")

    monkeypatch.setattr(pool, "verdict", never)
    numbers_asked = [f"{7 * n + 2:,}.5" for n in range(40)]
    records = [make("T4", f"How much is {number}, in case {n}?", number) for n, number in enumerate(numbers_asked)]
    entry, guesses = scored(records)
    assert guesses["first number of the question"] == (1.0, 40)
    assert (entry["chance"], entry["verdict"]) == (0.0, "above")


def test_a_question_that_sums_up_its_text_is_found_out():
    summaries = ["bears sleep all winter", "old mills grind slowly", "rivers freeze in frost", "owls hunt by night"]
    entry, guesses = scored([make("T9", f"Sum it up: {text}", text) for text in summaries])
    # Four of four words in seven: 2 * 4 / (4 + 7).
    assert guesses["the question itself"] == (pytest.approx(8 / 11, abs=1e-4), 4)
    assert (entry["chance"], entry["verdict"]) == (0.0, "above")


def test_a_table_is_answered_as_json():
    tables = ['{"data": [["a", 1]]}'] * 3 + ['{"data": [["a", 1], ["b", 2]]}']
    _, guesses = scored([make("T5", f"Rows {n}?", table) for n, table in enumerate(tables)])
    # The fourth table holds the row of the others beside one of its own.
    assert guesses["most frequent answer"] == (0.875, 4)


def test_forms_have_entries_of_their_own():
    records = [make("T1", f"Who {n}?", f"x{n}", form="b") for n in range(3)] + [make("T1", "Where?", "y", form="a")]
    entries = closed_book(surveyed(records).questions)
    assert [(entry["capability"], entry["form"], entry["scored"]) for entry in entries] == [
        ("T1", "", 4),
        ("T1", "a", 1),
        ("T1", "b", 3),
    ]


def test_the_stem_leaves_the_candidates_out():
    question = "Which colour has the red door?\nA. red\nB. deep red\n(C) door"
    assert stem(question, ["red", "deep red", "door"]) == "Which colour has the red door?"
    assert stem("Sort: ash, oak.", ["ash", "oak"]).split() == ["Sort:", ",", "."]


def test_words_and_numbers():
    assert words("The Fox, 12 foxes") == {"the", "fox", "12", "foxes"}
    assert words("检察院 a") == {"检察", "察院", "a"}
    assert numbers("5 March 1990") == (1990, 3, 5)
    assert numbers("April 3, 1990") == (1990, 4, 3)
    assert numbers("2,500.5 of 3") == (2500.5, 3)
    assert numbers("第一百二十三条") == (123,)
    assert numbers("第十二章") == (12,)
    assert numbers("一九九〇年") == (1990,)
    assert numbers("none") == ()


def test_numbers_and_dates_give_orders():
    texts = ["born 3 May 1999", "born 9 March 1999", "born 1 July 1980"]
    record = make("T8", "\n".join(texts), texts, listed=texts)
    question = listed(record)
    assert ordered(question, "smallest number or earliest date") == [texts[2], texts[1], texts[0]]
    assert ordered(question, "middle number")[0] == texts[1]
    plain = listed(make("T8", "a\nb", ["a", "b"], listed=["a", "b"]))
    assert ordered(plain, "smallest number or earliest date") is None
    assert ordered(plain, "longest") is None


def test_candidates_that_do_not_hold_the_gold_are_none():
    assert listed(make("T3", "Which?", ["x"], listed=["a", "b"])) is None
    assert listed(make("T8", "Which?", ["2", "1"], listed=["a", "b"])).answers == ("1", "2")
    assert listed(make("T2", "Which?", "B", options=["A", "B"])).answers == ("A", "B")


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=60), st.integers(0, 20), st.randoms())
def test_a_draw_depends_on_keys_alone(keys, cap, rng):
    def drawn(order):
        draw = Draw(cap)
        for key in order:
            draw.offer(f"{key:032x}", lambda key=key: key)
        assert draw.seen == len(keys)
        return draw.drawn()

    mixed = list(keys)
    rng.shuffle(mixed)
    assert drawn(keys) == drawn(mixed) == sorted(keys)[:cap]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(1, 12), st.integers(0, 10**6))
def test_scores_are_shares_and_do_not_depend_on_the_order_of_records(options, count, seed):
    rng = random.Random(seed)
    records = choices(
        count,
        lambda n: [f"{rng.random():.3f} x" * rng.randint(1, 3) for _ in range(options)],
        lambda n: rng.randrange(options),
    )
    entries = closed_book(surveyed(records).questions)
    assert entries == closed_book(surveyed(records[::-1]).questions)
    for entry in entries:
        assert entry["chance"] == pytest.approx(1 / options, abs=1e-4)
        for guess in entry["guesses"]:
            assert 0 <= guess["mean"] <= 1
            assert guess["n"] <= entry["scored"] == count
            assert guess["difference"] <= entry["highest"]["difference"]


def test_a_large_capability_is_answered_in_part():
    records = (make("T1", f"Who {n}?", f"x{n % 9}") for n in range(QUESTIONS + 50))
    survey = surveyed(list(records))
    assert len(survey.questions["T1"].drawn()) == QUESTIONS
    assert survey.questions["T1"].seen == QUESTIONS + 50

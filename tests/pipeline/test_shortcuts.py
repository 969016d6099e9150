import random

from dataset_records import choices, make, surveyed

from golongrl.core.records import write_parquet
from golongrl.pipeline.dataset.reporting.shortcuts import (
    LEAST,
    ShortcutSurvey,
    _chi_square_tail,
    before_probes,
    learned,
    probes,
)
from golongrl.rewards import pool


def counted(records):
    capabilities = sorted({record.extra_info["capability"] for record in records})
    survey = ShortcutSurvey(capabilities)
    assert list(survey.watch(records)) == list(records)
    return {facts["capability"]: facts for facts in survey.facts()}


def test_letters_and_lengths_of_choices():
    # Options of 1, 2, 3 and 4 characters; the right one is always D, so always the longest.
    found = counted(choices(40, lambda n: ["a", "bb", "ccc", "dddd"], lambda n: 3))["T2"]
    assert found["letters"] == {"A": 0, "B": 0, "C": 0, "D": 40}
    # Chi-square of (0, 0, 0, 40) against 10 each is 120 at three degrees of freedom.
    assert found["letters_p"] == 0.0
    assert (found["longest"], found["shortest"], found["option_chance"]) == (1.0, 0.0, 0.25)
    assert found["common_answer"] == 1.0


def test_balanced_letters_are_no_shortcut_and_ties_are_split():
    found = counted(choices(40, lambda n: ["x", "y", "zz", "zz"], lambda n: n % 4))["T2"]
    assert found["letters_p"] == 1.0
    # Half the records have a right option that is one of two longest, or one of two shortest.
    assert (found["longest"], found["shortest"]) == (0.25, 0.25)


def test_chi_square_needs_five_expected():
    # 16 of four options each: four expected per letter.
    assert counted(choices(16, lambda n: list("abcd"), lambda n: 0))["T2"]["letters_p"] is None
    # 9, 3, 4, 4 of 20 against 5 each: (16 + 4 + 1 + 1) / 5 = 4.4 at three degrees of freedom, p = 0.2214.
    uneven = [0] * 9 + [1] * 3 + [2] * 4 + [3] * 4
    assert counted(choices(20, lambda n: list("abcd"), lambda n: uneven[n]))["T2"]["letters_p"] == 0.2214


def test_numbers_answers_and_lists():
    records = [make("T4", f"How many {n}?", gold) for n, gold in enumerate(["120", "19", "0.05", "7"])]
    records += [make("T3", f"Which {n}?", gold) for n, gold in enumerate([["b", "a"], ["A", "B"], ["ccc"]])]
    found = counted(records)
    assert found["T4"]["digits"] == {"1": 2, "5": 1, "7": 1}
    assert found["T4"]["answer_length"] == [1, 2, 4]
    assert found["T4"]["common_answer"] == 0.25
    assert found["T4"]["longest"] is None


def test_an_answer_in_another_order_is_the_same_answer():
    records = [make("T3", f"Which {n}?", gold) for n, gold in enumerate([["b", "a"], ["a", "b"], ["ccc"]])]
    assert counted(records)["T3"]["common_answer"] == round(2 / 3, 4)


def test_places_of_the_evidence():
    prompt = "x" * 100
    records = []
    for n in range(10):
        made = make("T1", f"Who {n}?", f"x{n}", prompt=prompt, evidence=[(0, 4), (92, 96)], docs=("a", "b", "c", "d"))
        made.extra_info["evidence"] = [{"doc": "a" if n < 5 else "d", "start": 0, "end": 4}]
        records.append(made)
    alone = make("T1", "Who alone?", "y", docs=("a",))
    both = make("T1", "Who both?", "z", docs=("a", "b"))
    both.extra_info["evidence"] = [{"doc": doc, "start": 0, "end": 4} for doc in "ab"]
    found = counted([*records, alone, both])["T1"]
    assert found["depth"] == [10, 0, 0, 0, 0, 0, 0, 0, 0, 10]
    assert found["depth_p"] is None
    # Five of eleven in the first document alone, five in the last alone; by chance (10 / 4 + 1 / 2) / 11.
    assert (found["first"], found["last"], found["end_chance"]) == (0.4545, 0.4545, 0.2727)


WORDS = ["amber", "basil", "cedar", "dusk", "ember", "fjord", "grove", "heron", "inlet", "juniper"]


def drawn(count, hint):
    """Choices of random words; the right option begins with `hint`."""
    rng = random.Random(5)
    gold = [rng.randrange(4) for _ in range(count)]
    texts = []
    for number in gold:
        options = [f"{rng.choice(WORDS)} {rng.choice(WORDS)}" for _ in range(4)]
        options[number] = hint + options[number]
        texts.append(options)
    return choices(count, lambda n: texts[n], lambda n: gold[n])


def test_a_classifier_finds_a_planted_word():
    questions = {name: draw.drawn() for name, draw in surveyed(drawn(80, "notably ")).questions.items()}
    (found,) = learned(questions, seed=0)
    assert found["records"] == 80
    assert found["chance"] == 0.25
    assert found["accuracy"] > 0.95
    assert found["verdict"] == "above"


def test_a_classifier_finds_nothing_where_there_is_nothing():
    (found,) = learned({"T2": drawn(300, "")}, seed=0)
    assert found["low"] < 0.3
    assert found["verdict"] != "above"


def test_few_choices_are_not_learned_from():
    (found,) = learned({"T1": [make("T1", "Who?", "Ann")], "T2": drawn(LEAST - 1, "notably ")}, seed=0)
    assert (found["capability"], found["accuracy"], found["verdict"]) == ("T2", None, "too few records")


def test_what_compares_formulas_is_started_before_the_probes():
    pool.close()
    before = pool.counts()
    before_probes()
    after = pool.counts()
    assert (after.started - before.started, after.errors - before.errors) == (1, 0)


def test_chi_square_with_even_and_odd_degrees_of_freedom():
    # Tables of the distribution give the distances above which 5 % lie.
    for degrees, distance in ((1, 3.841), (2, 5.991), (3, 7.815), (4, 9.488), (9, 16.919)):
        assert round(_chi_square_tail(distance, degrees), 4) == 0.05
        assert _chi_square_tail(0.0, degrees) == 1.0
        assert _chi_square_tail(5000.0, degrees) == 0.0


def test_probes_per_capability(tmp_path):
    records = [make("T1", f"Who was number {n}?", f"Person {n}") for n in range(6)]
    records += [make("T3", f"Which came in {n}?", [f"first {n}", f"second {n}"]) for n in range(6)]
    write_parquet(tmp_path / "train.parquet", records)
    found = {entry["metric"]: entry for entry in probes(tmp_path / "train.parquet", seed=0)}
    assert list(found) == ["em", "f1"]
    assert (found["em"]["capability"], found["em"]["records"], found["em"]["gold_ok"]) == ("T1", 6, 6)
    assert found["em"]["attacks"] > 10
    assert found["em"]["exploited"] == []
    assert found["f1"]["mean"] <= 1.0
    assert found["f1"]["lost"] == {}


def test_a_broken_gold_is_counted(tmp_path):
    write_parquet(tmp_path / "train.parquet", [make("T2", "Which?", "Z", options=["x", "y"])])
    (found,) = probes(tmp_path / "train.parquet", seed=0)
    assert (found["records"], found["gold_ok"]) == (1, 0)

"""What guessing the most frequent items of lists would earn."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.dataset.frequent_items import FrequentItems


def test_an_item_pays_from_its_third_answer_on():
    found = FrequentItems()
    for items in (("a", "b"), ("a", "c")):
        found.add(items)
    assert found.gain() == 0.0
    found.add(("a",))
    # A guess at two items has "a", half of two answers; a guess at one has "a", the whole of one.
    assert found.gain() == 0.5 + 0.5 + 1.0
    found.add(("d",))
    assert found.gain() == 2.0


def by_hand(answers):
    counts = Counter(item for answer in answers for item in answer)
    ranked = sorted(counts, key=lambda item: (-counts[item], item))
    total = 0.0
    for answer in answers:
        guess = {item for item in ranked[: len(answer)] if counts[item] > 2}
        total += len(guess.intersection(answer)) / len(answer)
    return total


ANSWERS = st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=5).map(sorted), max_size=25)


@given(ANSWERS, st.sets(st.sampled_from("abcdefgh"), min_size=1).map(sorted))
def test_the_gain_is_that_of_guessing_every_answer(answers, more):
    found = FrequentItems()
    for items in answers:
        found.add(items)
    assert abs(found.gain() - by_hand(answers)) < 1e-9
    assert abs(found.gain_with(more) - by_hand([*answers, more])) < 1e-9
    assert abs(found.gain() - by_hand(answers)) < 1e-9

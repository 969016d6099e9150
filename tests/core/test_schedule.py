import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.schedule import Schedule, Wanted


def started(schedule):
    return list(iter(schedule.next, None))


def test_requests_start_in_order_while_slots_and_tokens_last():
    schedule = Schedule([Wanted(50, 50)] * 5, 3, 250)
    assert started(schedule) == [0, 1]
    schedule.finished(0, 1)
    assert started(schedule) == [2]
    assert (schedule.in_flight, schedule.tokens) == (2, 200)


def test_one_alone_may_exceed_the_budget_and_the_next_waits_for_it():
    schedule = Schedule([Wanted(500, 10), Wanted(5, 1)], 3, 100)
    assert started(schedule) == [0]
    schedule.finished(0, 1)
    assert started(schedule) == [1]


def test_a_large_request_is_waited_for_and_not_overtaken():
    schedule = Schedule([Wanted(60, 0), Wanted(90, 0), Wanted(10, 0)], 3, 100)
    assert started(schedule) == [0]
    schedule.finished(0, 0)
    assert started(schedule) == [1, 2]


def group(name, count, n_prompt=100, shared=90, output=5):
    return [Wanted(n_prompt, output, name, shared)] * count


def test_the_first_of_a_group_goes_ahead_and_others_fill_the_slots():
    schedule = Schedule([*group("a", 3), *group("b", 2), Wanted(7, 1)], 4, None)
    # One of each group, and what belongs to none.
    assert started(schedule) == [0, 3, 5]
    assert [schedule.leads(place) for place in (0, 3, 5)] == [True, True, False]
    schedule.read(3)
    assert started(schedule) == [4]
    schedule.read(0)
    assert started(schedule) == []
    schedule.finished(5, 1)
    schedule.finished(4, 1)
    assert started(schedule) == [1, 2]
    assert schedule.exhausted


def test_an_answer_without_a_first_token_warms_too_and_a_failure_does_not():
    schedule = Schedule(group("a", 4), 4, None)
    assert started(schedule) == [0]
    schedule.finished(0, None)
    assert started(schedule) == [1]
    assert schedule.leads(1)
    schedule.finished(1, 5)
    assert started(schedule) == [2, 3]


def test_a_common_start_is_counted_once_and_as_long_as_its_group_lasts():
    schedule = Schedule([*group("a", 3), *group("b", 3)], 9, 130)
    assert started(schedule) == [0]
    # 90 shared, 10 of its own and 5 of the answer.
    assert schedule.tokens == 105
    schedule.read(0)
    # Another start of 90 does not fit, a question of the same group does.
    assert started(schedule) == [1]
    assert schedule.tokens == 120
    schedule.finished(0, 5)
    schedule.finished(1, 5)
    assert schedule.tokens == 90
    assert started(schedule) == [2]
    schedule.finished(2, 5)
    assert schedule.tokens == 0
    assert started(schedule) == [3]


def test_answers_are_expected_to_be_twice_as_long_as_those_so_far():
    schedule = Schedule([Wanted(0, 1000)] * 40, 40, 1000)
    for place in range(16):
        assert started(schedule) == [place]
        schedule.finished(place, 50)
    # 2 x 50 each instead of 1000.
    assert len(started(schedule)) == 10


def test_one_slot_needs_no_first_token():
    schedule = Schedule(group("a", 2), 1, None)
    assert started(schedule) == [0]
    assert not schedule.leads(0)


WANTED = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c"]), st.integers(1, 300), st.integers(0, 40), st.booleans()),
    max_size=40,
)


@settings(deadline=None, max_examples=200)
@given(WANTED, st.integers(1, 6), st.integers(1, 600), st.randoms(use_true_random=False))
def test_every_request_starts_once_within_the_limits_whatever_ends_first(rows, slots, budget, chance):
    rows = sorted(rows, key=lambda row: row[0])
    wanted = [Wanted(n, output, name, n // 2) for name, n, output, _ in rows]
    schedule = Schedule(wanted, slots, budget)
    running, order, warm = set(), [], set()
    while True:
        for place in started(schedule):
            name = wanted[place].group
            # Nobody but the one that went ahead is sent before a start is in the cache.
            assert not name or name in warm or not any(wanted[other].group == name for other in running)
            assert len(running) < slots
            running.add(place)
            order.append(place)
            assert schedule.tokens <= budget or len(running) == 1
        if not running:
            break
        place = chance.choice(sorted(running))
        running.remove(place)
        failed = rows[place][3]
        warm |= set() if failed else {wanted[place].group}
        schedule.finished(place, None if failed else 1)
    assert sorted(order) == list(range(len(rows)))
    assert (schedule.in_flight, schedule.tokens, schedule.exhausted) == (0, 0, True)
    for _, places in itertools.groupby(order, key=lambda place: wanted[place].group or place):
        found = list(places)
        assert found == sorted(found)

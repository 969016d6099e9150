"""Which prompts make a batch, and which groups count: balanced sampling and dynamic sampling."""

import math
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchdata.stateful_dataloader import StatefulDataLoader

from golongrl.core.errors import ConfigError
from golongrl.pipeline.training.verl_plugin.task_sampler import TaskSampler, balanced, task_weights

TASKS = ["em"] * 50 + ["f1"] * 20 + ["ndcg"] * 2


def batches(count, size, temperature=None, tasks=TASKS, seed=0):
    stream = balanced(tasks, size, temperature, seed)
    return [list(islice(stream, size)) for _ in range(count)]


def test_weights_go_from_the_datas_shares_to_equal_ones():
    assert task_weights([16, 4], 1.0) == pytest.approx([0.8, 0.2])
    assert task_weights([16, 4], 2.0) == pytest.approx([4 / 6, 2 / 6])
    assert task_weights([16, 4], None) == pytest.approx([0.5, 0.5])


def test_equal_shares_give_every_task_the_same_number():
    for batch in batches(5, 9):
        assert Counter(TASKS[row] for row in batch) == {"em": 3, "f1": 3, "ndcg": 3}


def test_a_rare_task_is_in_every_batch_and_the_others_keep_their_shares():
    found = batches(72, 8, temperature=1.0)
    counts = [Counter(TASKS[row] for row in batch) for batch in found]
    assert min(count["ndcg"] for count in counts) >= 1
    total = sum(counts, Counter())
    # One place each, and five shared out 50 : 20 : 2, over 72 batches; at most one place is still owed.
    for task, expected in {"em": 72 + 250, "f1": 72 + 100, "ndcg": 72 + 10}.items():
        assert abs(total[task] - expected) <= 1


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=9),
    extra=st.integers(0, 30),
    temperature=st.one_of(st.none(), st.floats(1, 8)),
    seed=st.integers(0, 100),
)
def test_every_batch_holds_every_task_and_is_full(sizes, extra, temperature, seed):
    tasks = [f"t{index}" for index, size in enumerate(sizes) for _ in range(size)]
    for batch in batches(4, len(sizes) + extra, temperature, tasks, seed):
        assert len(batch) == len(sizes) + extra
        assert {tasks[row] for row in batch} == set(tasks)


def test_all_prompts_of_a_task_come_before_any_comes_again():
    drawn = [row for batch in batches(10, 8) for row in batch if TASKS[row] == "f1"]
    assert sorted(drawn[:20]) == list(range(50, 70))


def test_a_batch_too_small_for_all_tasks_is_refused():
    with pytest.raises(ConfigError, match="cannot hold all 3 tasks"):
        batches(1, 2)


def loader(workers, size):
    return StatefulDataLoader(
        list(range(72)),
        batch_size=size,
        sampler=TaskSampler(TASKS, 8, None, seed=3),
        num_workers=workers,
        collate_fn=list,
        drop_last=True,
    )


def draw(data, count):
    """`count` batches as verl's trainer draws them: a new pass when one is over."""
    drawn, pass_ = [], iter(data)
    while len(drawn) < count:
        try:
            drawn.append(next(pass_))
        except StopIteration:
            pass_ = iter(data)
    return drawn


@pytest.mark.parametrize(("workers", "size"), [(0, 8), (0, 1), (2, 8)])
@pytest.mark.parametrize("batches_before", [3, 9, 10])
def test_a_resumed_loader_goes_on_where_it_was(workers, size, batches_before):
    per_batch = 8 // size
    whole = draw(loader(workers, size), 14 * per_batch)
    first = loader(workers, size)
    assert draw(first, batches_before * per_batch) == whole[: batches_before * per_batch]
    second = loader(workers, size)
    second.load_state_dict(first.state_dict())
    assert draw(second, (14 - batches_before) * per_batch) == whole[batches_before * per_batch :]


def test_one_pass_yields_whole_batches_and_the_next_goes_on():
    sampler = TaskSampler(TASKS, 10, None, seed=0)
    first, second = list(sampler), list(sampler)
    assert len(first) == len(second) == len(sampler) == 70
    assert first + second == list(islice(balanced(TASKS, 10, None, 0), 140))


@pytest.mark.parametrize(
    ("values", "shared"),
    [
        ([1.0, 0.0], None),
        ([0.5, 0.5, 0.5], 0.5),
        ([0.1] * 5, 0.1),
        # Float32 noise is no signal; a hundredth is.
        ([0.7, 0.7 + 3e-8], 0.7),
        ([0.70, 0.71], None),
        ([0.3], 0.3),
    ],
)
def test_groups_without_signal_are_told_by_their_range(values, shared):
    from golongrl.pipeline.training.verl_plugin.group_buffer import shared_value

    assert shared_value(values, 1e-6) == shared


def test_a_group_that_cannot_be_scored_has_no_signal():
    from golongrl.pipeline.training.verl_plugin.group_buffer import shared_value

    assert math.isnan(shared_value([], 1e-6))


def test_a_hopeless_step_says_what_the_prompts_earn_and_what_to_do():
    from golongrl.pipeline.training.verl_plugin.group_buffer import hopeless

    zeros = hopeless(3, 64, 1, 4, Counter({0.0: 63}))
    assert "step 3: of 64 generated prompts only 1 of the 4 needed" in zeros
    assert "63 earn 0" in zeros
    assert "every rollout earns 0" in zeros
    assert "golongrl verify-rewards" in zeros
    failed = hopeless(3, 64, 1, 4, Counter({0.0: 60}), failed=3)
    assert "60 earn 0, 3 failed, see train.log" in failed
    mixed = hopeless(3, 64, 1, 4, Counter({0.0: 40, 1.0: 20, math.nan: 3}))
    assert "40 earn 0, 20 earn 1, 3 cannot be scored" in mixed
    assert "filter_groups = false" in mixed

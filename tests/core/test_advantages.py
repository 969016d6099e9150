"""Advantages: hand-computed values, the checked-in parity cases, and invariants."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.advantages import ALGORITHMS, TaskStats, compute
from golongrl.core.advantages.groups import group
from golongrl.core.advantages.reweight import pass_rates, reweight
from golongrl.core.advantages.tmn import tmn
from golongrl.core.errors import DataError, UsageError

BATCHES = json.loads((Path(__file__).parent / "parity" / "advantages.json").read_text())["batches"]
REWARDS = st.floats(0, 1, allow_nan=False)


@st.composite
def batches(draw, binary=False):
    """Rewards, prompt ids and task ids of a few groups in shuffled order."""
    reward = st.sampled_from([0.0, 1.0]) if binary else REWARDS
    rows = []
    for prompt in range(draw(st.integers(1, 6))):
        task = draw(st.sampled_from(["em", "f1", "rouge_l"]))
        rows += [(draw(reward), prompt, task) for _ in range(draw(st.integers(1, 6)))]
    rows = draw(st.permutations(rows))
    return tuple(list(column) for column in zip(*rows, strict=True))


def test_grpo_divides_by_the_bessel_deviation_of_the_group():
    # mean 0.5, squared deviations 4 x 0.25, variance 1/3
    values = compute("grpo", [1, 0, 1, 0], "aaaa", ["em"] * 4).values
    assert values == pytest.approx([0.8660254, -0.8660254, 0.8660254, -0.8660254], abs=1e-5)


def test_dr_grpo_only_centres():
    assert compute("dr-grpo", [1, 0, 0, 0], "aaaa", ["em"] * 4).values == pytest.approx([0.75, -0.25, -0.25, -0.25])


def test_tmn_divides_by_the_root_of_the_mean_variance_of_the_task():
    # group a: variance 1/2; group b constant: 0; S_t = sqrt(1/4) = 1/2. Task f1: variance 0.02, S_t = sqrt(0.02)
    values = compute("tmn", [1, 0, 1, 1, 0.4, 0.6], "aabbcc", ["em"] * 4 + ["f1"] * 2).values
    assert values == pytest.approx([1, -1, 0, 0, -math.sqrt(0.5), math.sqrt(0.5)], abs=1e-5)


def test_tmn_reweight_follows_the_paper_on_one_hard_prompt():
    # mean 1/4, S_t = 1/2; p = 1/4, w = e^(1/4); +3/4 / (1/2) * w and -1/4 / (1/2) / w
    values = compute("tmn-reweight", [1, 0, 0, 0], "aaaa", ["em"] * 4).values
    assert values == pytest.approx([1.5 * math.exp(0.25)] + [-0.5 * math.exp(-0.25)] * 3, rel=1e-5)


def test_reweight_bar_mixes_in_the_task_mean():
    # group a mean 0.7, b mean 0.1, task mean 0.4. alpha 0: bar 0.4, all of a pass (p = 1), none of b (p = 0)
    values = compute("tmn-reweight", [0.8, 0.6, 0.2, 0.0], "aabb", ["f1"] * 4, alpha=0.0).values
    unit = 0.1 / math.sqrt(0.02)
    up, down = math.exp(-0.5), math.exp(0.5)
    assert values == pytest.approx([unit * up, -unit / up, unit * down, -unit / down], rel=1e-4)


def test_max_weight_clamps_both_ways():
    values = compute("tmn-reweight", [1, 0, 0, 0], "aaaa", ["em"] * 4, gamma=10, max_weight=2).values
    assert values == pytest.approx([3.0, -0.25, -0.25, -0.25], rel=1e-5)


def test_qwenlong_divides_by_the_deviation_of_all_rewards_of_the_task():
    # rewards 1, 0, 0, 0 in two groups: mean 1/4, Bessel variance 1/4
    values = compute("qwenlong", [1, 0, 0, 0], "aabb", ["em"] * 4).values
    assert values == pytest.approx([1, -1, 0, 0], abs=1e-5)


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_single_rollouts_get_zero_and_touch_no_statistic(algo):
    alone = compute(algo, [0.9, 0.8, 0.85], "aaa", ["f1"] * 3).values
    both = compute(algo, [0.9, 0.8, 0.85, 0.9], "aaab", ["f1"] * 4).values
    assert both[3] == 0
    assert both[:3] == pytest.approx(alone)


@pytest.mark.parametrize("algo", ALGORITHMS)
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.float32, np.float64])
@given(value=st.floats(-1000, 1000), size=st.integers(1, 16))
def test_constant_groups_get_exactly_zero(algo, dtype, value, size):
    rewards = np.full(size, value, dtype=dtype)
    assert not compute(algo, rewards, ["a"] * size, ["em"] * size).values.any()


@pytest.mark.parametrize("algo", ALGORITHMS)
@given(batch=batches(), shift=st.floats(-2, 2))
def test_a_common_shift_changes_nothing(algo, batch, shift):
    rewards, prompts, tasks = batch
    # Spreads near the constant-group threshold may fall on either side of it after rounding.
    rewards = [round(r, 3) for r in rewards]
    before = compute(algo, rewards, prompts, tasks, alpha=1.0).values
    after = compute(algo, [r + round(shift, 3) for r in rewards], prompts, tasks, alpha=1.0).values
    assert after == pytest.approx(before, abs=1e-6)


@given(batch=batches(), scale=st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_grpo_and_tmn_ignore_the_scale_of_a_task(batch, scale):
    rewards, prompts, tasks = batch
    rewards = [round(r, 2) for r in rewards]
    scaled = [r * scale if task == "f1" else r for r, task in zip(rewards, tasks, strict=True)]
    for algo in ("grpo", "tmn"):
        before = compute(algo, rewards, prompts, tasks, eps=1e-12).values
        assert compute(algo, scaled, prompts, tasks, eps=1e-12).values == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("algo", ALGORITHMS)
@given(batch=batches(), data=st.data())
def test_order_of_the_rollouts_does_not_matter(algo, batch, data):
    rewards, prompts, tasks = batch
    rewards = [round(r, 2) for r in rewards]
    order = data.draw(st.permutations(range(len(rewards))))
    before = compute(algo, rewards, prompts, tasks, alpha=0.83).values
    after = compute(algo, *([column[i] for i in order] for column in (rewards, prompts, tasks)), alpha=0.83).values
    assert after == pytest.approx(before[list(order)], abs=1e-6)


@given(batch=batches(binary=True), alpha=st.floats(0, 1))
def test_alpha_has_no_effect_on_binary_rewards(batch, alpha):
    assert compute("tmn-reweight", *batch, alpha=alpha).values == pytest.approx(
        compute("tmn-reweight", *batch, alpha=0.8).values
    )


@given(batch=batches())
def test_gamma_zero_is_plain_tmn(batch):
    assert compute("tmn-reweight", *batch, gamma=0.0).values == pytest.approx(compute("tmn", *batch).values)


def test_running_statistics_are_bias_corrected_and_outlive_a_batch_without_the_task():
    stats = TaskStats(decay=0.9)
    first = compute("tmn", [1, 0], "aa", ["em"] * 2, stats=stats).values
    assert first == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], rel=1e-5)  # one batch: its own variance, 1/2
    compute("tmn", [0.5, 0.3], "aa", ["f1"] * 2, stats=stats)
    # variance 0.02 now: (0.9 * 0.05 + 0.1 * 0.02) / (0.9 * 0.1 + 0.1) = 0.047 / 0.19
    again = compute("tmn", [0.5, 0.3], "aa", ["em"] * 2, stats=stats).values
    assert again == pytest.approx([0.1 / math.sqrt(0.047 / 0.19), -0.1 / math.sqrt(0.047 / 0.19)], rel=1e-4)
    assert TaskStats.from_json(json.loads(json.dumps(stats.to_json()))) == stats


def test_a_prompt_with_two_tasks_is_refused():
    with pytest.raises(DataError, match="two tasks"):
        compute("tmn", [1, 0], "aa", ["em", "f1"])


def test_unknown_algorithms_and_bad_rewards_are_refused():
    with pytest.raises(UsageError, match="tmn-reweight"):
        compute("ppo", [1], "a", ["em"])
    with pytest.raises(DataError, match="not finite"):
        compute("grpo", [float("nan")], "a", ["em"])


def test_metrics_share_out_rollouts_and_advantage():
    metrics = compute("dr-grpo", [1, 0, 0.5, 0.5], "aabb", ["em", "em", "f1", "f1"]).metrics
    assert metrics["task/em/reward"] == 0.5
    assert metrics["task/em/advantage_share"] == 1.0
    assert metrics["task/f1/no_signal_groups"] == 1.0
    assert metrics["task/f1/rollout_share"] == 0.5


def test_metrics_describe_each_task():
    # em: two groups, (1, 0) and (1, 1); f1: one group, (0.2, 0.6)
    rewards, prompts, tasks = [1, 0, 1, 1, 0.2, 0.6], "aabbcc", ["em"] * 4 + ["f1"] * 2
    metrics = compute("tmn-reweight", rewards, prompts, tasks).metrics
    assert metrics["task/em/reward"] == 0.75
    assert metrics["task/em/reward_std"] == pytest.approx(0.5)  # squared deviations 3 x 1/16 + 9/16, over 3
    assert metrics["task/em/prompt_std"] == pytest.approx(math.sqrt(0.5) / 2)
    assert metrics["task/em/no_signal_groups"] == 0.5
    assert metrics["task/em/rollouts"] == 4
    # Bars: a 0.8 x 0.5 + 0.2 x 0.75 = 0.55, one of two passes; b is constant and does not count; c 0.4, one of two.
    assert metrics["task/em/pass_rate"] == 0.5
    assert metrics["task/em/difficulty_weight"] == 1.0
    assert metrics["task/f1/pass_rate"] == 0.5
    assert metrics["task/f1/difficulty_weight"] == 1.0


def test_a_task_without_signal_has_no_pass_rate():
    metrics = compute("tmn-reweight", [1, 1, 1, 0], "aabb", ["em", "em", "f1", "f1"]).metrics
    assert "task/em/pass_rate" not in metrics
    assert "task/em/difficulty_weight" not in metrics
    assert metrics["task/f1/pass_rate"] == 0.5


def test_unevenness_is_the_variation_of_mean_absolute_advantage_across_tasks():
    # dr-grpo: mean |A| is 0.5 for em and 0.1 for f1: deviation 0.2 over mean 0.3
    metrics = compute("dr-grpo", [1, 0, 0.5, 0.3], "aabb", ["em", "em", "f1", "f1"]).metrics
    assert metrics["advantage/unevenness"] == pytest.approx(2 / 3)


def test_metrics_take_the_running_mean_and_leave_it_as_it_is():
    stats = TaskStats(decay=0.5)
    compute("tmn-reweight", [0.2, 0.0], "aa", ["f1"] * 2, stats=stats)
    # Running mean of the task: (0.5 x 0.1 x 0.5 + 0.5 x 0.7) / 0.75 = 0.5; bar at alpha 0 lies below both rollouts.
    metrics = compute("tmn-reweight", [0.6, 0.8], "bb", ["f1"] * 2, stats=stats, alpha=0.0).metrics
    assert metrics["task/f1/pass_rate"] == 1.0
    assert stats.averages["f1"].mean / stats.averages["f1"].weight == pytest.approx(0.5)


def _without_single_rollouts():
    return [batch for batch in BATCHES if min(Counter(batch["uid"]).values()) > 1]


def test_there_are_parity_batches():
    assert len(_without_single_rollouts()) >= 10


@pytest.mark.parametrize("batch", _without_single_rollouts(), ids=lambda batch: f"batch{batch['id']}")
def test_parity_with_the_reference(batch):
    rewards, prompts, tasks = batch["rewards"], batch["uid"], batch["reward_mode"]
    eps = batch["epsilon"]
    checked = 0
    for case in batch["tmn"]:
        options = case["options"]
        groups = group(rewards, prompts, tasks)
        scaled = tmn(groups, groups.task_mean(groups.var_G), eps=eps)
        ours = scaled if options["norm_adv_by_task_scale"] else groups.centred_N
        if options["difficulty_reweight"]:
            alpha, gamma = options["difficulty_smooth_alpha"], options["difficulty_gamma"]
            ours = reweight(groups, ours, pass_rates(groups, groups.task_mean(groups.mean_G), alpha), gamma=gamma)
            if options["norm_adv_by_task_scale"]:
                public = compute("tmn-reweight", rewards, prompts, tasks, eps=eps, alpha=alpha, gamma=gamma)
                assert ours == pytest.approx(public.values)
        assert ours == pytest.approx(case["advantage"], rel=1e-4, abs=1e-6)
        checked += 1
    for case in batch["grpo"]:
        if case["options"].get("difficulty_reweight"):
            continue  # the reference compares normalised with raw values there
        algo = "grpo" if case["options"]["norm_adv_by_std_in_grpo"] else "dr-grpo"
        ours = compute(algo, rewards, prompts, tasks, eps=eps).values
        # Constant groups carry the float32 noise of the reference.
        noisy = np.array([len({r for r, u in zip(rewards, prompts, strict=True) if u == p}) == 1 for p in prompts])
        reference = np.array(case["advantage"])
        assert ours[~noisy] == pytest.approx(reference[~noisy], rel=1e-4, abs=1e-6)
        assert np.abs(ours[noisy] - reference[noisy]).max(initial=0) < 0.06
        checked += 1
    assert checked >= 3

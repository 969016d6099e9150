import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.errors import DataError, UsageError
from golongrl.core.yarn_plan import (
    MOST,
    STEPS,
    UNKNOWN,
    Bucket,
    as_json,
    as_text,
    factor_of,
    plan_buckets,
    reach,
    smallest_factor,
)

QWEN3 = {"max_position_embeddings": 40960, "rope_theta": 1e6, "rope_scaling": None}
SHIPPED = {
    "max_position_embeddings": 32768,
    "rope_theta": 1e6,
    "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
}
LLAMA31 = {
    "max_position_embeddings": 131072,
    "rope_theta": 5e5,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
}


def test_each_bucket_has_the_smallest_factor_for_its_longest_request():
    # 51,200 of 40,960 is 1.25; 100,000 is 2.44, rounded up to 2.5; 182,272 is 4.45, rounded up to 4.5.
    buckets = plan_buckets([900, 40960, 41000, 51200, 90000, 100000, 182272], reach(QWEN3, "auto"))
    assert buckets == (Bucket(40960, None), Bucket(51200, 1.25), Bucket(100000, 2.5), Bucket(182272, 4.5))
    assert [factor_of(buckets, need) for need in (1, 40960, 40961, 51201, 182272)] == [None, None, 1.25, 2.5, 4.5]
    assert as_text(buckets[:2]) == "up to 40960 tokens as it is, up to 51200 tokens with YaRN 1.25"
    assert as_json(buckets[:1]) == [{"longest": 40960, "factor": None}]


def test_requests_that_fit_need_no_plan_of_factors():
    assert plan_buckets([10, 40960], reach(QWEN3, "auto")) == (Bucket(40960, None),)
    assert plan_buckets([], reach(QWEN3, "auto")) == ()


def test_the_recipes_million_tokens_have_a_factor():
    model = reach({**QWEN3, "max_position_embeddings": 262144}, "auto")
    assert plan_buckets([1048576 + 51200], model) == (Bucket(1099776, 4.25),)


def test_a_factor_of_the_users_is_for_all():
    model = reach(QWEN3, 4.0)
    assert (model.own, model.most, model.fixed) == (40960, 163840, 4.0)
    assert plan_buckets([5, 100000], model) == (Bucket(163840, 4.0),)
    assert factor_of(plan_buckets([5], model), None) == 4.0
    with pytest.raises(UsageError, match="already scales"):
        reach(LLAMA31, 2.0)
    with pytest.raises(DataError, match="names no rope_theta"):
        reach({"max_position_embeddings": 4096}, 2.0)


def test_off_leaves_the_model_alone():
    model = reach(QWEN3, "off")
    assert (model.own, model.most, model.rope, model.why_not) == (40960, 40960, None, "")
    assert plan_buckets([50000], model) == ()
    assert factor_of((), 50000) is None


def test_yarn_that_the_config_ships_is_kept_as_far_as_it_goes_and_replaced_beyond():
    model = reach(SHIPPED, "auto")
    assert (model.own, model.most) == (131072, 262144)
    assert plan_buckets([1000, 131072, 131073], model) == (Bucket(131072, None), Bucket(131073, 4.25))
    deep = {**SHIPPED["rope_scaling"], "factor": 40.0, "original_max_position_embeddings": 4096}
    trained_with = reach({**SHIPPED, "max_position_embeddings": 163840, "rope_scaling": deep}, "auto")
    assert (trained_with.own, trained_with.most) == (163840, 163840)


def test_auto_says_why_a_model_cannot_be_scaled():
    assert "already scales its rotary embedding (llama3)" in reach(LLAMA31, "auto").why_not
    nothing_known = reach({"n_positions": 1024}, "auto")
    assert (nothing_known.own, nothing_known.most) == (None, None)
    assert "names no rope_theta" in nothing_known.why_not
    assert plan_buckets([5000], reach(LLAMA31, "auto")) == plan_buckets([5000], UNKNOWN) == ()


def test_a_request_of_unknown_size_runs_in_the_first_bucket():
    assert factor_of((Bucket(4096, None), Bucket(8192, 2.0)), None) is None
    assert factor_of((), None) is None
    assert factor_of((Bucket(4096, None),), 4097) is None


lengths = st.integers(min_value=STEPS, max_value=1 << 20)


@given(lengths, st.lists(st.integers(min_value=1, max_value=1 << 23), max_size=30))
def test_every_request_fits_and_none_is_scaled_more_than_its_bucket_needs(own, needs):
    model = reach({**QWEN3, "max_position_embeddings": own}, "auto")
    buckets = plan_buckets(needs, model)
    planned = [need for need in needs if need <= MOST * own]
    assert [bucket.longest for bucket in buckets] == sorted({bucket.longest for bucket in buckets})
    for need in planned:
        factor = factor_of(buckets, need)
        assert (factor is None) == (need <= own)
        assert need <= (own if factor is None else int(factor * own))
    for bucket in buckets:
        if bucket.factor is None:
            continue
        assert bucket.longest in planned
        # A quarter less, and the longest request of the bucket would not fit.
        assert int((bucket.factor - 1 / STEPS) * own) < bucket.longest
        # No request of a bucket is scaled for one more than twice as long.
        assert all(2 * need > bucket.longest for need in planned if factor_of(buckets, need) == bucket.factor)


@given(st.integers(min_value=1, max_value=1 << 23), lengths)
def test_the_smallest_factor_is_the_smallest(tokens, original):
    factor = smallest_factor(tokens, original)
    assert (factor * STEPS).is_integer()
    assert int(factor * original) >= tokens > int((factor - 1 / STEPS) * original)


@given(lengths, st.lists(st.integers(min_value=1, max_value=1 << 22), max_size=20), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_requests(own, needs, random):
    model = reach({**QWEN3, "max_position_embeddings": own}, "auto")
    shuffled = list(needs)
    random.shuffle(shuffled)
    assert plan_buckets(needs, model) == plan_buckets(shuffled, model)

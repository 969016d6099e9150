"""Dynamic sampling's buffer on a real TransferQueue: which groups make a batch, are replaced, are carried."""

import shlex
import shutil
import sys
import tempfile
from itertools import count

import pytest
import ray
import torch
import transfer_queue as tq
from omegaconf import OmegaConf
from verl.utils.tensordict_utils import list_of_dict_to_tensordict

from golongrl.core.errors import CheckFailedError
from golongrl.pipeline.training.verl_plugin.group_buffer import GroupBuffer

pytestmark = pytest.mark.slow

STORE = {"backend": {"SimpleStorage": {"num_data_storage_units": 1, "total_storage_size": 1000}}}


@pytest.fixture(scope="module", autouse=True)
def queue():
    scratch = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # Ray's socket names leave no room for pytest's own folders
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", scratch)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        try:
            ray.init(
                "local",
                num_cpus=4,
                include_dashboard=False,
                log_to_driver=False,
                runtime_env={"py_executable": shlex.quote(sys.executable)},
            )
            tq.init(OmegaConf.create(STORE))
            yield
            tq.close()
        finally:
            ray.shutdown()
            shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture
def put():
    """Registers a group: `put(name, rewards, status)`; the queue is emptied afterwards."""
    names = []

    def group(uid, rewards, status="finished"):
        tag = {"is_prompt": True, "status": status, "global_steps": 1}
        tq.kv_batch_put(keys=[uid], partition_id="train", tags=[tag])
        names.append(uid)
        keys = [f"{uid}_{number}_0" for number in range(len(rewards))]
        if keys:
            fields = [
                {"extra_fields": {"reward_extra_info": {"score": r, "scorable": 1.0}}, "responses": torch.tensor([7])}
                for r in rewards
            ]
            tags = [{"status": "success", "seq_len": 1} for _ in keys]
            tq.kv_batch_put(keys=keys, partition_id="train", fields=list_of_dict_to_tensordict(fields), tags=tags)

    yield group
    left = list(tq.kv_list("train").get("train", {}))
    if left:
        tq.kv_clear(keys=left, partition_id="train")


def buffer(refill=None, **changes):
    own = {
        **{"metric": "score", "tolerance": 1e-6, "surplus": "carry", "prompts_per_batch": 2},
        **{"inflight_batches": 2, "max_generated_batches": 4},
    }
    return GroupBuffer(
        sampler_kwargs=own | changes,
        trainer_mode="sync",
        trainer_config={},
        max_off_policy_threshold=8,
        max_off_policy_strategy="drop",
        refill_fn=refill or (lambda number: pytest.fail(f"asked for {number} more prompts")),
    )


def uids(batch):
    return sorted({key.split("_")[0] for key in batch.keys})


def test_groups_without_signal_are_replaced_and_the_oldest_make_the_batch(put):
    for uid, rewards in (("a", [1.0, 1.0]), ("b", [0.0, 1.0]), ("c", [0.2, 0.4])):
        put(uid, rewards)
    batch, metrics = buffer().sample(1, "train", 2)
    assert uids(batch) == ["b", "c"]
    assert metrics["training/filter_groups/evicted_samples"] == 1


def test_more_prompts_are_asked_for_until_the_batch_is_full(put):
    put("a", [0.5, 0.5])
    names, asked = count(), []

    def refill(number):
        asked.append(number)
        for _ in range(number):
            put(f"new{next(names)}", [0.0, 1.0])

    batch, _ = buffer(refill).sample(1, "train", 2)
    assert len(uids(batch)) == 2
    # Of one group none was kept, so the rate is taken to be a half: twice as many as are missing.
    assert asked == [4]


def test_what_is_left_of_a_failed_group_counts_like_any_other(put):
    put("a", [0.0, 1.0, 0.5], "failure")
    put("b", [0.0, 1.0])
    put("c", [1.0, 1.0, 1.0], "failure")
    put("d", [], "failure")
    batch, metrics = buffer().sample(1, "train", 2)
    assert uids(batch) == ["a", "b"]
    assert metrics["training/filter_groups/evicted_samples"] == 1
    assert metrics["training/filter_groups/failed_samples"] == 1


def test_surplus_is_carried_into_the_next_step_and_through_a_checkpoint(put, tmp_path):
    put("a", [0.0, 1.0])
    put("b", [0.0, 1.0])
    put("c", [0.0, 1.0, 1.0], "failure")
    first = buffer()
    _, metrics = first.sample(1, "train", 2)
    assert metrics["training/filter_groups/carried_samples"] == 1
    assert first.carried() == 1
    first.save_carried(tmp_path / "carried.pt")
    tq.kv_clear(keys=list(tq.kv_list("train")["train"]), partition_id="train")
    second = buffer()
    second.load_carried(tmp_path / "carried.pt")
    assert second.carried() == 1
    put("d", [0.0, 1.0])
    batch, _ = second.sample(2, "train", 2)
    assert uids(batch) == ["c", "d"]
    assert len(batch.keys) == 5


def test_a_group_without_any_rollout_cannot_be_scored(put):
    put("a", [])
    put("b", [0.0, 1.0])
    put("c", [0.0, 1.0])
    batch, _ = buffer().sample(1, "train", 2)
    assert uids(batch) == ["b", "c"]


def test_surplus_can_be_dropped(put):
    for uid in "abc":
        put(uid, [0.0, 1.0])
    made = buffer(surplus="drop")
    _, metrics = made.sample(1, "train", 2)
    assert (metrics["training/filter_groups/dropped_samples"], made.carried()) == (1, 0)


def test_a_step_that_cannot_be_filled_ends(put):
    names = count()

    def refill(number):
        for _ in range(number):
            put(f"dead{next(names)}", [0.0, 0.0])

    with pytest.raises(CheckFailedError, match=r"of 8 generated prompts only 0 of the 2 needed .*8 earn 0"):
        buffer(refill).sample(1, "train", 2)


def test_a_metric_that_the_reward_does_not_give_is_named(put):
    put("a", [0.0, 1.0])
    with pytest.raises(CheckFailedError, match=r"no 'f1', only score, scorable; set filter_metric"):
        buffer(metric="f1").sample(1, "train", 2)

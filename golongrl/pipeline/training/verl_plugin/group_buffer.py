"""verl's replay buffer with golongrl's dynamic sampling: a tolerance, carried surplus, and an end to hopeless steps.

verl's own evicts groups whose metric has a standard deviation of exactly 0, throws away what it generated beyond the
batch, and generates for ever when no prompt gives a signal. Set through trainer.v1.sampler.custom_sampler.
"""

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import transfer_queue as tq
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from golongrl.core.errors import CheckFailedError

POLL_SECONDS = 0.1
"""verl looks for finished rollouts every 2 s, which is most of a small model's step."""


def shared_value(values: list[float], tolerance: float) -> float | None:
    """The value that all scorable rollouts of a group share within the tolerance; None when they tell them apart.

    A group with fewer than two scorable rollouts has nothing to compare, so it shares the one it has, else NaN.
    """
    if len(values) < 2:
        return values[0] if values else math.nan
    return min(values) if max(values) - min(values) <= tolerance else None


class GroupBuffer(ReplayBuffer):
    """Samples batches of prompt groups in a fixed order; with a metric, only groups whose rollouts differ in it."""

    def __init__(self, sampler_kwargs: Any, **kwargs: Any):
        own = dict(sampler_kwargs)
        super().__init__(
            sampler_kwargs=sampler_kwargs,
            poll_interval=POLL_SECONDS,
            filter_groups_metric=own["metric"],
            train_batch_size=own["prompts_per_batch"],
            gen_batch_size=1 if own["metric"] else own["prompts_per_batch"],
            max_inflight_gen_batches=own["inflight_batches"],
            # Groups none of whose rollouts came back are replaced too.
            sync_refill_failed_groups=bool(own["metric"]),
            **kwargs,
        )
        self.tolerance: float = own["tolerance"]
        self.carries: bool = own["surplus"] == "carry"
        self.max_generated: int = own["max_generated_batches"] * own["prompts_per_batch"]

    def _settled(self, partition_id: str) -> set[str]:
        """Groups that generate nothing any more; a failed one where some of its rollouts came back."""
        with_rollouts = {key.split("_")[0] for key in self.partitions[partition_id]}
        return self.finished_keys[partition_id] | (self.failure_keys[partition_id] & with_rollouts)

    def carried(self) -> int:
        """Groups left over from earlier steps that the next one starts from."""
        self._sync_metadata_from_transfer_queue()
        return len(self._settled("train"))

    def save_carried(self, path: Path) -> None:
        """Write the groups left over for the next step, if there are any."""
        self._sync_metadata_from_transfer_queue()
        groups = self._settled("train")
        if not groups:
            # A run that was killed while it wrote this checkpoint may have left one.
            path.unlink(missing_ok=True)
            return
        tags = {key: tag for key, tag in self.partitions["train"].items() if key.split("_")[0] in groups}
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(
            {
                "groups": {uid: self.prompt_global_steps["train"][uid] for uid in sorted(groups)},
                "tags": tags,
                "fields": tq.kv_batch_get(keys=list(tags), partition_id="train"),
            },
            path,
        )

    def load_carried(self, path: Path) -> None:
        """Put the groups of a checkpoint back; a checkpoint without any has no such file."""
        if not path.exists():
            return
        # Our own file, beside verl's checkpoints, which are pickles too.
        saved = torch.load(path, weights_only=False)
        keys = list(saved["tags"])
        tq.kv_batch_put(keys=keys, partition_id="train", fields=saved["fields"], tags=list(saved["tags"].values()))
        steps = saved["groups"]
        tags = [{"is_prompt": True, "status": "finished", "global_steps": step} for step in steps.values()]
        tq.kv_batch_put(keys=list(steps), partition_id="train", tags=tags)

    def _dapo_filtered_keys(self, partition_id: str) -> tuple[set[str], Counter]:
        """Settled groups without signal, and how many of them share which value."""
        if partition_id == "val" or self.filter_groups_metric is None:
            return set(), Counter()
        known = self._dapo_classification_cache[partition_id]
        settled = self._settled(partition_id)
        for uid in known.keys() - settled:
            del known[uid]
        values: dict[str, list[float]] = {uid: [] for uid in settled - known.keys()}
        keys = [key for key in self.partitions[partition_id] if key.split("_")[0] in values]
        if keys:
            fields = tq.kv_batch_get(keys=keys, partition_id=partition_id, select_fields=["extra_fields"])
            for key, extra in zip(keys, list(fields["extra_fields"]), strict=True):
                info = getattr(extra, "data", extra)["reward_extra_info"]
                if self.filter_groups_metric not in info:
                    raise CheckFailedError(
                        f"the reward function gave no {self.filter_groups_metric!r}, only {', '.join(info)}; "
                        "set filter_metric to one of these"
                    )
                group = values[key.split("_")[0]]
                if info.get("scorable", 1):
                    group.append(float(info[self.filter_groups_metric]))
        for uid, group in values.items():
            known[uid] = shared_value(group, self.tolerance)
        filtered = {uid: value for uid, value in known.items() if value is not None}
        return set(filtered), Counter(filtered.values())

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[KVBatchMeta, dict]:
        """A batch of `batch_size` groups and metrics about how it came together.

        Raises CheckFailedError when too many prompts had to be generated for it.
        """
        if partition_id == "val" or self.filter_groups_metric is None:
            return super().sample(global_steps, partition_id, batch_size)
        evicted: Counter = Counter()
        failed = 0
        told = time.time()
        while True:
            self._sync_metadata_from_transfer_queue()
            reasons = self._terminal_eviction_reasons(global_steps, partition_id)
            evicted.update(reasons[3])
            failed += len(reasons[2])
            self._evict_terminal_groups(global_steps, partition_id, reasons)
            ready = self._sampleable_terminal_keys(partition_id, reasons)
            running = len(self.pending_keys[partition_id]) + len(self.running_keys[partition_id])
            if len(ready) >= batch_size and not running:
                break
            wanted = self._wanted(batch_size - len(ready), len(ready), evicted.total())
            generated = len(ready) + evicted.total() + failed + running
            if wanted > running and generated < self.max_generated:
                self.refill_fn(min(wanted - running, self.max_generated - generated))
                continue
            if not running:
                raise CheckFailedError(hopeless(global_steps, generated, len(ready), batch_size, evicted, failed))
            told = self._wait_for_next_poll(partition_id, told)
        chosen, snapshot, _ = self._select_prompt_uids(partition_id, ready, batch_size)
        # At most a batch is carried, so that the next step takes all of it and no rollout gets older than one policy.
        others = self._select_prompt_uids(partition_id, ready - set(chosen), len(ready))[0]
        carried = others[:batch_size] if self.carries else []
        dropped = set(others) - set(carried)
        self._clear_groups(partition_id, dropped)
        metrics = {
            "training/filter_groups/evicted_samples": evicted.total(),
            "training/filter_groups/failed_samples": failed,
            "training/filter_groups/carried_samples": len(carried),
            "training/filter_groups/dropped_samples": len(dropped),
        }
        return self._materialize_batch(partition_id, chosen, snapshot), metrics

    def _wanted(self, missing: int, kept: int, evicted: int) -> int:
        """Prompts that should be in generation to fill `missing` places at the step's present rate of acceptance."""
        if missing <= 0:
            return 0
        rate = (kept + 1) / (kept + evicted + 1)
        return min(math.ceil(missing / rate), self.max_inflight_gen_batches * self.train_batch_size)

    def _select_prompt_uids(
        self, partition_id: str, sampleable_keys: set[str], batch_size: int
    ) -> tuple[list[str], dict[str, dict], dict[str, int]]:
        """The oldest groups, in an order that does not depend on which finished first."""
        steps = dict(self.prompt_global_steps[partition_id])
        ordered = sorted(sampleable_keys, key=lambda uid: (steps.get(uid, 0), uid))
        return ordered[:batch_size], dict(self.partitions[partition_id]), steps

    def _materialize_batch(self, partition_id: str, selected_prompt_uids: list[str], snapshot: dict) -> KVBatchMeta:
        batch = super()._materialize_batch(partition_id, selected_prompt_uids, snapshot)
        # Rows in the order of their names, so that a resumed run adds up the same numbers in the same order.
        ordered = sorted(zip(batch.keys, batch.tags, strict=True), key=lambda row: row[0])
        return KVBatchMeta(
            partition_id=partition_id, keys=[key for key, _ in ordered], tags=[tag for _, tag in ordered]
        )


def hopeless(step: int, generated: int, ready: int, batch_size: int, evicted: Counter, failed: int = 0) -> str:
    """What to say when a step cannot be filled."""
    counts = ", ".join(
        f"{count} {'cannot be scored' if math.isnan(value) else f'earn {value:g}'}"
        for value, count in evicted.most_common(5)
    )
    if failed:
        counts = ", ".join(filter(None, [counts, f"{failed} failed, see train.log"]))
    advice = (
        "every rollout earns 0: look at some with dump_rollouts = true, check the rewards with golongrl "
        "verify-rewards, raise max_response_tokens, or start from easier prompts or a stronger model"
        if set(evicted) == {0.0}
        else "choose prompts closer to the model's ability, raise rollouts_per_prompt, or set filter_groups = false"
    )
    return (
        f"step {step}: of {generated} generated prompts only {ready} of the {batch_size} needed have rollouts that "
        f"differ ({counts}); {advice}. The limit is max_generated_batches"
    )

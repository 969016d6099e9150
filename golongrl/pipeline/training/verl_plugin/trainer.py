"""verl's synchronous trainer with tasks for the estimator, golongrl's metrics, task statistics in checkpoints."""

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import ray
import transfer_queue
from verl.trainer.main_ppo import TaskRunnerV1
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from golongrl.core.advantages import TaskStats
from golongrl.core.store import Journal, write_json
from golongrl.pipeline.training.verl_plugin.estimator import CONTEXT, BatchContext

STATS_FILE = "task_stats.json"


class GolongTrainer(PPOTrainerSync):
    """PPOTrainerSync whose advantages know each rollout's task."""

    def __init__(self, config: Any):
        super().__init__(config)
        # verl looks for finished rollouts every 2 s, which is most of a small model's step.
        self.replay_buffer.poll_interval = 0.1
        own = config.golongrl
        self.algo = own.algo
        self.options: dict[str, Any] = {"alpha": own.alpha, "gamma": own.gamma, "max_weight": own.max_weight}
        if own.task_stats == "ema":
            self.options["stats"] = TaskStats(decay=own.ema_decay)
        self.out = Path(own.out)
        self.metrics_journal = Journal(self.out / "metrics.jsonl", keep_rows=False)
        self.rollout_journal = Journal(self.out / "rollouts.jsonl", keep_rows=False)

    def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
        context = self._context(batch)
        token = CONTEXT.set(context)
        try:
            batch = super()._compute_advantage(batch, metrics)
        finally:
            CONTEXT.reset(token)
        metrics.update(context.metrics)
        return batch

    def _context(self, batch: Any) -> BatchContext:
        """Tasks and reasons of the batch's rows, as the reward function stored them; padding rows count nothing."""
        real = [row for row, tag in enumerate(batch.tags) if not tag.get("is_padding", False)]
        keys = [batch.keys[row] for row in real]
        fields = transfer_queue.kv_batch_get(
            keys=keys, partition_id=batch.partition_id, select_fields=["extra_fields", "rm_scores"]
        )
        infos = [extra["reward_extra_info"] for extra in list(fields["extra_fields"])]
        rewards = [float(scores.sum()) for scores in fields["rm_scores"].unbind()]
        counted_N = np.zeros(len(batch.keys), dtype=bool)
        task_N = [""] * len(batch.keys)
        for row, info in zip(real, infos, strict=True):
            counted_N[row] = info["scorable"] > 0
            task_N[row] = info["task"]
        unscorable = [info["reason"] for info in infos if info["scorable"] == 0]
        # Keyed by place, so that a step which is run again after a crash replaces its rows.
        for place, (key, info, reward) in enumerate(
            sorted(zip(keys, infos, rewards, strict=True), key=itemgetter(0))
        ):
            self.rollout_journal.append(
                f"{self.global_steps}/{place}",
                step=self.global_steps,
                prompt=key.rsplit("_", 2)[0],
                index=info["index"],
                task=info["task"],
                reward=reward if info["scorable"] else None,
                reason=info["reason"],
            )
        return BatchContext(
            algo=self.algo,
            options=self.options,
            task_N=task_N,
            session_N=[key.rsplit("_", 1)[0] for key in batch.keys],
            counted_N=counted_N,
            metrics={"reward/unscorable": float(len(unscorable))},
        )

    def _val_metrics_update(self, data_sources: Any, sample_uids: Any, infos: dict[str, list], *args: Any, **kw: Any):
        """verl groups validation by data source, which holds several metrics; this adds val/TASK/reward."""
        found = super()._val_metrics_update(data_sources, sample_uids, infos, *args, **kw)
        of_task: dict[str, list[float]] = {}
        for task, score, scorable in zip(infos["task"], infos["score"], infos["scorable"], strict=True):
            if scorable:
                of_task.setdefault(task, []).append(float(score))
        return {**found, **{f"val/{task}/reward": sum(s) / len(s) for task, s in of_task.items()}}

    def _compute_metrics(
        self, batch: Any, metrics: dict[str, Any], timing_raw: dict[str, float], global_steps: int, epoch: int
    ) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps=global_steps, epoch=epoch)
        numbers = {
            name: float(value)
            for name, value in metrics.items()
            if isinstance(value, (int, float, np.integer, np.floating))
        }
        self.metrics_journal.append(f"step-{global_steps}", step=global_steps, metrics=numbers)

    def _save_checkpoint(self) -> None:
        # Before the checkpoint itself: verl names a checkpoint as the latest only once it is complete, so a
        # checkpoint that can be resumed always has its statistics.
        stats = self.options.get("stats")
        if stats is not None:
            folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
            write_json(folder / STATS_FILE, stats.to_json())
        super()._save_checkpoint()

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        stats = self.options.get("stats")
        if stats is not None and self.global_steps > 0:
            folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
            saved = json.loads((folder / STATS_FILE).read_text(encoding="utf-8"))
            self.options["stats"] = TaskStats.from_json(saved)


@ray.remote
class GolongTaskRunner(TaskRunnerV1.__ray_metadata__.modified_class):  # type: ignore[name-defined,misc]
    """verl's task runner with our trainer in the place of its own."""

    def run(self, config: Any) -> None:
        """Run training; called by verl in a Ray actor."""
        # The name stays "sync": verl compares it in many places, and any other name switches to asynchronous paths.
        trainer_base.TRAINER_REGISTRY["sync"] = GolongTrainer
        super().run(config)

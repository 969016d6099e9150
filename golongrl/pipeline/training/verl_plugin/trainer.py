"""verl's synchronous trainer with tasks for the estimator, golongrl's metrics, sampling and resuming."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import ray
import transfer_queue
from tensordict import TensorDict
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.distillation import is_distillation_enabled
from verl.trainer.main_ppo import TaskRunnerV1
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.dataset.rl_dataset import collate_fn

from golongrl.core import tasks
from golongrl.core.advantages import TaskStats
from golongrl.core.errors import CheckFailedError, ConfigError
from golongrl.core.store import Journal, write_json
from golongrl.pipeline.training.ray_settings import check_nodes
from golongrl.pipeline.training.verl_plugin.estimator import CONTEXT, BatchContext
from golongrl.pipeline.training.verl_plugin.row_metrics import row_metrics
from golongrl.pipeline.training.verl_plugin.task_loss import clip_shares, ppo_loss_with_clip_counts
from golongrl.pipeline.training.verl_plugin.task_sampler import TaskSampler

STATS_FILE = "task_stats.json"
CARRIED_FILE = "carried.pt"


class GolongTrainer(PPOTrainerSync):
    """PPOTrainerSync whose advantages know each rollout's task."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.own = config.golongrl
        own = self.own
        self.options: dict[str, Any] = {"alpha": own.alpha, "gamma": own.gamma, "max_weight": own.max_weight}
        if own.task_stats == "ema":
            self.options["stats"] = TaskStats(decay=own.ema_decay)
        self.out = Path(own.out)
        self.metrics_journal = Journal(self.out / "metrics.jsonl", keep_rows=False)
        self.rollout_journal = Journal(self.out / "rollouts.jsonl", keep_rows=False)
        self.step_without_signal = 0
        self.named: tuple[int, int] = (0, 0)
        """(step, prompts fetched in it)"""
        self.rollout_info: dict[str, dict[str, Any]] = {}
        """Key of a rollout of this step -> what the reward function said about it."""
        self.response_length: dict[str, int] = {}
        self.step_metrics: dict[str, Any] = {}
        self.seconds = 0.0
        """Time of this step spent on advantages and metrics."""

    def _setup(self) -> None:
        super()._setup()
        if not is_distillation_enabled(self.config.get("distillation")):
            actor = omega_conf_to_dataclass(self.config.actor_rollout_ref.actor)
            self.actor_rollout_wg.set_loss_fn(partial(ppo_loss_with_clip_counts, actor))

    def _init_dataloader(self) -> None:
        needed = self.config.data.train_batch_size
        try:
            super()._init_dataloader()
        except ValueError:
            # What torch says when the length filter left nothing to sample from.
            if len(self.train_dataset) > 0:
                raise
        if len(self.train_dataset) < needed:
            raise ConfigError(
                f"{len(self.train_dataset)} prompts have at most {self.config.data.max_prompt_length} tokens in the "
                f"model's tokenizer, and a batch needs {needed}; raise max_prompt_tokens, lower prompts_per_batch, "
                "or build shorter records"
            )
        if self.own.sampling != "balanced":
            return
        data = self.config.data
        rows = self.train_dataset.dataframe.select_columns(["data_source", "extra_info"])
        sampler = TaskSampler(
            [tasks.metric_name(row["data_source"], row["extra_info"]) or "" for row in rows],
            data.train_batch_size,
            self.own.sampling_temperature,
            data.seed,
        )
        self.train_dataloader = StatefulDataLoader(
            dataset=self.train_dataset,
            batch_size=data.get("gen_batch_size", None) or data.train_batch_size,
            num_workers=data.dataloader_num_workers,
            drop_last=True,
            collate_fn=collate_fn,
            sampler=sampler,
        )

    def _fetch_one_gen_batch(self) -> TensorDict:
        """verl names prompts at random; names in the order of the data make a resumed run repeat itself."""
        batch = super()._fetch_one_gen_batch()
        step, count = self.named if self.named[0] == self.global_steps else (self.global_steps, 0)
        names = [f"{step:08d}.{count + place:06d}" for place in range(len(batch))]
        self.named = (step, count + len(batch))
        tensordict_utils.assign_non_tensor_stack(batch, "uid", names)
        return batch

    def step(self, metrics: dict, timing_raw: dict) -> Any:
        """verl's step; keeps hold of its metrics for a checkpoint that comes before they are logged."""
        self.step_metrics = metrics
        return super().step(metrics, timing_raw)

    def prepare_step(self) -> dict:
        """Ask for the prompts that groups carried over from earlier steps do not make up for."""
        self.seconds = 0.0
        carried = self.replay_buffer.carried()
        if not carried:
            return super().prepare_step()
        missing = self.config.data.train_batch_size - carried
        if missing > 0:
            self._add_prompts_to_generate(missing)
        return {}

    def _compute_advantage(self, batch: Any, metrics: dict[str, Any]) -> Any:
        with self._timed():
            context = self._context(batch)
        token = CONTEXT.set(context)
        try:
            batch = super()._compute_advantage(batch, metrics)
        finally:
            CONTEXT.reset(token)
        self.seconds += context.seconds
        with self._timed():
            metrics.update(context.metrics)
            metrics.update(self._row_metrics(batch, context))
            self._stop_without_signal(context)
        return batch

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start

    def _context(self, batch: Any) -> BatchContext:
        """Tasks and reasons of the batch's rows, as the reward function stored them; padding rows count nothing."""
        real = [row for row, tag in enumerate(batch.tags) if not tag.get("is_padding", False)]
        keys = [batch.keys[row] for row in real]
        fields = transfer_queue.kv_batch_get(
            keys=keys, partition_id=batch.partition_id, select_fields=["extra_fields", "rm_scores"]
        )
        infos = [extra["reward_extra_info"] for extra in list(fields["extra_fields"])]
        rewards = [float(scores.sum()) for scores in fields["rm_scores"].unbind()]
        self.rollout_info = dict(zip(keys, infos, strict=True))
        self.response_length = {batch.keys[row]: batch.tags[row]["response_len"] for row in real}
        counted_N = np.zeros(len(batch.keys), dtype=bool)
        task_N = [""] * len(batch.keys)
        for row, info in zip(real, infos, strict=True):
            counted_N[row] = info["scorable"] > 0
            task_N[row] = info["task"]
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
            algo=self.own.algo,
            options=self.options,
            task_N=task_N,
            session_N=[key.rsplit("_", 1)[0] for key in batch.keys],
            counted_N=counted_N,
            metrics={
                "reward/unscorable": float(sum(info["scorable"] == 0 for info in infos)),
                "overhead_s/reward": sum(info["seconds"] for info in infos),
            },
        )

    def _row_metrics(self, batch: Any, context: BatchContext) -> dict[str, float]:
        """Lengths, unscorable rollouts and IcePop per task, over the rows that are no padding."""
        real = [row for row, key in enumerate(batch.keys) if key in self.rollout_info]
        masked_N = None
        if self.config.algorithm.rollout_correction.rollout_is is not None:
            data = transfer_queue.kv_batch_get(
                keys=[batch.keys[row] for row in real],
                partition_id=batch.partition_id,
                select_fields=["rollout_is_weights", "response_mask"],
            )
            pairs = zip(data["rollout_is_weights"].unbind(), data["response_mask"].unbind(), strict=True)
            masked_N = np.array([int(((weights == 0) & (mask > 0)).sum()) for weights, mask in pairs])
        return row_metrics(
            [context.task_N[row] for row in real],
            [bool(context.counted_N[row]) for row in real],
            np.array([self.response_length[batch.keys[row]] for row in real]),
            self.config.data.max_response_length,
            masked_N,
        )

    def _stop_without_signal(self, context: BatchContext) -> None:
        self.step_without_signal = 0 if np.any(context.values_N) else self.step_without_signal + 1
        if self.step_without_signal >= self.own.max_no_signal_steps:
            rewards = {name: value for name, value in context.metrics.items() if name.endswith("/reward")}
            listed = ", ".join(f"{name.split('/')[1]} {value:g}" for name, value in rewards.items())
            raise CheckFailedError(
                f"every advantage was 0 in {self.step_without_signal} steps in a row (mean rewards of the last: "
                f"{listed or 'none could be scored'}): the rollouts of each prompt all earn the same, so nothing is "
                "learned. Look at some with dump_rollouts = true, check the rewards with golongrl verify-rewards, "
                "choose prompts closer to the model's ability, or raise max_response_tokens. The limit is "
                "max_no_signal_steps"
            )

    def _update_actor(self, batch: Any, metrics: dict[str, Any]) -> Any:
        batch = super()._update_actor(batch, metrics)
        metrics.update(clip_shares(metrics))
        return batch

    def _validate(self) -> dict[str, float]:
        """verl hands what it finds before the first step to its loggers only; it is step 0 of metrics.jsonl."""
        found = super()._validate()
        if self.global_steps == 0:
            self.metrics_journal.append("step-0", step=0, metrics=numbers(found))
        return found

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
        metrics["overhead_s/advantage_and_metrics"] = self.seconds
        self.metrics_journal.append(f"step-{global_steps}", step=global_steps, metrics=numbers(metrics))

    def _dump_generations(self, reward_extra_infos_dict: dict[str, list], **kwargs: Any) -> None:
        """verl dumps a rollout's texts and score; this adds its task, record and reason."""
        infos = [self.rollout_info.get(key, {}) for key in reward_extra_infos_dict.get("uid", [])]
        for name in ("task", "index", "reason"):
            reward_extra_infos_dict[name] = [info.get(name) for info in infos]
        super()._dump_generations(reward_extra_infos_dict=reward_extra_infos_dict, **kwargs)

    def _checkpoint_folder(self) -> Path:
        return Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"

    def _save_checkpoint(self) -> None:
        # Before the checkpoint itself: verl names a checkpoint as the latest only once it is complete, so a
        # checkpoint that can be resumed always has its statistics and its carried groups.
        folder = self._checkpoint_folder()
        if "stats" in self.options:
            write_json(folder / STATS_FILE, self.options["stats"].to_json())
        self.replay_buffer.save_carried(folder / CARRIED_FILE)
        # A step that has a checkpoint is never repeated, so its numbers must be there before it.
        self.metrics_journal.append(
            f"step-{self.global_steps}/partial",
            step=self.global_steps,
            partial=True,
            metrics=numbers(self.step_metrics),
        )
        super()._save_checkpoint()
        self._remove_old_checkpoints()

    def _remove_old_checkpoints(self) -> None:
        """verl forgets what it wrote before a restart, and keeps the folders of those it removes."""
        keep = self.config.trainer.max_actor_ckpt_to_keep
        folders = {
            int(folder.name.removeprefix("global_step_")): folder
            for folder in Path(self.config.trainer.default_local_dir).glob("global_step_*")
            if folder.name.removeprefix("global_step_").isdigit()
        }
        for step in sorted(folders)[:-keep] if keep else ():
            shutil.rmtree(folders[step], ignore_errors=True)

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps == 0:
            return
        # Validation before training is of the untrained model.
        self.config.trainer.val_before_train = False
        folder = self._checkpoint_folder()
        if "stats" in self.options:
            saved = json.loads((folder / STATS_FILE).read_text(encoding="utf-8"))
            self.options["stats"] = TaskStats.from_json(saved)
        self.replay_buffer.load_carried(folder / CARRIED_FILE)


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics that are single numbers."""
    kinds = (int, float, np.integer, np.floating)
    return {name: float(value) for name, value in metrics.items() if isinstance(value, kinds)}


@ray.remote
class GolongTaskRunner(TaskRunnerV1.__ray_metadata__.modified_class):  # type: ignore[name-defined,misc]
    """verl's task runner with our trainer in the place of its own."""

    def run(self, config: Any) -> None:
        """Run training; called by verl in a Ray actor."""
        check_nodes(ray.nodes(), config.trainer.nnodes, config.trainer.n_gpus_per_node)
        # The name stays "sync": verl compares it in many places, and any other name switches to asynchronous paths.
        trainer_base.TRAINER_REGISTRY["sync"] = GolongTrainer
        super().run(config)

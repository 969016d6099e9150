"""Start or resume a training run: run folder, worker process, live steps, results."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from golongrl.core.errors import CheckFailedError
from golongrl.core.rope import write_yarn
from golongrl.core.runs import is_finished, only_writer, open_run, read_config, read_manifest
from golongrl.core.store import file_sha256, write_json, write_text
from golongrl.pipeline.training import ray_settings, verl_overrides
from golongrl.pipeline.training.config import TrainConfig, may_differ
from golongrl.pipeline.training.metrics import WINDOW, Step, first_and_last, read_steps
from golongrl.pipeline.training.model.merge import merged_model
from golongrl.pipeline.training.model.prove import Proof, prove
from golongrl.pipeline.training.plan import Plan, plan
from golongrl.pipeline.training.report import write_report
from golongrl.pipeline.training.supervise import run_worker


@dataclass(frozen=True)
class Result:
    """A finished run."""

    folder: Path
    checkpoint: Path
    """The newest one, for resuming."""
    model: Path
    """The trained model as a transformers folder."""
    proof: Proof | None
    """What was checked of it; None with prove = false, or when the run was finished before."""
    steps: int
    rewards: Mapping[str, tuple[float, float]]
    """Per task: mean reward over the first and the last steps."""
    resumed_from: int
    seconds: float


def train(
    config: TrainConfig,
    out: Path,
    *,
    fresh: bool = False,
    skip_gate: bool = False,
    on_plan: Callable[[Plan], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_wait: Callable[[str, float], None] | None = None,
) -> Result:
    """Train until done, going on from the newest checkpoint in `out`, also of a finished run of fewer steps; `fresh`
    sets an earlier run aside, `skip_gate` trains on rewards that were not audited.

    `on_plan` sees the checked plan, `on_step` every finished step, `on_wait` the current phase and seconds since the
    last step. Raises CheckFailedError when the training process fails or the trained model is not proven,
    StorageError when the disk is full, RunConflictError when `out` holds another run or is in use.
    """
    # A finished run only has its results read, for which this machine needs nothing.
    finished = not fresh and _has_all_steps(out, config)
    planned = plan(config, out, skip_gate=skip_gate or finished, elsewhere=finished)
    if not finished:
        (on_plan or _ignore)(planned)
    out = out.absolute()
    files = ((config.data, planned.config.data), (config.val_data, planned.config.val_data))
    inputs = {given: file_sha256(real) for given, real in files if given and real}
    free = may_differ(config, {} if fresh or not (out / "config.json").exists() else read_config(out))
    run = open_run(out, config.model_dump(), command="train", inputs=inputs, fresh=fresh, free=free)
    with only_writer(out, "train"):
        if run.finished and not finished:
            run.reopen()
        started = time.monotonic()
        resumed_from = latest_checkpoint(out)[0]
        if not run.finished:
            write_json(
                out / "job.json",
                {
                    "config_name": verl_overrides.config_name(planned.config),
                    "overrides": verl_overrides.overrides(planned.verl),
                },
            )
            if router := verl_overrides.router(planned.config):
                write_json(out / verl_overrides.ROUTER_FILE, router)
            run_worker(
                planned.command,
                ray_settings.environment(planned.config, out),
                out,
                resumed_from,
                on_step or _ignore,
                on_wait or _ignore,
            )
        step, checkpoint = latest_checkpoint(out)
        if checkpoint is None:
            raise CheckFailedError(f"training ended without a checkpoint; see {out / 'train.log'}")
        steps = [row for row in read_steps(out) if row.step <= step]
        model, proof = out / "model", None
        if not run.finished:
            (on_wait or _ignore)("merging the model", 0.0)
            model, proof = _trained_model(planned.config, checkpoint, model)
        result = Result(
            folder=out,
            checkpoint=checkpoint,
            model=model,
            proof=proof,
            steps=step,
            rewards=first_and_last(steps, WINDOW),
            resumed_from=resumed_from,
            seconds=time.monotonic() - started,
        )
        if not run.finished:
            write_results(result)
            run.finish(steps=step, checkpoint=str(checkpoint.relative_to(out)), reward_gate=not skip_gate)
        return result


def _has_all_steps(out: Path, config: TrainConfig) -> bool:
    """Whether `out` holds a finished run that made as many steps as are asked for."""
    return is_finished(out) and (config.steps is None or read_manifest(out).get("steps", 0) >= config.steps)


def _trained_model(config: TrainConfig, checkpoint: Path, target: Path) -> tuple[Path, Proof | None]:
    """The checkpoint's model in `target`, proven, and with YaRN when asked for."""
    model = merged_model(checkpoint, target, config.model)
    # Before YaRN, which makes the configuration differ from the base model's.
    proof = prove(model, config.model) if config.prove else None
    if config.yarn_factor is not None:
        write_yarn(model, config.yarn_factor)
    return model, proof


def _ignore(*_: object) -> None:
    pass


def write_results(result: Result) -> None:
    """results.json and report.html of a run."""
    write_json(
        result.folder / "results.json",
        {
            "steps": result.steps,
            "checkpoint": str(result.checkpoint.relative_to(result.folder)),
            "model": str(result.model.relative_to(result.folder)),
            "proof": asdict(result.proof) if result.proof else None,
            "window": WINDOW,
            "rewards": {task: {"first": a, "last": b} for task, (a, b) in result.rewards.items()},
        },
    )
    write_report(result.folder)


def latest_checkpoint(out: Path) -> tuple[int, Path | None]:
    """(step, folder) of the newest complete checkpoint; (0, None) without one."""
    tracker = out / "checkpoints" / "latest_checkpointed_iteration.txt"
    if not tracker.exists():
        return 0, None
    text = tracker.read_text(encoding="utf-8").strip()
    if not text.isdigit():
        # verl empties this file and writes it anew once a checkpoint is complete; a full disk or a kill in between
        # leaves it empty, and verl could not resume from that.
        found = [folder.name.removeprefix("global_step_") for folder in tracker.parent.glob("global_step_*")]
        steps = [int(number) for number in found if number.isdigit()]
        if not steps:
            tracker.unlink()
            return 0, None
        text = str(max(steps))
        write_text(tracker, text)
    step = int(text)
    return step, out / "checkpoints" / f"global_step_{step}"

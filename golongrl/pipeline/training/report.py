"""The training run's report page: reward per task over the steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from golongrl.core.report import Bars, KeyValues, Table, write_page
from golongrl.pipeline.training.metrics import Step


def write_report(
    path: Path, name: str, rewards: Mapping[str, tuple[float, float]], steps: Sequence[Step], window: int
) -> None:
    """Write the page; `rewards` maps a task to its mean reward over the first and last `window` steps."""
    tasks = list(rewards)
    changes = [[task, first, last, last - first] for task, (first, last) in rewards.items()]
    share = steps[-1].metrics if steps else {}
    write_page(
        path,
        f"Training: {name}",
        [
            ("Run", KeyValues({"steps": len(steps), "tasks": ", ".join(tasks)})),
            (
                "Reward per task",
                [
                    Bars(
                        [(task, last, None, None) for task, (_, last) in rewards.items()], caption="At the end", top=1
                    ),
                    Table(
                        ["task", "first steps", "last steps", "change"],
                        changes,
                        caption=f"Mean reward over up to {window} steps at each end in which the task occurred",
                    ),
                ],
            ),
            (
                "Last step",
                Table(
                    ["task", "share of rollouts", "share of absolute advantage", "groups without signal"],
                    [
                        [task, *(share[f"task/{task}/{key}"] for key in _SHARES)]
                        for task in tasks
                        if f"task/{task}/rollouts" in share
                    ],
                ),
            ),
            (
                "Every step",
                Table(
                    ["step", "seconds", *tasks],
                    [[step.step, step.seconds, *(step.rewards.get(task) for task in tasks)] for step in steps],
                    caption="Mean reward per task; - where the batch held none of it",
                ),
            ),
        ],
    )


_SHARES = ("rollout_share", "advantage_share", "no_signal_groups")

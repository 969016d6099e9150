"""`golongrl simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from golongrl.cli.options import Json, Out, Seed


def simulate(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[ROLLOUTS]...",
            help="Training run folders, rollouts.jsonl files or folders of verl's dumps; none: a synthetic mix.",
            show_default=False,
        ),
    ] = None,
    mix: Annotated[str, typer.Option("--mix", help="Synthetic mix: paper, uneven, easy, hard or binary.")] = "paper",
    algo: Annotated[
        list[str] | None, typer.Option("--algo", help="Algorithm; repeatable. Default: all five.", show_default=False)
    ] = None,
    batches: Annotated[int, typer.Option("--batches", help="Batches of the synthetic mix.")] = 300,
    prompts: Annotated[int, typer.Option("--prompts", help="Prompts per synthetic batch.")] = 128,
    rollouts: Annotated[int, typer.Option("--rollouts", help="Rollouts per synthetic prompt.")] = 16,
    filtered: Annotated[
        bool, typer.Option("--filtered/--kept", help="Draw constant groups anew, as dynamic sampling does.")
    ] = False,
    alpha: Annotated[
        float, typer.Option("--alpha", min=0, max=1, help="tmn-reweight: weight of the own mean.")
    ] = 0.8,
    gamma: Annotated[float, typer.Option("--gamma", min=0, help="tmn-reweight: strength of the weight.")] = 1.0,
    max_weight: Annotated[
        float | None, typer.Option("--max-weight", min=1, help="tmn-reweight: clamp of the weight.")
    ] = None,
    task_stats: Annotated[str, typer.Option("--task-stats", help="Task statistics: batch or ema.")] = "batch",
    out: Out = None,
    seed: Seed = None,
    json_: Json = False,
) -> None:
    """Show which task gets the gradient: rollouts through every advantage algorithm, before or after training.

    Per task the share of absolute advantage against its share of the rollouts; per setting no-signal groups, sign
    flips against grpo, and the effect of alpha, gamma, running statistics, group size and batch size.
    """
    from golongrl.cli import console
    from golongrl.core.advantages import ALGORITHMS
    from golongrl.pipeline.simulation.replay import as_json
    from golongrl.pipeline.simulation.run import simulate as run

    algos = algo or list(ALGORITHMS)
    with console.Progress("settings replayed") as progress:
        outcomes = run(
            logs or [],
            mix=mix,
            algos=algos,
            batches=batches,
            prompts=prompts,
            rollouts=rollouts,
            filtered=filtered,
            seed=seed or 0,
            out=out,
            on_setting=lambda setting: progress.advance(),
            alpha=alpha,
            gamma=gamma,
            max_weight=max_weight,
            task_stats=task_stats,
        )
    if json_:
        console.print_json({"outcomes": as_json(outcomes)})
        return
    plain = [outcome for outcome in outcomes if outcome.setting in algos]
    tasks = list(plain[0].tasks)
    console.table(
        "Share of the absolute advantage, beside the share of the rollouts",
        ["task", "rollouts", *(outcome.setting for outcome in plain)],
        [
            [
                task,
                plain[0].tasks[task].rollout_share,
                *(outcome.tasks[task].advantage_share for outcome in plain),
            ]
            for task in tasks
        ],
    )
    console.table(
        "Settings (unevenness: coefficient of variation across tasks of mean |A|)",
        ["setting", "no-signal groups", "sign flips", "unevenness"],
        [[o.setting, o.no_signal, o.sign_flips, o.unevenness] for o in outcomes],
    )
    if out:
        console.say(f"report: {out / 'report.html'}")

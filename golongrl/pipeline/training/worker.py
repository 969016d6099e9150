"""The training process: composes verl's configuration from a job file and runs verl. Started by launch.py.

Usage: python -m golongrl.pipeline.training.worker JOB.json
"""

import json
import sys
from pathlib import Path

from golongrl.pipeline.training import verl_tree


def compose_config(config_name: str, overrides: list[str]):
    """verl's configuration tree with our settings, checked by verl's own validator."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    config = verl_tree.compose(config_name, overrides)
    validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    return config


def main() -> None:
    """Run the job file named on the command line."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from verl.trainer.main_ppo import run_ppo

    from golongrl.pipeline.training.verl_plugin.trainer import GolongTaskRunner

    run_ppo(compose_config(job["config_name"], job["overrides"]), task_runner_class=GolongTaskRunner)


if __name__ == "__main__":
    main()

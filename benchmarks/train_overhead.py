"""What golongrl adds to a training step: rewards, advantages and metrics beside verl's own work, on a CPU.

Runs the preset cpu-smoke. Run: python benchmarks/train_overhead.py (needs golongrl[train]; about two minutes)
"""

import os
import platform
import tempfile
from pathlib import Path
from statistics import median

from golongrl.pipeline.training.launch import train
from golongrl.pipeline.training.metrics import read_steps
from golongrl.pipeline.training.resolve import resolve

PARTS = {
    "generation": "timing_s/gen",
    "log-probabilities": "timing_s/old_log_prob",
    "advantages in all (verl's and ours)": "timing_s/adv",
    "update": "timing_s/update_actor",
    "weights to the rollout server": "timing_s/update_weights",
    "whole step": "timing_s/step",
    "our rewards (on the reward worker, during generation)": "overhead_s/reward",
    "our advantages and metrics": "overhead_s/advantage_and_metrics",
}
WARM_UP = 2
"""Steps left out at the start: they import and allocate."""


def main() -> None:
    config = resolve({}, {}, {"preset": "cpu-smoke"}, "benchmark")
    with tempfile.TemporaryDirectory() as folder:
        train(config, Path(folder) / "run", skip_gate=True)
        steps = read_steps(Path(folder) / "run")[WARM_UP:]
    rollouts = config.prompts_per_batch * config.rollouts_per_prompt
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(f"{len(steps)} steps of {config.prompts_per_batch} x {config.rollouts_per_prompt} = {rollouts} rollouts\n")
    print("| part of a step | median s | share |\n| --- | ---: | ---: |")
    whole = median(step.metrics["timing_s/step"] for step in steps)
    for words, name in PARTS.items():
        seconds = median(step.metrics[name] for step in steps)
        print(f"| {words} | {seconds:.3f} | {seconds / whole:.1%} |")
    ours = median(
        step.metrics["overhead_s/reward"] + step.metrics["overhead_s/advantage_and_metrics"] for step in steps
    )
    print(f"| **golongrl's rewards, advantages and metrics** | {ours:.3f} | {ours / whole:.1%} (wanted: under 2 %) |")


if __name__ == "__main__":
    main()

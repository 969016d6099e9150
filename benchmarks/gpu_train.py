"""Training on one CUDA GPU, rollouts by transformers: step times, memory, agreement of rollout and trainer log-probs.

Run: python benchmarks/gpu_train.py [--model FOLDER_OR_HUB_ID] [--steps 8] (needs golongrl[train] and an NVIDIA GPU;
ends with exit code 3 where there is none). `--device cpu` takes the same way through everything but the GPU.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.launch import train
from golongrl.pipeline.training.metrics import Step, read_steps

PHASES = {
    "rollouts": "timing_s/gen",
    "trainer's log-probs": "timing_s/old_log_prob",
    "advantages": "timing_s/adv",
    "update": "timing_s/update_actor",
    "weights to the rollout server": "timing_s/update_weights",
    "whole step": "timing_s/step",
}
AGREEMENT = {
    "mean difference of probabilities": "training/rollout_probs_diff_mean",
    "largest difference of probabilities": "training/rollout_probs_diff_max",
    "correlation of probabilities": "training/rollout_actor_probs_pearson_corr",
    "KL divergence of trainer from rollout (k3)": "rollout_corr/k3_kl",
}
MEMORY = {
    "trainer, allocated": "actor/perf/max_memory_allocated_gb",
    "trainer, reserved": "actor/perf/max_memory_reserved_gb",
}
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """What a run showed."""

    steps: list[Step]
    card_gib: float | None
    """Most memory in use on the card by all processes together; None on a CPU."""


def missing() -> str | None:
    """What this machine lacks for the run on a GPU; None when nothing is missing."""
    if not torch.backends.cuda.is_built():
        return f"torch {torch.__version__} is built without CUDA; install a CUDA build of torch"
    if not torch.cuda.is_available():
        return "torch finds no CUDA GPU; see nvidia-smi and CUDA_VISIBLE_DEVICES"
    if shutil.which("nvidia-smi") is None:
        return "no nvidia-smi on the PATH, which tells the card's memory; it comes with the NVIDIA driver"
    return None


def card(*fields: str) -> list[str]:
    """Fields of `nvidia-smi --query-gpu` for the first visible GPU."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    query = ["nvidia-smi", f"--id={gpu}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True)
    return [field.strip() for field in answer.stdout.split(",")]


@contextmanager
def peak_of_card(device: str) -> Iterator[list[float]]:
    """Collects the memory in use on the card, in GiB, as long as the block runs; nothing on a CPU."""
    seen: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            seen.append(float(card("memory.used")[0]) / 1024)

    watcher = threading.Thread(target=watch, daemon=True)
    if device == "cuda":
        watcher.start()
    try:
        yield seen
    finally:
        done.set()
        if device == "cuda":
            watcher.join()


def configuration(device: str, *, model: str = "smoke", data: str = "smoke", **changes: object) -> TrainConfig:
    """One process, every step without dynamic sampling, so that steps are alike."""
    settings = {
        "model": model,
        "data": data,
        "device": device,
        "rollout": "transformers",
        "gpus_per_node": 1,
        "attention": "sdpa",
        "filter_groups": False,
        "prompts_per_batch": 6,
        "rollouts_per_prompt": 16,
        "max_prompt_tokens": 128,
        "max_response_tokens": 16,
        "micro_batch_tokens": 8192,
        "learning_rate": 1e-5,
        "warmup_steps": 0,
        "steps": 8,
        "save_every": 1_000_000,
        "loggers": ["console"],
        "prove": False,
    }
    return TrainConfig.model_validate(settings | changes)


def measure(config: TrainConfig, out: Path) -> Measured:
    """Train in `out` and return the steps' metrics; progress goes to stderr."""

    def tell(step: Step) -> None:
        print(f"step {step.step}: {step.seconds:.2f} s", file=sys.stderr, flush=True)

    with peak_of_card(config.device) as seen:
        train(config, out, skip_gate=True, on_step=tell)
    return Measured(read_steps(out), max(seen, default=None))


def worst(steps: list[Step], name: str) -> float:
    """The value of a measure of agreement in the step where it is worst."""
    values = [step.metrics[name] for step in steps]
    return min(values) if name.endswith("corr") else max(values, key=abs)


def table(config: TrainConfig, measured: Measured) -> str:
    """Everything as one Markdown table."""
    rows: dict[str, str] = dict(machine(config.device))
    rows["model"] = config.model
    rows["steps"] = (
        f"{len(measured.steps)} of {config.prompts_per_batch} x {config.rollouts_per_prompt} rollouts, "
        f"at most {config.max_prompt_tokens} + {config.max_response_tokens} tokens"
    )
    first, *others = measured.steps
    lengths = [step.metrics["response_length/mean"] for step in measured.steps]
    rows["mean response, tokens"] = f"{sum(lengths) / len(lengths):.1f}"
    for words, name in PHASES.items():
        times = [step.metrics[name] for step in others or [first]]
        rows[f"{words}, s"] = f"{median(times):.3f} (first step {first.metrics[name]:.3f})"
    if config.device == "cuda":
        for words, name in MEMORY.items():
            rows[f"peak memory, {words}, GiB"] = f"{worst(measured.steps, name):.2f}"
        rows["peak memory, whole card, GiB"] = f"{measured.card_gib:.2f}"
    for words, name in AGREEMENT.items():
        rows[f"{words}, worst step"] = f"{worst(measured.steps, name):.2e}"
    return "\n".join(
        ["| what | value |", "| --- | ---: |", *(f"| {words} | {value} |" for words, value in rows.items())]
    )


def machine(device: str) -> Mapping[str, str]:
    """The hardware and versions that the numbers hold for."""
    if device == "cuda":
        name, driver = card("name", "driver_version")
        hardware = {"GPU": name, "driver": driver}
    else:
        hardware = {"GPU": "none, CPU run", "CPU": f"{platform.machine()}, {os.cpu_count()} cores"}
    packages = ", ".join(f"{package} {version(package)}" for package in ("verl", "transformers", "ray"))
    return {**hardware, "torch": torch.__version__, "packages": packages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default="smoke", help="model folder or hub id (default: golongrl's byte-level model)"
    )
    parser.add_argument("--data", default="smoke", help="training records, .parquet (default: a dozen tiny ones)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any number of TrainConfig")
    parser.add_argument("--out", type=Path, help="keep the run in this folder")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and (reason := missing()):
        print(f"no benchmark on a GPU here: {reason}", file=sys.stderr)
        sys.exit(3)
    changes = dict(item.split("=", 1) for item in arguments.set)
    if unknown := changes.keys() - TrainConfig.model_fields.keys():
        parser.error(f"no such key of the training configuration: {', '.join(sorted(unknown))}")
    config = configuration(
        arguments.device, model=arguments.model, data=arguments.data, **changes | {"steps": arguments.steps}
    )
    with tempfile.TemporaryDirectory() as scratch:
        print(table(config, measure(config, arguments.out or Path(scratch) / "run")))


if __name__ == "__main__":
    main()

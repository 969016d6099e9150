"""Benchmarks whose questions are no single prompts: a program in another interpreter asks them."""

import shutil
from pathlib import Path

from golongrl.core import chat
from golongrl.core.errors import UsageError
from golongrl.pipeline.evaluation.benchmarks import bfcl_run
from golongrl.pipeline.evaluation.benchmarks.bfcl_memory import BACKENDS, BFCL_MEMORY, PACKAGE
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.job import BenchJob, Slot

EXTERNAL = (BFCL_MEMORY.name,)


def is_external(bench: str) -> bool:
    """Whether another program asks this benchmark's questions."""
    return bench in EXTERNAL


def interpreter(config: EvalConfig) -> str:
    """The interpreter with bfcl-eval; UsageError when none is named or it is not there."""
    python = config.bfcl_python or config.server_python
    if python is None:
        raise UsageError(
            f"{BFCL_MEMORY.name} runs the package {PACKAGE} in an interpreter of its own: make one "
            f"(python -m venv bfcl; bfcl/bin/pip install {PACKAGE}) and pass --bfcl-python bfcl/bin/python"
        )
    found = shutil.which(str(Path(python).expanduser()))
    if found is None:
        raise UsageError(f"no such interpreter: {python}; --bfcl-python wants the path of a python executable")
    return found


def answers(job: BenchJob, folder: Path) -> dict[tuple[str, int], str]:
    """What was answered so far, by item id and repeat."""
    found = {}
    for repeat in sorted({slot.repeat for slot in job.slots}):
        for identity, text in bfcl_run.read_results(_folder(folder, repeat)).items():
            found[identity, repeat] = text
    return found


def owed(job: BenchJob, folder: Path) -> list[Slot]:
    """The slots that have no answer yet."""
    found = answers(job, folder)
    return [slot for slot in job.slots if (slot.item.id, slot.repeat) not in found]


def generate(config: EvalConfig, job: BenchJob, endpoint: chat.Endpoint, folder: Path) -> None:
    """Ask what is missing, repeat by repeat; each has a folder of its own, for its memory."""
    for repeat in sorted({slot.repeat for slot in owed(job, folder)}):
        items = [slot.item for slot in job.slots if slot.repeat == repeat]
        kinds = {item.buckets["memory"] for item in items}
        bfcl_run.generate(
            interpreter(config),
            base_url=endpoint.base_url,
            model=endpoint.model,
            folder=_folder(folder, repeat),
            sampling={
                "temperature": config.temperature,
                "top_p": config.top_p,
                "max_tokens": job.limits.max_output,
                "seed": chat.derive_seed(config.seed, job.bench.name, repeat),
            },
            items=items,
            backends=[backend for backend in BACKENDS if backend in kinds],
            threads=min(endpoint.max_requests, 16),
        )


def _folder(folder: Path, repeat: int) -> Path:
    return folder / f"bfcl-{repeat}"

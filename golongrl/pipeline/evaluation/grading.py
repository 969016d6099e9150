"""Grade many answers: in this process while that is quick, else in a pool of processes."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from golongrl.core.records import Score
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks.base import Thinking

# difflib needs about a second for 50,000 characters, a pool about as long to start.
POOL_ABOVE_CHARACTERS = 200_000


@dataclass(frozen=True)
class Job:
    """One answer to grade."""

    bench: str
    gold: dict[str, Any]
    response: str
    think: Thinking


def grade(job: Job) -> Score:
    """The score of one answer."""
    return benchmarks.get(job.bench).score(job.gold, job.response, job.think)


def grade_all(jobs: Sequence[Job], workers: int | None = None) -> Iterator[Score]:
    """Yield the score of each job in order."""
    size = sum(len(job.response) + sum(len(str(value)) for value in job.gold.values()) for job in jobs)
    count = min(workers or os.cpu_count() or 1, len(jobs))
    if count < 2 or size < POOL_ABOVE_CHARACTERS:
        yield from map(grade, jobs)
        return
    # Spawned, not forked: a forked worker would hold the pipe that ends a server with this process.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(grade, jobs, chunksize=max(1, len(jobs) // (count * 16)))

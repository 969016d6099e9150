"""Grade many answers: in this process while that is quick, else in other processes; some while others still come."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from golongrl.core.records import Score
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks.base import Thinking

# difflib needs about a second for 50,000 characters, a pool about as long to start.
POOL_ABOVE_CHARACTERS = 200_000
BESIDE_ABOVE_CHARACTERS = 4_000
"""Characters from which an answer is graded in a process while others come; a thread does for shorter ones."""
BACKLOG = 64
"""Answers that may wait to be graded while others come; beyond these, grading is left to the end."""


@dataclass(frozen=True)
class Submission:
    """One answer to grade."""

    bench: str
    gold: dict[str, Any]
    response: str
    think: Thinking

    @property
    def characters(self) -> int:
        """Characters of answer and gold."""
        return len(self.response) + sum(len(str(value)) for value in self.gold.values())


def grade(submission: Submission) -> Score:
    """The score of one answer."""
    return benchmarks.get(submission.bench).score(submission.gold, submission.response, submission.think)


def grade_all(submissions: Sequence[Submission], workers: int | None = None) -> list[Score]:
    """The score of each, in order."""
    with grader(workers) as grade_some:
        return grade_some(submissions)


@contextlib.contextmanager
def grader(workers: int | None = None) -> Iterator[Callable[[Sequence[Submission]], list[Score]]]:
    """A function that grades some at a time; its processes start with the first that are worth it."""
    count = workers or os.cpu_count() or 1
    pool: Executor | None = None

    def grade_some(some: Sequence[Submission]) -> list[Score]:
        nonlocal pool
        if pool is None and min(count, len(some)) > 1 and sum(s.characters for s in some) >= POOL_ABOVE_CHARACTERS:
            pool = stack.enter_context(_processes(min(count, len(some))))
        if pool is None:
            return list(map(grade, some))
        return list(pool.map(grade, some, chunksize=max(1, len(some) // (count * 16))))

    with contextlib.ExitStack() as stack:
        yield grade_some


def _processes(count: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a forked worker would hold the pipe that ends a server with this process.
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin_work)


def _begin_work() -> None:
    """Leave Ctrl-C to the process that hands out the work, and end with it even where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


class Running:
    """The score so far of answers that still come, and each of theirs in `scores`."""

    def __init__(self, scores: dict[str, Score]):
        self.scores = scores
        self._waiting: set[Future[Score]] = set()
        self._thread = ThreadPoolExecutor(1)
        self._process: ProcessPoolExecutor | None = None
        self._broken = False
        self._lock = threading.Lock()
        self._sum, self._count = 0.0, 0

    def add(self, key: str, submission: Submission) -> None:
        """Have an answer graded beside what goes on here; not at all when too many wait."""
        if self._broken or len(self._waiting) >= BACKLOG:
            return
        executor: Executor = self._thread
        if submission.characters > BESIDE_ABOVE_CHARACTERS:
            if self._process is None:
                self._process = _processes(1)
            executor = self._process
        try:
            future = executor.submit(grade, submission)
        except BrokenExecutor:
            # A worker was killed; the end does without it.
            self._broken = True
            return
        self._waiting.add(future)
        future.add_done_callback(lambda done: self._take(key, done))

    def _take(self, key: str, done: Future[Score]) -> None:
        self._waiting.discard(done)
        if done.cancelled() or done.exception() is not None:
            # Graded again at the end, where what is wrong is raised.
            return
        score = done.result()
        with self._lock:
            self.scores[key] = score
            if score.value is not None:
                self._sum += score.value
                self._count += 1

    def text(self) -> str:
        """The mean so far, for people; empty before there is one."""
        return f"score {self._sum / self._count:.3f} of {self._count}" if self._count else ""

    def close(self) -> None:
        """Leave what is not graded yet to the end."""
        for executor in (self._thread, self._process):
            if executor is not None:
                executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def in_background(scores: dict[str, Score]) -> Iterator[Running]:
    """Grade answers while others come."""
    running = Running(scores)
    try:
        yield running
    finally:
        running.close()

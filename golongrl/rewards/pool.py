"""Worker processes that can be killed, for the comparisons that may never end.

Plain subprocesses on pipes, so that threads, event loops, Ray actors, daemonic, forked and spawned processes can all
use them. Each process has workers of its own; they start on first use and end with it, also when it is killed.
"""

import atexit
import os
import queue
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from golongrl.core.errors import MissingPackageError, UsageError, WorkerError
from golongrl.rewards.math_process import MathProcess

SECONDS = 5.0
"""Wall time a worker may take for one comparison, from the moment it begins."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a comparison; `equal` is None where there is none, and `problem` says why."""

    equal: bool | None
    reason: Literal["ok", "timeout", "error"] = "ok"
    problem: str = ""


@dataclass(frozen=True)
class PoolCounts:
    """What the workers of this process have done so far."""

    jobs: int = 0
    timeouts: int = 0
    errors: int = 0
    started: int = 0
    """Workers started; all but the first few replaced a killed, crashed or worn-out one."""


def verdict(gold: str, answer: str, tolerance: float = 0.0, *, seconds: float = SECONDS) -> Verdict:
    """`math_verdict.equivalent` in a worker process: blocks, from any thread, until there is a verdict.

    A worker that dies before it begins the job is replaced once; one that dies at it is the job's doing. Raises
    MissingPackageError or WorkerError when no worker can start; that is never a score.
    """
    job = {"gold": gold, "answer": answer, "tolerance": tolerance, "seconds": seconds}
    pool = _pool
    worker = pool.take()
    try:
        worker = pool.fresh(worker)
        reply = worker.ask(job)
        if reply is None:
            worker = pool.fresh(worker)
            reply = worker.ask(job) or {"reason": "error", "problem": "two worker processes died before they began"}
    except BaseException:
        # Interrupted in the middle of a job: the next reply of this worker would belong to it.
        if worker is not None:
            pool.discard(worker)
            worker = None
        raise
    finally:
        pool.give(worker)
    found = Verdict(reply.get("equal"), reply.get("reason", "ok"), reply.get("problem", ""))
    pool.count(jobs=1, timeouts=found.reason == "timeout", errors=found.reason == "error")
    return found


def counts() -> PoolCounts:
    """Counts of this process."""
    return _pool.counts


def close() -> None:
    """End all workers of this process; jobs in flight become errors, the next comparison starts new workers."""
    _pool.close()


class _Pool:
    """At most `size` workers and the callers that wait for one, first come, first served."""

    def __init__(self) -> None:
        self.counts = PoolCounts()
        self.workers: set[MathProcess] = set()
        self._idle: list[MathProcess] = []
        self._open = 0
        """Places of the pool handed out or idle."""
        self._waiting: deque[queue.SimpleQueue[MathProcess | None]] = deque()
        self._lock = threading.Lock()
        # Held while pipes are created and across a fork: a pipe that the child does not know of would outlive us.
        self.starting = threading.RLock()

    def take(self) -> MathProcess | None:
        """A place in the pool, with the worker used last if one is idle; waits for its turn."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._open < _size():
                self._open += 1
                return None
            turn: queue.SimpleQueue[MathProcess | None] = queue.SimpleQueue()
            self._waiting.append(turn)
        try:
            return turn.get()
        except BaseException:
            with self._lock:
                served = turn not in self._waiting
                if not served:
                    self._waiting.remove(turn)
            if served:
                self.give(turn.get())
            raise

    def give(self, worker: MathProcess | None) -> None:
        """Return a place: to the caller who has waited longest, or to the idle ones."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().put(worker)
            elif worker is None:
                self._open -= 1
            else:
                self._idle.append(worker)

    def fresh(self, worker: MathProcess | None) -> MathProcess:
        """The worker itself, or a new one in place of none, a dead or a worn one."""
        if worker is not None:
            if not worker.spent:
                return worker
            self.discard(worker)
        try:
            return self._start()
        except MissingPackageError:
            raise
        except WorkerError:
            # One that the system killed at the wrong moment is no reason to stop; a second one is.
            return self._start()

    def _start(self) -> MathProcess:
        with self.starting:
            worker = MathProcess(self.workers.add)
        try:
            worker.wait_ready()
        except BaseException:
            self.discard(worker)
            raise
        self.count(started=1)
        return worker

    def discard(self, worker: MathProcess) -> None:
        worker.end()
        # Not before: a child forked in between must know of the open pipes.
        self.workers.discard(worker)

    def count(self, **more: int) -> None:
        with self._lock:
            self.counts = replace(
                self.counts, **{name: getattr(self.counts, name) + number for name, number in more.items()}
            )

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        for worker in idle:
            self.discard(worker)
        for worker in list(self.workers):
            # In use: whoever asked it finds it dead and puts it away.
            worker.process.kill()


def _size() -> int:
    text = os.environ.get("GOLONGRL_MATH_WORKERS") or str(min(4, os.cpu_count() or 1))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"GOLONGRL_MATH_WORKERS={text!r}: expected a whole number from 1")
    return int(text)


def _before_fork() -> None:
    _pool.starting.acquire()


def _after_fork_in_parent() -> None:
    _pool.starting.release()


def _after_fork_in_child() -> None:
    """The child gets workers of its own; the parent's pipes must close here, or they would outlive the parent."""
    global _pool
    for worker in _pool.workers:
        worker.forget()
    _pool = _Pool()


_pool = _Pool()
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(close)

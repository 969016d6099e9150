"""Worker processes that can be killed, for the comparisons that may never end.

Plain subprocesses on pipes, so that threads, event loops, Ray actors, daemonic, forked and spawned processes can all
use them. Each process has workers of its own; they start on first use and end with it, also when it is killed.
"""

import atexit
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from golongrl.core.errors import MissingPackageError, UsageError, WorkerError

SECONDS = 5.0
"""Wall time a worker may take for one comparison, from the moment it begins."""

START_SECONDS = 120.0
GRACE_SECONDS = 30.0
"""A worker ends itself when its time is up; one that is stopped or starved is killed this much later."""

RECYCLE = 5_000
"""Comparisons after which a worker is replaced, so that sympy's caches do not add up."""


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

    Raises MissingPackageError or WorkerError when no worker can start; that is never a score.
    """
    pool = _pool
    worker = pool.slots.get()
    try:
        if worker is None or worker.spent:
            if worker is not None:
                worker.kill()
            worker = None
            worker = _Worker()
            pool.count(started=1)
        found = worker.ask({"gold": gold, "answer": answer, "tolerance": tolerance, "seconds": seconds}, seconds)
    except BaseException:
        # Interrupted in the middle of a job: the next reply of this worker would belong to it.
        if worker is not None:
            worker.kill()
        worker = None
        raise
    finally:
        pool.slots.put(worker)
    pool.count(jobs=1, timeouts=found.reason == "timeout", errors=found.reason == "error")
    return found


def counts() -> PoolCounts:
    """Counts of this process."""
    return _pool.counts


def close() -> None:
    """End all workers of this process; the next comparison starts new ones."""
    _pool.end()


class _Worker:
    """One subprocess; waits until it is ready."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "golongrl.rewards.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(),
            # Ctrl-C reaches the caller, which then ends its workers.
            start_new_session=True,
        )
        self.jobs = 0
        _pool.workers.add(self)
        line = self._line(START_SECONDS)
        message = json.loads(line) if line else {}
        if "ready" in message:
            _stream(self.process.stderr).close()
            return
        self.kill()
        if "missing" in message:
            raise MissingPackageError(
                f"the math reward cannot load {message['missing']} ({message['problem']}); "
                "run: pip install 'math-verify[antlr4_9_3]==0.9.0'"
            )
        said = _stream(self.process.stderr).read().decode(errors="replace").strip().splitlines()
        raise WorkerError(
            f"a worker of the math reward did not start ({said[-1] if said else 'it said nothing'}); "
            f"try: {sys.executable} -P -m golongrl.rewards.math_worker < {os.devnull}"
        )

    @property
    def spent(self) -> bool:
        """Whether the worker is dead or has done its share."""
        return self.jobs >= RECYCLE or self.process.poll() is not None

    def ask(self, job: dict[str, Any], seconds: float) -> Verdict:
        """Hand over one job and wait for its verdict."""
        self.jobs += 1
        try:
            _stream(self.process.stdin).write(json.dumps(job).encode() + b"\n")
        except BrokenPipeError:
            line = b""
        else:
            line = self._line(seconds + GRACE_SECONDS)
        if line:
            reply = json.loads(line)
            if "equal" in reply:
                return Verdict(reply["equal"])
            return Verdict(None, "error", reply["problem"])
        status = self.kill()
        if status in (-signal.SIGALRM, None):
            return Verdict(None, "timeout", f"no verdict after {seconds:g} s")
        return Verdict(None, "error", f"the worker process died with status {status}")

    def _line(self, seconds: float) -> bytes:
        """The next line of the worker, or b"" when it ended or said nothing for so long."""
        output = _stream(self.process.stdout)
        poll = select.poll()
        poll.register(output, select.POLLIN | select.POLLHUP)
        return output.readline() if poll.poll(seconds * 1000) else b""

    def kill(self) -> int | None:
        """End the process; returns the status with which it had ended by itself, else None."""
        _pool.workers.discard(self)
        status = self._ended()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            _stream(stream).close()
        return status

    def _ended(self) -> int | None:
        """Exit status, allowing a process that closed its pipe a moment to be gone."""
        try:
            return self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            return None

    def forget(self) -> None:
        """Let go of another process's worker without touching it."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            _stream(stream).close()
        self.process.returncode = 0


class _Pool:
    """Slots for workers: the last one used is the next to be used, so that idle ones are not started."""

    def __init__(self) -> None:
        self.slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(_size()):
            self.slots.put(None)
        self.workers: set[_Worker] = set()
        self.counts = PoolCounts()
        self._lock = threading.Lock()

    def count(self, **more: int) -> None:
        with self._lock:
            self.counts = replace(
                self.counts, **{name: getattr(self.counts, name) + number for name, number in more.items()}
            )

    def end(self) -> None:
        for worker in list(self.workers):
            worker.kill()


def _size() -> int:
    text = os.environ.get("GOLONGRL_MATH_WORKERS") or str(min(4, os.cpu_count() or 1))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"GOLONGRL_MATH_WORKERS={text!r}: expected a whole number from 1")
    return int(text)


def _environment() -> dict[str, str]:
    """The caller's environment with this very package first on the path and one thread per worker."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _stream(stream: Any) -> Any:
    assert stream is not None
    return stream


def _after_fork() -> None:
    """The child gets workers of its own; the parent's pipes must close here, or they would outlive the parent."""
    global _pool
    for worker in _pool.workers:
        worker.forget()
    _pool = _Pool()


_pool = _Pool()
os.register_at_fork(after_in_child=_after_fork)
atexit.register(close)

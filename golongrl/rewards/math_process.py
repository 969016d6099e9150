"""One worker process of the math reward, seen from the process that started it.

Two pipes with JSON lines, read and written without ever blocking: whatever the worker does, a call ends in time.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from golongrl.core.errors import MissingPackageError, WorkerError

START_SECONDS = 120.0
"""Time for the imports of a new worker."""

GRACE_SECONDS = 30.0
"""A worker ends itself when its time is up; one that is stopped or starved is killed this much later."""

RECYCLE = 5_000
"""Comparisons after which a worker is replaced: what libraries leak does not add up over a long run."""


class MathProcess:
    """A subprocess of `math_worker`; one thread at a time may use it.

    `started` gets the object as soon as its pipes exist, before the worker is ready. Raises MissingPackageError
    where math-verify cannot be loaded, WorkerError where the process does not become ready.
    """

    def __init__(self, started: Callable[["MathProcess"], None]) -> None:
        self._jobs = 0
        self._worn = False
        self._received = b""
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "golongrl.rewards.math_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment(),
                # Ctrl-C reaches the caller, which then ends its workers.
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(_advice(str(error))) from error
        self._stdin, self._stdout, self._stderr = map(
            _pipe, (self.process.stdin, self.process.stdout, self.process.stderr)
        )
        os.set_blocking(self._stdin.fileno(), False)
        started(self)

    def wait_ready(self) -> None:
        """Wait for the imports of the worker."""
        line = self._line(time.monotonic() + START_SECONDS)
        try:
            message = json.loads(line) if line else {}
        except ValueError:
            message = {"failed": f"it said {line!r}"}
        if "ready" in message:
            self._stderr.close()
            return
        os.set_blocking(self._stderr.fileno(), False)
        said = (self._stderr.read() or b"").decode(errors="replace").strip().splitlines()
        status = self.end(ended=line == b"")
        if "missing" in message:
            raise MissingPackageError(
                f"the math reward cannot load {message['missing']} ({message['problem']}); "
                "run: pip install 'math-verify[antlr4_9_3]==0.9.0'"
            )
        silent = "it said nothing" if status is None else f"it ended with status {status}"
        raise WorkerError(_advice(message.get("failed") or (said[-1] if said else silent)))

    @property
    def spent(self) -> bool:
        """Whether the worker is dead or has done its share."""
        return self._worn or self._jobs >= RECYCLE or self.process.poll() is not None

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """The worker's reply to a job: `equal`, or `problem` with `reason`; None if it died before it began."""
        self._jobs += 1
        before = time.monotonic()
        data = json.dumps(job).encode() + b"\n"
        if not self._send(data, before + GRACE_SECONDS) or not self._line(before + GRACE_SECONDS):
            self._worn = True
            return None
        seconds = job["seconds"]
        line = self._line(time.monotonic() + seconds + GRACE_SECONDS)
        if line:
            reply: dict[str, Any] = json.loads(line)
            self._worn = reply.get("worn", False)
            return reply
        status = self.end(ended=line == b"")
        # A caller that ignores SIGCHLD, as some Ray workers do, never learns a status: subprocess then says 0.
        if status in (-signal.SIGALRM, None) or (status == 0 and time.monotonic() - before >= seconds):
            return {"reason": "timeout", "problem": f"no verdict after {seconds:g} s"}
        return {"reason": "error", "problem": f"the worker process died with status {status}"}

    def end(self, ended: bool = False) -> int | None:
        """Kill and reap the process; returns the status with which it had `ended` by itself, else None."""
        self._worn = True
        if ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
        status = self.process.poll()
        self.process.kill()
        self.process.wait()
        self._close()
        return status

    def forget(self) -> None:
        """Let go of a worker of the process this one was forked from, without touching it."""
        self._close()
        self.process.returncode = 0

    def _close(self) -> None:
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()

    def _send(self, data: bytes, deadline: float) -> bool:
        """Write everything; False when the worker is gone or does not read."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._stdin.fileno(), rest) :]
            except BlockingIOError:
                if not _ready(self._stdin, select.POLLOUT, deadline):
                    return False
            except BrokenPipeError:
                return False
        return True

    def _line(self, deadline: float) -> bytes | None:
        """The next line of the worker; b"" when it has ended, None when the time is up."""
        while b"\n" not in self._received:
            if not _ready(self._stdout, select.POLLIN, deadline):
                return None
            more = os.read(self._stdout.fileno(), 1 << 16)
            if not more:
                return b""
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        return line


def environment() -> dict[str, str]:
    """The caller's environment, in which a worker finds this very package and starts one thread per library."""
    package = str(Path(__file__).parents[2])
    # Empty entries stand for the working folder, whose files must not be imported.
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    # PYTHONPATH comes before the standard library, where installed packages have no place.
    if package not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        path.insert(0, package)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(path)}


def _ready(stream: IO[bytes], event: int, deadline: float) -> bool:
    poll = select.poll()
    poll.register(stream, event)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _advice(problem: str) -> str:
    return (
        f"a worker of the math reward did not start ({problem}); "
        f"try: {sys.executable} -P -m golongrl.rewards.math_worker < {os.devnull}"
    )

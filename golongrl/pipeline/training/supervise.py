"""The training process under supervision: started, followed step by step, ended with everything it started."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from golongrl.core import errors, watchdog
from golongrl.core.cache import cache_folder
from golongrl.core.errors import CheckFailedError, GolongrlError, StorageError
from golongrl.core.servers import log_tail
from golongrl.core.store import storage_errors
from golongrl.pipeline.training.metrics import Step, read_steps

POLL_SECONDS = 0.5
END_SECONDS = 10.0
FULL_DISK_BYTES = 1 << 20
DEAD_SESSION_SECONDS = 24 * 3600.0
RUN_VARIABLE = "GOLONGRL_RUN_FOLDER"
"""Marks every process of a run, so that those that outlive a crash can be found."""

# What verl and Ray print when a phase begins; the newest match names the phase.
PHASES = {
    b"Started a local Ray instance": "starting workers",
    b"Connected to Ray cluster": "starting workers",
    b"init_model": "loading the model",
    b"Training Progress": "training",
}


# Ray goes on for ever starting workers that die at once.
DYING_WORKER = b"The process is dead, probably it crashed during start"
DYING_WORKERS = 3


def run_worker(
    command: list[str],
    environment: Mapping[str, str],
    out: Path,
    resumed_from: int,
    on_step: Callable[[Step], None],
    on_wait: Callable[[str, float], None],
) -> None:
    """Run the training process to its end.

    `on_step` sees each step after `resumed_from` as it is finished, `on_wait` (phase, seconds since the last step)
    about once a second. Raises CheckFailedError or StorageError when the process fails.
    """
    end_leftovers(out)
    log = out / "train.log"
    with storage_errors(log):
        handle = open(log, "ab")  # noqa: SIM115  closed below, after the process has its own copy
    with handle:
        log_start = handle.tell()
        process = subprocess.Popen(
            [sys.executable, "-P", watchdog.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment, RUN_VARIABLE: str(out)},
            # Ctrl-C in the terminal reaches the starter only; the worker ends through the watchdog.
            start_new_session=True,
        )
    try:
        _follow(process, out, log, log_start, resumed_from, on_step, on_wait)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.wait()
        end_leftovers(out)
        clear_dead_sessions(cache_folder() / "ray")
    if process.returncode != 0:
        raise failure(process.returncode, log, log_start)


def _follow(
    process: subprocess.Popen[bytes],
    out: Path,
    log: Path,
    log_start: int,
    resumed_from: int,
    on_step: Callable[[Step], None],
    on_wait: Callable[[str, float], None],
) -> None:
    """Report steps until the process ends."""
    shown = resumed_from
    journal = out / "metrics.jsonl"
    # The row that a crash tore is cut off before the next one is written.
    first_byte = journal.read_bytes().rfind(b"\n") + 1 if journal.exists() else 0
    size = first_byte
    last = told = time.monotonic()
    running = True
    while running:
        running = process.poll() is None
        before, size = size, journal.stat().st_size if journal.exists() else 0
        # A long run's rows take a while to read, and there are new ones about once a step.
        for step in read_steps(out, first_byte, finished=True) if size != before else ():
            if step.step > shown:
                shown, last = step.step, time.monotonic()
                on_step(step)
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            text = _written(log, log_start)
            if shown == resumed_from and text.count(DYING_WORKER) >= DYING_WORKERS:
                raise CheckFailedError(
                    f"Ray's workers die as soon as they start; last lines of {log}:\n{log_tail(log)}"
                )
            on_wait(_phase(text), told - last)
        if running:
            time.sleep(POLL_SECONDS)


def _written(log: Path, log_start: int) -> bytes:
    with open(log, "rb") as handle:
        handle.seek(log_start)
        return handle.read(4 << 20)


def _phase(text: bytes) -> str:
    found = [(text.rfind(mark), phase) for mark, phase in PHASES.items() if mark in text]
    return max(found)[1] if found else "starting"


def failure(code: int, log: Path, log_start: int) -> GolongrlError:
    """The error that a failed training process amounts to, from the log it left."""
    with open(log, "rb") as handle:
        handle.seek(max(log_start, handle.seek(0, os.SEEK_END) - (1 << 20)))
        text = re.sub(r"\x1b\[[0-9;]*m", "", handle.read().decode("utf-8", "replace"))
    # On a full disk torch's own message names no cause, and the log itself may have been cut.
    if "No space left on device" in text or shutil.disk_usage(log.parent).free < FULL_DISK_BYTES:
        return StorageError(
            f"no space left on the disk during training (log: {log}); free some space and run the same command "
            "again, it goes on from the last checkpoint"
        )
    # Our own errors say what to do; the traceback around them adds nothing.
    own = re.findall(r"^(?:\(.*?\)\s*)?golongrl\.core\.errors\.(\w+): (.+)$", text, flags=re.MULTILINE)
    if own:
        name, message = own[-1]
        return getattr(errors, name)(f"{message} (log: {log})")
    causes = [
        line.strip()
        for line in text.splitlines()
        if re.match(r"(\(.*?\))?\s*[A-Za-z_.]*(Error|Exception|Killed)\b.*", line)
    ]
    cause = f" ({causes[-1][:300]})" if causes else ""
    return CheckFailedError(
        f"the training process ended with exit code {code}{cause}; run the same command again to go on from the last "
        f"checkpoint. Last lines of {log}:\n{log_tail(log)}"
    )


def end_leftovers(out: Path) -> None:
    """Kill what is left of a run in this folder and see it end: Ray's daemons live in sessions of their own."""
    import psutil

    killed = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(RUN_VARIABLE) == str(out):
                process.kill()
                killed.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    deadline = time.monotonic() + END_SECONDS
    while any(_is_running(process) for process in killed) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_running(process: Any) -> bool:
    """Whether a process still runs; one that only waits for its parent to ask for its exit code does not."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def clear_dead_sessions(folder: Path) -> None:
    """Remove the files of local Ray clusters whose driver is gone; Ray itself keeps them for ever.

    A session folder is named session_DATE_TIME_MICROSECONDS_PID after its driver. Where hosts or containers share the
    folder, the driver may live where its process cannot be seen, so recent sessions stay.
    """
    import psutil

    for session in folder.glob("session_*_*_*_*"):
        pid = session.name.rpartition("_")[2]
        if session.is_symlink() or not pid.isdigit() or psutil.pid_exists(int(pid)):
            continue
        touched = max((path.stat().st_mtime for path in (session, *session.glob("*"))), default=0.0)
        if time.time() - touched > DEAD_SESSION_SECONDS:
            shutil.rmtree(session, ignore_errors=True)

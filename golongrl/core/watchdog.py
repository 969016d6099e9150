"""Run a command that must not outlive its starter: `python watchdog.py COMMAND...`.

The starter holds the write end of this process's standard input. When it closes, on purpose or because the starter
was killed in any way, the command's whole process group is ended: first politely, after a grace period for good.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(process.pid, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Start the command in its own process group, wait for it or for the end of standard input."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def end_with_starter() -> None:
        # Not sys.stdin: a thread that waits in its buffer makes the interpreter abort at exit.
        while os.read(0, 4096):
            pass
        _end(process)

    threading.Thread(target=end_with_starter, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: _end(process))
    code = process.wait()
    # Workers of a server that died by itself would go on holding the memory.
    _signal_group(process.pid, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

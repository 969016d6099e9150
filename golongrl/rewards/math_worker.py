"""The process that compares two mathematical expressions; `math_process.py` starts, asks and kills it.

Speaks JSON lines: jobs {gold, answer, tolerance, seconds} on stdin; for each {started} and one reply on stdout. When
a job takes longer than its seconds, SIGALRM ends the process: nothing handles the signal, so that it works inside C
code as well, and no job long survives the process that asked for it.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from typing import Any

MEMORY = 1 << 30
"""Bytes of address space; a power tower would otherwise take all there is. A worker needs 90 MB."""

WORN = 256 << 20
"""Resident bytes at which a worker is replaced: what sympy's caches hold must not be missing for the next job."""

START_SECONDS = 120


def main() -> None:
    """Serve jobs until stdin closes."""
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # What libraries print must not end up among the replies, nor fill a pipe that nobody reads.
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # The caller may ignore or block the signal, and a child inherits that.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    signal.alarm(START_SECONDS)
    _bound_memory()
    try:
        from golongrl.rewards.math_verdict import equivalent

        # The first LaTeX expression loads most of sympy and the parser's tables.
        equivalent(r"\frac{1}{2}", r"\sqrt{x^2}")
    except ImportError as error:
        _reply(channel, {"missing": error.name or str(error), "problem": str(error)})
        sys.exit(1)
    # Whatever it is, the parent raises it; the traceback would go nowhere.
    except Exception as error:
        _reply(channel, {"failed": _text(error)})
        sys.exit(1)
    signal.alarm(0)
    _reply(channel, {"ready": True})
    resident = _resident_meter()
    for line in sys.stdin.buffer:
        job = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, job["seconds"])
        _reply(channel, {"started": True})
        reply = _answer(equivalent, job)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if resident() > WORN:
            reply["worn"] = True
        _reply(channel, reply)


def _answer(equivalent: Any, job: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"equal": bool(equivalent(job["gold"], job["answer"], job["tolerance"]))}
    except MemoryError:
        problem = f"the comparison needs more than {MEMORY >> 20} MB of memory"
        return {"reason": "error", "problem": problem, "worn": True}
    # sympy raises nearly every class there is; the reply names it, and the score has a reason instead of a value.
    except Exception as error:
        return {"reason": "error", "problem": _text(error)}


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _bound_memory() -> None:
    """Limit what a job can take; where the system still runs short, let it end the worker and not the training."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    # Systems without the limit refuse it; the clock still bounds what a job can take.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard)
        )
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _resident_meter() -> Any:
    """A function that tells the resident bytes of this process; always 0 where there is no /proc.

    Not ru_maxrss, which begins with the size of the process that started this one.
    """
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return lambda: 0
    page = resource.getpagesize()
    return lambda: int(os.pread(statm, 100, 0).split()[1]) * page


def _reply(channel: int, message: dict[str, Any]) -> None:
    os.write(channel, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()

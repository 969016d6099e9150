"""The process that compares two mathematical expressions; started and killed by `pool.py`.

Speaks JSON lines: jobs {gold, answer, tolerance, seconds} on stdin, one reply each on stdout. When a job takes longer
than its seconds, SIGALRM ends the process: nothing handles the signal, so that it works inside C code as well.
"""

import json
import os
import signal
import sys
from typing import Any

MEMORY = 4 << 30
"""Bytes of address space; a power tower would otherwise take all there is."""


def main() -> None:
    """Serve jobs until stdin closes."""
    channel = os.dup(1)
    # The caller may ignore the signal, and a child inherits that.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # What libraries print must not end up among the replies.
    os.dup2(nowhere, 1)
    _limit_memory()
    try:
        from golongrl.rewards.math_verdict import equivalent

        # The first LaTeX expression loads most of sympy and the parser's tables.
        equivalent(r"\frac{1}{2}", r"\sqrt{x^2}")
    except ImportError as error:
        _reply(channel, {"missing": error.name or str(error), "problem": str(error)})
        sys.exit(1)
    _reply(channel, {"ready": True})
    # Logging of the libraries; what happened before this line is the parent's to report.
    os.dup2(nowhere, 2)
    for line in sys.stdin.buffer:
        job = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, job["seconds"])
        reply = _answer(equivalent, job)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _reply(channel, reply)


def _answer(equivalent: Any, job: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"equal": bool(equivalent(job["gold"], job["answer"], job["tolerance"]))}
    # sympy raises nearly every class there is; the reply names it, and the score has a reason instead of a value.
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {error}"[:300]}


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):
        # Not every system has the limit; the clock still bounds what a job can take.
        return


def _reply(channel: int, message: dict[str, Any]) -> None:
    os.write(channel, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()

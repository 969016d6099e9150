"""The process that compares two mathematical expressions; started and killed by `pool.py`.

Speaks JSON lines: jobs {gold, answer, tolerance, seconds} on stdin, one reply each on stdout. A job that takes longer
than its seconds ends the process with status 1, also while C code holds the interpreter.
"""

import faulthandler
import json
import os
import sys
from typing import Any

MEMORY = 4 << 30
"""Bytes of address space; a power tower would otherwise take all there is."""

CANNOT_START = 3
"""Exit status after a start-up message; status 1 belongs to the clock."""


def main() -> None:
    """Serve jobs until stdin closes."""
    channel = os.dup(1)
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
        sys.exit(CANNOT_START)
    _reply(channel, {"ready": True})
    # Logging of the libraries; what happened before this line is the parent's to report.
    os.dup2(nowhere, 2)
    with open(nowhere, "w", encoding="utf-8") as silence:
        for line in sys.stdin.buffer:
            job = json.loads(line)
            faulthandler.dump_traceback_later(job["seconds"], exit=True, file=silence)
            reply = _answer(equivalent, job)
            faulthandler.cancel_dump_traceback_later()
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

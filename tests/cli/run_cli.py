"""Runs `golongrl` in a process of its own, as a shell does."""

import os
import resource
import subprocess
import sys

COMMAND = [sys.executable, "-m", "golongrl.cli.app"]


def golongrl(*arguments, cwd=None, limit=None, **environment) -> subprocess.CompletedProcess[str]:
    """The finished process. `limit` is the largest file in bytes, which a write meets as it meets a full disk;
    `environment` are variables beside those of this process."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        preexec_fn=limit and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))),
    )

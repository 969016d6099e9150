"""What the process that workers are forked from (`workers.open_workers`) does: it imports this module, and a variable
of its environment says the rest."""

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys

Preparation = functools.partial[None]
"""A function that other processes can import by name, with arguments that are plain JSON."""
VARIABLE = "GOLONGRL_FORK_SOURCE"


def written(prepare: Preparation) -> str:
    """A preparation, and the number and the import path of this process, as text."""
    return json.dumps([os.getpid(), sys.path, prepare.func.__module__, prepare.func.__qualname__, prepare.args])


def _prepare(text: str) -> None:
    # Ctrl-C reaches the process that wants the workers; this one ends with it.
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver, sys.path[:], module, name, arguments = json.loads(text)
    # What fails here fails again in every worker, and is heard of there.
    with contextlib.suppress(Exception):
        getattr(importlib.import_module(module), name)(*arguments)
    if os.getppid() != driver:
        # The workers that it asked for meanwhile would complain that what they share with it is gone.
        os._exit(0)
    # Collecting garbage would copy the memory that workers share.
    gc.freeze()
    signal.signal(signal.SIGINT, usual)


if VARIABLE in os.environ:
    _prepare(os.environ.pop(VARIABLE))

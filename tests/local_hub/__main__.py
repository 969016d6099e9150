"""`PYTHONPATH=tests python -m local_hub [FOLDER]`: an empty hub to try commands on, until it is interrupted.

Prints the environment with which a shell talks to it; the client keeps its files in FOLDER (default: ./hub-home).
"""

import contextlib
import pathlib
import sys
import threading

import local_hub

with local_hub.serve() as hub, contextlib.suppress(KeyboardInterrupt):
    home = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "hub-home").absolute()
    for name, value in local_hub.environment(hub, home, xet=True).items():
        print(f"export {name}={value}", flush=True)
    threading.Event().wait()

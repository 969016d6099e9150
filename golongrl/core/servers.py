"""Start an OpenAI-compatible server for a local model, wait until it is healthy, and always stop it.

Engines are command lines, so vLLM and SGLang can live in another interpreter whose pins need not agree with ours.
Servers bind to 127.0.0.1 and run under `core/watchdog.py`: they end with the process that started them, even
when that one is killed with SIGKILL.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from golongrl.core import watchdog
from golongrl.core.engine_flags import ENGINES, HOST, launch, yarn_form
from golongrl.core.errors import ServerError, UsageError
from golongrl.core.local_hosts import opener
from golongrl.core.rope import Override, link_with_yarn, remove_links
from golongrl.core.store import storage_errors

TAIL_LINES = 20
YARN_FOLDER = ".yarn-model"
"""Beside the log: the model folder with a changed config.json, for engines that take no override."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Server:
    """A running server. `model` is the name that requests address it by."""

    base_url: str
    model: str
    engine: str
    log: Path
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raise ServerError, with the log's last lines, when the server is no longer running."""
        code = self.process.poll()
        if code is not None:
            raise ServerError(
                f"the {self.engine} server ended with exit code {code}; finished work is kept: mend what its log "
                f"says and run the same command again. Last lines of {self.log}:\n{log_tail(self.log)}"
            )


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, indented, without colours and traceback markers; a note when it is empty."""
    if not log.exists():
        return "    (no log)"
    with open(log, "rb") as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - 64 * 1024))
        text = _COLOUR.sub("", handle.read().decode("utf-8", "replace"))
    kept = [line for line in text.splitlines() if line.strip(" ^~")][-lines:]
    return "\n".join(f"    {line}" for line in kept) or "    (the log is empty)"


def choose_port(port: int | None = None) -> int:
    """A free port of 127.0.0.1, or `port` itself after making sure that nothing listens on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except (OSError, OverflowError) as error:
            raise ServerError(
                f"port {port} of {HOST} cannot be used ({error}); choose another --port, or none for a free one"
            ) from error
        return int(probe.getsockname()[1])


def is_healthy(url: str, timeout: float = 5.0) -> bool:
    """Whether GET `url` answers with a 2xx status."""
    try:
        with opener(url).open(url, timeout=timeout) as reply:
            return 200 <= reply.status < 300
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    engine: str,
    model: str,
    port: int,
    log: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = 900.0,
    on_wait: Callable[[float], None] | None = None,
) -> Iterator[Server]:
    """Run a server command until the block ends; enters the block once `/health` on `port` answers.

    `on_wait` is called with the seconds waited so far, about once a second. Raises ServerError when the command
    cannot be started, ends early, or is not healthy within `timeout` seconds.
    """
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = open(log, "ab")  # noqa: SIM115  closed below, after the process has its own copy
    watched = [sys.executable, "-P", watchdog.__file__, *command]
    with handle:
        process = subprocess.Popen(
            watched,
            stdin=subprocess.PIPE,
            stdout=handle,
            stderr=subprocess.STDOUT,
            # Without the safe path, a folder named like a package in the working folder would be imported instead.
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1", **(env or {})},
            # Ctrl-C in the terminal reaches the starter only; the server ends in order, through the watchdog.
            start_new_session=True,
        )
    server = Server(f"http://{HOST}:{port}/v1", model, engine, log, process)
    try:
        started = time.monotonic()
        told = 0.0
        while not is_healthy(f"http://{HOST}:{port}/health"):
            server.check()
            waited = time.monotonic() - started
            if waited > timeout:
                raise ServerError(
                    f"the {engine} server was not healthy after {timeout:.0f} s; mend what its log says and run the "
                    f"same command again. Last lines of {log}:\n{log_tail(log)}"
                )
            if on_wait is not None and waited - told >= 1.0:
                told = waited
                on_wait(waited)
            time.sleep(0.2)
        server.check()
        yield server
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve(
    engine: str,
    model: str,
    *,
    port: int | None = None,
    python: str | None = None,
    log: Path,
    extra_args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    max_model_len: int | None = None,
    yarn: Override | None = None,
    version: str | None = None,
    timeout: float = 900.0,
    on_wait: Callable[[float], None] | None = None,
) -> contextlib.AbstractContextManager[Server]:
    """Serve a model folder or hub id with one of ENGINES; see `running` for what the context does and raises.

    `python` is the interpreter that has the engine (default: this one), `version` the engine's there (default: the
    newest known); `extra_args` are handed to the engine as they are. With `yarn` the model, a folder, runs with that;
    its files stay as they are. Raises UsageError for what cannot be started.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; engines: {', '.join(ENGINES)}")
    interpreter = os.path.expanduser(python or sys.executable)
    if python is not None and not Path(interpreter).is_file():
        raise UsageError(f"no such interpreter: {python}; --server-python wants the path of a python executable")
    if os.path.isdir(os.path.expanduser(model)):
        model = os.path.abspath(os.path.expanduser(model))
    chosen = choose_port(port)
    linked = yarn is not None and yarn_form(engine, version, yarn.nested) == "folder"
    folder = str((log.parent / YARN_FOLDER).absolute()) if linked else model
    name = folder if engine == "transformers" else model
    started = launch(
        engine,
        python=interpreter,
        model=folder,
        name=name,
        port=chosen,
        max_model_len=max_model_len,
        version=version,
        yarn=yarn,
    )
    served = running(
        [*started.command, *extra_args],
        engine=engine,
        model=name,
        port=chosen,
        log=log,
        env={**started.env, **(env or {})},
        timeout=timeout,
        on_wait=on_wait,
    )
    return _linked(served, model, folder, yarn) if linked and yarn is not None else served


@contextlib.contextmanager
def _linked(
    served: contextlib.AbstractContextManager[Server], model: str, folder: str, yarn: Override
) -> Iterator[Server]:
    """A server of a folder with a changed config.json, which is there as long as the server is."""
    link_with_yarn(model, folder, yarn)
    try:
        with served as server:
            yield server
    finally:
        remove_links(Path(folder))

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
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from golongrl.core import watchdog
from golongrl.core.errors import ServerError, UsageError
from golongrl.core.store import storage_errors

HOST = "127.0.0.1"
TAIL_LINES = 20

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# A proxy set for the internet must not see requests to this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _transformers(python: str, model: str, port: int, max_model_len: int | None) -> list[str]:
    if "@" in model:
        raise UsageError(
            f"transformers serve reads '@' in {model} as a revision; move the model to a path without '@'"
        )
    command = [python, "-m", "transformers.cli.transformers", "serve", model]
    return [*command, "--host", HOST, "--port", str(port)]


def _vllm(python: str, model: str, port: int, max_model_len: int | None) -> list[str]:
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", model]
    command += ["--host", HOST, "--port", str(port)]
    return command + (["--max-model-len", str(max_model_len)] if max_model_len else [])


def _sglang(python: str, model: str, port: int, max_model_len: int | None) -> list[str]:
    command = [python, "-m", "sglang.launch_server", "--model-path", model, "--served-model-name", model]
    command += ["--host", HOST, "--port", str(port)]
    return command + (["--context-length", str(max_model_len)] if max_model_len else [])


ENGINES: dict[str, Callable[[str, str, int, int | None], list[str]]] = {
    "transformers": _transformers,
    "vllm": _vllm,
    "sglang": _sglang,
}


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
        with _DIRECT.open(url, timeout=timeout) as reply:
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
    timeout: float = 900.0,
    on_wait: Callable[[float], None] | None = None,
) -> contextlib.AbstractContextManager[Server]:
    """Serve a model folder or hub id with one of ENGINES; see `running` for what the context does and raises.

    `python` is the interpreter that has the engine (default: this one); `extra_args` are handed to the engine as
    they are.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}; engines: {', '.join(ENGINES)}")
    interpreter = python or sys.executable
    if python is not None and not Path(python).expanduser().is_file():
        raise UsageError(f"no such interpreter: {python}; --server-python wants the path of a python executable")
    if os.path.isdir(os.path.expanduser(model)):
        model = os.path.abspath(os.path.expanduser(model))
    chosen = choose_port(port)
    command = [*ENGINES[engine](os.path.expanduser(interpreter), model, chosen, max_model_len), *extra_args]
    return running(
        command, engine=engine, model=model, port=chosen, log=log, env=env, timeout=timeout, on_wait=on_wait
    )

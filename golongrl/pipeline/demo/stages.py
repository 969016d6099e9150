"""Run stages one after the other, remember the finished ones, stop clearly at the first that fails.

A stage is a golongrl command (or a Python function) with the files it reads and the files it leaves behind. Its key
covers the command and the content of its inputs. `stages.jsonl` holds the latest state of every stage: one that
finished with the same key and whose outputs are still there is not run again.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl import __version__
from golongrl.core.errors import CheckFailedError, DataError
from golongrl.core.runs import set_aside
from golongrl.core.store import Journal, content_key, file_sha256

GOLONGRL = (sys.executable, "-m", "golongrl.cli.app")
HEARTBEAT_SECONDS = 60.0
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """One step. Paths are relative to the working folder or absolute; a folder stands for all files in it."""

    name: str
    about: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    """Arguments of `golongrl`; empty when `action` does the work."""
    action: Callable[[], Any] | None = None
    folder: str | None = None
    """What a run with other inputs sets aside first, so that two runs never mix."""
    salt: str = ""
    """Whatever else decides the result of an action."""


@dataclass(frozen=True)
class StageResult:
    """How a stage went: seconds it took (when it ran, if reused)."""

    name: str
    command: str
    seconds: float
    reused: bool


class StageFailedError(CheckFailedError):
    """A stage ended with a non-zero exit code, which becomes the exit code of the whole run."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.exit_code)


class Fingerprints:
    """sha256 of files, remembered by path, size and time, so that a model read by two stages is hashed once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, int], str] = {}

    def of(self, path: Path) -> list[list[str]]:
        """[[relative path, sha256]] of a file or of every file below a folder; DataError when it does not exist."""
        if not path.exists():
            raise DataError(f"{path} is missing; the stage that writes it did not leave it where it should")
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return [[str(file.relative_to(path)), self._sha256(file)] for file in files]

    def _sha256(self, file: Path) -> str:
        stat = file.stat()
        known = (str(file), stat.st_size, stat.st_mtime_ns)
        if known not in self._seen:
            self._seen[known] = file_sha256(file)
        return self._seen[known]


def run_stages(
    stages: Sequence[Stage],
    folder: Path,
    *,
    say: Callable[[str], None],
    again: str = "the same command",
    program: Sequence[str] = GOLONGRL,
) -> list[StageResult]:
    """Run `stages` in order in `folder`; finished ones are taken from `stages.jsonl`.

    Raises StageFailedError at the first stage that fails; `again` is the command that goes on from there, `program`
    what is started with each stage's arguments.
    """
    fingerprints = Fingerprints()
    results = []
    with Journal(folder / "stages.jsonl") as journal:
        for number, stage in enumerate(stages, 1):
            say("")
            say(f"[{number}/{len(stages)}] {stage.name}: {stage.about}")
            key = stage_key(stage, folder, fingerprints)
            last = journal.get(stage.name) or {"stage_key": key, "finished": None}
            if last["stage_key"] != key:
                _set_aside(stage, folder, say)
            elif last["finished"] and all((folder / output).exists() for output in stage.outputs):
                say(f"{stage.name}: finished earlier in {duration(last['seconds'])}, reused")
                results.append(StageResult(stage.name, shown(stage), last["seconds"], reused=True))
                continue
            journal.append(stage.name, stage_key=key, command=shown(stage), started=_now(), finished=None)
            start = time.monotonic()
            _run(stage, folder, say, again, program)
            missing = [output for output in stage.outputs if not (folder / output).exists()]
            if missing:
                raise StageFailedError(f"{stage.name} ended well but did not write {', '.join(missing)}", 1)
            seconds = round(time.monotonic() - start, 1)
            journal.append(stage.name, stage_key=key, command=shown(stage), seconds=seconds, finished=_now())
            say(f"{stage.name}: done in {duration(seconds)}")
            results.append(StageResult(stage.name, shown(stage), seconds, reused=False))
    return results


def stage_key(stage: Stage, folder: Path, fingerprints: Fingerprints) -> str:
    """Content key of the command, the version of golongrl and every byte the stage reads."""
    inputs = {name: fingerprints.of(folder / name) for name in stage.inputs}
    return content_key(__version__, stage.name, stage.command, stage.salt, inputs)


def shown(stage: Stage) -> str:
    """The command as one would type it in the working folder; empty for a stage without one."""
    return shlex.join(["golongrl", *stage.command]) if stage.command else ""


def duration(seconds: float) -> str:
    """Seconds for people: `7.4 s`, `2 min 05 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _set_aside(stage: Stage, folder: Path, say: Callable[[str], None]) -> None:
    """Rename what an earlier run with other inputs left; an interrupted one with the same is resumed."""
    if not stage.folder or not (folder / stage.folder).exists():
        return
    aside = set_aside(folder / stage.folder)
    say(f"{stage.name}: its inputs changed, the earlier result is now {aside.name}/")


def _run(stage: Stage, folder: Path, say: Callable[[str], None], again: str, program: Sequence[str]) -> None:
    if stage.action:
        stage.action()
        return
    say(f"$ {shown(stage)}")
    code = run_command([*program, *stage.command], folder, stage.name, say)
    if code == 0:
        return
    exit_code, how = code, f"with exit code {code}"
    if code < 0:
        exit_code, how = 128 - code, f"by signal {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            how += " (often: the machine ran out of memory)"
    raise StageFailedError(
        f"stage {stage.name!r} was ended {how}; its own message is above. Mend that and run {again} again: "
        "finished stages are reused",
        exit_code,
    )


def run_command(command: list[str], folder: Path, name: str, say: Callable[[str], None]) -> int:
    """Run a command in `folder` with its output passed through to stderr; returns its exit code.

    When nobody watches a terminal, a line every minute shows that it is alive. Ctrl-C reaches the command too, which
    gets a minute to save its work; a SIGTERM to this process is passed on to it.
    """
    environment = {"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", **os.environ}
    start = time.monotonic()
    # File descriptor 2, not sys.stderr: the command writes to it itself, and stdout stays free for --json.
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=2)
    previous = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                return process.wait(timeout=HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                if not sys.stderr.isatty():
                    say(f"{name}: running for {duration(time.monotonic() - start)}")
    finally:
        signal.signal(signal.SIGTERM, previous)
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let an interrupted command finish by itself, then ask, then insist."""
    for end in (lambda: None, process.terminate, process.kill):
        if process.poll() is not None:
            return
        end()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue

"""Runs the package `bfcl-eval` in an interpreter of its own, because its pins agree with nothing else, and reads its
results. Failures are owed again: the package itself takes them for done."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golongrl.core import chat, local_hosts, servers, watchdog
from golongrl.core.errors import ServerError
from golongrl.core.store import read_jsonl, storage_errors, write_json, write_text
from golongrl.pipeline.evaluation.benchmarks import bfcl_worker
from golongrl.pipeline.evaluation.benchmarks.base import Item
from golongrl.pipeline.evaluation.benchmarks.bfcl_memory import BACKENDS, PACKAGE

FAILED = "Error during inference"
"""How the package's results begin where a question was not answered."""


def generate(
    python: str,
    *,
    base_url: str,
    model: str,
    folder: Path,
    sampling: dict[str, Any],
    items: Sequence[Item] | None = None,
    backends: Sequence[str] = BACKENDS,
    threads: int = 16,
) -> dict[str, str]:
    """Run the package in another interpreter and return the final answers by item id.

    `sampling` are fields of the request (temperature, top_p, max_tokens). `items`: ask these only; default all. What
    the folder already holds is not asked again; questions that failed are owed and not in the result, and so are
    those whose memory was filled in part only. Raises ServerError with the end of the log when the package is missing
    or stops; finished work is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forget_failures(folder)
    ids = None
    if items is not None:
        ids = {
            f"memory_{backend}": names
            for backend in backends
            if (names := [item.id for item in items if item.id.startswith(f"memory_{backend}_")])
        }
    job = folder / "job.json"
    write_json(
        job,
        {
            "folder": str(folder.resolve()),
            "model": model,
            "categories": [f"memory_{backend}" for backend in backends],
            "ids": ids,
            "threads": threads,
            "sampling": {"temperature": 0.7, **sampling},
        },
    )
    log = folder / "bfcl.log"
    status = _run([python, bfcl_worker.__file__, str(job.resolve())], base_url, log)
    if status:
        raise ServerError(
            f"bfcl-eval ended with status {status}; it runs in {python}, which needs `pip install {PACKAGE}` "
            f"(--bfcl-python names another). Finished work is kept. Last lines of {log}:\n{servers.log_tail(log)}"
        )
    failures = _failures(folder)
    found = read_results(folder)
    if failures and not found:
        raise ServerError(
            f"bfcl-eval answered none of the questions; the first of {len(failures)} failures: {failures[0][:300]}; "
            f"mend that and run the same command again. Its log is {log}"
        )
    return found


def _failures(folder: Path) -> list[str]:
    files = [*_result_files(folder, True).values(), *_result_files(folder, False).values()]
    return [row["result"] for path in files for row in _rows(path) if _is_failure(row)]


def _run(command: list[str], base_url: str, log: Path) -> int:
    """Run a command that ends with this process; its output goes to the log."""
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": chat.api_key(),
        "PYTHONUNBUFFERED": "1",
        **local_hosts.environment(),
    }
    with storage_errors(log), open(log, "ab") as handle:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", watchdog.__file__, *command],
                stdin=subprocess.PIPE,
                stdout=handle,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerError(f"cannot run {command[0]}: {error.strerror}; check --bfcl-python") from error
    try:
        return process.wait()
    finally:
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.wait()


def _result_files(folder: Path, prerequisites: bool) -> dict[str, Path]:
    """Kind of memory -> file of its results, for those there are."""
    ending = "_prereq_result.json" if prerequisites else "_result.json"
    found = {}
    for backend in BACKENDS:
        for path in sorted((folder / "result").rglob(f"*_memory_{backend}{ending}")):
            found[backend] = path
    return found


def _scenario(identity: str) -> str:
    return identity.rsplit("-", 2)[-2] if identity.count("-") >= 2 else ""


def _is_failure(row: dict[str, Any]) -> bool:
    return isinstance(row.get("result"), str) and row["result"].startswith(FAILED)


def forget_failures(folder: Path) -> None:
    """Remove what failed from the package's results, which it would take for done.

    A chat that failed left its scenario's memory incomplete: all results of that kind and scenario go with it.
    """
    chats = _result_files(folder, prerequisites=True)
    broken = {
        (backend, _scenario(row["id"])) for backend, path in chats.items() for row in _rows(path) if _is_failure(row)
    }
    for files in (chats, _result_files(folder, prerequisites=False)):
        for backend, path in files.items():
            rows = _rows(path)
            kept = [row for row in rows if not _is_failure(row) and (backend, _scenario(row["id"])) not in broken]
            if len(kept) < len(rows):
                write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def _rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a result file; a last line torn by a kill is cut off, for the package reads no such file."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        write_text(path, content[: content.rfind(b"\n") + 1].decode("utf-8", "replace"))
    return [row for _, row in read_jsonl(path)]


def read_results(folder: Path) -> dict[str, str]:
    """The final message of every answered question by its id; what failed is left out.

    An answer without a final message (it called tools until it was stopped) is empty.
    """
    forget_failures(folder)
    found = {}
    for path in _result_files(folder, prerequisites=False).values():
        for row in _rows(path):
            turns = row.get("result")
            steps = turns[0] if isinstance(turns, list) and len(turns) == 1 else []
            steps = steps if isinstance(steps, list) else [steps]
            last = next((step for step in reversed(steps) if isinstance(step, str)), "")
            found[str(row["id"])] = last
    return found

"""BFCL V4 memory: a model keeps notes of earlier chats with tools, then answers questions from the notes alone.

Data of the package `bfcl-eval` (Apache-2.0; 2025.10.27.1 is the recipe's version): BFCL_v4_memory.json and
possible_answer/BFCL_v4_memory.json, 155 questions in five scenarios, each asked with three kinds of memory: key-value
(kv), vectors (vector) and one rolling text (rec_sum). Columns: `id`, `question`, `scenario`; `ground_truth` (accepted
answers). Metric: share of final answers that contain an accepted one, as the package checks it, averaged over the
three kinds, which have equally many questions. `answer_field` in the details counts what the requested field `answer`
contains alone. Published scores depend on prompts and tool parsers; the paper's own table is not known here.

The questions are no single prompts: the chats that fill the memory run first and call tools. So `generate` runs the
package in an interpreter of its own (its pins agree with nothing else) against any endpoint that supports tools.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from golongrl.core import chat, servers, watchdog
from golongrl.core.errors import DataError, ServerError, UsageError
from golongrl.core.records import Score
from golongrl.core.store import read_jsonl, storage_errors, write_json, write_text
from golongrl.core.text import final_text
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import bfcl_worker
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Thinking
from golongrl.pipeline.evaluation.benchmarks.fields import text_of, texts_of
from golongrl.pipeline.evaluation.benchmarks.mrcr import BOUNDS
from golongrl.pipeline.evaluation.row_files import read_rows

BACKENDS = ("kv", "vector", "rec_sum")
"""Kinds of memory; `vector` also needs the package's sentence-transformers model all-MiniLM-L6-v2."""
PACKAGE = "bfcl-eval==2025.10.27.1"
FAILED = "Error during inference"
"""How the package's results begin where a question was not answered."""

_MARKS = re.compile(r"[,./\-_*^()]")
_FIELD = re.compile(r"""['"]answer['"]\s*:\s*(?P<quote>['"])(?P<answer>.*?)(?P=quote)\s*[,}]""", re.DOTALL)


def _question_rows(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of questions and answers; not the chats before them, nor the descriptions of the tools."""
    for path in hub_data.local_files(data):
        if "memory" not in path.name:
            continue
        # The package's .json files hold a row per line.
        for number, row in read_rows(path):
            if ("question" in row or "ground_truth" in row) and not str(row.get("id")).startswith("memory_prereq"):
                yield f"{path} row {number}", row


def load(options: LoadOptions) -> Iterator[Item]:
    """Items of the package's data folder, each question once per kind of memory; their prompts are empty.

    `limit` counts items, so that a multiple of three asks the same questions of every kind.
    """
    if options.data is None:
        raise UsageError(
            f"bfcl-memory needs --data: the folder bfcl_eval/data of the package {PACKAGE}, or its files "
            "BFCL_v4_memory.json (questions and answers)"
        )
    questions: dict[str, tuple[str, dict[str, Any]]] = {}
    answers: dict[str, list[str]] = {}
    for where, row in _question_rows(options.data):
        identity = text_of(row, where, "id")
        known: Collection[str] = answers if "ground_truth" in row else questions
        if identity in known:
            raise DataError(f"{where}: the id {identity!r} occurs twice; ids must be unique")
        if "ground_truth" in row:
            answers[identity] = texts_of(row, where, "ground_truth")
        else:
            questions[identity] = where, row
    if not questions:
        raise DataError(f"{options.data} holds no BFCL memory question (id, question, scenario); check --data")
    count = 0
    for identity, (where, row) in questions.items():
        if identity not in answers:
            raise DataError(
                f"{where}: no row with ground_truth has the id {identity!r}; add possible_answer/BFCL_v4_memory.json"
            )
        scenario = text_of(row, where, "scenario")
        gold = {"question": question_text(row, where), "answers": answers[identity]}
        for backend in BACKENDS:
            name = identity.replace("memory", f"memory_{backend}", 1)
            yield Item(name, [], gold, {"memory": backend, "scenario": scenario}, scenario, 16)
            count += 1
            if count == options.limit:
                return


def question_text(row: dict[str, Any], where: str) -> str:
    """The question of a row: one turn with one user message."""
    turns = row.get("question")
    turn = turns[0] if isinstance(turns, list) and turns else None
    message = turn[-1] if isinstance(turn, list) and turn else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        raise DataError(f"{where}, column question: expected [[{{role, content}}]]; mend or remove the row")
    return content


def from_row(row: dict[str, Any], where: str) -> Item | None:
    """An item for scoring only, when the row carries `ground_truth`."""
    if "ground_truth" not in row:
        return None
    identity = text_of(row, where, "id")
    backend = next((name for name in BACKENDS if identity.startswith(f"memory_{name}_")), None)
    buckets = {"memory": backend} if backend else {}
    gold = {"question": "", "answers": texts_of(row, where, "ground_truth")}
    return Item(identity, [], gold, buckets, identity, 16)


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """1 if the final message contains an accepted answer as whole words, but for case and ",./-_*^()"."""
    final = final_text(response, think)
    if not final.closed:
        return Score(value=0.0, reason="unclosed_think")
    if not final.text.strip():
        return Score(value=0.0, reason="no_answer")
    fields = [match["answer"] for match in _FIELD.finditer(final.text)]
    answer = fields[-1] if fields else ""
    details = {"answer": (answer or final.text.strip())[:200], "answer_field": float(_holds(answer, gold["answers"]))}
    return Score(value=float(_holds(final.text, gold["answers"])), details=details)


def _holds(text: str, answers: list[str]) -> bool:
    plain = _plain(text)
    return any(re.search(rf"\b{re.escape(_plain(answer))}\b", plain) for answer in answers if _plain(answer))


def _plain(text: str) -> str:
    return _MARKS.sub("", text).lower().replace("'", '"')


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
            f"(--server-python names another). Finished work is kept. Last lines of {log}:\n{servers.log_tail(log)}"
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
    local = "127.0.0.1,localhost"
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": chat.api_key(),
        "PYTHONUNBUFFERED": "1",
        # The endpoint may be on this machine, which a proxy for the internet must not see.
        "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), local))),
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
            raise ServerError(f"cannot run {command[0]}: {error.strerror}; check --server-python") from error
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


BFCL_MEMORY = Benchmark(
    name="bfcl-memory",
    dataset=f"{PACKAGE}, BFCL_v4_memory.json",
    split="memory_kv, memory_vector, memory_rec_sum",
    fields="id, question, scenario; ground_truth",
    licence="Apache-2.0",
    metric="share of final answers that contain an accepted answer",
    bounds=BOUNDS,
    load=load,
    score=score,
    from_row=from_row,
)

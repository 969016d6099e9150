"""BFCL V4 memory: a model keeps notes of earlier chats with tools, then answers questions from the notes alone.

Data of the package `bfcl-eval` (Apache-2.0; 2025.10.27.1 is the recipe's version): BFCL_v4_memory.json and
possible_answer/BFCL_v4_memory.json, 155 questions in five scenarios, each asked with three kinds of memory: key-value
(kv), vectors (vector) and one rolling text (rec_sum). Columns: `id`, `question`, `scenario`; `ground_truth` (accepted
answers). Metric: share of final answers that contain an accepted one, as the package checks it, averaged over the
three kinds, which have equally many questions. `answer_field` in the details counts what the requested field `answer`
contains alone. Published scores depend on prompts and tool parsers; the paper's own table is not known here.

The questions are no single prompts: the chats that fill the memory run first and call tools. So
`bfcl_run.generate` runs the package in an interpreter of its own against any endpoint that supports tools.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Score
from golongrl.core.row_files import files_at, read_rows
from golongrl.pipeline.evaluation.benchmarks.answers import after_thinking
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Thinking
from golongrl.pipeline.evaluation.benchmarks.fields import text_of, texts_of

BACKENDS = ("kv", "vector", "rec_sum")
"""Kinds of memory; `vector` also needs the package's sentence-transformers model all-MiniLM-L6-v2."""
PACKAGE = "bfcl-eval==2025.10.27.1"

_MARKS = re.compile(r"[,./\-_*^()]")
_FIELD = re.compile(r"""['"]answer['"]\s*:\s*(?P<quote>['"])(?P<answer>.*?)(?P=quote)\s*[,}]""", re.DOTALL)


def _question_rows(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of questions and answers; not the chats before them, nor the descriptions of the tools."""
    for path in files_at(data):
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
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    fields = [match["answer"] for match in _FIELD.finditer(said)]
    answer = fields[-1] if fields else ""
    details = {"answer": (answer or said.strip())[:200], "answer_field": float(_holds(answer, gold["answers"]))}
    return Score(value=float(_holds(said, gold["answers"])), details=details)


def _holds(text: str, answers: list[str]) -> bool:
    plain = _plain(text)
    return any(re.search(rf"\b{re.escape(_plain(answer))}\b", plain) for answer in answers if _plain(answer))


def _plain(text: str) -> str:
    return _MARKS.sub("", text).lower().replace("'", '"')


BFCL_MEMORY = Benchmark(
    name="bfcl-memory",
    dataset=f"{PACKAGE}, BFCL_v4_memory.json",
    split="memory_kv, memory_vector, memory_rec_sum",
    fields="id, question, scenario; ground_truth",
    licence="Apache-2.0",
    metric="share of final answers that contain an accepted answer",
    load=load,
    score=score,
    from_row=from_row,
)

"""Evaluation benchmarks as n-gram indexes on disk: built once per content, n and version of the rules.

Questions (alone, and followed by their choices and answers) and contexts are indexed apart.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import ngrams, words
from golongrl.core.errors import DataError, UsageError
from golongrl.core.ngrams import NGrams
from golongrl.core.row_files import files_at, read_rows
from golongrl.core.store import content_key, file_sha256, storage_errors, write_json
from golongrl.pipeline.dataset.contamination import benchmark_rows
from golongrl.pipeline.dataset.contamination.benchmark_rows import Sample

LoadBenchmark = Callable[[str], Iterable[Mapping[str, Any]]]

VERSION = 3
"""Raised whenever other texts are taken from the same rows, so that indexes on disk are built again."""
SHORTEST = 5
"""Words of the shortest question that is looked for whole; a Han character counts as 5/8 of a word."""
MOST_SHOWN = 10
"""Unusable rows that the facts name."""


@dataclass(frozen=True)
class Benchmark:
    """The indexed texts of one benchmark. `labels` name the rows of both indexes, `facts` say what was read."""

    name: str
    questions: NGrams
    contexts: NGrams
    labels: Mapping[str, Sequence[str]]
    facts: Mapping[str, Any]


def open_benchmark(entry: str, n: int, cache: Path, load_benchmark: LoadBenchmark | None = None) -> Benchmark:
    """The benchmark of a file or folder of rows, or of a name (or NAME=PATH) that `load_benchmark` knows; built in
    the cache folder unless it is there. DataError where no row has a field of a known name, UsageError where a name
    is unknown."""
    path = Path(entry).expanduser()
    if path.exists():
        files = files_at(path, "benchmark file")
        names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
        content = [[name, file_sha256(file)] for name, file in zip(names, files, strict=True)]
        name, rows = path.resolve().name, _file_rows(names, files)
    elif load_benchmark is None:
        raise UsageError(f"{entry}: no such file or folder of benchmark rows; check the path")
    else:
        name = entry.partition("=")[0]
        content = [[name, _digest(entry, load_benchmark)]]
        rows = _named_rows(name, entry, load_benchmark)
    key = content_key("decontamination", VERSION, words.VERSION, n, SHORTEST, content)
    folder = cache / key
    if not folder.exists():
        with _new_folder(folder) as temporary:
            _build(temporary, name, rows, n)
    try:
        told = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is no complete index ({error}); remove the folder, it is built again") from error
    indexes = [ngrams.load(folder / side) for side in ("questions", "contexts")]
    return Benchmark(name, indexes[0], indexes[1], told["labels"], {"key": key, **told["facts"]})


def _file_rows(names: Sequence[str], files: Sequence[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, file in zip(names, files, strict=True):
        for number, row in read_rows(file):
            yield f"{name}#{number}", row


def _named_rows(name: str, entry: str, load_benchmark: LoadBenchmark) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, row in enumerate(load_benchmark(entry), 1):
        yield f"{name}#{number}", row


def _digest(entry: str, load_benchmark: LoadBenchmark) -> str:
    digest = hashlib.sha256()
    try:
        for row in load_benchmark(entry):
            digest.update(content_key(row).encode())
    except DataError:
        raise
    except UsageError as error:
        raise UsageError(f"{entry!r} is no file or folder of benchmark rows, and no benchmark: {error}") from error
    return digest.hexdigest()


def _build(folder: Path, name: str, rows: Iterable[tuple[str, Mapping[str, Any]]], n: int) -> None:
    """Index the rows of a benchmark. Contexts wait on disk in a file of their own while the questions are indexed."""
    labels: dict[str, list[str]] = {"questions": [], "contexts": []}
    unusable: list[str] = []
    counts = {"rows": 0, "samples": 0}
    asked: set[bytes] = set()
    shown_before: set[bytes] = set()
    spare = folder / "contexts.tmp"

    def questions() -> Iterator[tuple[int, str]]:
        with open(spare, "w", encoding="utf-8") as contexts:
            for where, row in rows:
                samples, shown = benchmark_rows.read(row, where)
                counts["rows"] += 1
                counts["samples"] += len(samples)
                if not samples and not shown:
                    unusable.append(where)
                for sample in samples:
                    for text in _question_texts(sample, n, asked):
                        if not labels["questions"] or labels["questions"][-1] != sample.row:
                            labels["questions"].append(sample.row)
                        yield len(labels["questions"]) - 1, text
                for place, text in shown:
                    if _first_time(text, shown_before):
                        labels["contexts"].append(place)
                        contexts.write(json.dumps(text) + "\n")

    ngrams.build(folder / "questions", questions(), n, anchor=SHORTEST if n > SHORTEST else 0)
    if len(unusable) == counts["rows"]:
        known = ", ".join([*benchmark_rows.QUESTIONS, "answer", "context", "..."])
        raise DataError(
            f"benchmark {name}: none of its {counts['rows']} rows has a field of a known name ({known}); rename the "
            "fields, or leave it out"
        )
    with open(spare, encoding="utf-8") as contexts:
        ngrams.build(folder / "contexts", ((row, json.loads(line)) for row, line in enumerate(contexts)), n)
    spare.unlink()
    facts = {**counts, "contexts": len(labels["contexts"]), "unusable_rows": len(unusable)}
    write_json(folder / "rows.json", {"labels": labels, "facts": {**facts, "unusable": unusable[:MOST_SHOWN]}})


def _question_texts(sample: Sample, n: int, seen: set[bytes]) -> Iterator[str]:
    """The question, and the question with choices and answers; a question asked before is not indexed again, so that
    rows that repeat one do not make it a template."""
    answers = "\n".join(sample.answers)
    if sample.question.strip() and _first_time(sample.question, seen):
        yield sample.question
        if answers:
            yield f"{sample.question}\n{answers}"
    # A short answer alone says nothing about which question it answers.
    elif len(words.split(answers)) >= n and _first_time(answers, seen):
        yield answers


def _first_time(text: str, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    new = digest not in seen
    seen.add(digest)
    return new


@contextlib.contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` once it is complete; what killed builds left behind is removed."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f".{target.name}.*.tmp"):
            if left == temporary or not _alive(left.name.split(".")[-2]):
                shutil.rmtree(left, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with open(file, "rb") as handle:
                        os.fsync(handle.fileno())
            try:
                temporary.rename(target)
            except OSError:
                # Another process was faster; what it built is the same.
                if not target.exists():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True

"""What an audit reads row by row and what it writes: tolerant rows, given responses, the audit's folder."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from golongrl.core.errors import DataError, UsageError, require
from golongrl.core.records import existing_file, read_record_rows
from golongrl.core.runs import now, record_run, refuse_other_run
from golongrl.core.store import atomic_path, parse_line, read_jsonl, storage_errors, write_json
from golongrl.rewards.audit_page import page_of
from golongrl.rewards.audit_report import AuditReport


def count_rows(path: Path) -> int:
    """Rows of a data file; of parquet from its footer."""
    if path.suffix == ".parquet":
        parquet, arrow = require("pyarrow.parquet"), require("pyarrow")
        with contextlib.suppress(arrow.ArrowException, OSError):
            return int(parquet.read_metadata(path).num_rows)
    # A damaged parquet file comes here as well, so that reading it names the problem.
    return sum(1 for _ in read_tolerant(path))


def read_tolerant(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Rows of a data file with their numbers from 1; a JSONL line that is no object comes as its DataError."""
    if path.suffix not in (".jsonl", ".json"):
        yield from read_record_rows(path)
        return
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                yield number, parse_line(line, number, path)
            except DataError as error:
                yield number, error


def read_responses(path: str | Path) -> dict[str, list[str]]:
    """Responses by id from a JSONL file of {id, response}; an id may come several times, or with `responses`.

    The field `index` serves as well as `id`.
    """
    found: dict[str, list[str]] = {}
    for number, row in read_jsonl(existing_file(path, "responses file")):
        identity = row.get("id") if row.get("id") is not None else row.get("index")
        texts = row["responses"] if "responses" in row else [row.get("response")]
        if identity is None or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"{path} line {number}: expected the fields id (or index) and response (text) or responses "
                "(list of texts); mend or remove it"
            )
        found.setdefault(str(identity), []).extend(texts)
    if not found:
        raise DataError(f"{path} holds no responses; expected JSONL rows of id and response")
    return found


class AuditFiles:
    """The audit's folder: failures.jsonl and samples.jsonl as they come, audit.json, manifest.json and report.html
    at the end.

    Each file replaces its predecessor only when the audit is complete. Without a folder nothing is written.
    """

    def __init__(self, folder: Path | None, samples: bool):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UsageError(f"--out {folder} is a file; choose a folder")
        if folder is not None:
            refuse_other_run(folder, "verify-rewards")
        self.folder, self._with_samples = folder, samples
        self._started = now()
        self._stack = contextlib.ExitStack()
        self._failures: IO[str] | None = None
        self._samples: IO[str] | None = None

    def __enter__(self) -> "AuditFiles":
        if self.folder is not None:
            self._failures = self._open("failures.jsonl")
            self._samples = self._open("samples.jsonl") if self._with_samples else None
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def _open(self, name: str) -> IO[str]:
        assert self.folder is not None
        temporary = self._stack.enter_context(atomic_path(self.folder / name))
        return self._stack.enter_context(open(temporary, "w", encoding="utf-8", errors="surrogatepass"))

    def failure(self, row: dict[str, Any]) -> None:
        """Append one failure."""
        self._write(self._failures, row)

    def sample(self, row: dict[str, Any]) -> None:
        """Append one scored response."""
        self._write(self._samples, row)

    def _write(self, handle: IO[str] | None, row: dict[str, Any]) -> None:
        if handle is not None and self.folder is not None:
            with storage_errors(self.folder):
                handle.write(json.dumps(row, ensure_ascii=False) + "\n")

    def finish(self, report: AuditReport) -> None:
        """Close the files; write audit.json, manifest.json and report.html. Samples of an earlier audit go."""
        if self.folder is None:
            return
        self._stack.close()  # puts failures.jsonl and samples.jsonl in their places
        if not self._with_samples:
            (self.folder / "samples.jsonl").unlink(missing_ok=True)
        write_json(self.folder / "audit.json", report.as_json())
        record_run(self.folder, "verify-rewards", self._started, inputs={report.data: report.sha256})
        page_of(self.folder).write(self.folder / "report.html")

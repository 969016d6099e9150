"""What an audit reads row by row and what it writes: tolerant rows, given responses, the audit's folder."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from golongrl.core import report as html
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import existing_file, read_rows
from golongrl.core.store import atomic_path, parse_line, read_jsonl, storage_errors, write_json

if TYPE_CHECKING:
    from golongrl.rewards.audit import AuditReport

SHOWN = 200


def read_tolerant(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Rows of a data file with their numbers from 1; a JSONL line that is no object comes as its DataError."""
    if path.suffix not in (".jsonl", ".json"):
        yield from read_rows(path)
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
    """Responses by id from a JSONL file of {id, response}; an id may come several times."""
    found: dict[str, list[str]] = {}
    for number, row in read_jsonl(existing_file(path, "responses file")):
        if row.get("id") is None or not isinstance(row.get("response"), str):
            raise DataError(f"{path} line {number}: expected the fields id and response (text); mend or remove it")
        found.setdefault(str(row["id"]), []).append(row["response"])
    if not found:
        raise DataError(f"{path} holds no responses; expected JSONL rows of id and response")
    return found


class AuditFiles:
    """The audit's folder: failures.jsonl and samples.jsonl as they come, audit.json and report.html at the end.

    Each file replaces its predecessor only when the audit is complete. Without a folder nothing is written.
    """

    def __init__(self, folder: Path | None, samples: bool):
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UsageError(f"--out {folder} is a file; choose a folder")
        self.folder, self._with_samples = folder, samples
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

    def finish(self, report: "AuditReport") -> None:
        """Write audit.json (without the single failures, which have their own file) and report.html."""
        if self.folder is None:
            return
        summary = report.as_json()
        del summary["failures"]
        write_json(self.folder / "audit.json", summary)
        html.write_page(self.folder / "report.html", f"Reward audit of {Path(report.data).name}", sections(report))


def sections(report: "AuditReport") -> list[html.Section]:
    """The audit as sections of a report page."""
    summary: dict[str, Any] = {
        "verdict": "passed" if report.passed else "failed",
        "data": report.data,
        "sha256": report.sha256,
        "rows": report.rows,
        "rows checked": report.checked,
        "gold answers that fail": report.gold_failures,
        "bad rows": report.bad_rows,
        "probes that earn too much": len(report.exploited),
    }
    summary |= {f"unscorable ({reason})": count for reason, count in report.unscorable.items()}
    parts: list[html.Section] = [
        ("Summary", html.KeyValues(summary)),
        (
            "Metrics",
            html.Table(
                ["metric", "rows", "gold = 1", "responses", "mean"],
                [[name, c.rows, c.gold_ok, c.responses, c.mean] for name, c in report.metrics.items()],
                caption="Rows per metric, gold answers that score 1, and the given responses",
            ),
        ),
    ]
    if report.probes:
        table = html.Table(
            ["probe", "metric", "rows", "max", "mean", "bound", "verdict"],
            [[p.probe, p.metric, p.rows, p.max, p.mean, p.bound, p.verdict] for p in report.probes],
            caption="What each attack earned, and what it may earn at most",
        )
        parts.append(("Attacks", table))
    if report.failures:
        rows = [
            [f["check"], f.get("row"), f.get("metric"), f.get("problem") or f.get("probe")] for f in report.failures
        ]
        caption = f"The first {SHOWN} of {len(rows)}; failures.jsonl has all" if len(rows) > SHOWN else "All failures"
        parts.append(("Failures", html.Table(["check", "row", "metric", "problem"], rows[:SHOWN], caption=caption)))
    return parts

"""The files of a finished build beside records, card and report: rejects, assignments, documents, project file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.store import atomic_path, read_jsonl
from golongrl.pipeline.dataset.assign import why
from golongrl.pipeline.dataset.collect import Collection
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.produce import Produced
from golongrl.pipeline.dataset.project import write_project_file
from golongrl.pipeline.dataset.settings import BuildConfig


def assignments(entries: Sequence[Entry], capabilities: Sequence[str], base: Path | None) -> Iterator[dict[str, Any]]:
    """Per document: what it is, its side, and for each capability why it can or cannot carry it; then the base's
    validation documents that the sources no longer hold."""
    for entry in entries:
        yield {
            "sha256": entry.sha256,
            "source": entry.source,
            "title": entry.title,
            "language": entry.language,
            "licence": entry.licence,
            "kind": entry.kind,
            "n_tokens": entry.n_tokens,
            "split": "validation" if entry.held_out else "train",
            "capabilities": {capability: why(capability, entry) for capability in capabilities},
        }
    if base is not None and (base / "assigned.jsonl").exists():
        known = {entry.sha256 for entry in entries}
        for _, row in read_jsonl(base / "assigned.jsonl"):
            if row["split"] == "validation" and row["sha256"] not in known:
                yield row


def write_rejects(
    path: Path, collection: Collection, produced: Produced, others: Sequence[dict[str, Any]] = ()
) -> None:
    """Every file, row and document that did not become part of the dataset, and what came to nothing of those that
    did, with reasons; then what the phases after them removed (`others`)."""
    rows: list[dict[str, Any]] = [
        {"phase": "collect", "source": refusal.source, "step": "read", "reason": refusal.reason}
        for refusal in collection.refused
    ]
    rows += [{"phase": "collect", "source": s, "step": step, "reason": why} for s, step, why in collection.dropped]
    rows += [
        {
            "phase": "construct",
            "source": source,
            "capability": TASK_FORMS[form].capability,
            "step": form,
            "length_bin": label,
            "reason": why,
            "count": count,
        }
        for (source, form, label, why), count in sorted(produced.tally.rejects.items())
    ]
    write_rows(path, [*rows, *others])


def write_documents(path: Path, library: Library, shown: set[str], base: Path | None) -> None:
    """The text of every document that a prompt shows: what evidence spans index into. `base`: the folder of the
    version that some records come from, with documents that the sources no longer hold."""

    def rows() -> Iterator[dict[str, Any]]:
        missing = set(shown)
        for number, entry in enumerate(library.entries):
            if entry.sha256 in shown:
                row = library.row(number)
                del row["blocks"]
                missing.discard(entry.sha256)
                yield row
        if base is not None and missing:
            yield from (row for _, row in read_jsonl(base / path.name) if row["sha256"] in missing)

    write_rows(path, rows())


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines atomically."""
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


def project_files(config: BuildConfig, folder: Path, has_val: bool, records: int) -> list[str]:
    """golongrl.toml in the dataset's folder, and in the working folder if there is none."""
    notes = []
    if config.val_share and not has_val:
        notes.append(
            "no validation records: too few documents or records; a larger --target or --val-share may give some"
        )
    val = folder / "val.parquet" if has_val else None
    notes += write_project_file(
        folder, folder / "train.parquet", val, config.tokenizer, records=records, longest=max(config.length_bins)
    )
    return notes

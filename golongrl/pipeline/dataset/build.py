"""`build`: the phases in a run folder, from documents to train.parquet, val.parquet, card and report."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl import __version__
from golongrl.core import tokens
from golongrl.core.errors import CheckFailedError
from golongrl.core.records import Record, write_parquet
from golongrl.core.runs import Run, only_writer, open_run
from golongrl.core.store import atomic_path, write_json
from golongrl.pipeline.dataset import card, closed_book, report_page
from golongrl.pipeline.dataset.assign import Assignment, assign, lacks, split, why
from golongrl.pipeline.dataset.collect import Collection, Progress, collect, funnel, nothing_usable, silent
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.facts import AssignFacts, BuildFacts, CollectFacts, ConstructFacts, Refused
from golongrl.pipeline.dataset.library import Library, hold_out, load_tokenizer, tokenizer_digest, write_index
from golongrl.pipeline.dataset.produce import Produced, held, ordered, produce, read_records
from golongrl.pipeline.dataset.project import write_project_file
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.settings import FREE, BuildConfig
from golongrl.pipeline.dataset.source_file import SourceFile
from golongrl.pipeline.dataset.sources import discard_unpacked, find_files, input_digests
from golongrl.pipeline.dataset.survey import Survey
from golongrl.pipeline.dataset.workers import RunAll, open_workers

WORK = "work"
"""Folder of intermediate results inside the run folder; it goes when the build is finished."""
REFUSALS = 200
"""Refusals that build.json lists in full."""


@dataclass(frozen=True)
class BuildReport:
    """What a build came to; `facts` is the content of build.json."""

    out: Path
    facts: BuildFacts
    resumed: bool = False
    already_finished: bool = False
    notes: list[str] = field(default_factory=list)


def build(config: BuildConfig, out: Path, *, fresh: bool = False, progress: Progress = silent) -> BuildReport:
    """Build the dataset into the folder `out`; a finished build of the same inputs and settings returns at once.

    Raises DataError when a source is missing, RunConflictError when `out` holds another build, CheckFailedError (with
    the funnel) when no document is usable or not one record could be built.
    """
    load_tokenizer(config.tokenizer)
    files, refused = find_files(config.sources, config.max_document_mb, out)
    run = open_run(
        out,
        config.model_dump(mode="json"),
        command="build-dataset",
        inputs=input_digests(files) | tokenizer_digest(config.tokenizer),
        fresh=fresh,
        free=FREE,
    )
    if run.finished and run.path("build.json").exists() and run.path("train.parquet").exists():
        facts = json.loads(run.path("build.json").read_text(encoding="utf-8"))
        discard_unpacked(out)
        return BuildReport(out, facts, resumed=True, already_finished=True)
    with only_writer(run.folder, "build-dataset"), open_workers(config.workers, config.ray_address) as run_all:
        try:
            facts, notes = _build(config, run, files, refused, run_all, progress)
        except CheckFailedError:
            # Running it again would come to the same; an interrupted build still needs what was unpacked.
            discard_unpacked(out)
            raise
        run.finish(records=facts["records"]["splits"])
        shutil.rmtree(run.path(WORK), ignore_errors=True)
        discard_unpacked(out)
    return BuildReport(out, facts, resumed=run.resumed, notes=notes)


def _build(
    config: BuildConfig,
    run: Run,
    files: Sequence[SourceFile],
    refused: Sequence[Refusal],
    run_all: RunAll,
    progress: Progress,
) -> tuple[BuildFacts, list[str]]:
    work = run.path(WORK)
    collection = collect(work, files, refused, config, run_all, progress)
    assignment = assign(collection.entries, config.wanted)
    held_out = split(collection.entries, assignment, config.val_share, config.seed)
    entries = hold_out(collection.entries, held_out)
    if not entries:
        _write_rejects(run.path("rejects.jsonl"), collection, None)
        raise CheckFailedError(nothing_usable(collection))
    _write_lines(run.path("assigned.jsonl"), _assignments(entries, list(config.wanted)))
    write_index(work, entries)
    produced = produce(work, config, entries, assignment, run_all, progress)
    _write_rejects(run.path("rejects.jsonl"), collection, produced)
    train = ordered([made for made in produced.made if not held(made)], config.seed)
    val = ordered([made for made in produced.made if held(made)], config.seed)
    if not train:
        raise CheckFailedError(_no_record(collection, produced))
    survey = Survey([bin.label for bin in bins(config.length_bins)], list(config.wanted))
    shown: set[str] = set()
    with progress("write", len(train) + len(val)) as bar:
        write_parquet(
            run.path("train.parquet"), survey.watch(_passing(read_records(work, train, 0), shown, bar), "train")
        )
        if val:
            records = _passing(read_records(work, val, len(train)), shown, bar)
            write_parquet(run.path("val.parquet"), survey.watch(records, "validation"))
    library = Library(work, entries, load_tokenizer(config.tokenizer))
    _write_documents(run.path("documents.jsonl"), library, shown)
    facts: BuildFacts = {
        "source": {
            "command": card.command(config, run.folder),
            "version": __version__,
            "tokenizer": tokens.label(config.tokenizer),
            "seed": config.seed,
            "length_bins": [bin.label for bin in bins(config.length_bins)],
            "capabilities": list(config.wanted),
            "wanted": config.wanted,
            "val_share": config.val_share,
        },
        "collect": _collected(collection, entries),
        "assign": {capability: _assigned(capability, entries, assignment) for capability in config.wanted},
        "construct": {capability: _constructed(capability, produced) for capability in config.wanted},
        "asked": {f.name: {"capability": f.capability, "asks": _asks(f.construct)} for f in TASK_FORMS.values()},
        "records": survey.facts(),
        "closed_book": closed_book.closed_book(survey.questions),
        "notes": [f"{c}: {n} records fewer than wanted" for c, n in produced.missing.items() if n > 0],
    }
    card.write_card(run.path("README.md"), facts)
    report_page.write_report(run.path("report.html"), facts, survey)
    write_json(run.path("build.json"), facts)
    return facts, _project_files(config, run, bool(val), len(train))


def _passing(records: Iterator[Record], shown: set[str], bar: Any) -> Iterator[Record]:
    """The records, with the documents they show noted and the bar moved."""
    for record in records:
        shown.update(record.extra_info["doc_sha256"])
        bar.advance(1)
        yield record


def _collected(collection: Collection, entries: Sequence[Entry]) -> CollectFacts:
    filtered = collection.filtered()
    copies = {kind: filtered.pop(kind, Counter()).total() for kind in ("exact copy", "near copy")}
    return {
        "files": collection.files,
        "refused": dict(sorted(Counter(_short(refusal.reason) for refusal in collection.refused).items())),
        "read": collection.read,
        "filtered": {name: dict(sorted(reasons.items())) for name, reasons in filtered.items()},
        "exact_duplicates": copies["exact copy"],
        "near_duplicates": copies["near copy"],
        "documents": len(entries),
        "languages": dict(sorted(Counter(entry.language for entry in entries).items())),
        "validation_documents": sum(entry.held_out for entry in entries),
        "refusals": refusals(collection.refused)[:REFUSALS],
    }


def _short(reason: str) -> str:
    """A reason without what is particular to one file, so that like ones are counted together."""
    return " ".join("N" if any(c.isdigit() for c in word) else word for word in reason.split(":")[0].split())


def refusals(refused: Sequence[Refusal]) -> list[Refused]:
    """The refusals, rows of one file with the same kind of reason together."""
    grouped: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refused:
        file = refusal.source.partition("#")[0]
        grouped.setdefault((file, _short(refusal.reason)), []).append(refusal)
    return [
        {
            "source": same[0].source if len(same) == 1 else f"{file} ({len(same)} rows)",
            "reason": same[0].reason,
        }
        for (file, _), same in grouped.items()
    ]


def _assigned(capability: str, entries: Sequence[Entry], assignment: Assignment) -> AssignFacts:
    served = assignment[capability]
    lacking = Counter(
        lacks(capability, entry).removeprefix("lacks ")
        for number, entry in enumerate(entries)
        if number not in served
    )
    return {"documents": len(served), "missing": dict(sorted(lacking.items()))}


def _assignments(entries: Sequence[Entry], capabilities: Sequence[str]) -> Iterator[bytes]:
    """Per document: what it is, its side, and for each capability why it can or cannot carry it."""
    for entry in entries:
        row = {
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
        yield json.dumps(row, ensure_ascii=False).encode()


def _constructed(capability: str, produced: Produced) -> ConstructFacts:
    forms = [name for name, form in TASK_FORMS.items() if form.capability == capability]
    tally = produced.tally

    def of(counter: Counter[tuple[str, str]]) -> dict[str, int]:
        return {f"{form}: {why}": n for (form, why), n in sorted(counter.items()) if form in forms}

    kept = sum(made.request.form in forms for made in produced.made)
    passed, rejected = of(tally.unfit), of(tally.dropped)
    attempts = kept + sum(passed.values()) + sum(rejected.values())
    return {"attempts": attempts, "passed_over": passed, "rejected": rejected, "kept": kept}


def _asks(construct: Any) -> str:
    return construct.__doc__.split("\n\n")[0].replace("\n    ", " ").rstrip(".")


def _write_rejects(path: Path, collection: Collection, produced: Produced | None) -> None:
    """Every file, row and document that did not become part of the dataset, and what came to nothing of those that
    did, with reasons."""
    rows: list[dict[str, Any]] = [
        {"phase": "collect", "source": refusal.source, "step": "read", "reason": refusal.reason}
        for refusal in collection.refused
    ]
    rows += [{"phase": "collect", "source": s, "step": step, "reason": why} for s, step, why in collection.dropped]
    if produced is not None:
        for (source, form, label, why), count in sorted(produced.tally.rejects.items()):
            rows.append(
                {
                    "phase": "construct",
                    "source": source,
                    "capability": TASK_FORMS[form].capability,
                    "step": form,
                    "length_bin": label,
                    "reason": why,
                    "count": count,
                }
            )
    _write_lines(path, (json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") for row in rows))


def _write_documents(path: Path, library: Library, shown: set[str]) -> None:
    """The text of every document that a prompt shows: what evidence spans index into."""

    def lines() -> Iterator[bytes]:
        for number, entry in enumerate(library.entries):
            if entry.sha256 in shown:
                row = json.loads(library.row(number))
                del row["blocks"]
                yield json.dumps(row, ensure_ascii=False).encode()

    _write_lines(path, lines())


def _write_lines(path: Path, lines: Any) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        for line in lines:
            handle.write(line + b"\n")


def _project_files(config: BuildConfig, run: Run, has_val: bool, records: int) -> list[str]:
    """golongrl.toml in the dataset's folder, and in the working folder if there is none."""
    notes = []
    if config.val_share and not has_val:
        notes.append(
            "no validation records: too few documents or records; a larger --target or --val-share may give some"
        )
    val = run.path("val.parquet") if has_val else None
    notes += write_project_file(
        run.folder, run.path("train.parquet"), val, config.tokenizer, records=records, longest=max(config.length_bins)
    )
    return notes


def _no_record(collection: Collection, produced: Produced) -> str:
    reasons: Counter[str] = Counter()
    for (_, reason), count in (produced.tally.unfit + produced.tally.dropped).items():
        reasons[reason] += count
    common = "; ".join(f"{reason} ({count} times)" for reason, count in reasons.most_common(3))
    return (
        f"not one training record could be built ({funnel(collection)}): "
        f"{common or 'no document holds tables, sections or running text'}. "
        "Pass longer or more documents, or other --length-bins"
    )

"""`build`: the four phases in a run folder, from documents to train.parquet, val.parquet, card and report."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core import tokens
from golongrl.core.documents import Document
from golongrl.core.errors import CheckFailedError
from golongrl.core.records import Record, write_parquet
from golongrl.core.runs import Run, only_writer, open_run
from golongrl.core.store import Journal, atomic_path, content_key, write_json
from golongrl.pipeline.dataset import card
from golongrl.pipeline.dataset.assign import Assignment, assign, split
from golongrl.pipeline.dataset.collect import Collection, Progress, collect, find_files, input_digests
from golongrl.pipeline.dataset.produce import Bench, Corpus, Produced, Side, bins, produce, quotas
from golongrl.pipeline.dataset.project import write_project_file
from golongrl.pipeline.dataset.refine import Seen
from golongrl.pipeline.dataset.settings import BuildConfig


class _NoBar:
    def advance(self, count: int = 1) -> None:
        """Nothing to show."""


def _silent(label: str, total: int | None) -> AbstractContextManager[Any]:
    return nullcontext(_NoBar())


@dataclass(frozen=True)
class BuildReport:
    """What a build came to; `facts` is the content of build.json."""

    out: Path
    facts: dict[str, Any]
    resumed: bool = False
    already_finished: bool = False
    notes: list[str] = field(default_factory=list)


def build(config: BuildConfig, out: Path, *, fresh: bool = False, progress: Progress = _silent) -> BuildReport:
    """Build the dataset into the folder `out`; a finished build of the same inputs and settings returns at once.

    Raises DataError when a source is missing or no document is usable, RunConflictError when `out` holds another
    build, CheckFailedError when not one record could be built.
    """
    files, refused = find_files(config.sources, config.max_document_mb, out)
    if not files:
        collect(files, refused, text_column=None, progress=progress)
    tokenizer = tokens.load(config.tokenizer)
    settings = config.model_dump(mode="json")
    inputs = input_digests(files)
    run = None
    if (out / "config.json").exists() and not fresh:
        run = open_run(out, settings, command="build-dataset", inputs=inputs)
        if run.finished and run.path("build.json").exists() and run.path("train.parquet").exists():
            facts = json.loads(run.path("build.json").read_text(encoding="utf-8"))
            return BuildReport(out, facts, resumed=True, already_finished=True)
    collection = collect(files, refused, text_column=config.text_column, progress=progress)
    run = run or open_run(out, settings, command="build-dataset", inputs=inputs, fresh=fresh)
    documents = collection.documents
    assignment = assign(documents, config.capabilities)
    held_out = split(documents, assignment, config.val_share, config.seed)
    with only_writer(run.folder, "build-dataset"):
        with Journal(run.path("construct.jsonl")) as journal:
            bench = Bench(Corpus(documents, tokenizer), config, journal, Seen())
            val, train = _both_sides(bench, assignment, held_out, progress)
        if not train.records:
            raise CheckFailedError(_nothing_built(collection, train))
        facts = _facts(config, collection, assignment, held_out, train, val)
        notes = _write(run, config, out, facts, documents, _ordered(train.records, config.seed, 0), val.records)
        run.finish(train=facts["train"], val=facts["val"])
    return BuildReport(out, facts, resumed=run.resumed, notes=notes)


def plan(config: BuildConfig, progress: Progress = _silent) -> dict[str, Any]:
    """What a build would work on: documents, refusals, and per capability how many documents can serve it."""
    files, refused = find_files(config.sources, config.max_document_mb)
    collection = collect(files, refused, text_column=config.text_column, progress=progress)
    assignment = assign(collection.documents, config.capabilities)
    return {
        "files": collection.files,
        "documents": len(collection.documents),
        "languages": dict(Counter(document.language for document in collection.documents)),
        "eligible": {capability: len(served) for capability, served in assignment.items()},
        "quota": quotas(config.target, config.capabilities),
        "length_bins": list(config.length_bins),
        "refusals": [{"source": refusal.source, "reason": refusal.reason} for refusal in collection.refused],
    }


def _both_sides(
    bench: Bench, assignment: Assignment, held_out: Sequence[int], progress: Progress
) -> tuple[Produced, Produced]:
    """Validation first; what it cannot build is asked of the training side, so the target is met if it can be."""
    config = bench.config
    every = range(len(bench.corpus.documents))
    rest = tuple(number for number in every if number not in set(held_out))
    wanted = quotas(config.target, config.capabilities)
    val_total = round(config.target * config.val_share) if held_out else 0
    val = Produced()
    if val_total:
        side = Side("validation", frozenset(held_out), tuple(every))
        val = produce(bench, assignment, side, quotas(val_total, config.capabilities), progress)
    missing = {capability: count - val.built[capability] for capability, count in wanted.items()}
    train = produce(bench, assignment, Side("train", frozenset(rest), rest), missing, progress)
    start = len(train.records)
    val.records = _ordered(val.records, config.seed, start)
    return val, train


def _ordered(records: list[Record], seed: int, start: int) -> list[Record]:
    """The records in a random order that the seed fixes, numbered from `start`."""
    mixed = list(records)
    random.Random(content_key("order", seed)).shuffle(mixed)
    return [
        record.model_copy(update={"extra_info": {**record.extra_info, "index": start + number}})
        for number, record in enumerate(mixed)
    ]


def _facts(
    config: BuildConfig,
    collection: Collection,
    assignment: Assignment,
    held_out: Sequence[int],
    train: Produced,
    val: Produced,
) -> dict[str, Any]:
    built = {c: train.built[c] + val.built[c] for c in config.capabilities}
    wanted = quotas(config.target, config.capabilities)
    cells = Counter(
        (r.extra_info["capability"], card.length_label(r, config.length_bins)) for r in (*train.records, *val.records)
    )
    return {
        "files": collection.files,
        "refused": len(collection.refused),
        "duplicates": collection.duplicates,
        "documents": len(collection.documents),
        "validation_documents": len(held_out),
        "languages": dict(Counter(document.language for document in collection.documents)),
        "eligible": {capability: len(served) for capability, served in assignment.items()},
        "train": len(train.records),
        "val": len(val.records),
        "built": built,
        "cells": {c: {bin.label: cells[c, bin.label] for bin in bins(config.length_bins)} for c in built},
        "shortfall": {c: wanted[c] - built[c] for c in built if built[c] < wanted[c]},
        "unfit": {c: dict(sorted((train.unfit[c] + val.unfit.get(c, Counter())).items())) for c in built},
        "dropped": {c: dict(sorted((train.dropped[c] + val.dropped.get(c, Counter())).items())) for c in built},
        "refusals": [{"source": refusal.source, "reason": refusal.reason} for refusal in collection.refused],
    }


def _write(
    run: Run,
    config: BuildConfig,
    out: Path,
    facts: dict[str, Any],
    documents: Sequence[Document],
    train: list[Record],
    val: list[Record],
) -> list[str]:
    notes = []
    _write_jsonl(run.path("refused.jsonl"), facts["refusals"])
    _write_jsonl(
        run.path("documents.jsonl"),
        [
            {
                "sha256": d.sha256,
                "source": d.source,
                "title": d.title,
                "language": d.language,
                "licence": d.licence,
                "text": d.text,
            }
            for d in documents
        ],
    )
    write_parquet(run.path("train.parquet"), train)
    if val:
        write_parquet(run.path("val.parquet"), val)
    elif config.val_share:
        notes.append("no validation records: there are too few documents or records to hold some out")
    card.write_card(run.path("README.md"), config, out, facts, train, val)
    card.write_report(run.path("report.html"), config, out, facts, train, val)
    write_json(run.path("build.json"), facts)
    notes.append(
        write_project_file(
            run.path("train.parquet"),
            run.path("val.parquet") if val else None,
            config.tokenizer,
            records=len(train),
            longest=max(config.length_bins),
        )
    )
    return notes


def _write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", errors="surrogatepass") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


def _nothing_built(collection: Collection, train: Produced) -> str:
    reasons = Counter(reason for tally in train.unfit.values() for reason in tally.elements())
    common = "; ".join(f"{reason} ({count} times)" for reason, count in reasons.most_common(3))
    return (
        f"not one record could be built from {len(collection.documents)} document(s): "
        f"{common or 'no document holds tables, sections or running text'}. "
        "Pass longer or more documents, or other --length-bins"
    )

"""Question sets in the build: contexts become documents of the library, rows items, and both know their side."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from golongrl import __version__
from golongrl.core.store import atomic_path, content_key, write_json
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.assign import CRITERION_NAMES
from golongrl.pipeline.dataset.collect import SIGNATURE_BYTES, Collection, Progress, store
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.index import entry_of, entry_row
from golongrl.pipeline.dataset.library import absolute, load_tokenizer
from golongrl.pipeline.dataset.licences import is_allowed
from golongrl.pipeline.dataset.qa.reading import read_qa
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.reporting.phase_facts import QaSetFacts
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.source_file import SourceFile
from golongrl.pipeline.dataset.workers import Job, RunAll


@dataclass
class QuestionSets:
    """What question sets give: new documents, items about documents, and what was refused."""

    entries: list[Entry] = field(default_factory=list)
    """Documents that the library does not hold yet."""
    signatures: bytearray = field(default_factory=bytearray)
    """Those of the entries, one after the other."""
    items: list[Item] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def collect_questions(
    folder: Path,
    files: Sequence[SourceFile],
    refused: Sequence[Refusal],
    config: BuildConfig,
    known: Sequence[Entry],
    run_all: RunAll,
    progress: Progress,
) -> QuestionSets:
    """Read every file of `config.qa` into `folder`/questions; files that were finished before are not read again."""
    result = QuestionSets(refused=list(refused))
    jobs = [_job(folder, file, config) for file in files]
    with progress("questions", len(jobs)) as bar:
        todo = [job for job in jobs if not _summary(job).exists()]
        bar.advance(len(jobs) - len(todo))
        for _ in run_all(question_job, todo):
            bar.advance(1)
    held = {entry.sha256 for entry in known}
    asked: set[str] = set()
    for job in jobs:
        found = json.loads(_summary(job).read_text(encoding="utf-8"))
        signed = memoryview(_signatures(job).read_bytes())
        result.refused += [Refusal(**row) for row in found["refused"]]
        for number, row in enumerate(found["documents"]):
            entry = entry_of(row, CRITERION_NAMES)
            if entry.sha256 not in held:
                held.add(entry.sha256)
                result.entries.append(entry)
                result.signatures += signed[number * SIGNATURE_BYTES : (number + 1) * SIGNATURE_BYTES]
        for row in found["items"]:
            item = Item.from_row(row)
            if item.capability not in config.wanted:
                result.refused.append(Refusal(item.source, f"not wanted: capability {item.capability}"))
            elif item.key in asked:
                result.refused.append(Refusal(item.source, "asked before"))
            else:
                asked.add(item.key)
                result.items.append(item)
    return result


def _job(folder: Path, file: SourceFile, config: BuildConfig) -> Job:
    # A worker on another machine, or of a cluster started elsewhere, has another working folder.
    file = replace(file, path=os.path.abspath(file.path))
    settings = {
        "max_document_mb": config.max_document_mb,
        "licences": list(config.licences),
        "tokenizer": absolute(config.tokenizer),
    }
    key = content_key(__version__, "questions", [file.name, file.sha256, file.licence, file.start], settings)
    return {"folder": str(folder.resolve()), "file": asdict(file), "settings": settings, "key": key}


def _summary(job: Job) -> Path:
    return Path(job["folder"]) / "questions" / f"{job['key']}.json"


def _signatures(job: Job) -> Path:
    return _summary(job).with_suffix(".signatures")


def question_job(job: Job) -> Job:
    """Read one file: a shard of documents with their signatures, then, as the sign that it is whole, its summary with
    the items."""
    summary = _summary(job)
    shard = summary.with_suffix(".jsonl")
    settings = job["settings"]
    counter = load_tokenizer(settings["tokenizer"])
    found: Job = {"documents": [], "items": [], "refused": []}
    seen: set[str] = set()
    signatures = bytearray()
    with atomic_path(shard) as temporary, open(temporary, "wb") as handle:
        for outcome in read_qa(SourceFile(**job["file"]), max_row_mb=settings["max_document_mb"]):
            if isinstance(outcome, Refusal):
                found["refused"].append(asdict(outcome))
                continue
            documents, item = outcome
            if not is_allowed(item.licence, settings["licences"]):
                reason = f"licence: {item.licence} is not among those allowed"
                found["refused"].append(asdict(Refusal(item.source, reason)))
                continue
            for document in documents:
                if document.sha256 in seen:
                    continue
                seen.add(document.sha256)
                entry = store(document, counter.count(document.text), handle, f"questions/{shard.name}")
                found["documents"].append(entry_row(entry))
                signatures += near_duplicates.signature(document.text, document.language).tobytes()
            found["items"].append(item.as_row())
    with atomic_path(_signatures(job)) as temporary:
        temporary.write_bytes(signatures)
    write_json(summary, found)
    return {"key": job["key"]}


def near_copies(collection: Collection, sets: QuestionSets, threshold: float) -> list[tuple[str, str]]:
    """Pairs of digests: a context of a question set, and the document or context before it that says almost the same,
    such as the same article in two sets."""
    entries = [*collection.entries, *sets.entries]
    if threshold >= 1 or not sets.entries:
        return []
    matrix = np.frombuffer(bytes(collection.signatures + sets.signatures), dtype=np.uint32).reshape(len(entries), -1)
    found = enumerate(near_duplicates.groups(matrix, threshold).tolist())
    return [(entries[number].sha256, entries[earlier].sha256) for number, earlier in found if earlier >= 0]


def choose_sides(
    items: Sequence[Item],
    held_out: Mapping[str, bool],
    val_share: float,
    seed: int,
    alike: Sequence[tuple[str, str]] = (),
) -> dict[str, bool]:
    """Digest -> whether it is for validation, of every document that items speak of or that is in a pair of `alike`.

    Items that share a document are on one side, and so are two documents alike. `held_out` says which side documents
    already have; a family that holds documents of both goes to training, where `extend` then refuses the items that
    need a held-out one.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in [*({stretch.doc for stretch in item.shown} for item in items), *alike]:
        for name in names:
            one, other = root(name), root(min(names))
            parent[max(one, other)] = min(one, other)
    families: dict[str, list[str]] = defaultdict(list)
    for name in list(parent):
        families[root(name)].append(name)
    sides = {}
    for first, names in families.items():
        known = {held_out[name] for name in names if name in held_out}
        drawn = int(content_key("side", seed, first)[:8], 16) / 0x100000000 < val_share
        side = known == {True} if known else drawn
        sides.update((name, held_out.get(name, side)) for name in names)
    return sides


def set_facts(sets: QuestionSets) -> list[QaSetFacts]:
    """Per file of questions: rows, items, and what was refused."""
    rows: dict[str, set[str]] = defaultdict(set)
    items: Counter[str] = Counter()
    refused: dict[str, Counter[str]] = defaultdict(Counter)
    for item in sets.items:
        file = item.source.partition("#")[0]
        rows[file].add(item.source)
        items[file] += 1
    for refusal in sets.refused:
        file = refusal.source.partition("#")[0]
        rows[file].add(refusal.source)
        refused[file][refusal.reason.split(":")[0]] += 1
    return [
        {"set": file, "rows": len(rows[file]), "items": items[file], "refused": dict(sorted(refused[file].items()))}
        for file in sorted(rows)
    ]

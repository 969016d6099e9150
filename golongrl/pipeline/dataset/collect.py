"""Phase 1, collect: read files, filter what they hold, and store the documents that stay, each with what the later
phases must know of it. Copies are dropped once everything is read."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from golongrl import __version__
from golongrl.core import tokens
from golongrl.core.documents import Document
from golongrl.core.store import content_key
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.assign import CRITERION_NAMES, amounts
from golongrl.pipeline.dataset.encoding import Entry, kind_of, pack
from golongrl.pipeline.dataset.filters import boilerplate, language, quality
from golongrl.pipeline.dataset.index import entry_of, entry_row
from golongrl.pipeline.dataset.library import absolute, load_tokenizer
from golongrl.pipeline.dataset.licences import is_allowed
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.reading import parts, read_part
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.source_file import Part, SourceFile
from golongrl.pipeline.dataset.work_files import read_summary, work_path, write_summary
from golongrl.pipeline.dataset.workers import Job, RunAll

Progress = Callable[[str, int | None], AbstractContextManager[Any]]


class _NoBar:
    def advance(self, count: int = 1) -> None:
        """Nothing to show."""

    def note(self, text: str) -> None:
        """Nothing to show."""


def silent(label: str, total: int | None) -> AbstractContextManager[Any]:
    """Progress that nobody watches."""
    return nullcontext(_NoBar())


SUPPORTED = ("en", "zh")
JOB_BYTES = 2_000_000
"""Source bytes, about, that make one job."""
SIGNATURE_BYTES = 4 * near_duplicates.PERMUTATIONS


@dataclass
class Collection:
    """What collecting yields: documents in the order of their sources, and what did not stay, with reasons."""

    files: int
    read: int = 0
    entries: list[Entry] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)
    """(source, filter, reason) of documents that were read and did not stay."""
    removed: Counter[str] = field(default_factory=Counter)
    """Boilerplate taken out of documents that stayed -> documents."""
    signatures: bytes = b""
    """Those of the entries, one after the other."""

    def filtered(self) -> dict[str, Counter[str]]:
        """Filter -> reason -> documents."""
        found: dict[str, Counter[str]] = {name: Counter() for name in FILTERS}
        for _, name, reason in self.dropped:
            found.setdefault(name, Counter())[reason.split(":")[0]] += 1
        return found


FILTERS = ("boilerplate", "length", "licence", "language", "quality")
"""In the order in which they are applied; "exact copy" and "near copy" come after all of them."""


def collect(
    folder: Path,
    files: Sequence[SourceFile],
    refused: Sequence[Refusal],
    config: BuildConfig,
    run_all: RunAll,
    progress: Progress,
) -> Collection:
    """Read every file into `folder`/documents; parts that were finished before are not read again."""
    result = Collection(files=len(files) + len(refused), refused=list(refused))
    jobs = [_job(folder, part, config) for part in parts(files, JOB_BYTES)]
    with progress("collect", len(jobs)) as bar:
        todo = [job for job in jobs if read_summary(_summary(job)) is None]
        bar.advance(len(jobs) - len(todo))
        for _ in run_all(collect_job, todo):
            bar.advance(1)
    signatures = bytearray()
    seen: dict[str, str] = {}
    for job in jobs:
        found = read_summary(_summary(job))
        signed = memoryview(_signatures(job).read_bytes())
        result.read += found["read"]
        result.removed.update(found["removed"])
        result.refused += [Refusal(**row) for row in found["refused"]]
        result.dropped += [tuple(row) for row in found["dropped"]]
        for number, row in enumerate(found["documents"]):
            entry = entry_of(row, CRITERION_NAMES)
            if entry.sha256 in seen:
                result.dropped.append((entry.source, "exact copy", f"the same text as {seen[entry.sha256]}"))
                continue
            seen[entry.sha256] = entry.source
            result.entries.append(entry)
            signatures += signed[number * SIGNATURE_BYTES : (number + 1) * SIGNATURE_BYTES]
    result.signatures = bytes(signatures)
    _drop_near_copies(result, config.near_duplicate)
    return result


def _drop_near_copies(result: Collection, threshold: float) -> None:
    if threshold >= 1 or len(result.entries) < 2:
        return
    matrix = np.frombuffer(result.signatures, dtype=np.uint32).reshape(len(result.entries), -1)
    originals = near_duplicates.groups(matrix, threshold)
    kept = []
    for entry, original in zip(result.entries, originals, strict=True):
        if original < 0:
            kept.append(entry)
        else:
            source = result.entries[original].source
            result.dropped.append((entry.source, "near copy", f"almost the same text as {source}"))
    result.entries, result.signatures = kept, matrix[originals < 0].tobytes()


def _job(folder: Path, part: Part, config: BuildConfig) -> Job:
    settings = {
        "text_column": config.text_column,
        "max_document_mb": config.max_document_mb,
        "min_tokens": config.min_tokens,
        "licences": list(config.licences),
        "tokenizer": absolute(config.tokenizer),
    }
    # A worker on another machine, or of a cluster started elsewhere, has another working folder.
    part = replace(part, files=tuple(replace(file, path=os.path.abspath(file.path)) for file in part.files))
    content = [[file.name, file.sha256, file.licence, file.start] for file in part.files]
    key = content_key(__version__, content, part.start, part.end, settings)
    return {"folder": str(folder.resolve()), "part": asdict(part), "settings": settings, "key": key}


def _summary(job: Job) -> Path:
    return Path(job["folder"]) / "documents" / f"{job['key']}.json"


def _signatures(job: Job) -> Path:
    return _summary(job).with_suffix(".signatures")


def collect_job(job: Job) -> Job:
    """Read one part: a shard of documents with their signatures, then, as the sign that it is whole, its summary."""
    summary = _summary(job)
    shard = summary.with_suffix(".jsonl")
    settings = job["settings"]
    counter = load_tokenizer(settings["tokenizer"])
    found: Job = {"read": 0, "documents": [], "refused": [], "dropped": [], "removed": Counter()}
    signatures = bytearray()
    with work_path(shard) as temporary, open(temporary, "wb") as handle:
        for outcome in _read(job):
            if isinstance(outcome, Refusal):
                found["refused"].append({"source": _printable(outcome.source), "reason": _printable(outcome.reason)})
                continue
            found["read"] += 1
            result = filtered(outcome, settings, counter)
            if result.fault is not None:
                found["dropped"].append([outcome.source, *result.fault])
                continue
            document = result.document
            found["removed"].update(list(result.removed))
            entry = store(document, result.n_tokens, handle, f"documents/{shard.name}")
            found["documents"].append(entry_row(entry))
            signatures += near_duplicates.signature(document.text, document.language).tobytes()
    with work_path(_signatures(job)) as temporary:
        temporary.write_bytes(signatures)
    write_summary(summary, found, [shard, _signatures(job)])
    return {"key": job["key"], "documents": len(found["documents"])}


def store(document: Document, n_tokens: int, handle: IO[bytes], shard: str) -> Entry:
    """Append a document to a shard; its entry in the library, which knows the shard by this name."""
    offset = handle.tell()
    return Entry(
        sha256=document.sha256,
        source=document.source,
        title=document.title,
        language=document.language,
        licence=document.licence,
        kind=kind_of(document),
        n_tokens=n_tokens,
        amounts=amounts(document),
        shard=shard,
        offset=offset,
        size=handle.write(pack(document)),
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _read(job: Job) -> Iterator[Document | Refusal]:
    settings = job["settings"]
    return read_part(
        Part.from_job(job["part"]), text_column=settings["text_column"], max_document_mb=settings["max_document_mb"]
    )


@dataclass(frozen=True)
class Filtered:
    """A document without boilerplate, what was removed of it (reason -> blocks), its tokens, and (filter, reason)
    when it does not stay. What is nothing but boilerplate is not counted."""

    document: Document
    removed: dict[str, int]
    n_tokens: int = 0
    fault: tuple[str, str] | None = None


def filtered(document: Document, settings: dict[str, Any], counter: tokens.Tokenizer) -> Filtered:
    """What the filters make of a document."""
    document, removed = boilerplate.strip(document)
    if not document.text.strip():
        return Filtered(document, removed, fault=("boilerplate", "nothing but boilerplate"))
    n_tokens = counter.count(document.text)
    fault = _fault(document, n_tokens, settings)
    if fault is None:
        code = language.detect(document.text)
        if code in SUPPORTED:
            document = document if code == document.language else replace(document, language=code)
        elif code != "unknown":
            fault = ("language", f"language {code}: not supported, only en and zh are")
    if fault is None and (reason := quality.fault(document)) is not None:
        fault = ("quality", reason)
    return Filtered(document, removed, n_tokens, fault)


def _fault(document: Document, n_tokens: int, settings: dict[str, Any]) -> tuple[str, str] | None:
    """What a document's length and licence are at odds with."""
    if n_tokens < settings["min_tokens"]:
        return "length", f"shorter than min_tokens = {settings['min_tokens']}"
    if not is_allowed(document.licence, settings["licences"]):
        return "licence", f"licence {document.licence} is not among those allowed"
    return None


def funnel(collection: Collection) -> str:
    """What went in and what stayed, in one line."""
    filtered = {name: reasons.total() for name, reasons in collection.filtered().items() if reasons}
    steps = [f"{collection.files} files found", f"{len(collection.refused)} files and rows refused"]
    steps += [f"{collection.read} documents read", *(f"{n} dropped by {name}" for name, n in filtered.items())]
    return ", ".join([*steps, f"{len(collection.entries)} documents left"])


def nothing_usable(collection: Collection) -> str:
    """The message when no document is left."""
    examples = [f"{refusal.source}: {refusal.reason}" for refusal in collection.refused[:5]]
    examples += [f"{source}: {why}" for source, _, why in collection.dropped[: 5 - len(examples)]]
    return (
        f"no usable document ({funnel(collection)}): {'; '.join(examples) or 'the sources hold no file'}. Pass other "
        "sources (docs/dataset.md lists the formats), or loosen what dropped them with --set"
    )

"""What removes drafts before they are paid for or published: overlap with benchmarks, questions asked twice, more
records than a cell wants."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.records import Record
from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.cells import Cell
from golongrl.pipeline.dataset.collect import Progress
from golongrl.pipeline.dataset.contamination.decontamination import Index, near_duplicate_questions
from golongrl.pipeline.dataset.drafts import Draft, Funnel, read_drafts
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.reporting.phase_facts import BenchmarkHits, ContaminationExample, ContaminationFacts
from golongrl.pipeline.dataset.versions import Base, base_records, record_key

EVIDENCE = 50
"""Hits that the report shows; rejects.jsonl holds all."""
SHARED = "its text stands in a benchmark"


class Contamination:
    """Overlap with evaluation data: a verdict on every document, one on every question with its answer."""

    def __init__(self, index: Index, document_share: float) -> None:
        self.index, self.document_share = index, document_share
        self.hits: dict[str, Counter[str]] = {one.name: Counter() for one in index.benchmarks}
        self.evidence: list[ContaminationExample] = []
        self.checked = 0

    def documents(self, library: Library, funnel: Funnel, progress: Progress) -> set[str]:
        """Digests of the documents that a benchmark's contexts hold as well."""
        shared = set()
        with progress("decontaminate: documents", len(library.entries)) as bar:
            for number, entry in enumerate(library.entries):
                verdict = self.index.document_verdict(library.text(number))
                bar.advance(1)
                if verdict.example is None or verdict.share < self.document_share:
                    continue
                shared.add(entry.sha256)
                self._note("document", verdict.example.benchmark, verdict.example.row, entry.source, verdict.example)
                funnel.reject("decontaminate", entry.source, SHARED, step="document", **_verdict(verdict))
        return shared

    def questions(self, folder: Path, drafts: Sequence[Draft], funnel: Funnel) -> list[Draft]:
        """The drafts whose question and answer share nothing with a benchmark."""
        reasons: list[str | None] = []
        details: dict[int, Mapping[str, Any]] = {}
        asked = (_asked(record) for record in read_drafts(folder, drafts))
        for number, hit in enumerate(self.index.question_hits(asked)):
            reasons.append(None if hit is None else _overlaps(hit.benchmark))
            if hit is not None:
                self._note("question", hit.benchmark, hit.row, drafts[number].source, hit)
                details[number] = {"benchmark": hit.benchmark, "item": hit.row, "shared": hit.text}
        self.checked += len(drafts)
        return funnel.sift(drafts, reasons, "decontaminate", details)

    def base(self, base: Base) -> tuple[dict[str, str], set[str]]:
        """Of an earlier version the records (by key) whose question overlaps, with the reason, and the digests of the
        documents that a benchmark holds."""
        held = base.folder / "documents.jsonl"
        rows = read_jsonl(held) if held.exists() else iter(())
        withdrawn = set()
        for _, row in rows:
            verdict = self.index.document_verdict(row["text"])
            if verdict.example is not None and verdict.share >= self.document_share:
                withdrawn.add(row["sha256"])
                hit = verdict.example
                self._note("document", hit.benchmark, hit.row, f"{row['source']} (base)", hit)
        keys: list[str] = []

        def asked() -> Iterator[tuple[str, str]]:
            for _, record in base_records(base):
                keys.append(record_key(record))
                yield _asked(record)

        hits = list(self.index.question_hits(asked()))
        self.checked += len(keys)
        found = {key: hit for key, hit in zip(keys, hits, strict=True) if hit is not None}
        for key, hit in found.items():
            self._note("question", hit.benchmark, hit.row, f"record {key} (base)", hit)
        return {key: _overlaps(hit.benchmark) for key, hit in found.items()}, withdrawn

    def _note(self, kind: str, benchmark: str, item: str, ours: str, hit: Any) -> None:
        self.hits[benchmark][kind] += 1
        if len(self.evidence) < EVIDENCE:
            self.evidence.append({"benchmark": benchmark, "item": item, "kind": kind, "ours": ours, "text": hit.text})

    def facts(self) -> ContaminationFacts:
        """For card and report."""
        benchmarks: list[BenchmarkHits] = []
        for one in self.index.facts():
            hits = self.hits[one["benchmark"]]
            benchmarks.append(
                {
                    "benchmark": one["benchmark"],
                    "items": one["samples"],
                    "question_hits": hits["question"],
                    "shared_documents": hits["document"],
                    "template_ngrams": one["template_ngrams"],
                }
            )
        return {
            "n": self.index.n,
            "benchmarks": benchmarks,
            "document_share": self.document_share,
            "checked": self.checked,
            "evidence": self.evidence,
        }


def _overlaps(benchmark: str) -> str:
    return f"its question overlaps with {benchmark}"


def _verdict(verdict: Any) -> dict[str, Any]:
    hit = verdict.example
    return {"benchmark": hit.benchmark, "item": hit.row, "shared": hit.text, "share": round(verdict.share, 4)}


def _asked(record: Record) -> tuple[str, str]:
    """Question and gold answer; of a choice the text of the right option."""
    options, gold = record.extra_info.get("options") or [], record.gold.golden_label
    if record.metric == "choice" and len(gold) == 1 and "A" <= gold <= "Z" and ord(gold) - 65 < len(options):
        gold = options[ord(gold) - 65]
    return record.extra_info["question"], "\n".join([gold, *record.gold.doc_ids]).strip()


def drop_repeats(
    folder: Path,
    drafts: Sequence[Draft],
    earlier: Sequence[Draft],
    threshold: float,
    funnel: Funnel,
) -> list[Draft]:
    """The drafts without those whose question repeats that of one before it; `earlier` ones come before all."""
    if threshold >= 1:
        return list(drafts)
    everyone = [*earlier, *drafts]
    records = read_drafts(folder, everyone)
    questions = (
        (str(number), record.extra_info["question"].split("\nA. ")[0], record.language)
        for number, record in enumerate(records)
    )
    repeats = near_duplicate_questions(questions, threshold)
    first = len(earlier)
    reasons = [
        "its question repeats another" if str(number) in repeats else None for number in range(first, len(everyone))
    ]
    details = {
        int(number) - first: {"repeats": everyone[int(same)].made.question[:200], "similarity": round(alike, 3)}
        for number, (same, alike) in repeats.items()
    }
    return funnel.sift(drafts, reasons, "near-duplicate questions", details)


def within_cells(
    drafts: Sequence[Draft],
    wanted: Mapping[Cell, int],
    funnel: Funnel,
) -> list[Draft]:
    """At most as many drafts of a cell as it wants, the first ones."""
    have: Counter[Cell] = Counter()
    reasons: list[str | None] = []
    for draft in drafts:
        have[draft.cell] += 1
        full = have[draft.cell] > wanted.get(draft.cell, 0)
        reasons.append("more than its capability and length want" if full else None)
    return funnel.sift(drafts, reasons, "quota")

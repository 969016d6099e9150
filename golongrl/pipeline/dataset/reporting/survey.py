"""One pass over the finished records: everything that card, report page and closed-book baseline need of them, and
never a prompt that has gone by."""

import heapq
import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from golongrl.core.records import Message, Record
from golongrl.core.report import Sample
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.reporting.facts import Cell, FormFacts, LicenceFacts, RecordFacts
from golongrl.pipeline.dataset.reporting.samples_viewer import SAMPLES, as_sample

QUESTIONS = 2_000
"""Records of one capability that the closed-book baseline answers at most."""
TOP_SOURCES = 50
DEPTHS = 10

T = TypeVar("T")


class Draw(Generic[T]):
    """A random sample of at most `cap` things that depends on their keys alone, not on the order they come in."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.seen = 0
        self._heap: list[tuple[int, int, T]] = []

    def offer(self, key: str, make: Callable[[], T]) -> None:
        """Take part in the draw; `make` is called only when the thing is drawn so far."""
        # The smallest keys win; a heap of their negatives has the largest of them on top.
        rank = -int(key, 16)
        self.seen += 1
        if len(self._heap) < self.cap:
            heapq.heappush(self._heap, (rank, -self.seen, make()))
        elif self._heap and rank > self._heap[0][0]:
            heapq.heapreplace(self._heap, (rank, -self.seen, make()))

    def drawn(self) -> list[T]:
        """What was drawn, in an order that the keys alone fix, so that any beginning of it is a fair sample too."""
        return [thing for _, _, thing in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


class Survey:
    """Counts and samples of a dataset, record by record.

    `length_bins` are labels in rising order. Memory grows with the number of distinct documents (one digest and
    licence each), a few bytes per record, and never holds a prompt.
    """

    def __init__(self, length_bins: Sequence[str], capabilities: Sequence[str]) -> None:
        self.length_bins, self.capabilities = tuple(length_bins), tuple(capabilities)
        self.questions: dict[str, Draw[Record]] = {c: Draw(QUESTIONS) for c in capabilities}
        """Capability -> records whose prompt holds only the question."""
        share = max(1, SAMPLES // max(1, len(self.capabilities)))
        self.samples: dict[str, Draw[Sample]] = {c: Draw(share) for c in capabilities}
        """Capability -> samples for the viewer."""
        self._splits: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str, str, str]] = Counter()
        self._forms: dict[str, FormFacts] = {}
        self._templates: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self._depth: dict[str, list[int]] = {label: [0] * DEPTHS for label in self.length_bins}
        self._question: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._shown: Counter[int] = Counter()
        self._tokens: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._licence_of: dict[str, str] = {}
        self._licences: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()

    def watch(self, records: Iterable[Record], split: str) -> Iterator[Record]:
        """Pass records through, for example on their way to `write_parquet`, and count them."""
        for record in records:
            self.add(record, split)
            yield record

    def add(self, record: Record, split: str) -> None:
        """Count one record of "train" or "validation"."""
        info = record.extra_info
        capability, label, form = info["capability"], info["length_bin"], info["task_form"]
        self._splits[split] += 1
        self._cells[capability, label, record.language, split] += 1
        known = self._forms.setdefault(
            form, {"capability": capability, "metric": record.metric, "records": 0, "wordings": {}}
        )
        known["records"] += 1
        self._templates[form].add((record.language, info["template"]))
        for depth in _depths(record):
            self._depth[label][min(DEPTHS - 1, int(depth * DEPTHS))] += 1
        self._question[info["question_position"]] += 1
        self._kinds[info["document_kind"]] += 1
        self._shown[len(info["doc_sha256"])] += 1
        self._tokens[label].append(info["n_tokens"])
        self._licence_of |= dict(zip(info["doc_sha256"], info["licence"], strict=True))
        self._licences.update(sorted(set(info["licence"])))
        self._sources.update(sorted(set(info["doc_source"])))
        key = content_key(capability, form, info["question"], record.gold.model_dump(), split)
        self.questions[capability].offer(key, lambda: without_context(record))
        self.samples[capability].offer(key, lambda: as_sample(record, split))

    def facts(self) -> RecordFacts:
        """What was counted."""
        order = {label: number for number, label in enumerate(self.length_bins)}
        cells = sorted(self._cells.items(), key=lambda cell: (cell[0][0], order[cell[0][1]], cell[0][2:]))
        for form, used in self._templates.items():
            languages = Counter(language for language, _ in used)
            self._forms[form]["wordings"] = dict(sorted(languages.items()))
        documents = Counter(self._licence_of.values())
        licences: dict[str, LicenceFacts] = {
            licence: {"documents": documents[licence], "records": records}
            for licence, records in sorted(self._licences.items())
        }
        top = sorted(self._sources.items(), key=lambda source: (-source[1], source[0]))[:TOP_SOURCES]
        return {
            "splits": {split: self._splits[split] for split in ("train", "validation")},
            "cells": [_cell(*cell, records) for cell, records in cells],
            "forms": {form: self._forms[form] for form in sorted(self._forms)},
            "depth": {label: list(counts) for label, counts in self._depth.items()},
            "question": dict(sorted(self._question.items(), reverse=True)),
            "kinds": dict(sorted(self._kinds.items())),
            "shown": {str(number): count for number, count in sorted(self._shown.items())},
            "lengths": {
                label: {
                    "shortest": min(self._tokens[label]),
                    "median": int(statistics.median_low(self._tokens[label])),
                    "longest": max(self._tokens[label]),
                }
                for label in self.length_bins
                if label in self._tokens
            },
            "documents": len(self._licence_of),
            "licences": licences,
            "sources": {"count": len(self._sources), "top": [[source, records] for source, records in top]},
        }


def _depths(record: Record) -> list[float]:
    """Where each piece of evidence stands in the prompt, 0 to 1; of a withheld text, what it is about."""
    size = max(1, sum(len(message.content) for message in record.prompt))
    places = record.extra_info.get("evidence_in_prompt")
    if places:
        return [(place["start"] + place["end"]) / 2 / size for place in places]
    depth = record.extra_info.get("evidence_depth")
    return [] if depth is None else [depth]


def without_context(record: Record) -> Record:
    """The record with its question as the whole prompt: what a reader sees who was not given the documents."""
    kept = ("question", "capability", "metric", "task_form", "language", "options", "listed")
    scoring = ("strict_prefix", "relevance", "tolerance", "reward_mode")
    info = {name: record.extra_info[name] for name in (*kept, *scoring) if record.extra_info.get(name) is not None}
    prompt = [Message(role="user", content=record.extra_info["question"])]
    return record.model_copy(update={"prompt": prompt, "extra_info": info})


def _cell(capability: str, length_bin: str, language: str, split: str, records: int) -> Cell:
    return {
        "capability": capability,
        "length_bin": length_bin,
        "language": language,
        "split": split,
        "records": records,
    }

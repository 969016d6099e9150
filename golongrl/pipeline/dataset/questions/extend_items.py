"""Phase 3 for items: which go into which bin, until every cell has its records or no item is left."""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl import __version__
from golongrl.core import tasks
from golongrl.core.records import Record
from golongrl.core.store import atomic_path, content_key, write_json
from golongrl.pipeline.dataset.cells import Cell
from golongrl.pipeline.dataset.collect import Progress
from golongrl.pipeline.dataset.construct.form import Unfit
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.library import absolute, open_library
from golongrl.pipeline.dataset.produce import Slots, batches, facts_of
from golongrl.pipeline.dataset.questions.extend import extend
from golongrl.pipeline.dataset.questions.item_window import LOCAL
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.refine import CROWDED, Kept, nothing_kept
from golongrl.pipeline.dataset.request import Bin, Made, Request, bins
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.workers import Job, RunAll

ANOTHER_BIN = ("longer than the bin", "too few other documents to fill the bin")
"""Reasons for which another bin may do."""
BYTES = {"en": 1, "zh": 3}


@dataclass
class Extended:
    """The records kept per capability, in a fixed order, and what came of everything else."""

    kept: dict[str, list[Made]] = field(default_factory=dict)
    rejects: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(source, form, bin, reason) of items that came to nothing."""
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    """Capability -> reason -> items."""
    missing: dict[Cell, int] = field(default_factory=dict)
    unused: list[Item] = field(default_factory=list)
    """Items that no cell wanted."""

    @property
    def made(self) -> list[Made]:
        """All records."""
        return [made for several in self.kept.values() for made in several]

    def reject(self, item: Item, label: str, reason: str) -> None:
        """Enter an item that came to nothing."""
        self.rejects[item.source, item.form, label, reason] += 1
        self.reasons.setdefault(item.capability, Counter())[reason] += 1


@dataclass(frozen=True)
class _Ask:
    item: Item
    cell: Cell
    bin: Bin
    slot: int
    fitting: tuple[str, ...]


def fitting_bins(
    entries: Sequence[Entry], item: Item, lengths: Sequence[Bin], documents: Mapping[str, int], template_tokens: int
) -> list[Bin]:
    """Bins that an item may go in, by what its documents are known to hold; the worker has the last word."""
    metric = tasks.CAPABILITIES[item.capability].metric
    local = bool(item.evidence) and metric in (*LOCAL, "f1", "subem")
    total = 0.0
    for one in item.evidence if local else item.shown:
        entry = entries[documents[one.doc]]
        # A stored row holds a little more than the text, so that this never says too much.
        share = min(1.0, (one.end - one.start) * BYTES[entry.language] / max(1, entry.size))
        total += share * entry.n_tokens if entry.language == "en" else share * entry.n_tokens / 2
    return [bin for bin in lengths if total < bin.upper - template_tokens]


def extend_items(
    folder: Path,
    config: BuildConfig,
    entries: Sequence[Entry],
    items: Sequence[Item],
    wanted: Mapping[Cell, int],
    run_all: RunAll,
    progress: Progress,
) -> Extended:
    """The records of items for the cells of `wanted`, every item at most once; jobs and results lie in
    `folder`/construct, so finished ones are never redone."""
    result = Extended()
    lengths = {bin.label: bin for bin in bins(config.length_bins)}
    documents = {entry.sha256: number for number, entry in enumerate(entries)}
    kept = _nothing_kept(config, items, wanted)
    queues = _queues(config, entries, items, documents, list(lengths.values()), result)
    left, slots = dict(wanted), Slots()
    spare: list[tuple[_Ask, Made]] = []
    with progress("extend", sum(wanted.values())) as bar:
        while asks := list(_plan(left, wanted, queues, lengths, slots)):
            outcomes = _run(folder, config, documents, asks, run_all)
            for ask, outcome in zip(asks, outcomes, strict=True):
                reason = outcome["unfit"]
                if reason is None:
                    made = Made(**{**outcome["made"], "request": _request(ask, documents)})
                    reason = kept.refuse(ask.item.capability, made)
                    if reason is None:
                        _keep(result, ask, made, left)
                        bar.advance(1)
                        continue
                    if reason == CROWDED:
                        spare.append((ask, made))
                        continue
                slots.give_back(_counter(ask.cell), ask.slot)
                rest = tuple(label for label in ask.fitting if label != ask.cell[2])
                if reason in ANOTHER_BIN and rest:
                    queues[ask.cell[0], ask.item.capability][rest].append(ask.item)
                else:
                    result.reject(ask.item, ask.cell[2], reason)
        for ask, made in spare:
            reason = CROWDED
            if left[ask.cell] > 0:
                reason = kept.refuse(ask.item.capability, made, capped=False)
            if reason is None:
                _keep(result, ask, made, left)
                bar.advance(1)
            else:
                result.reject(ask.item, ask.cell[2], reason)
    result.unused = [item for by_fit in queues.values() for waiting in by_fit.values() for item in waiting]
    result.missing = {cell: count for cell, count in left.items() if count > 0}
    return result


def _keep(result: Extended, ask: _Ask, made: Made, left: dict[Cell, int]) -> None:
    result.kept.setdefault(ask.item.capability, []).append(made)
    left[ask.cell] -= 1


def _nothing_kept(config: BuildConfig, items: Sequence[Item], wanted: Mapping[Cell, int]) -> Kept:
    totals: Counter[str] = Counter()
    about: defaultdict[str, set[str]] = defaultdict(set)
    for (_, capability, _), count in wanted.items():
        totals[capability] += count
    for item in items:
        about[item.capability].add(item.shown[0].doc if item.shown else "")
    return nothing_kept(
        totals, {capability: len(about[capability]) for capability in totals}, config.max_answer_share
    )


_Queues = dict[tuple[bool, str], defaultdict[tuple[str, ...], deque[Item]]]


def _queues(
    config: BuildConfig,
    entries: Sequence[Entry],
    items: Sequence[Item],
    documents: Mapping[str, int],
    lengths: Sequence[Bin],
    result: Extended,
) -> _Queues:
    """Per side and capability, the items by the bins they fit, in an order that the seed fixes."""
    queues: _Queues = {}
    # The same item from two places is asked once, and it does not matter which was read first.
    known: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: (item.source, item.form)):
        if known.setdefault(item.key, item) is not item:
            result.reject(item, "", "the same item is in the set twice")
    for key in sorted(known, key=lambda key: content_key("items", config.seed, key)):
        item = known[key]
        names = {one.doc for one in (*item.shown, *item.evidence)}
        if not item.shown or any(name not in documents for name in names):
            result.reject(item, "", "a document of the item is not in the library")
            continue
        held_out = entries[documents[item.shown[0].doc]].held_out
        fitting = tuple(bin.label for bin in fitting_bins(entries, item, lengths, documents, config.template_tokens))
        if not fitting:
            result.reject(item, "", "longer than every bin")
            continue
        side = queues.setdefault((held_out, item.capability), defaultdict(deque))
        side[fitting].append(item)
    return queues


def _plan(
    left: Mapping[Cell, int],
    wanted: Mapping[Cell, int],
    queues: _Queues,
    lengths: Mapping[str, Bin],
    slots: Slots,
) -> Iterator[_Ask]:
    """What to ask next: cells take items in turn, the emptiest first, and each the item that fits fewest others."""
    pending: Counter[Cell] = Counter()
    open_cells = sorted(cell for cell, count in left.items() if count > 0)
    while open_cells:
        cell = min(open_cells, key=lambda c: ((wanted[c] - left[c] + pending[c]) / wanted[c], c))
        held_out, capability, label = cell
        by_fit = queues.get((held_out, capability), {})
        able = [fitting for fitting, waiting in by_fit.items() if label in fitting and waiting]
        if not able:
            open_cells.remove(cell)
            continue
        fitting = min(able, key=lambda f: (len(f), f))
        item = by_fit[fitting].popleft()
        yield _Ask(item, cell, lengths[label], slots.take(_counter(cell)), fitting)
        pending[cell] += 1
        if pending[cell] >= left[cell]:
            open_cells.remove(cell)


def _counter(cell: Cell) -> str:
    return " ".join(map(str, cell))


def _request(ask: _Ask, documents: Mapping[str, int]) -> Request:
    return Request(documents[ask.item.shown[0].doc], ask.item.form, ask.bin, ask.cell[0], ask.slot, 0)


def _run(
    folder: Path, config: BuildConfig, documents: Mapping[str, int], asks: Sequence[_Ask], run_all: RunAll
) -> list[dict[str, Any]]:
    """What became of every item, in their order; jobs that were finished before are read back."""
    jobs = [_job(folder, config, documents, batch) for batch in batches(asks, lambda ask: ask.bin)]
    for _ in run_all(extend_job, [job for job in jobs if not _summary(job).exists()]):
        pass
    return [one for job in jobs for one in json.loads(_summary(job).read_text(encoding="utf-8"))]


def _job(folder: Path, config: BuildConfig, documents: Mapping[str, int], batch: Sequence[_Ask]) -> Job:
    rows = []
    for ask in batch:
        names = {*(one.doc for one in ask.item.shown), *ask.item.distractors}
        numbers = {name: documents[name] for name in sorted(names) if name in documents}
        request = _request(ask, documents)
        rows.append({"item": ask.item.as_row(), "request": request.as_job(), "documents": numbers})
    settings = {
        "folder": str(folder.resolve()),
        "tokenizer": absolute(config.tokenizer),
        "seed": config.seed,
        "template_tokens": config.template_tokens,
    }
    keys = [content_key(row["item"], row["request"]) for row in rows]
    return {**settings, "asks": rows, "key": content_key("extend", __version__, config.seed, *keys)}


def _summary(job: Job) -> Path:
    return Path(job["folder"]) / "construct" / f"{job['key']}.json"


def extend_job(job: Job) -> Job:
    """Put the items of a job into their contexts: a shard of records, then, as the sign that it is whole, its
    summary."""
    library = open_library(job["folder"], job["tokenizer"])
    summary = _summary(job)
    shard = summary.with_suffix(".jsonl")
    outcomes: list[dict[str, Any]] = []
    with atomic_path(shard) as temporary, open(temporary, "wb") as handle:
        for row in job["asks"]:
            request = Request.from_job(row["request"])
            found = extend(
                library,
                Item.from_row(row["item"]),
                request.bin,
                held_out=request.held_out,
                slot=request.slot,
                seed=job["seed"],
                template_tokens=job["template_tokens"],
                documents=row["documents"],
            )
            if isinstance(found, Unfit):
                outcomes.append({"made": None, "unfit": found.reason})
                continue
            offset = handle.tell()
            handle.write(json.dumps(found.model_dump(), ensure_ascii=False).encode() + b"\n")
            outcomes.append({"made": made_of(found, shard.name, offset, handle.tell() - offset), "unfit": None})
    write_json(summary, outcomes)
    return {"key": job["key"]}


def made_of(record: Record, shard: str, offset: int, size: int) -> dict[str, Any]:
    """What the driver must know of a record (`Made` without its request). Questions of a set may rest on the same
    evidence, or on none that is known, so that the evidence counts together with the question."""
    made = facts_of(record, shard, offset, size)
    return {**made, "evidence": content_key(made["question"], made["evidence"])}

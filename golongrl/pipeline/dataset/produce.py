"""Phase 3, construct: rounds of requests until every capability and length bin has its records, or can have no more.

A round is planned from the results of those before it and from nothing else, so that it does not matter who works on
it, how many at a time, or how often the work was interrupted.
"""

import base64
import heapq
import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from golongrl import __version__
from golongrl.core.records import Record
from golongrl.core.store import content_key
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.assign import Assignment
from golongrl.pipeline.dataset.cells import Cell
from golongrl.pipeline.dataset.collect import Progress
from golongrl.pipeline.dataset.compose import compose
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.construct.form import TaskForm
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.library import absolute, open_library
from golongrl.pipeline.dataset.refine import CROWDED, Kept, nothing_kept, question_key
from golongrl.pipeline.dataset.reporting.closed_book import free_items, guesses
from golongrl.pipeline.dataset.request import Bin, Made, Request, bins
from golongrl.pipeline.dataset.settings import BuildConfig, quotas
from golongrl.pipeline.dataset.work_files import read_summary, work_path, write_summary
from golongrl.pipeline.dataset.workers import Job, RunAll

BARREN = 24
"""Requests, and requests per record, after which a cell is given up."""
RETIRE_AFTER = 2
"""Requests in a row without a record after which a form no longer asks a document in a bin."""
ROUNDS = 24
SURPLUS, MOST_PER_MISSING = 1.1, 6.0
"""Requests per missing record in a cell's first round, and at most in later ones, which go by its yield so far."""
TURNS_PER_RECORD, FEWEST_TURNS = 8, 64
"""Documents that a lane has at most: so many per record wanted, and so many more."""
JOB_TOKENS, JOB_REQUESTS = 80_000, 64
"""Prompt tokens, and requests, at most, of one job."""


T = TypeVar("T")


@dataclass
class Tally:
    """How many requests were made and why scenes were passed over or records dropped, per capability and form."""

    requests: Counter[str] = field(default_factory=Counter)
    unfit: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejects: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(source, form, bin, reason) of what came to nothing."""


@dataclass
class Produced:
    """The records kept, in a fixed order, and the tally of everything else."""

    made: list[Made] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    missing: dict[str, int] = field(default_factory=dict)


@dataclass
class _Cell:
    """What is still to be built for one side, capability and bin, and whom to ask."""

    held_out: bool
    capability: str
    bin: Bin
    wanted: int
    lanes: dict[tuple[str, str], list[int]]
    """(form, language) -> documents that may still be asked, in the order of their turn."""
    kept: int = 0
    turns: Counter[tuple[str, str]] = field(default_factory=Counter)
    load: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Twice the records kept per lane, and once what came to nothing: a barren lane does not take every turn."""
    requests: int = 0
    spare: list[Made] = field(default_factory=list)
    """Sound records about documents that already carry many."""
    made: int = 0
    """Requests that came to a record, whether it was kept or not."""
    attempts: Counter[tuple[int, str]] = field(default_factory=Counter)
    failures: Counter[tuple[int, str]] = field(default_factory=Counter)


class Slots:
    """Slot numbers per form, the lowest free first, so that what is balanced over slots stays balanced."""

    def __init__(self) -> None:
        self._next: Counter[str] = Counter()
        self._free: defaultdict[str, list[int]] = defaultdict(list)

    def take(self, form: str) -> int:
        if self._free[form]:
            return heapq.heappop(self._free[form])
        self._next[form] += 1
        return self._next[form] - 1

    def give_back(self, form: str, slot: int) -> None:
        heapq.heappush(self._free[form], slot)


def produce(
    folder: Path,
    config: BuildConfig,
    entries: Sequence[Entry],
    assignment: Assignment,
    run_all: RunAll,
    progress: Progress,
    wanted: Mapping[Cell, int],
) -> Produced:
    """The `wanted` records, where documents give so many; jobs and their results lie in `folder`/construct, so
    finished ones are never redone."""
    result = Produced()
    cells = _cells(config, entries, assignment, wanted)
    slots = Slots()
    documents = {capability: len(assignment[capability]) for capability in config.wanted}
    kept = nothing_kept(config.wanted, documents, config.max_answer_share)
    with progress("construct", sum(cell.wanted for cell in cells)) as bar:
        for number in range(ROUNDS):
            requests = [(cell, request) for cell in cells for request in _ask(cell, slots)]
            if not requests:
                break
            outcomes = _run(folder, config, entries, [request for _, request in requests], run_all)
            for cell, request in requests:
                done = _settle(cell, request, outcomes[request], entries, kept, slots, result)
                bar.advance(int(done))
            if number % 2:
                _give_up(cells)
                _share_out(cells)
        before = len(result.made)
        _use_spares(cells, kept, result)
        for made in (made for cell in cells for made in cell.spare):
            _reject(result.tally, made.request, entries[made.request.document].source, CROWDED)
        bar.advance(len(result.made) - before)
    for capability in config.wanted:
        built = sum(_capability(made) == capability for made in result.made)
        result.missing[capability] = sum(n for (_, name, _), n in wanted.items() if name == capability) - built
    return result


def _capability(made: Made) -> str:
    return TASK_FORMS[made.request.form].capability


def _cells(
    config: BuildConfig, entries: Sequence[Entry], assignment: Assignment, wanted: Mapping[Cell, int]
) -> list[_Cell]:
    """One cell per side, capability and bin, with the documents to ask. Validation asks held-out documents."""
    # The order of the sources must not matter.
    order = sorted(range(len(entries)), key=lambda number: entries[number].sha256)
    able = {capability: _able(entries, order, assignment[capability]) for capability in config.wanted}
    lengths = {bin.label: bin for bin in bins(config.length_bins)}
    cells = []
    for (held_out, capability, label), count in wanted.items():
        lanes = _lanes(config.seed, able[capability][held_out], held_out, capability, lengths[label], count)
        cells.append(_Cell(held_out, capability, lengths[label], count, lanes))
    return cells


def _able(
    entries: Sequence[Entry], order: Sequence[int], served: Mapping[int, Sequence[TaskForm]]
) -> dict[bool, dict[tuple[str, str], list[int]]]:
    """Side -> (form, language) -> the documents that can serve a form, in the order given."""
    able: dict[bool, dict[tuple[str, str], list[int]]] = {True: {}, False: {}}
    for number in order:
        entry = entries[number]
        lanes = able[entry.held_out]
        for form in served.get(number, ()):
            lanes.setdefault((form.name, entry.language), []).append(number)
    return able


def _lanes(
    seed: int, able: Mapping[tuple[str, str], Sequence[int]], held_out: bool, capability: str, bin: Bin, wanted: int
) -> dict[tuple[str, str], list[int]]:
    """Per form and language the documents of a cell in a random order that the seed fixes. Bounded, since a cell of a
    large corpus never comes to its end."""
    if not wanted:
        return {}
    rng = random.Random(content_key("turns", seed, held_out, capability, bin.label))
    order = sorted(able)
    rng.shuffle(order)
    most = TURNS_PER_RECORD * wanted + FEWEST_TURNS
    return {lane: rng.sample(able[lane], min(most, len(able[lane]))) for lane in order}


def _ask(cell: _Cell, slots: Slots) -> Iterator[Request]:
    """The requests of a cell's next round; every one goes to the lane that has come to least so far."""
    missing = cell.wanted - cell.kept
    if missing <= 0 or not cell.lanes:
        return
    share = min(MOST_PER_MISSING, (cell.requests + 1) / (cell.made + 1)) if cell.requests else SURPLUS
    pending: Counter[tuple[str, str]] = Counter()
    for _ in range(math.ceil(missing * share)):
        lane = min(cell.lanes, key=lambda lane: cell.load[lane] + 2 * pending[lane])
        form, _language = lane
        number = cell.lanes[lane][cell.turns[lane] % len(cell.lanes[lane])]
        pending[lane] += 1
        cell.turns[lane] += 1
        cell.requests += 1
        pair = (number, form)
        yield Request(number, form, cell.bin, cell.held_out, slots.take(form), cell.attempts[pair])
        cell.attempts[pair] += 1


def _settle(
    cell: _Cell,
    request: Request,
    outcome: Job,
    entries: Sequence[Entry],
    kept: Kept,
    slots: Slots,
    result: Produced,
) -> bool:
    """Enter one outcome; True when its record is kept."""
    pair = (request.document, request.form)
    lane = (request.form, entries[request.document].language)
    source = entries[request.document].source
    tally = result.tally
    tally.requests[request.form] += 1
    for kind, counter in (("unfit", tally.unfit), ("dropped", tally.dropped)):
        for reason, count in outcome[kind].items():
            counter[request.form, reason] += count
            tally.rejects[source, request.form, request.bin.label, reason] += count
    found = outcome["made"]
    cell.made += found is not None
    refusal = None
    if found is not None and cell.kept < cell.wanted:
        made = Made(**{**found, "request": request})
        refusal = kept.refuse(cell.capability, made)
        if refusal is None:
            result.made.append(made)
            cell.kept += 1
            cell.load[lane] += 2
            cell.failures[pair] = 0
            return True
        if refusal == CROWDED and len(cell.spare) < cell.wanted - cell.kept:
            cell.spare.append(made)
            cell.load[lane] += 2
            return False
        _reject(tally, request, source, refusal)
    slots.give_back(request.form, request.slot)
    if found is None or refusal is not None:
        cell.load[lane] += 1
        cell.failures[pair] += 1
        if cell.failures[pair] == RETIRE_AFTER:
            _retire(cell, lane, request.document)
    return False


def _reject(tally: Tally, request: Request, source: str, refusal: str) -> None:
    tally.dropped[request.form, refusal] += 1
    tally.rejects[source, request.form, request.bin.label, refusal] += 1


def _use_spares(cells: Sequence[_Cell], kept: Kept, result: Produced) -> None:
    """What is missing after all is taken from records about documents that already carry many: the cell's own first,
    then those of the capability's other bins."""
    for cell in cells:
        alike = [
            c for c in cells if c.capability == cell.capability and c.held_out == cell.held_out and c is not cell
        ]
        for source in (cell, *alike):
            while cell.kept < cell.wanted and source.spare:
                made = source.spare.pop(0)
                if kept.refuse(cell.capability, made, capped=False) is None:
                    result.made.append(made)
                    cell.kept += 1


def _retire(cell: _Cell, lane: tuple[str, str], number: int) -> None:
    """Ask a document no more in a lane, and keep everyone else's turn."""
    documents = cell.lanes.get(lane, [])
    if number in documents:
        position = cell.turns[lane] % len(documents)
        cell.turns[lane] = position - (documents.index(number) < position)
        documents.remove(number)
        if not documents:
            del cell.lanes[lane]


def _give_up(cells: Sequence[_Cell]) -> None:
    """Ask no more in cells where hardly anything came of many requests: a bin that the documents cannot fill."""
    for cell in cells:
        if cell.requests >= max(BARREN, 4 * cell.wanted) and cell.made * BARREN < cell.requests:
            cell.lanes.clear()


def _share_out(cells: Sequence[_Cell]) -> None:
    """What cells without anyone left to ask still miss is asked of the capability's other cells, so that capabilities
    stay even; first of the same side."""
    for cell in cells:
        missing = cell.wanted - cell.kept
        if missing <= 0 or cell.lanes:
            continue
        able = [other for other in cells if other.capability == cell.capability and other.lanes]
        able = [other for other in able if other.held_out == cell.held_out] or [o for o in able if not o.held_out]
        if not able:
            continue
        cell.wanted = cell.kept
        for other, more in zip(able, quotas(missing, [str(i) for i in range(len(able))]).values(), strict=True):
            other.wanted += more


def _run(
    folder: Path, config: BuildConfig, entries: Sequence[Entry], requests: Sequence[Request], run_all: RunAll
) -> dict[Request, Job]:
    """Outcomes of the requests; those of jobs that were finished before are read back."""
    jobs = list(_jobs(folder, config, entries, requests))
    todo = [job for job in jobs if read_summary(_summary(job)) is None]
    for _ in run_all(construct_job, todo):
        pass
    outcomes: dict[Request, Job] = {}
    for job in jobs:
        found = read_summary(_summary(job))
        for request, outcome in zip(job["requests"], found, strict=True):
            outcomes[Request.from_job(request)] = outcome
    return outcomes


def _jobs(folder: Path, config: BuildConfig, entries: Sequence[Entry], requests: Sequence[Request]) -> Iterator[Job]:
    """Requests in jobs of a bounded size, those about one document together."""
    by_document = sorted(requests, key=lambda request: request.document)
    for batch in batches(by_document, lambda request: request.bin):
        yield _job(folder, config, entries, batch)


def batches(asks: Iterable[T], bin_of: Callable[[T], Bin]) -> Iterator[list[T]]:
    """What one job asks, in order and of a bounded size, by the bins of the prompts that it makes."""
    batch: list[T] = []
    size = 0
    for ask in asks:
        upper = bin_of(ask).upper
        if batch and (size + upper > JOB_TOKENS or len(batch) == JOB_REQUESTS):
            yield batch
            batch, size = [], 0
        batch.append(ask)
        size += upper
    if batch:
        yield batch


def _job(folder: Path, config: BuildConfig, entries: Sequence[Entry], requests: Sequence[Request]) -> Job:
    keys = [request.key(config.seed, entries[request.document].sha256) for request in requests]
    return {
        "folder": str(folder.resolve()),
        "tokenizer": absolute(config.tokenizer),
        "seed": config.seed,
        "template_tokens": config.template_tokens,
        "requests": [request.as_job() for request in requests],
        "key": content_key(__version__, *keys),
    }


def _summary(job: Job) -> Path:
    return Path(job["folder"]) / "construct" / f"{job['key']}.json"


def construct_job(job: Job) -> Job:
    """Build the records of a job: a shard of records, then, as the sign that it is whole, its summary."""
    library = open_library(job["folder"], job["tokenizer"])
    summary = _summary(job)
    shard = summary.with_suffix(".jsonl")
    outcomes = []
    with work_path(shard) as temporary, open(temporary, "wb") as handle:
        for stored in job["requests"]:
            request = Request.from_job(stored)
            outcome = compose(library, request, seed=job["seed"], template_tokens=job["template_tokens"])
            made = None
            if outcome.record is not None:
                offset = handle.tell()
                handle.write(json.dumps(outcome.record.model_dump(), ensure_ascii=False).encode() + b"\n")
                made = facts_of(outcome.record, shard.name, offset, handle.tell() - offset)
            outcomes.append({"made": made, "unfit": dict(outcome.unfit), "dropped": dict(outcome.dropped)})
    write_summary(summary, outcomes, [shard])
    return {"key": job["key"]}


def facts_of(record: Record, shard: str, offset: int, size: int) -> dict[str, Any]:
    info = record.extra_info
    return {
        "shard": shard,
        "offset": offset,
        "size": size,
        "question": question_key(info["capability"], info["question"], bool(info["options"])),
        # In which order items are asked for makes a list no harder to guess.
        "signature": base64.b85encode(
            near_duplicates.question_signature(info["question"], info["language"]).tobytes()
        ).decode(),
        "answer": normalise(record.gold.golden_label or "\n".join(sorted(record.gold.doc_ids))),
        "evidence": content_key(sorted((e["doc"], e["start"], e["end"]) for e in info["evidence"])),
        "guesses": guesses(record),
        "metric": record.metric,
        "language": record.language,
        "items": free_items(record),
    }


def read_records(folder: Path, made: Sequence[Made], start: int) -> Iterator[Record]:
    """The records on disk in the order given, numbered from `start`."""
    for number, one in enumerate(made):
        with open(folder / "construct" / one.shard, "rb") as handle:
            handle.seek(one.offset)
            row = json.loads(handle.read(one.size))
        row["extra_info"]["index"] = start + number
        yield Record.model_validate(row)


def ordered(records: Sequence[T], seed: int) -> list[T]:
    """The records in a random order that the seed fixes."""
    mixed = list(records)
    random.Random(content_key("order", seed)).shuffle(mixed)
    return mixed

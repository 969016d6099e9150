"""`build`: the phases in a run folder, from documents to train.parquet, val.parquet, card and report."""

import contextlib
import functools
import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from golongrl import __version__
from golongrl.core import tasks, tokens
from golongrl.core.cache import cache_folder
from golongrl.core.errors import CheckFailedError, UsageError
from golongrl.core.records import Record, write_parquet
from golongrl.core.runs import Run, only_writer, open_run
from golongrl.core.store import content_key, write_json
from golongrl.pipeline.dataset.calls import Calls, open_calls, serve_model
from golongrl.pipeline.dataset.collect import Progress, nothing_usable, silent
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.contamination.benchmark_index import LoadBenchmark
from golongrl.pipeline.dataset.contamination.decontamination import Index, open_index
from golongrl.pipeline.dataset.corpus import Corpus, Found, gather_corpus
from golongrl.pipeline.dataset.diagnosis import Diagnosis, diagnose, write_diagnosis
from golongrl.pipeline.dataset.drafts import Draft, read_drafts
from golongrl.pipeline.dataset.library import Library, absolute, load_tokenizer, tokenizer_digest
from golongrl.pipeline.dataset.produce import Produced, ordered
from golongrl.pipeline.dataset.questions.question_sets import set_facts
from golongrl.pipeline.dataset.reporting import card, closed_book, report_page
from golongrl.pipeline.dataset.reporting.facts import BuildFacts
from golongrl.pipeline.dataset.reporting.shortcuts import ShortcutSurvey, before_probes, learned, probes
from golongrl.pipeline.dataset.reporting.summary import asks, assigned, collected, constructed, no_question, no_record
from golongrl.pipeline.dataset.reporting.survey import Survey
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.screen import SHARED, Contamination
from golongrl.pipeline.dataset.settings import FREE, BuildConfig
from golongrl.pipeline.dataset.sources import discard_unpacked, find_files, input_digests, rough_size
from golongrl.pipeline.dataset.tracks import Made, make_records
from golongrl.pipeline.dataset.versions import (
    FILES,
    Base,
    Keep,
    Plan,
    Split,
    keep_unless,
    kept_records,
    merge,
    open_base,
    record_key,
    sides,
    write_changelog,
)
from golongrl.pipeline.dataset.warm_up import warm_up
from golongrl.pipeline.dataset.workers import RunAll, open_workers, processes, rare_collections
from golongrl.pipeline.dataset.workshop import WORK, Workshop
from golongrl.pipeline.dataset.writing import assignments, project_files, write_documents, write_rejects, write_rows


class NothingBuiltError(CheckFailedError):
    """No document is usable, or not one record came of them; the same command would come to the same again."""


@dataclass(frozen=True)
class BuildReport:
    """What a build came to; `facts` is the content of build.json."""

    out: Path
    facts: BuildFacts
    resumed: bool = False
    already_finished: bool = False
    notes: list[str] = field(default_factory=list)


def build(
    config: BuildConfig,
    out: Path,
    *,
    fresh: bool = False,
    progress: Progress = silent,
    load_benchmark: LoadBenchmark | None = None,
) -> BuildReport:
    """Build the dataset into the folder `out`; a finished build of the same inputs and settings returns at once.

    `load_benchmark` gives the rows of a benchmark that `decontaminate.against` names. Raises DataError when a source
    is missing, RunConflictError when `out` holds another build, CheckFailedError (with the funnel) when no document
    is usable, not one record could be built, calls failed for good or the cost limit was reached.
    """
    finished = (out / "build.json").exists() and not fresh
    size = rough_size([*config.sources, *config.qa])
    workers = processes(config.workers, config.ray_address, size)
    with rare_collections(), contextlib.ExitStack() as stack:
        loading = None
        if workers == 1 and config.ray_address is None and not finished:
            # Most of it happens outside of Python, while the sources are looked through.
            threads = stack.enter_context(ThreadPoolExecutor(1))
            loading = threads.submit(load_tokenizer, absolute(config.tokenizer))
        # No process for a build that will end before there is work.
        prepare = None if finished or not size else functools.partial(warm_up, absolute(config.tokenizer))
        run_all = stack.enter_context(open_workers(workers, config.ray_address, prepare))
        return _in_folder(config, out, fresh, progress, load_benchmark, run_all, loading)


def _in_folder(
    config: BuildConfig,
    out: Path,
    fresh: bool,
    progress: Progress,
    load_benchmark: LoadBenchmark | None,
    run_all: RunAll,
    loading: Future[tokens.Tokenizer] | None,
) -> BuildReport:
    sources = Found(*find_files(config.sources, config.max_document_mb, out))
    if loading is not None:
        loading.result()
    qa = Found(*find_files(config.qa, config.max_document_mb, out)) if config.qa else Found()
    for flag, given in (("--base", config.base), ("--diagnose", config.diagnose)):
        if given and Path(given).resolve().is_relative_to(out.resolve()):
            raise UsageError(f"{flag} {given} lies in --out {out}; give the new version a folder of its own")
    base = open_base(Path(config.base)) if config.base else None
    index = _open_index(config, load_benchmark)
    diagnosis = _diagnose(config)
    run = open_run(
        out,
        config.identity(),
        command="build-dataset",
        inputs=input_digests(sources.files)
        | {f"qa {name}": digest for name, digest in input_digests(qa.files).items()}
        | tokenizer_digest(config.tokenizer)
        | ({"base": base.digest} if base else {})
        | ({f"benchmark {one['benchmark']}": str(one["key"]) for one in index.facts()} if index else {})
        | ({"diagnosis": content_key(diagnosis.facts)} if diagnosis else {}),
        fresh=fresh,
        free=FREE,
    )
    if run.finished and run.path("build.json").exists() and run.path("train.parquet").exists():
        facts = json.loads(run.path("build.json").read_text(encoding="utf-8"))
        # A build that was killed right after its last file left them.
        shutil.rmtree(run.path(WORK), ignore_errors=True)
        discard_unpacked(out)
        return BuildReport(out, facts, resumed=True, already_finished=True)
    if diagnosis is not None:
        write_diagnosis(run.folder, diagnosis)
        config = config.model_copy(update={"mix": diagnosis.mix})
    with only_writer(run.folder, "build-dataset"), _open_calls(config, run) as calls:
        contamination = Contamination(index, config.decontaminate.document_share) if index else None
        shop = Workshop(run.folder, config, calls, contamination, run_all, progress)
        try:
            facts, notes = _build(shop, sources, qa, base, diagnosis)
        except NothingBuiltError:
            # Running it again would come to the same; an interrupted build still needs what was unpacked.
            discard_unpacked(out)
            raise
        run.finish(records=facts["records"]["splits"])
    shutil.rmtree(run.path(WORK), ignore_errors=True)
    discard_unpacked(out)
    return BuildReport(out, facts, resumed=run.resumed, notes=notes)


def _open_index(config: BuildConfig, load_benchmark: LoadBenchmark | None) -> Index | None:
    settings = config.decontaminate
    if not settings.against:
        return None
    return open_index(settings.against, settings.n, cache_folder() / "ngrams", load_benchmark)


def _diagnose(config: BuildConfig) -> Diagnosis | None:
    if not config.diagnose:
        return None
    return diagnose(
        Path(config.diagnose),
        target=sum(config.wanted.values()),
        capabilities=list(config.wanted),
        seed=config.seed,
        held_out=config.held_out_benchmarks,
        data=[Path(file) for file in config.diagnose_data],
    )


@contextlib.contextmanager
def _open_calls(config: BuildConfig, run: Run) -> Iterator[Calls]:
    """The models of a build; with an engine, the generator's server runs as long."""
    with contextlib.ExitStack() as stack:
        models, alive = dict(config.models), {}
        if config.engine is not None:
            served = serve_model(
                config.engine, models["generator"], log=run.path("server.log"), python=config.server_python
            )
            models["generator"], alive["generator"] = stack.enter_context(served)
        yield stack.enter_context(
            open_calls(
                run.path(WORK),
                models,
                max_cost=config.max_cost,
                tokenizer=load_tokenizer(absolute(config.tokenizer)) if models else tokens.load("approx"),
                alive=alive,
            )
        )


def _build(
    shop: Workshop, sources: Found, qa: Found, base: Base | None, diagnosis: Diagnosis | None
) -> tuple[BuildFacts, list[str]]:
    config, folder, funnel = shop.config, shop.folder, shop.funnel
    keep = _keep_of_base(shop, base) if base else None
    corpus = gather_corpus(shop, sources, qa, sides(base, keep) if base and keep else None)
    if not corpus.entries:
        write_rejects(folder / "rejects.jsonl", corpus.collection, Produced(), funnel.rejects)
        if corpus.collection.entries or corpus.sets.entries:
            raise NothingBuiltError(
                "every document stands in a benchmark (rejects.jsonl names which); pass other sources, or raise "
                "decontaminate.document_share"
            )
        raise NothingBuiltError(
            nothing_usable(corpus.collection) if config.sources else no_question(corpus.sets.refused)
        )
    folder_of_base = base.folder if base else None
    write_rows(folder / "assigned.jsonl", assignments(corpus.entries, list(config.wanted), folder_of_base))
    stay = merge(base, (), config.wanted, keep).facts["kept"] if base and keep else {}
    made = make_records(shop, corpus, stay)
    train, val, plan = _choose(shop, made.drafts, base, keep)
    write_rejects(folder / "rejects.jsonl", corpus.collection, made.produced, funnel.rejects)
    if made.quarantined:
        write_rows(folder / "quarantine.jsonl", (row for rows in made.quarantined for row in rows()))
    if plan is not None:
        write_changelog(folder / "changelog.jsonl", plan)
    if not train.total:
        raise NothingBuiltError(no_record(corpus.collection, made.produced, funnel.rejects))
    survey = Survey([bin.label for bin in bins(config.length_bins)], list(config.wanted))
    shortcuts = ShortcutSurvey(list(config.wanted))
    shown: set[str] = set()
    # Another process compares formulas for the audit of the records, which waits for it.
    with ThreadPoolExecutor(1) as aside:
        if any(tasks.CAPABILITIES[name].metric == "math" for name in config.wanted):
            aside.submit(before_probes)
        with shop.progress("write", train.total + val.total) as bar:

            def watched(side: _Side, start: int, split: str) -> Iterator[Record]:
                return survey.watch(shortcuts.watch(_passing(side.records(start), shown, bar)), split)

            write_parquet(folder / "train.parquet", watched(train, 0, "train"))
            probing = aside.submit(probes, folder / "train.parquet", seed=config.seed)
            if val.total:
                write_parquet(folder / "val.parquet", watched(val, train.total, "validation"))
        library = Library(shop.work, corpus.entries, tokens.load("approx"))  # only texts are read
        write_documents(folder / "documents.jsonl", library, shown, folder_of_base)
        facts = _facts(shop, corpus, made, survey, shortcuts, plan, diagnosis)
        facts["probes"] = probing.result()
    card.write_card(folder / "README.md", facts)
    report_page.write_report(folder / "report.html", facts, survey)
    write_json(folder / "build.json", facts)
    return facts, [*made.notes, *project_files(config, folder, bool(val.total), train.total)]


@dataclass(frozen=True)
class _Side:
    """The records of one split in their order: those of the base, then new ones."""

    total: int
    records: Callable[[int], Iterator[Record]]
    """Given the number of the first."""


def _choose(
    shop: Workshop, drafts: Sequence[Draft], base: Base | None, keep: Keep | None
) -> tuple[_Side, _Side, Plan | None]:
    """Training and validation records in a random order that the seed fixes, and what became of the base's."""
    seed = shop.config.seed
    sides_of = {
        "train": ordered([draft for draft in drafts if not draft.made.request.held_out], seed),
        "validation": ordered([draft for draft in drafts if draft.made.request.held_out], seed),
    }
    plan = None
    if base is not None and keep is not None:
        new: list[tuple[Split, Draft]] = [(split, draft) for split in FILES for draft in sides_of[split]]
        records = read_drafts(shop.work, [draft for _, draft in new])
        offered = ((split, record) for (split, _), record in zip(new, records, strict=True))
        plan = merge(base, offered, shop.config.wanted, keep)
        reasons = [plan.refused.get(number) for number in range(len(new))]
        shop.funnel.sift([draft for _, draft in new], reasons, "versions")
        sides_of = {split: [new[number][1] for number in plan.added[split]] for split in FILES}

    def side(split: Split) -> _Side:
        own = sides_of[split]

        def records(start: int) -> Iterator[Record]:
            stay = kept_records(plan, split) if plan else iter(())
            for number, record in enumerate(itertools.chain(stay, read_drafts(shop.work, own)), start):
                record.extra_info["index"] = number
                yield record

        return _Side(len(own) + (len(plan.kept[split]) if plan else 0), records)

    return side("train"), side("validation"), plan


def _keep_of_base(shop: Workshop, base: Base) -> Keep:
    """Why records of the base must go: settings that have changed, benchmarks, documents of benchmarks."""
    config, contamination = shop.config, shop.contamination
    labels, counted = {bin.label for bin in bins(config.length_bins)}, tokens.label(config.tokenizer)

    def measured(record: Record) -> str | None:
        if record.extra_info["tokenizer"] != counted:
            return "its length was counted with another tokenizer"
        return None if record.extra_info["length_bin"] in labels else "its length bin is no longer wanted"

    if contamination is None:
        return keep_unless(list(config.wanted), config.licences, also=[measured])
    hits, withdrawn = contamination.base(base)
    overlaps: Keep = lambda record: hits.get(record_key(record))  # noqa: E731
    return keep_unless(list(config.wanted), config.licences, withdrawn, [measured, overlaps])


def _facts(
    shop: Workshop,
    corpus: Corpus,
    made: Made,
    survey: Survey,
    shortcuts: ShortcutSurvey,
    plan: Plan | None,
    diagnosis: Diagnosis | None,
) -> BuildFacts:
    config = shop.config
    documents = corpus.entries[: corpus.own]
    records = survey.facts()
    have: Counter[str] = Counter()
    for cell in records["cells"]:
        have[cell["capability"]] += cell["records"]
    missing = {name: count - have[name] for name, count in config.wanted.items() if have[name] < count}
    facts: BuildFacts = {
        "source": {
            "command": card.command(config, shop.folder),
            "version": __version__,
            "tokenizer": tokens.label(config.tokenizer),
            "seed": config.seed,
            "length_bins": [bin.label for bin in bins(config.length_bins)],
            "capabilities": list(config.wanted),
            "wanted": config.wanted,
            "val_share": config.val_share,
        },
        "collect": collected(corpus.collection, documents),
        "assign": {name: assigned(name, documents, corpus.assignment) for name in config.wanted},
        "construct": {capability: constructed(capability, made.produced) for capability in config.wanted},
        "asked": {f.name: {"capability": f.capability, "asks": asks(f.construct)} for f in TASK_FORMS.values()},
        "records": records,
        "closed_book": closed_book.closed_book(survey.questions),
        "notes": [*made.notes, *(f"{c}: {n} records fewer than wanted" for c, n in missing.items())],
        "version_of_data": plan.facts["version"] if plan else 1,
        "shortcuts": shortcuts.facts(),
    }
    if config.qa or config.models:
        facts["funnel"] = dict(shop.funnel.steps)
    if config.qa:
        facts["qa"] = set_facts(corpus.sets)
    if made.synthesis is not None:
        facts["synthesis"] = made.synthesis
    if made.verify is not None:
        facts["verify"] = made.verify
    if made.difficulty is not None:
        facts["difficulty"] = made.difficulty
    if shop.contamination is not None:
        facts["contamination"] = shop.contamination.facts()
        shared = len(corpus.collection.entries) - corpus.own
        facts["collect"]["filtered"]["evaluation data"] = {SHARED: shared} if shared else {}
    if shop.calls.usage:
        # Sums of floats depend on the order in which answers came.
        facts["calls"] = {
            name: {**asdict(spent), "cost": round(spent.cost, 6)} for name, spent in sorted(shop.calls.usage.items())
        }
    if plan is not None:
        facts["versions"] = plan.facts
    if diagnosis is not None:
        facts["diagnosis"] = diagnosis.facts
    questions = {name: draw.drawn() for name, draw in survey.questions.items()}
    facts["learned"] = learned(questions, config.seed)
    return facts


def _passing(records: Iterator[Record], shown: set[str], bar: Any) -> Iterator[Record]:
    """The records, with the documents they show noted and the bar moved."""
    for record in records:
        shown.update(record.extra_info["doc_sha256"])
        bar.advance(1)
        yield record

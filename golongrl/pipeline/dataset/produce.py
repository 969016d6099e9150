"""Phase 3, construct: for every split, capability and length bin, ask one document after the other for a record.

Each attempt is journalled under its content, so an interrupted build repeats nothing and ends with the same records.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from golongrl import __version__
from golongrl.core import tasks, tokens
from golongrl.core.documents import Document
from golongrl.core.records import Record
from golongrl.core.store import Journal, content_key
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset.assign import Assignment
from golongrl.pipeline.dataset.collect import Progress
from golongrl.pipeline.dataset.construct.form import Candidate, TaskForm, Unfit
from golongrl.pipeline.dataset.context import Bin, Context, build_context, question_tokens
from golongrl.pipeline.dataset.excerpt import Measured
from golongrl.pipeline.dataset.refine import Seen, fault
from golongrl.pipeline.dataset.settings import BuildConfig

TRIES = 3
"""Excerpts that one attempt takes per form; each is smaller than the one before."""
RETIRE_AFTER = 2
"""Attempts in a row without a record after which a document is not asked again for a capability and bin."""
SECOND_PASS = 100_000
"""Round numbers of the second pass start here, beyond any of the first."""
SMALLEST_EXCERPT = 64
LANGUAGE_LABEL = {"en": "English", "zh": "Chinese"}


@dataclass
class Corpus:
    """The documents with their token counts."""

    documents: Sequence[Document]
    tokenizer: Tokenizer
    measured: list[Measured] = field(init=False)
    by_sha: dict[str, Document] = field(init=False)

    def __post_init__(self) -> None:
        self.measured = [Measured(document, self.tokenizer) for document in self.documents]
        self.by_sha = {document.sha256: document for document in self.documents}

    def fillers(self, target: int, pool: Sequence[int], rng: random.Random) -> Iterator[Measured]:
        """Other documents of the same language in random order."""
        language = self.documents[target].language
        for number in rng.sample(pool, len(pool)):
            if number != target and self.documents[number].language == language:
                yield self.measured[number]


@dataclass
class Produced:
    """Records of one split, and how many attempts ended why, per capability."""

    records: list[Record] = field(default_factory=list)
    wanted: Counter[str] = field(default_factory=Counter)
    built: Counter[str] = field(default_factory=Counter)
    unfit: dict[str, Counter[str]] = field(default_factory=dict)
    dropped: dict[str, Counter[str]] = field(default_factory=dict)


def bins(bounds: Sequence[int]) -> list[Bin]:
    """The length bins between the bounds."""
    lowers = (0, *bounds[:-1])
    return [Bin(tokens.format_length(upper), lower, upper) for lower, upper in zip(lowers, bounds, strict=True)]


def quotas(total: int, names: Sequence[str]) -> dict[str, int]:
    """`total` split as evenly as it goes; the first names get what is left over."""
    share, rest = divmod(total, len(names))
    return {name: share + (position < rest) for position, name in enumerate(names)}


@dataclass(frozen=True)
class Side:
    """Train or validation: the documents that questions are about, and those that may stand around them."""

    name: str
    targets: frozenset[int]
    pool: tuple[int, ...]


@dataclass
class Bench:
    """What every attempt of a build needs."""

    corpus: Corpus
    config: BuildConfig
    journal: Journal
    seen: Seen


def produce(bench: Bench, assignment: Assignment, side: Side, wanted: dict[str, int], progress: Progress) -> Produced:
    """Records of one side, `wanted` per capability, split evenly over the length bins."""
    result = Produced()
    lengths = bins(bench.config.length_bins)
    with progress(f"construct {side.name}", sum(wanted.values())) as bar:
        for capability, total in wanted.items():
            result.wanted[capability] = total
            result.unfit[capability], result.dropped[capability] = Counter(), Counter()
            served = {n: forms for n, forms in assignment[capability].items() if n in side.targets}
            shares = quotas(total, [bin.label for bin in lengths])
            # What one length cannot give is asked of the others, so that capabilities stay even.
            orders = {bin.label: _order(bench, served, capability, bin, side) for bin in lengths}
            for second in (False, True):
                for bin in lengths:
                    quota = total - result.built[capability] if second else shares[bin.label]
                    first = SECOND_PASS if second else 0
                    for record in _fill(bench, served, orders[bin.label], bin, quota, side, result, first):
                        result.records.append(record)
                        result.built[capability] += 1
                        bar.advance(1)
    return result


def _order(bench: Bench, served: dict[int, list[TaskForm]], capability: str, bin: Bin, side: Side) -> list[int]:
    """The documents in the random order in which they are asked."""
    order = sorted(served, key=lambda number: bench.corpus.documents[number].sha256)
    random.Random(content_key(bench.config.seed, side.name, capability, bin.label)).shuffle(order)
    return order


def _fill(
    bench: Bench,
    served: dict[int, list[TaskForm]],
    order: list[int],
    bin: Bin,
    quota: int,
    side: Side,
    result: Produced,
    attempt: int,
) -> Iterator[Record]:
    """Up to `quota` records of one capability and bin, one per document and round, forms taken in turn.

    Documents that keep failing leave `order`. `attempt` numbers the first round, so that a second call asks for
    other records than the first.
    """
    used: Counter[str] = Counter()
    failures: Counter[int] = Counter()
    while order and used.total() < quota:
        for number in list(order):
            if used.total() == quota:
                break
            forms = sorted(served[number], key=lambda form: used[form.name])
            record = _attempt(bench, number, forms, bin, side, attempt, result)
            if record is not None:
                failures[number] = 0
                used[record.extra_info["task_form"]] += 1
                yield record
                continue
            failures[number] += 1
            if failures[number] == RETIRE_AFTER:
                order.remove(number)
        attempt += 1


def _attempt(
    bench: Bench, number: int, forms: Sequence[TaskForm], bin: Bin, side: Side, attempt: int, result: Produced
) -> Record | None:
    """One record of one document, from the first form that yields a new and sound one."""
    document = bench.corpus.documents[number]
    for form in forms:
        key = content_key(__version__, side.name, document.sha256, form.name, bin.label, attempt)
        row = bench.journal.get(key)
        if row is None:
            record, unfit, dropped = _construct(bench, number, form, bin, side, key)
            row = {"record": record and record.model_dump(), "unfit": unfit, "dropped": dropped}
            bench.journal.append(key, **row)
        for kind, tally in (("unfit", result.unfit), ("dropped", result.dropped)):
            tally[form.capability].update({f"{form.name}: {reason}": n for reason, n in row[kind].items()})
        if row["record"] is None:
            continue
        kept = Record.model_validate(row["record"])
        if bench.seen.add(kept):
            return kept
        result.dropped[form.capability][f"{form.name}: asked before"] += 1
    return None


def _construct(
    bench: Bench, number: int, form: TaskForm, bin: Bin, side: Side, key: str
) -> tuple[Record | None, dict[str, int], dict[str, int]]:
    """A record, or None with counted reasons: `unfit` excerpts and `dropped` records."""
    unfit: Counter[str] = Counter()
    corpus, config = bench.corpus, bench.config
    measured = corpus.measured[number]
    capability = tasks.CAPABILITIES[form.capability]
    language = measured.document.language
    limit = bin.upper - config.template_tokens
    overhead = question_tokens(corpus.tokenizer, "", capability.metric, language)
    for number_of_try in range(TRIES):
        rng = random.Random(content_key(config.seed, key, number_of_try))
        size = int(limit * rng.uniform(0.75, 0.98))
        share = rng.uniform(0.4, 0.8) if rng.random() < 0.4 else 1.0
        # Questions that quote much need room that is known only once they are made.
        budget = int((size - overhead) * share * (1.0, 0.7, 0.45)[number_of_try])
        if budget < SMALLEST_EXCERPT:
            unfit["the bin is too short for a document and a question"] += 1
            break
        found = measured.opening(budget) if form.opening else measured.window(budget, rng)
        if found is None:
            unfit["no block fits the bin"] += 1
            continue
        candidate = form.construct(found[0], rng)
        if isinstance(candidate, Unfit):
            unfit[candidate.reason] += 1
            continue
        context = build_context(
            candidate,
            capability.metric,
            corpus.fillers(number, side.pool, rng),
            bin=bin,
            limit=limit,
            size=size,
            tokenizer=corpus.tokenizer,
            rng=rng,
        )
        if isinstance(context, Unfit):
            unfit[context.reason] += 1
            continue
        record = _record(candidate, context, form, tokens.label(corpus.tokenizer.name))
        reason = fault(record, candidate, corpus.by_sha)
        if reason is None:
            return record, dict(unfit), {}
        return None, dict(unfit), {reason: 1}
    return None, dict(unfit), {}


def _record(candidate: Candidate, context: Context, form: TaskForm, tokenizer: str) -> Record:
    capability = tasks.CAPABILITIES[form.capability]
    document = candidate.excerpt.document
    single = capability.metric in ("em", "choice")
    shown = [excerpt.document for excerpt in context.excerpts]
    evidence = [{"doc": document.sha256, "start": span.start, "end": span.end} for span in candidate.evidence]
    ground_truth = {
        "golden_label": candidate.gold[0] if single else "",
        "doc_ids": [] if single else list(candidate.gold),
        "summary": LANGUAGE_LABEL[document.language],
    }
    return Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": context.prompt}],
            "ability": capability.ability,
            "reward_model": {"style": "rule", "ground_truth": ground_truth},
            "extra_info": {
                "index": 0,
                "reward_mode": capability.reward_mode,
                "question": candidate.question,
                "capability": capability.id,
                "metric": capability.metric,
                "task_form": form.name,
                "language": document.language,
                "options": list(candidate.options),
                "n_tokens": context.n_tokens,
                "tokenizer": tokenizer,
                "doc_sha256": [document.sha256 for document in shown],
                "doc_source": [document.source for document in shown],
                "licence": [document.licence for document in shown],
                "evidence": evidence,
                "generator": f"rules/{form.name}",
                "pipeline_version": __version__,
            },
        }
    )

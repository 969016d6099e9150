"""The records of a build: from question sets, from a model, by rules, in this order; each track's are screened and
verified before the next fills what is left."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from golongrl.core.records import Record
from golongrl.pipeline.dataset.cells import Cell, held_out_capabilities, wanted_cells
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.corpus import Corpus
from golongrl.pipeline.dataset.drafts import Draft, read_drafts
from golongrl.pipeline.dataset.library import Library, load_tokenizer
from golongrl.pipeline.dataset.produce import Produced, produce
from golongrl.pipeline.dataset.questions.extend_items import extend_items
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.reporting.phase_facts import DifficultyFacts, SynthesisFacts, VerifyFacts
from golongrl.pipeline.dataset.screen import drop_repeats, within_cells
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.synthesis.synthesize import synthesize
from golongrl.pipeline.dataset.verifying import difficulty, verification
from golongrl.pipeline.dataset.workshop import Workshop


@dataclass
class Made:
    """The drafts of all tracks that stay, in a fixed order, and the facts of the phases that ran."""

    drafts: list[Draft] = field(default_factory=list)
    produced: Produced = field(default_factory=Produced)
    quarantined: list[Callable[[], Iterator[dict[str, Any]]]] = field(default_factory=list)
    """What gives the quarantined records with their rollouts, one at a time."""
    synthesis: SynthesisFacts | None = None
    verify: VerifyFacts | None = None
    difficulty: DifficultyFacts | None = None
    notes: list[str] = field(default_factory=list)


def make_records(shop: Workshop, corpus: Corpus, stay: Mapping[str, int]) -> Made:
    """All records of a build. `stay`: capability -> records of an earlier version that stay."""
    config = shop.config
    made = Made(notes=_warnings(config))
    held = {entry.sha256: entry.held_out for entry in corpus.entries}
    able = held_out_capabilities(corpus.entries, corpus.assignment)
    able |= {item.capability for item in corpus.items if item.shown and held.get(item.shown[0].doc)}
    full = {name for name, count in config.wanted.items() if stay.get(name, 0) >= count}
    wanted = {cell: 0 if cell[1] in full else count for cell, count in wanted_cells(config, able).items()}
    tracks = [
        track for track, used in (("qa", config.qa), ("llm", config.asks_model), ("rules", config.by_rules)) if used
    ]
    share = {cell: count / len(tracks) for cell, count in wanted.items()}
    items = {"qa": corpus.items} if config.qa else {}
    if config.asks_model:
        items["llm"], made.synthesis = _synthesized(
            shop, corpus, {cell: math.ceil(count) for cell, count in share.items()}
        )
    drafts: list[Draft] = []
    if items:
        drafts = _of_items(shop, corpus, items, _oversampled(config, share), wanted, drafts, made)
    if config.by_rules:
        drafts += _by_rules(shop, corpus, _left(wanted, drafts), made)
        left = _left(wanted, drafts)
        if any(items.values()) and any(left.values()):
            # What the rules could not give is asked of the items that nobody wanted so far.
            shop.funnel.round = ", second round"
            drafts += _of_items(shop, corpus, items, _oversampled(config, left), left, drafts, made)
            shop.funnel.round = ""
    made.drafts = drafts
    return made


def _left(wanted: Mapping[Cell, int], drafts: Sequence[Draft]) -> dict[Cell, int]:
    """Records that the cells still want."""
    have = Counter(draft.cell for draft in drafts)
    return {cell: max(0, count - have[cell]) for cell, count in wanted.items()}


def _of_items(
    shop: Workshop,
    corpus: Corpus,
    items: dict[str, list[Item]],
    asked: Mapping[Cell, int],
    wanted: Mapping[Cell, int],
    earlier: Sequence[Draft],
    made: Made,
) -> list[Draft]:
    """Records of items, at most `asked` made and `wanted` kept per cell; `items` (by track) keeps those not used."""
    drafts: list[Draft] = []
    for track in items:
        own, items[track] = _extended(shop, corpus, track, items[track], asked)
        drafts += own
    drafts = drop_repeats(shop.work, drafts, earlier, shop.config.near_question, shop.funnel)
    drafts = _uncontaminated(shop, drafts)
    drafts = _verified(shop, drafts, made)
    drafts = within_cells(drafts, wanted, shop.funnel)
    return _calibrated(shop, drafts, made)


def _oversampled(config: BuildConfig, share: Mapping[Cell, float]) -> dict[Cell, int]:
    """Records to make per cell, since votes will refuse some."""
    more = config.synthesis.oversample if config.verify.answerers else 1
    return {cell: math.ceil(count * more) for cell, count in share.items()}


def _synthesized(shop: Workshop, corpus: Corpus, wanted: Mapping[Cell, int]) -> tuple[list[Item], SynthesisFacts]:
    """A model's questions about the documents."""
    library = Library(shop.work, corpus.entries, load_tokenizer(shop.config.tokenizer))
    result = synthesize(library, shop.config, corpus.assignment, wanted, shop.calls, shop.progress)
    removed = Counter(reject.reason.split(":")[0] for reject in result.rejects)
    shop.funnel.step("llm", "synthesis", "questions", removed, len(result.items))
    for reject in result.rejects:
        shop.funnel.reject(
            "synthesis", reject.source, reject.reason, track="llm", step=reject.form, length_bin=reject.bin
        )
    return result.items, result.facts


def _extended(
    shop: Workshop, corpus: Corpus, track: str, items: Sequence[Item], wanted: Mapping[Cell, int]
) -> tuple[list[Draft], list[Item]]:
    """Items put into contexts, and those that no cell wanted."""
    extended = extend_items(shop.work, shop.config, corpus.entries, items, wanted, shop.run_all, shop.progress)
    drafts = [
        Draft(one, track, capability, corpus.entries[one.request.document].source)
        for capability, several in extended.kept.items()
        for one in several
    ]
    removed: Counter[str] = Counter()
    for reasons in extended.reasons.values():
        removed += reasons
    removed["waiting: the quotas are full"] += len(extended.unused)
    shop.funnel.step(track, "extend", "records", removed, len(drafts))
    for (source, form, label, reason), count in sorted(extended.rejects.items()):
        shop.funnel.reject("extend", source, reason, track=track, step=form, length_bin=label, count=count)
    return drafts, extended.unused


def _by_rules(shop: Workshop, corpus: Corpus, wanted: Mapping[Cell, int], made: Made) -> list[Draft]:
    made.produced = produce(
        shop.work, shop.config, corpus.entries, corpus.assignment, shop.run_all, shop.progress, wanted
    )
    drafts = [
        Draft(one, "rules", TASK_FORMS[one.request.form].capability, corpus.entries[one.request.document].source)
        for one in made.produced.made
    ]
    removed: Counter[str] = Counter()
    for (_, _, _, reason), count in made.produced.tally.rejects.items():
        removed[reason] += count
    shop.funnel.step("rules", "construct", "records", removed, len(drafts))
    drafts = _uncontaminated(shop, drafts)
    if "rules" in shop.config.verify.tracks:
        drafts = _verified(shop, drafts, made)
    return _calibrated(shop, drafts, made)


def _uncontaminated(shop: Workshop, drafts: Sequence[Draft]) -> list[Draft]:
    if shop.contamination is None:
        return list(drafts)
    return shop.contamination.questions(shop.work, drafts, shop.funnel)


def _verified(shop: Workshop, drafts: Sequence[Draft], made: Made) -> list[Draft]:
    """The drafts that votes and necessity leave, with the scores."""
    config = shop.config
    if not config.verify.answerers or not drafts:
        return list(drafts)

    def records() -> Iterator[Record]:
        return read_drafts(shop.work, drafts)

    verdicts, facts = verification.verify(
        shop.calls, records, config.verify, seed=config.seed, names=_identities(config), progress=shop.progress
    )
    made.verify = facts if made.verify is None else verification.together(made.verify, facts)
    told = [draft.with_fields(verdict.fields) for draft, verdict in zip(drafts, verdicts, strict=True)]
    details = {number: verdict.fields for number, verdict in enumerate(verdicts) if not verdict.kept}
    reasons = [verdict.reason for verdict in verdicts]
    return shop.funnel.sift(told, reasons, "verify", details)


def _identities(config: BuildConfig) -> dict[str, str]:
    """Entry of `models` -> the name that the endpoint serves it by."""
    many = Counter(model.model for model in config.models.values())
    return {n: m.model if many[m.model] == 1 else f"{m.model} ({n})" for n, m in config.models.items()}


def _warnings(config: BuildConfig) -> list[str]:
    """What a reader should know of how the records were verified."""
    if not config.verify.answerers:
        unverified = "the model's questions were not verified: verify.answerers names no model"
        return [unverified] if config.asks_model else []
    generators = {config.synthesis.model, *config.synthesis.per_bin.values()} if config.asks_model else set()
    return verification.notes(config.verify, config.models, generators)


def _calibrated(shop: Workshop, drafts: Sequence[Draft], made: Made) -> list[Draft]:
    """The drafts with their difficulty; those that no model solves often enough are set aside with their rollouts."""
    config = shop.config.difficulty
    if not config.small or not drafts:
        return list(drafts)

    def records() -> Iterator[Record]:
        return read_drafts(shop.work, drafts)

    names, seed = _identities(shop.config), shop.config.seed
    found, facts = difficulty.calibrate(shop.calls, records, config, seed=seed, names=names, progress=shop.progress)
    made.difficulty = facts if made.difficulty is None else difficulty.together(made.difficulty, facts)
    if any(one is not None and one.level == "quarantined" for one in found):
        made.quarantined.append(
            lambda: difficulty.quarantined(shop.calls, records, found, config, seed=seed, names=names)
        )
    told = [draft if one is None else draft.with_fields(one.fields) for draft, one in zip(drafts, found, strict=True)]
    reasons = [difficulty.QUARANTINED if one is not None and one.level == "quarantined" else None for one in found]
    return shop.funnel.sift(told, reasons, "difficulty")

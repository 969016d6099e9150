"""The documents and questions of a build: collected, screened, assigned, each on its side of the validation split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from golongrl.core import tokens
from golongrl.pipeline.dataset.assign import Assignment, assign, split
from golongrl.pipeline.dataset.collect import Collection, collect
from golongrl.pipeline.dataset.drafts import Funnel
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.index import write_index
from golongrl.pipeline.dataset.library import Library, hold_out
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.questions.question_sets import (
    QuestionSets,
    choose_sides,
    collect_questions,
    near_copies,
)
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.screen import SHARED
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.source_file import SourceFile
from golongrl.pipeline.dataset.versions import Sides
from golongrl.pipeline.dataset.workshop import Workshop


@dataclass(frozen=True)
class Found:
    """Files to read, and what was refused without being read."""

    files: Sequence[SourceFile] = ()
    refused: Sequence[Refusal] = ()


@dataclass
class Corpus:
    """What the records of a build may be about; `assignment` numbers documents as `entries` does.

    The first `own` entries are documents of the sources, the others contexts of question sets, which rules and models
    ask nothing about.
    """

    collection: Collection
    sets: QuestionSets
    entries: list[Entry]
    own: int
    assignment: Assignment
    items: list[Item] = field(default_factory=list)


def gather_corpus(
    shop: Workshop,
    sources: Found,
    qa: Found,
    sides: Sides | None,
) -> Corpus:
    """Read sources and question sets, drop documents that a benchmark holds, and write the index of the rest.

    `sides`: documents whose side an earlier version has settled.
    """
    work, config, funnel = shop.work, shop.config, shop.funnel
    run_all, progress = shop.run_all, shop.progress
    collection = collect(work, sources.files, sources.refused, config, run_all, progress)
    sets = collect_questions(work, qa.files, qa.refused, config, collection.entries, run_all, progress)
    for refusal in sets.refused:
        funnel.reject("questions", refusal.source, refusal.reason, track="qa", step="read")
    documents, contexts = collection.entries, sets.entries
    items = sets.items
    if config.qa:
        removed = Counter(refusal.reason.split(":")[0] for refusal in sets.refused)
        funnel.step("qa", "read", "questions", removed, len(items))
    if shop.contamination is not None:
        both = [*documents, *contexts]
        shared = shop.contamination.documents(Library(work, both, tokens.load("approx")), funnel, progress)
        documents = [entry for entry in documents if entry.sha256 not in shared]
        contexts = [entry for entry in contexts if entry.sha256 not in shared]
        items = _without(items, shared, funnel)
    assignment = assign(documents, config.wanted)
    documents = hold_out(documents, _held(documents, assignment, config, sides))
    settled = {entry.sha256: entry.held_out for entry in documents}
    if sides is not None:
        settled |= dict.fromkeys(sides.trained, False) | dict.fromkeys(sides.held, True)
    alike = near_copies(collection, sets, config.near_duplicate)
    side = choose_sides(items, settled, config.val_share, config.seed, alike)
    contexts = [replace(entry, held_out=side.get(entry.sha256, False)) for entry in contexts]
    entries = [*documents, *contexts]
    write_index(work, entries)
    return Corpus(collection, sets, entries, len(documents), assignment, items)


def _held(documents: Sequence[Entry], assignment: Assignment, config: BuildConfig, sides: Sides | None) -> list[int]:
    """Numbers of the documents kept for validation; what an earlier version has settled stays settled."""
    if sides is None:
        return split(documents, assignment, config.val_share, config.seed)
    held = {number for number, entry in enumerate(documents) if entry.sha256 in sides.held}
    settled = sides.trained | sides.held
    free = {number for number, entry in enumerate(documents) if entry.sha256 not in settled}
    able = {name: {n: forms for n, forms in served.items() if n in free} for name, served in assignment.items()}
    return sorted({*held, *split(documents, able, config.val_share, config.seed)})


def _without(items: Sequence[Item], shared: set[str], funnel: Funnel) -> list[Item]:
    """The items that show none of these documents; as distractors they are left out."""
    kept = []
    for item in items:
        if any(stretch.doc in shared for stretch in item.shown):
            funnel.reject("decontaminate", item.source, SHARED, track="qa", step=item.form)
        else:
            distractors = tuple(name for name in item.distractors if name not in shared)
            kept.append(replace(item, distractors=distractors) if distractors != item.distractors else item)
    if items:
        funnel.step("qa", "decontaminate documents", "questions", {SHARED: len(items) - len(kept)}, len(kept))
    return kept

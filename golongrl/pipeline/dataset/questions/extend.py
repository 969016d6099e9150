"""An item in a context of a bin's length: its documents, spread among others, the question, and every check."""

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from golongrl import __version__
from golongrl.core import tasks, tokens
from golongrl.core.documents import Document, Span
from golongrl.core.records import Record
from golongrl.core.store import content_key
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.compose import LANGUAGE_LABEL, spread
from golongrl.pipeline.dataset.construct.form import LETTERS, Unfit, lettered
from golongrl.pipeline.dataset.context import (
    INSTRUCTIONS,
    TITLE_TOKENS,
    Prompt,
    Task,
    base_tokens,
    beside_documents,
    fit,
    gather,
    without_documents,
)
from golongrl.pipeline.dataset.excerpt import Excerpt, Measured
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.questions.gold_score import ground_truth
from golongrl.pipeline.dataset.questions.item_checks import item_fault, leaks, places_of
from golongrl.pipeline.dataset.questions.item_window import cut, may_be_cut
from golongrl.pipeline.dataset.questions.items import Item, excerpt_of
from golongrl.pipeline.dataset.refine import depth, in_prompt
from golongrl.pipeline.dataset.request import Bin

WINDOWS = 3
"""Stretches of one other document that are looked at for one that does not hold the answer."""
_LIST = {
    "en": 'End your reply with a line "[Answer]" and below it one item per line⟦, each as it stands in the '
    "documents⟧, and nothing else.",
    "zh": "在回复的最后写一行“[答案]”，其下每行写一项⟦，每项与文档原文一致⟧，不写其他内容。",
}
_FORMATS: dict[str, dict[str, str]] = {
    "em": {
        "en": 'End your reply with a line "[Answer]" and below it only the answer, a word or phrase⟦ as it stands '
        "in the documents⟧.",
        "zh": "在回复的最后写一行“[答案]”，其下只写答案，即⟦文档原文中的⟧一个词或短语。",
    },
    "f1": _LIST,
    "subem": _LIST,
    "rouge_l": {
        "en": 'End your reply with a line "[Answer]" and below it only the answer, as running text.',
        "zh": "在回复的最后写一行“[答案]”，其下只写答案，写成连贯的文字。",
    },
}
"""Answer formats of questions that people and models ask, where they differ from those of our own forms: an answer is
as short as can be, and a question that a summary answers need not ask for one. Marked as those of `context`."""
ANSWERS = beside_documents(_FORMATS)
BARE_ANSWERS = without_documents(_FORMATS)
"""The same for prompts without documents, as `context.BARE_INSTRUCTIONS`."""
_FIXED = re.compile(
    r"\b(?i:of|the) (?i:the )?(?i:above|following)\b|\b(?i:both|neither|only|options?|answers?)\b.*\b[A-H]\b"
    r"|以上|[A-H]\s*[和与、]\s*[A-H]"
)
"""Options that speak of other options, whose order may not change."""


def extend(
    library: Library,
    item: Item,
    bin: Bin,
    *,
    held_out: bool,
    slot: int,
    seed: int,
    template_tokens: int,
    documents: Mapping[str, int],
) -> Record | Unfit:
    """The record of an item in a bin, or why there is none. `documents`: digest -> number in the library."""
    names = tuple(dict.fromkeys(stretch.doc for stretch in item.shown))
    if not names or any(name not in documents for name in names):
        return Unfit("a document of the item is not in the library")
    if any(library.entries[documents[name]].held_out != held_out for name in names):
        return Unfit("its documents are on the other side of the validation split")
    key = content_key(seed, item.as_row(), bin.label, held_out, slot)
    rng = random.Random(key)
    item = _shuffled(item, slot, seed)
    question = f"{item.question}\n{lettered(item.options)}" if item.options else item.question
    wording = _instruction(library, item, [documents[name] for name in names])
    task = Task(question, wording, item.language, rng.random() < 0.5)
    limit = bin.upper - template_tokens
    lowest = min(int(1.05 * max(bin.lower + 1, 0.6 * limit)), limit)
    room = rng.randint(lowest, max(int(0.98 * limit), lowest)) - base_tokens(library.tokenizer, task)
    excerpts = _shown(library, item, names, documents, limit - base_tokens(library.tokenizer, task), rng)
    if isinstance(excerpts, Unfit):
        return excerpts
    stream = _others(library, item, documents, held_out, rng)
    placed = _placed(library, item, excerpts, stream, room, slot, rng)
    kept = [number for number, excerpt in enumerate(placed) if any(excerpt is own for own in excerpts)]
    prompt = fit(placed, kept, task, bin=bin, limit=limit, tokenizer=library.tokenizer)
    if isinstance(prompt, Unfit):
        return prompt
    record = _record(library, item, task, prompt, bin, excerpts, documents[names[0]], slot, key)
    fault = item_fault(record, item, prompt, excerpts)
    return record if fault is None else Unfit(fault)


def _instruction(library: Library, item: Item, numbers: Sequence[int]) -> str:
    """The answer format. Items of a list are asked for word for word only where they stand in the documents."""
    metric = tasks.CAPABILITIES[item.capability].metric
    wording = ANSWERS.get(metric, INSTRUCTIONS[metric])
    if metric in ("f1", "subem"):
        shown = normalise("\n".join(library.measured(number).document.text for number in numbers))
        if not all(normalise(gold) in shown for gold in item.gold):
            wording = INSTRUCTIONS[metric]
    return wording[item.language]


def _shuffled(item: Item, slot: int, seed: int) -> Item:
    """The item with its options in another order, the gold letter remapped. Every run of as many slots as there are
    options has each letter once, in an order of its own, so that the letter does not go with the depth."""
    gold = item.gold[0].strip().upper() if item.gold else ""
    count = len(item.options)
    if not count or len(gold) != 1 or gold not in LETTERS[:count] or any(map(_FIXED.search, item.options)):
        return item
    turn, place = divmod(slot, count)
    right = random.Random(content_key("letters", seed, turn, count)).sample(range(count), count)[place]
    options = [option for letter, option in zip(LETTERS, item.options, strict=False) if letter != gold]
    random.Random(content_key("options", seed, item.key)).shuffle(options)
    options.insert(right, item.options[LETTERS.index(gold)])
    return replace(item, options=tuple(options), gold=(LETTERS[right],))


def _shown(
    library: Library,
    item: Item,
    names: Sequence[str],
    documents: Mapping[str, int],
    most: int,
    rng: random.Random,
) -> list[Excerpt] | Unfit:
    """The stretches to show, one excerpt per document, cut where they are too long and may be."""
    shown = []
    for name in names:
        measured = library.measured(documents[name])
        excerpt = excerpt_of(measured.document, *(one.span for one in item.shown if one.doc == name))
        if not excerpt.blocks:
            return Unfit("a stretch to show holds nothing")
        shown.append((measured, excerpt))
    count = library.tokenizer.count
    if sum(count(excerpt.text) + TITLE_TOKENS for _, excerpt in shown) <= most:
        return [excerpt for _, excerpt in shown]
    if not may_be_cut(item, {measured.document.sha256: measured.document.text for measured, _ in shown}):
        return Unfit("longer than the bin")
    evidence: dict[str, list[Span]] = {}
    for one in item.evidence:
        evidence.setdefault(one.doc, []).append(one.span)
    # Around a window there is room for other documents, and so for evidence at any depth.
    excerpts = cut(shown, evidence, int(most * rng.uniform(0.4, 0.9)), rng) or cut(shown, evidence, most, rng)
    return excerpts or Unfit("longer than the bin")


@dataclass(frozen=True)
class _Harmless:
    """A document of which only stretches are cut that do not hold the item's answer."""

    measured: Measured
    item: Item

    @property
    def document(self) -> Document:
        return self.measured.document

    def window(self, budget: int, rng: random.Random) -> tuple[Excerpt, int] | None:
        """A stretch as `Measured.window` cuts it, or None."""
        for _ in range(WINDOWS):
            found = self.measured.window(budget, rng)
            if found is None or not leaks(self.item, found[0]):
                return found
        return None


def _others(
    library: Library, item: Item, documents: Mapping[str, int], held_out: bool, rng: random.Random
) -> Iterator[_Harmless]:
    """Other documents: the set's own distractors first. Training records show no validation documents."""
    shown = {documents[stretch.doc] for stretch in item.shown}
    own = [documents[name] for name in dict.fromkeys(item.distractors) if name in documents]
    own = [n for n in own if n not in shown and (held_out or not library.entries[n].held_out)]
    rng.shuffle(own)
    first = (library.measured(number) for number in own)
    digests = {library.entries[number].sha256 for number in (*shown, *own)}
    rest = library.neighbours(documents[item.shown[0].doc], held_out, rng)
    for measured in itertools.chain(first, (m for m in rest if m.document.sha256 not in digests)):
        yield _Harmless(measured, item)


def _placed(
    library: Library,
    item: Item,
    excerpts: Sequence[Excerpt],
    others: Iterator[_Harmless],
    room: int,
    slot: int,
    rng: random.Random,
) -> list[Excerpt]:
    """The item's excerpts among others, at depths that follow the slot: the evidence of one document at the slot's
    turn, several documents evenly apart from there on, wrapping round."""
    sizes = [library.tokenizer.count(excerpt.text) + TITLE_TOKENS for excerpt in excerpts]
    left = max(0, room - sum(sizes))
    depths = [(spread(slot) + number / len(excerpts)) % 1.0 for number in range(len(excerpts))]
    order = sorted(range(len(excerpts)), key=lambda number: depths[number])
    starts, at = [], 0
    for number in order:
        wanted = depths[number] * (left + sum(sizes)) - _middle(item, excerpts[number]) * sizes[number]
        # What the excerpts before it take is no room for others.
        starts.append(min(left, max(round(wanted) - at, starts[-1] if starts else 0)))
        at += sizes[number]
    gaps = [after - before for before, after in itertools.pairwise([0, *starts, left])]
    taken = {normalise(excerpt.document.title) for excerpt in excerpts}
    filled: dict[int, list[Excerpt]] = {}
    unfilled = 0
    # In a random order, so that the set's own distractors do not all come first.
    for gap in rng.sample(range(len(gaps)), len(gaps)):
        filled[gap], unfilled = gather(others, gaps[gap] + unfilled, taken, rng)
    placed = list(filled[0])
    for place, number in enumerate(order, 1):
        placed += [excerpts[number], *filled[place]]
    return placed


def _middle(item: Item, excerpt: Excerpt) -> float:
    """Where in an excerpt's text the evidence lies on average, 0..1; 0.5 where it holds none."""
    spans = [excerpt.locate(one.span) for one in item.evidence if one.doc == excerpt.document.sha256]
    known = [(span.start + span.end) / 2 for span in spans if span is not None]
    return sum(known) / len(known) / max(1, len(excerpt.text)) if known else 0.5


def _record(
    library: Library,
    item: Item,
    task: Task,
    prompt: Prompt,
    bin: Bin,
    excerpts: Sequence[Excerpt],
    number: int,
    slot: int,
    key: str,
) -> Record:
    capability = tasks.CAPABILITIES[item.capability]
    spans = in_prompt(places_of(item, prompt), prompt.excerpts, prompt)
    starts = {id(excerpt): start for excerpt, start in zip(prompt.excerpts, prompt.starts, strict=True)}
    whole = [Span(starts[id(e)], starts[id(e)] + len(e.text)) for e in excerpts]
    return Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": prompt.text}],
            "ability": capability.ability,
            "reward_model": {
                "style": "rule",
                "ground_truth": {**ground_truth(item), "summary": LANGUAGE_LABEL[item.language]},
            },
            "extra_info": {
                "index": 0,
                "reward_mode": capability.reward_mode,
                "question": task.question,
                "capability": capability.id,
                "metric": capability.metric,
                "task_form": item.form,
                "template": item.form,
                "language": item.language,
                "options": list(item.options),
                "listed": list(item.options),
                "n_tokens": prompt.n_tokens,
                "length_bin": bin.label,
                "tokenizer": tokens.label(library.tokenizer.name),
                "doc_sha256": [excerpt.document.sha256 for excerpt in prompt.excerpts],
                "doc_source": [excerpt.document.source for excerpt in prompt.excerpts],
                "licence": [excerpt.document.licence for excerpt in prompt.excerpts],
                "document_kind": library.entries[number].kind,
                "evidence": [{"doc": one.doc, "start": one.start, "end": one.end} for one in item.evidence],
                "evidence_in_prompt": [{"start": span.start, "end": span.end} for span in spans],
                "evidence_depth": depth(spans or whole, prompt),
                "question_position": "before" if task.question_first else "after",
                "slot": slot,
                "seed": key,
                "generator": item.track,
                "item_source": item.source,
                "pipeline_version": __version__,
                **item.extra,
            },
        }
    )

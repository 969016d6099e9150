"""One request, one record: a stretch of the document, a question about it, a context around it, and every check."""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from golongrl import __version__
from golongrl.core import tasks, tokens
from golongrl.core.documents import Span
from golongrl.core.records import Record
from golongrl.core.store import content_key
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, TaskForm, Unfit
from golongrl.pipeline.dataset.context import Prompt, Task, base_tokens, finish, gather, instruction
from golongrl.pipeline.dataset.excerpt import Excerpt, Measured
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.refine import depth, fault, in_prompt
from golongrl.pipeline.dataset.request import Request

TRIES = 3
"""Scenes that one request takes; each asks about less text than the one before."""
TRY_SHARES = (1.0, 0.7, 0.45)
SMALLEST_EXCERPT = 64
WHOLE = 0.3
"""Share of the questions whose document fills the context as far as it can; around the others there is room for more
documents, and so for evidence at any depth."""
ELSEWHERE = 10
"""Other documents of which a form gets a stretch for wrong options."""
ELSEWHERE_TOKENS = 1_500
QUESTION_SHARE, QUESTION_TOKENS = 0.2, 1_500
"""Room kept for a question about the whole context, whose length is known only once it is made."""
OTHERS = (4, 9)
"""Documents, at the least, beside the first in a question about all of them, where the corpus has so many."""
LANGUAGE_LABEL = {"en": "English", "zh": "Chinese"}


@dataclass
class Outcome:
    """What became of a request: a record, or none; and why scenes were passed over and records dropped."""

    record: Record | None = None
    unfit: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def compose(library: Library, request: Request, *, seed: int, template_tokens: int) -> Outcome:
    """Build the record that a request asks for."""
    form = TASK_FORMS[request.form]
    entry = library.entries[request.document]
    measured = library.measured(request.document)
    outcome = Outcome()
    limit = request.bin.upper - template_tokens
    for number in range(TRIES):
        rng = random.Random(content_key(request.key(seed, entry.sha256), number))
        room = _Room(library, request, form, rng, limit, seed)
        size = room.size - room.overhead
        share = (rng.uniform(0.3, 0.6) if form.scope == "context" else room.share) * TRY_SHARES[number]
        if int(size * share) < SMALLEST_EXCERPT:
            outcome.unfit["the bin is too short for a document and a question"] += 1
            break
        budget = int(size * share)
        found = _stretch(measured, form, budget, rng)
        if found is None:
            outcome.unfit["no block fits the bin"] += 1
            continue
        made = _construct(room, form, found[0], size - found[1])
        if isinstance(made, Unfit):
            outcome.unfit[made.reason] += 1
            continue
        candidate, scene, prompt = made
        spans = in_prompt(candidate.evidence, scene, prompt)
        record = _record(candidate, scene, prompt, request, form, spans, room, tokens.label(library.tokenizer.name))
        reason = fault(record, candidate, scene, prompt, spans)
        if reason is None:
            outcome.record = record
            return outcome
        outcome.dropped[reason] += 1
    return outcome


def _stretch(measured: Measured, form: TaskForm, budget: int, rng: random.Random) -> tuple[Excerpt, int] | None:
    """The excerpt that a form is asked about, with its tokens: from where the form says, else from anywhere."""
    if form.opening:
        return measured.opening(budget)
    starts = measured.places(form.name, form.starts) if form.starts else ()
    return measured.from_block(rng.choice(starts), budget) if starts else measured.window(budget, rng)


class _Room:
    """The sizes, dice and neighbours of one try."""

    def __init__(self, library: Library, request: Request, form: TaskForm, rng: random.Random, limit: int, seed: int):
        self.library, self.request, self.rng, self.limit, self.seed = library, request, rng, limit, seed
        self.entry = library.entries[request.document]
        self.metric = tasks.CAPABILITIES[form.capability].metric
        self.question_first = rng.random() < 0.5
        lowest = min(int(1.05 * max(request.bin.lower + 1, 0.6 * limit)), limit)
        self.size = rng.randint(lowest, max(int(0.98 * limit), lowest))
        # A form that starts at a certain place wants to see the whole of what begins there.
        self.share = 1.0 if form.starts or rng.random() < WHOLE else rng.uniform(0.25, 0.7)
        self.overhead = base_tokens(library.tokenizer, self.task("", ""))
        if form.scope == "context":
            self.overhead += min(QUESTION_TOKENS, int(QUESTION_SHARE * self.size))
        self.taken = {normalise(self.entry.title)}
        self.neighbours = library.neighbours(request.document, request.held_out, rng)

    def elsewhere(self) -> tuple[Excerpt, ...]:
        """Stretches of a few other documents."""
        others = self.library.neighbours(self.request.document, self.request.held_out, self.rng)
        windows = (other.window(ELSEWHERE_TOKENS, self.rng) for other in itertools.islice(others, ELSEWHERE))
        return tuple(window[0] for window in windows if window is not None)

    def task(self, question: str, stated: str) -> Task:
        """The prompt's parts beside its documents."""
        return Task(question, stated, self.entry.language, self.question_first)


def _construct(
    room: _Room, form: TaskForm, target: Excerpt, left: int
) -> tuple[Candidate, tuple[Excerpt, ...], Prompt] | Unfit:
    """A candidate with the scene it speaks about and its finished prompt."""
    others: list[Excerpt] = []
    whole = form.scope == "context"
    if whole:
        share = max(SMALLEST_EXCERPT, left // room.rng.randint(*OTHERS))
        others, _ = gather(room.neighbours, left, room.taken, room.rng, share)
    elsewhere = room.elsewhere() if form.elsewhere else ()
    scene = Scene((target, *others), room.request.slot, room.rng, elsewhere)
    candidate = form.construct(scene)
    if isinstance(candidate, Unfit):
        return candidate
    task = room.task(candidate.question, instruction(candidate, room.metric, scene.language))
    shown = candidate.withheld or target
    before, after = _around(room, candidate, shown, task) if not whole else _split(others, spread(room.request.slot))
    prompt = finish(
        before,
        shown,
        after,
        task,
        bin=room.request.bin,
        limit=room.limit,
        droppable=not whole,
        tokenizer=room.library.tokenizer,
    )
    if isinstance(prompt, Unfit):
        return prompt
    return candidate, scene.excerpts, prompt


def _around(room: _Room, candidate: Candidate, shown: Excerpt, task: Task) -> tuple[list[Excerpt], list[Excerpt]]:
    """Other documents before and after the one asked about, so much of each that the evidence comes to the depth that
    is the slot's turn, or as near to it as the excerpt's own length allows."""
    tokenizer = room.library.tokenizer
    own = tokenizer.count(shown.text)
    left = room.size - base_tokens(tokenizer, task) - own
    wanted = spread(room.request.slot) * (own + left) - _middle(candidate, shown) * own
    ahead = min(max(0, round(wanted)), left)
    before, unfilled = gather(room.neighbours, ahead, room.taken, room.rng)
    after, _ = gather(room.neighbours, left - ahead + unfilled, room.taken, room.rng)
    return before, after


def _split(others: list[Excerpt], depth: float) -> tuple[list[Excerpt], list[Excerpt]]:
    place = round(depth * len(others))
    return others[:place], others[place:]


def spread(slot: int) -> float:
    """The slot's place in the base-2 van der Corput sequence: any run of slots covers 0..1 evenly."""
    value, step = 0.0, 0.5
    while slot:
        value += step * (slot & 1)
        slot, step = slot >> 1, step / 2
    return value


def _middle(candidate: Candidate, shown: Excerpt) -> float:
    """Where in the first excerpt's text its evidence lies on average, 0..1; 0.5 where it is withheld."""
    spans = [shown.locate(place.span) for place in candidate.evidence if place.excerpt == 0]
    known = [(span.start + span.end) / 2 for span in spans if span is not None]
    return sum(known) / len(known) / max(1, len(shown.text)) if known else 0.5


def _record(
    candidate: Candidate,
    scene: Sequence[Excerpt],
    prompt: Prompt,
    request: Request,
    form: TaskForm,
    spans: Sequence[Span],
    room: _Room,
    tokenizer: str,
) -> Record:
    capability = tasks.CAPABILITIES[form.capability]
    entry = room.entry
    single = capability.metric in ("em", "choice", "math", "iou")
    withheld = not spans
    place = prompt.excerpts.index(candidate.withheld or scene[0])
    whole = Span(prompt.starts[place], prompt.starts[place] + len(prompt.excerpts[place].text))
    evidence = [
        {"doc": scene[p.excerpt].document.sha256, "start": p.span.start, "end": p.span.end}
        for p in candidate.evidence
    ]
    return Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": prompt.text}],
            "ability": capability.ability,
            "reward_model": {
                "style": "rule",
                "ground_truth": {
                    "golden_label": candidate.gold[0] if single else "",
                    "doc_ids": [] if single else list(candidate.gold),
                    "summary": LANGUAGE_LABEL[entry.language],
                },
            },
            "extra_info": {
                "index": 0,
                "reward_mode": capability.reward_mode,
                "question": candidate.question,
                "capability": capability.id,
                "metric": capability.metric,
                "task_form": form.name,
                "template": candidate.template,
                "language": entry.language,
                "options": list(candidate.options),
                "listed": list(candidate.listed or candidate.options),
                "n_tokens": prompt.n_tokens,
                "length_bin": request.bin.label,
                "tokenizer": tokenizer,
                "doc_sha256": [excerpt.document.sha256 for excerpt in prompt.excerpts],
                "doc_source": [excerpt.document.source for excerpt in prompt.excerpts],
                "licence": [excerpt.document.licence for excerpt in prompt.excerpts],
                "document_kind": entry.kind,
                "evidence": evidence,
                # A withheld text stands nowhere in the prompt; what it sums up does.
                "evidence_in_prompt": [{"start": span.start, "end": span.end} for span in spans],
                "evidence_depth": depth([whole] if withheld else spans, prompt),
                "question_position": "before" if room.question_first else "after",
                "slot": request.slot,
                "seed": request.key(room.seed, entry.sha256),
                "generator": f"rules/{form.name}",
                "pipeline_version": __version__,
                **candidate.extra,
            },
        }
    )

"""`synthesize`: ask models for questions about the documents, and keep those that hold."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from golongrl.core import chat
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.assign import Assignment
from golongrl.pipeline.dataset.calls import Call, Calls
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.questions.items import Item, excerpt_of
from golongrl.pipeline.dataset.reporting.phase_facts import SynthesisFacts
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.synthesis.judge import item_of
from golongrl.pipeline.dataset.synthesis.plan import Ask, Cell, plan
from golongrl.pipeline.dataset.synthesis.prompting import MOST_QUOTED, messages, repair_messages
from golongrl.pipeline.dataset.synthesis.read_answer import Malformed, read_questions
from golongrl.pipeline.dataset.synthesis.schemas import Written, answer_schema

MALFORMED = "the answer is not what the schema asks for, twice"
NO_ANSWER = {"overlong": "the prompt is longer than the model", "refused": "the server refuses the prompt"}
SAME_DOCUMENT = 0.6
"""Estimated similarity from which two questions about one document are near copies: what they are about is shared
anyway, so that less of their wording may be."""
NEAR_THERE = "a near copy of another question about the same document"
NEAR = "a near copy of another question"


@dataclass(frozen=True)
class Reject:
    """A question, or a whole answer, that was not kept."""

    source: str
    form: str
    bin: str
    reason: str


@dataclass
class Synthesis:
    """The items in a fixed order, what was rejected, and the facts for the report."""

    items: list[Item]
    rejects: list[Reject]
    facts: SynthesisFacts


@dataclass
class _Reading:
    """What came of the answers so far."""

    found: list[tuple[Ask, Item]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    malformed: list[tuple[Ask, str, str]] = field(default_factory=list)
    """Calls whose answer is not what the schema asks for, what is wrong with it, and the answer as far as it is shown
    to the model again."""


def synthesize(
    library: Library,
    config: BuildConfig,
    assignment: Assignment,
    wanted: Mapping[Cell, int],
    calls: Calls,
    progress: Progress = silent,
) -> Synthesis:
    """Questions for `wanted` records per cell, by the models that `config.synthesis` names.

    The same documents, settings and answers give the same items in the same order. Raises ConfigError when a model is
    too short to read anything, and what `Calls.run` raises.
    """
    desk = _Desk(library, config, calls)
    asks = plan(library, config, assignment, wanted)
    calls.run((desk.call(ask) for ask in asks), progress, "synthesis: questions")
    reading = _Reading()
    for ask in asks:
        desk.read(ask, desk.call(ask), reading)
    broken = list(reading.malformed)
    reading.malformed = []
    calls.run((desk.repair(*one) for one in broken), progress, "synthesis: repairs")
    repaired = sum(desk.read(one[0], desk.repair(*one), reading) for one in broken)
    reading.rejects += [desk.reject(ask, MALFORMED) for ask, *_ in reading.malformed]
    # What a second call put right stands where its first one does.
    place = {id(ask): number for number, ask in enumerate(asks)}
    reading.found.sort(key=lambda pair: place[id(pair[0])])
    kept = _apart(desk, reading, config.near_question)
    return Synthesis(
        items=[item for _, item in kept],
        rejects=reading.rejects,
        facts=_facts(desk, asks, len(broken), repaired, kept, reading.rejects),
    )


@dataclass(frozen=True)
class _Desk:
    """What every call is made from."""

    library: Library
    config: BuildConfig
    calls: Calls

    def excerpt(self, ask: Ask) -> Excerpt:
        """The window that a call is about."""
        return excerpt_of(self.library.document(ask.document), ask.window)

    def call(self, ask: Ask) -> Call:
        """The first call."""
        capability = ask.cell[1]
        return Call(
            model=ask.model,
            messages=tuple(messages(self.excerpt(ask), capability, ask.kind, ask.position, ask.count)),
            seed=ask.seed,
            schema=answer_schema(capability),
        )

    def repair(self, ask: Ask, problem: str, reply: str) -> Call:
        """The call that asks for a malformed answer once more."""
        first = self.call(ask)
        again = repair_messages(first.messages, reply, problem, ask.language)
        seed = chat.derive_seed(ask.seed, "synthesis repair", 1)
        return Call(first.model, again, seed, schema=first.schema)

    def read(self, ask: Ask, call: Call, reading: _Reading) -> bool:
        """Enter the questions of one answer, or why there are none; True when it is what the schema asks for."""
        answer = self.calls.result(call)
        if answer.error is not None:
            reading.rejects.append(self.reject(ask, NO_ANSWER.get(answer.error.kind, answer.error.kind)))
            return False
        try:
            written = read_questions(answer, ask.cell[1], ask.count, self.calls.think(ask.model))
        except Malformed as error:
            reading.malformed.append((ask, str(error), answer.text[:MOST_QUOTED]))
            return False
        self._judge(ask, written, reading)
        return True

    def _judge(self, ask: Ask, written: Sequence[Written], reading: _Reading) -> None:
        excerpt, entry = self.excerpt(ask), self.library.entries[ask.document]
        for one in written:
            item = item_of(one, ask, excerpt, entry, self.model(ask))
            if isinstance(item, Item):
                reading.found.append((ask, item))
            else:
                reading.rejects.append(self.reject(ask, item))

    def model(self, ask: Ask) -> str:
        """The name by which a model is told of; of one in a folder no more than the folder's own name."""
        name = self.config.models[ask.model].model
        return name.rstrip("/").rsplit("/", 1)[-1] if name.startswith(("/", ".", "~")) else name

    def reject(self, ask: Ask, reason: str) -> Reject:
        """A reject of a call."""
        source = f"{self.library.entries[ask.document].source} ({self.model(ask)})"
        return Reject(source, ask.form, ask.cell[2], reason)


def _apart(desk: _Desk, reading: _Reading, threshold: float) -> list[tuple[Ask, Item]]:
    """The questions that repeat no earlier one, in their order: first among those about one document, then all."""
    signed = []
    about: defaultdict[tuple[str, int], list[near_duplicates.Signatures]] = defaultdict(list)
    for ask, item in reading.found:
        # The order in which items stand below a question makes it no other question.
        text = item.question.partition("\n- ")[0]
        signature = near_duplicates.question_signature(text, item.language)
        others = about[item.capability, ask.document]
        if any(near_duplicates.similarity(signature, other) >= min(SAME_DOCUMENT, threshold) for other in others):
            reading.rejects.append(desk.reject(ask, NEAR_THERE))
            continue
        others.append(signature)
        signed.append((ask, item, signature))
    if not signed:
        return []
    repeats = near_duplicates.groups(np.stack([signature for *_, signature in signed]), threshold)
    kept = []
    for (ask, item, _), earlier in zip(signed, repeats.tolist(), strict=True):
        if earlier >= 0:
            reading.rejects.append(desk.reject(ask, NEAR))
        else:
            kept.append((ask, item))
    return kept


def _facts(
    desk: _Desk,
    asks: Sequence[Ask],
    malformed: int,
    repaired: int,
    kept: Sequence[tuple[Ask, Item]],
    rejects: Sequence[Reject],
) -> SynthesisFacts:
    """The counts for the report."""
    capabilities: dict[str, dict[str, int]] = {}
    for name in sorted({ask.cell[1] for ask in asks}):
        own = [ask for ask in asks if ask.cell[1] == name]
        held = [item for _, item in kept if item.capability == name]
        capabilities[name] = {
            "asked": len(own),
            "windows": len({(ask.document, ask.window) for ask in own}),
            "documents": len({ask.document for ask in own}),
            "items": len(held),
        }
    return {
        "asked": len(asks) + malformed,
        "malformed": malformed,
        "repaired": repaired,
        "rejected": _sorted(Counter(reject.reason.split(":")[0] for reject in rejects)),
        "items": len(kept),
        "capabilities": capabilities,
        "types": _sorted(Counter(item.form.removeprefix("llm:") for _, item in kept)),
        "positions": _sorted(Counter(ask.position for ask, _ in kept)),
        "models": _sorted(Counter(desk.model(ask) for ask, _ in kept)),
    }


def _sorted(tally: Counter[str]) -> dict[str, int]:
    return dict(sorted(tally.items()))

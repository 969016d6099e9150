"""Asking what a benchmark's journal does not hold yet, and finding again what was answered."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from golongrl.core import chat, chat_batch
from golongrl.core.records import Score
from golongrl.core.runs import Run
from golongrl.core.store import Journal
from golongrl.pipeline.evaluation import external, grading, serving
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.job import BenchJob, Slot
from golongrl.pipeline.evaluation.pace import Progress, pace, silent


@dataclass
class Opened:
    """A benchmark of this run with its open folder and journals."""

    job: BenchJob
    run: Run
    journal: Journal
    verdicts: Journal | None
    """The judge's replies; None where no judge is asked."""
    graded: dict[str, Score] = field(default_factory=dict)
    """Scores by the rule that came while answers did, by the answers' keys."""


def key_of(job: BenchJob, slot: Slot) -> str | None:
    """The key of a slot's answer in the journal, None where it is not there."""
    return slot.request.key(serving.slot_identity(job, slot)) if slot.request is not None else None


def missing(one: Opened) -> list[Slot]:
    """The slots that still want an answer, in the order in which they are asked."""
    if one.job.responses is not None:
        return []
    if external.is_external(one.job.bench.name):
        return external.owed(one.job, one.run.folder)
    answers = ((slot, _stored(one, slot)) for slot in one.job.sent)
    return [slot for slot, answer in answers if answer is None or answer.error is not None]


def answers(one: Opened) -> Iterator[tuple[Slot, chat.Generation | None]]:
    """Each slot with its generation, read one by one; None where there is none.

    From the journal, another program's results or the responses file.
    """
    if one.job.responses is not None:
        for slot in one.job.slots:
            found = one.job.responses.get((slot.item.id, slot.repeat))
            whole = found and chat.Generation(key="", text=found.text, finish_reason=found.finish_reason)
            yield slot, whole or None
    elif external.is_external(one.job.bench.name):
        texts = external.answers(one.job, one.run.folder)
        for slot in one.job.slots:
            text = texts.get((slot.item.id, slot.repeat))
            yield slot, chat.Generation(key="", text=text) if text is not None else None
    else:
        for slot in one.job.slots:
            yield slot, _stored(one, slot)


def _stored(one: Opened, slot: Slot) -> chat.Generation | None:
    key = key_of(one.job, slot)
    return chat.stored(one.journal, key) if key is not None else None


def generate(config: EvalConfig, endpoint: chat.Endpoint, one: Opened, owed: list[Slot], progress: Progress) -> None:
    """Answer the owed slots, those that ask the same once; where no judge is asked the score is shown as it grows.

    All owed slots have one YaRN factor, that of the endpoint. Raises ServerError when the endpoint is gone.
    """
    name, factor = one.job.bench.name, one.job.limits.factor(owed[0].n_input_tokens)
    # Slots of other factors are asked before or after this.
    same_factor = (slot for slot in one.job.slots if one.job.limits.factor(slot.n_input_tokens) == factor)
    wanted = sum(not slot.overlong for slot in same_factor)
    with progress(f"{name}: generating", wanted) as counter:
        counter.advance(wanted - len(owed))
        if external.is_external(name):
            external.generate(config, one.job, endpoint, one.run.folder)
            counter.advance(len(owed))
            return
        slots: dict[str, list[Slot]] = {}
        for slot in owed:
            slots.setdefault(key_of(one.job, slot) or "", []).append(slot)
        sizes = {key: same[0].n_input_tokens or 0 for key, same in slots.items()}
        shown = progress is not silent and one.verdicts is None
        with grading.in_background(one.graded) as running:

            def result(answer: chat.Generation) -> None:
                same = slots[answer.key]
                # Rows that ask the same may want different answers.
                if shown and answer.error is None and len(same) == 1:
                    gold = same[0].item.gold
                    running.add(answer.key, grading.Submission(name, gold, answer.text, one.job.model.think))
                show(answer)
                counter.advance(len(same) - 1)

            show = pace(counter, sizes, running.text)
            requests = [same[0].request for same in slots.values()]
            chat_batch.run(endpoint, [request for request in requests if request is not None], one.journal, result)

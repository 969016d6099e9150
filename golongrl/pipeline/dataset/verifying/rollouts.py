"""What votes and rollouts share: many answers of models to the prompts of finished records, scored by the rewards of
these records, of which only a few are in memory at a time."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from golongrl.core import chat
from golongrl.core.records import Message, Record
from golongrl.core.store import content_key
from golongrl.core.text import Think
from golongrl.pipeline.dataset.calls import Call, Calls
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.llm_settings import DifficultyConfig, VerifyConfig
from golongrl.pipeline.dataset.verifying.necessity import Messages
from golongrl.rewards import score_response

Records = Callable[[], Iterator[Record]]
"""Opens the records once more, in the same order each time: they are too long to be held."""
Plan = Callable[[int, Record], Sequence[Call]]
"""The calls that a record, with its number from 0, is worth."""

GRADED = ("f1", "iou", "subem", "ndcg", "pairwise", "rouge_l")
"""Metrics with values between 0 and 1; verbatim answers behind a prefix have them too."""
TRACKS = ("rules", "qa", "llm")
TOLERANCE = 1e-9
THREADS = 4
"""Answers scored at once: comparisons of formulas wait for worker processes."""
AHEAD = 8
"""Records whose answers are being scored while the first of them is awaited."""


@dataclass(frozen=True)
class Answer:
    """One answer of a model. `value` is None where there is no score, and `reason` says why; `cut` says that the
    answer reached the token limit."""

    model: str
    value: float | None
    reason: str
    text: str = ""
    cut: bool = False


def own_messages(record: Record) -> Messages:
    """The record's prompt as it is."""
    return tuple({"role": message.role, "content": message.content} for message in record.prompt)


def record_key(record: Record) -> str:
    """Content key of a record's prompt and gold answer."""
    return content_key(own_messages(record), record.metric, record.gold.golden_label, record.gold.doc_ids)


def turns(models: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` models, taken in turn; none of none."""
    return tuple(models[number % len(models)] for number in range(count if models else 0))


def calls_for(messages: Messages, models: Sequence[str], *, seed: int, stage: str, key: str) -> list[Call]:
    """One call per entry of `models`. Answers of one model differ in seed and repeat. Those of two stages differ in
    the seed: if one answer served both, they would not be independent."""
    seen: Counter[str] = Counter()
    calls = []
    for model in models:
        repeat = seen[model]
        seen[model] += 1
        # Two entries may serve different models by one name: their answers must not be one.
        own = chat.derive_seed(seed, f"{stage} {model} {key}", repeat)
        calls.append(Call(model=model, messages=messages, seed=own, repeat=repeat))
    return calls


def answered(
    calls: Calls, records: Records, plan: Plan, *, label: str, progress: Progress = silent
) -> Iterator[tuple[int, Record, list[Answer]]]:
    """Ask for everything that `plan` gives, then yield each record with its number and its scored answers.

    Records without calls come with no answers. Raises CheckFailedError when calls failed for good.
    """
    planned = (call for number, record in enumerate(records()) for call in plan(number, record))
    calls.run(planned, progress=progress, label=label)
    waiting: deque[tuple[int, Record, list[Future[Answer]]]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for number, record in enumerate(records()):
            jobs = plan(number, record)
            # A prompt may be long, and scoring does not read it.
            scored = record.model_copy(update={"prompt": [Message(role="user", content="")]})
            found = [
                pool.submit(_score, scored, call.model, calls.result(call), calls.think(call.model)) for call in jobs
            ]
            waiting.append((number, record, found))
            if len(waiting) > AHEAD:
                yield _scored(waiting.popleft())
        while waiting:
            yield _scored(waiting.popleft())


def _scored(entry: tuple[int, Record, list[Future[Answer]]]) -> tuple[int, Record, list[Answer]]:
    number, record, futures = entry
    return number, record, [future.result() for future in futures]


def _score(record: Record, model: str, generation: chat.Generation, think: Think) -> Answer:
    if generation.error is not None:
        return Answer(model, None, generation.error.kind)
    score = score_response(record, generation.text, think=think)
    return Answer(model, score.value, score.reason, generation.text, generation.finish_reason == "length")


def pass_mark(record: Record, config: VerifyConfig | DifficultyConfig) -> float:
    """The score from which an answer to this record passes: 1 unless its metric is graded."""
    if record.metric in GRADED or (record.metric == "em" and record.extra_info.get("strict_prefix")):
        return config.pass_scores.get(record.metric, config.pass_score)
    return 1.0


def passes(value: float, mark: float) -> bool:
    """Whether a score reaches the mark, rounding errors aside."""
    return value >= mark - TOLERANCE


def track_of(record: Record) -> str:
    """The track that made a record, as `generator` names it ("qa/...", "llm:..."); "rules" where it names none."""
    name = str(record.extra_info.get("generator") or "").replace(":", "/").split("/")[0]
    return name if name in TRACKS else "rules"

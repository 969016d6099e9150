"""Asking a model for its verdict on free answers: each question once, kept in a journal of its own.

The journal's key covers the judge's name, what it is asked (question, reference and answer), sampling and seed. A
reply without a verdict is asked for again with another seed; an answer that never gets one stays unjudged.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from golongrl.core import chat, chat_batch
from golongrl.core.errors import ServerError
from golongrl.core.records import Score
from golongrl.core.store import Journal, content_key
from golongrl.pipeline.evaluation.benchmarks.base import Judge, Messages
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.grading import Submission

AGAIN_TEMPERATURE = 0.7
"""Least temperature of asking again: a greedy judge would repeat the reply that held no verdict."""
NOT_ASKED = "judge missing"
"""Kind of failure of an answer that the judge was not asked about."""


@dataclass(frozen=True)
class Verdict:
    """The score that counts; `failed` when the judge could not be asked, so that the answer is owed a verdict."""

    score: Score
    failed: bool = False


def endpoint(config: EvalConfig) -> chat.Endpoint:
    """Where the judge is asked."""
    return chat.Endpoint(
        base_url=config.judge_base_url or "",
        model=config.judge_model or "",
        max_requests=config.judge_concurrency,
        timeout=config.timeout,
        retries=config.retries,
        api_key_env=config.judge_api_key_env,
        address_option="--judge-base-url",
    )


def check(config: EvalConfig) -> None:
    """ServerError when nothing listens at the judge's address: better found before hours of generating."""
    try:
        chat.served_length(endpoint(config))
    except ServerError as error:
        raise ServerError(f"the judge: {error}") from error


def questions(judge: Judge, jobs: Iterable[Submission]) -> list[Messages | Score]:
    """What the judge is asked about each answer, or the Score where nothing needs asking."""
    return [judge.messages(job.gold, job.response, job.think) for job in jobs]


def request(config: EvalConfig, messages: Messages, attempt: int) -> chat.Request:
    """The judge's question for the first (0) or a later time."""
    temperature = config.judge_temperature if attempt == 0 else max(config.judge_temperature, AGAIN_TEMPERATURE)
    sampling = chat.Sampling(temperature=temperature, top_p=1.0, max_tokens=config.judge_max_output)
    return chat.Request(messages, sampling, chat.derive_seed(config.seed, content_key(messages), attempt), attempt)


def ask(
    config: EvalConfig,
    judge: Judge,
    asked: Sequence[Messages | Score],
    journal: Journal,
    on_reply: Callable[[], None] = lambda: None,
) -> None:
    """Ask what the journal does not answer yet, and again where a reply holds no verdict.

    `on_reply` is called once per question of the first round. Raises ServerError when the judge is gone; what it
    answered before is kept.
    """
    where = endpoint(config)
    # Equal answers to one question are judged once.
    open_questions = {content_key(one): one for one in asked if not isinstance(one, Score)}
    for attempt in range(config.judge_retries + 1):
        requests = {key: request(config, messages, attempt) for key, messages in open_questions.items()}
        missing = [one for one in requests.values() if _owed(journal, one, where)]
        if missing:
            chat_batch.run(where, missing, journal, lambda reply: on_reply() if attempt == 0 else None)  # noqa: B023
        open_questions = {
            key: open_questions[key]
            for key, one in requests.items()
            if (reply := chat.stored(journal, one.key(where.model))) is not None
            and reply.error is None
            and judge.read_verdict(reply.text) is None
        }


def owed(config: EvalConfig, asked: Sequence[Messages | Score], journal: Journal) -> int:
    """How many questions the journal does not answer yet at all."""
    where = endpoint(config)
    found = {content_key(one): one for one in asked if not isinstance(one, Score)}
    return sum(_owed(journal, request(config, messages, 0), where) for messages in found.values())


def verdict(config: EvalConfig, judge: Judge, rule: Score, asked: Messages | Score, journal: Journal) -> Verdict:
    """The final score of one answer from the journal alone; the rule's own score stays in the details."""
    details = dict(rule.details) if rule.value is not None else {}
    if rule.value is not None and judge.rule is not None:
        details["rule"] = rule.value
    if isinstance(asked, Score):
        return Verdict(Score(value=asked.value, reason=asked.reason, details={**details, **asked.details}))
    where = endpoint(config)
    last = ""
    for attempt in range(config.judge_retries + 1):
        reply = chat.stored(journal, request(config, asked, attempt).key(where.model))
        if reply is None or reply.error is not None:
            error = reply.error if reply is not None else None
            failure = {"kind": f"judge {error.kind}", "message": error.message} if error else {"kind": NOT_ASKED}
            return Verdict(Score(value=None, reason="error", details={**details, **failure}), failed=True)
        found = judge.read_verdict(reply.text)
        if found is not None:
            return Verdict(Score(value=found.value, reason=found.reason, details={**details, **found.details}))
        last = reply.text
    failure = {"kind": "unjudged", "last_reply": last[-200:]}
    return Verdict(Score(value=None, reason="error", details={**details, **failure}))


def _owed(journal: Journal, one: chat.Request, where: chat.Endpoint) -> bool:
    found = chat.stored(journal, one.key(where.model))
    return found is None or found.error is not None

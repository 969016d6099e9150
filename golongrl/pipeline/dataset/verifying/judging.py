"""What the answers to a record say of it: whether the votes accept its gold answer and no other, and whether the
answers to a prompt without the documents, without the evidence, or with nothing else refuse it."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from golongrl.core.records import Record
from golongrl.core.text import Think, answer_area, final_text
from golongrl.pipeline.dataset.llm_settings import VerifyConfig
from golongrl.pipeline.dataset.verifying import luck
from golongrl.pipeline.dataset.verifying.rollouts import Answer, pass_mark, passes
from golongrl.rewards import score_response
from golongrl.rewards.items import compare_items, gold_texts
from golongrl.rewards.table_iou import parse_table, row_key

UNSCORED = "too few answers could be scored"
AMBIGUOUS = "a second answer is accepted by the answerers"
TOO_FEW = "too few answerers agree with the gold"
CLOSED_BOOK = "answerable without the documents"
WITHOUT_EVIDENCE = "answerable without its evidence"
EVIDENCE_ONLY = "not answerable from the documents that hold its evidence"

ASKED = "asked"
NOTHING_HEARD = "no answer could be scored"
LUCK_ALONE = "asked too few times to tell knowledge from luck"

QUORUM = 0.5
"""Smallest share of the answers that must say something."""
SECOND_VOTES, SECOND_SHARE = 2, 0.25
"""Votes, and share of them, that make one wrong answer a second right one. The share keeps two stray answers among
very many from counting."""


def telling(record: Record, answers: Sequence[Answer], config: VerifyConfig) -> list[Answer]:
    """The answers that say something: those with a score, but for wrong ones that were cut off."""
    mark = pass_mark(record, config)
    return [a for a in answers if a.value is not None and (passes(a.value, mark) or not a.cut)]


def judge_votes(
    record: Record, answers: Sequence[Answer], config: VerifyConfig, think: Callable[[str], Think]
) -> str | None:
    """Why the votes refuse a record, or None; the order of the answers does not matter.

    A second answer is accepted where `SECOND_VOTES` wrong ones state it, or all wrong ones do and they are as many as
    the right ones. `think` tells how a model's answers are read.
    """
    mark = pass_mark(record, config)
    heard = telling(record, answers, config)
    if not heard or len(heard) < QUORUM * len(answers):
        return UNSCORED
    wrong = [answer for answer in heard if answer.value is not None and not passes(answer.value, mark)]
    right = len(heard) - len(wrong)
    others = Counter(stated(record, answer.text, think(answer.model)) for answer in wrong)
    del others[None]
    second = max(others.values(), default=0)
    if second >= max(SECOND_VOTES, SECOND_SHARE * len(heard)) or second == len(wrong) >= right > 0:
        return AMBIGUOUS
    return None if right and right >= config.agree * len(heard) else TOO_FEW


def judge_closed_book(record: Record, answers: Sequence[Answer], config: VerifyConfig) -> str | None:
    """Refused where answers without any document pass more often than luck allows."""
    return CLOSED_BOOK if _known(record, answers, config) else None


def judge_without_evidence(record: Record, answers: Sequence[Answer], config: VerifyConfig) -> str | None:
    """Refused where answers without the evidence pass more often than luck allows."""
    return WITHOUT_EVIDENCE if _known(record, answers, config) else None


def judge_evidence_only(record: Record, answers: Sequence[Answer], config: VerifyConfig) -> str | None:
    """Refused where fewer answers pass than the votes must: the other documents made the answer right."""
    heard = telling(record, answers, config)
    right = _count(heard, pass_mark(record, config))
    return EVIDENCE_ONLY if heard and (not right or right < config.agree * len(heard)) else None


def outcome(record: Record, answers: Sequence[Answer], config: VerifyConfig, *, by_luck: bool) -> str:
    """Whether the answers to a necessity prompt can refuse a record at all: "asked", or why they cannot.

    `by_luck`: the record is refused for right answers, of which luck must not explain all.
    """
    heard = telling(record, answers, config)
    if not heard:
        return NOTHING_HEARD
    if by_luck and not luck.beyond_luck(len(heard), len(heard), luck.chance(record, 1.0)):
        return LUCK_ALONE
    return ASKED


def _known(record: Record, answers: Sequence[Answer], config: VerifyConfig) -> bool:
    """Whether more answers pass than luck allows, at the passing mark or at the full score: orders of few candidates
    often pass by luck, but are rarely all right."""
    heard = telling(record, answers, config)
    for mark in (pass_mark(record, config), 1.0):
        right = _count(heard, mark)
        if right and luck.beyond_luck(right, len(heard), luck.chance(record, mark)):
            return True
    return False


def _count(answers: Sequence[Answer], mark: float) -> int:
    return sum(answer.value is not None and passes(answer.value, mark) for answer in answers)


def stated(record: Record, text: str, think: Think) -> Hashable | None:
    """The answer that a response states, in the form in which two are the same; None where it states none, or one
    that no two answerers would word alike (summaries, verbatim passages)."""
    final = final_text(text, think)
    if not final.closed or record.metric == "rouge_l" or record.extra_info.get("strict_prefix"):
        return None
    if record.metric in ("em", "choice", "math"):
        return score_response(record, text, think=think).details.get("answer") or None
    if record.metric == "iou":
        rows = parse_table(final.text.rpartition("<answer>")[2].partition("</answer>")[0])
        return frozenset(Counter(map(row_key, rows)).items()) if rows else None
    items = compare_items(gold_texts(record), answer_area(final.text)[0]).predictions
    return tuple(items if record.metric in ("ndcg", "pairwise") else sorted(items)) or None

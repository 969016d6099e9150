"""LongMemEval-S: questions about what was said in some fifty earlier chats.

Data set `xiaowu0162/longmemeval-cleaned`, longmemeval_s_cleaned.json, 500 rows, MIT. Columns: `question_id` (ending
in _abs where the chats do not hold the answer), `question_type` (single-session-user, single-session-assistant,
single-session-preference, multi-session, temporal-reasoning, knowledge-update), `question`, `answer`,
`question_date`, `haystack_dates`, `haystack_sessions` (lists of {role, content}, those with the answer marked by
`has_answer`). Metric: share of answers that a
judge finds right, by a rule per type as the authors' own judge has it (theirs is GPT-4o). The date of the question is
part of the prompt: questions such as "how many days ago" have no answer without it. No published score of these
cleaned rows has been compared with.
"""

from collections.abc import Iterator
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.records import Score
from golongrl.core.text import final_text
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import judging
from golongrl.pipeline.evaluation.benchmarks.answers import after_thinking
from golongrl.pipeline.evaluation.benchmarks.base import (
    Benchmark,
    Item,
    Judge,
    LoadOptions,
    Messages,
    Thinking,
)
from golongrl.pipeline.evaluation.benchmarks.evidence import located
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of, texts_of, value_of

HUB = hub_data.HubSource(
    "xiaowu0162/longmemeval-cleaned",
    "98d7416c24c778c2fee6e6f3006e7a073259d48f",
    ("longmemeval_s_cleaned.json",),
)
SYSTEM = (
    "You are an assistant with the record of your earlier chats with this user. Answer the user's question from the "
    "record: first note what in it bears on the question, then reason, then give the answer. What was said later "
    "replaces what was said earlier. Where the record does not hold the answer, say that it does not. Be brief."
)
_EQUAL = (
    "The answer is right when it contains the reference answer or says the same in other words, also with more "
    "detail. It is wrong when it contains a part of the reference answer only."
)
RULES = {
    "single-session-user": _EQUAL,
    "single-session-assistant": _EQUAL,
    "multi-session": _EQUAL,
    "temporal-reasoning": (
        f"{_EQUAL} A number of days, weeks or months that is off by one is still right where the question asks for "
        "such a number."
    ),
    "knowledge-update": (
        f"{_EQUAL} It may name earlier, outdated facts as well, as long as it gives the reference answer as the "
        "present one."
    ),
    "single-session-preference": (
        "The reference describes what an answer that suits this user does. The answer is right when it recalls and "
        "uses what the user told about themselves; it need not meet every point of the reference."
    ),
}
"""What makes an answer right, by type of question."""
ABSTENTION = (
    "The record does not hold what the question asks for; the reference explains why. The answer is right when it "
    "says that it cannot be told, or that only something else is on record, and wrong when it gives an answer."
)


def sessions_text(sessions: list[Any], dates: list[str], where: str) -> tuple[str, list[tuple[int, int]]]:
    """The chats as text, in the published order, each with its number and date; and where turns hold the answer."""
    blocks: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for number, (session, date) in enumerate(zip(sessions, dates, strict=True), 1):
        lines = [f"### Chat {number}, {date}"]
        if not isinstance(session, list):
            raise DataError(f"{where}, column haystack_sessions: chat {number} is no list of turns; mend the row")
        for turn in session:
            role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, dict) else (None, None)
            if not isinstance(role, str) or not isinstance(content, str):
                raise DataError(
                    f"{where}, column haystack_sessions: chat {number} has a turn without role and content; mend or "
                    "remove the row"
                )
            line = f"{role.capitalize()}: {content.strip()}"
            if turn.get("has_answer") is True:
                start = at + sum(len(before) + 1 for before in lines)
                spans.append((start, start + len(line)))
            lines.append(line)
        blocks.append("\n".join(lines))
        at += len(blocks[-1]) + 2
    return "\n\n".join(blocks), spans


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """What the judge needs: the question, its date, its type and the answer."""
    identity, kind = text_of(row, where, "question_id", "id"), text_of(row, where, "question_type")
    if kind not in RULES:
        raise DataError(
            f"{where}, column question_type: {kind[:40]!r} is none of {', '.join(RULES)}; mend or remove the row"
        )
    return {
        "question": text_of(row, where, "question"),
        "answer": text_of(row, where, "answer"),
        "type": kind,
        "abstain": identity.endswith("_abs"),
        "date": text_of(row, where, "question_date"),
    }


def read(row: Row, where: str) -> Item:
    """One row as an item."""
    identity, gold = text_of(row, where, "question_id"), read_gold(row, where)
    sessions = value_of(row, where, "haystack_sessions")
    dates = texts_of(row, where, "haystack_dates")
    if not isinstance(sessions, list):
        raise DataError(f"{where}, column haystack_sessions: expected a list of chats; mend or remove the row")
    if len(sessions) != len(dates):
        raise DataError(
            f"{where}, column haystack_dates: {len(dates)} dates for {len(sessions)} chats; mend or remove the row"
        )
    before = "The record of our chats:\n\n"
    document, spans = sessions_text(sessions, dates, where)
    after = f"\n\nToday is {gold['date']}.\nQuestion: {gold['question'].strip()}"
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": before + document + after}]
    buckets = {"type": "abstention" if gold["abstain"] else gold["type"]}
    item = Item(identity, messages, gold, buckets, identity, 64, (1, len(before), len(before) + len(document)))
    return located(item, [(1, len(before) + start, len(before) + end) for start, end in spans])


def load(options: LoadOptions) -> Iterator[Item]:
    """Items in order of the file."""
    return each_row("longmemeval", options, HUB, read)


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """None without a judge: the answers are free text. 0 for a response that answers nothing."""
    said = after_thinking(response, think)
    if isinstance(said, Score):
        return said
    return Score(value=None, reason="error", details={"problem": "needs a judge"})


def judge_messages(gold: dict[str, Any], response: str, think: Thinking) -> Messages | Score:
    """Ask by the rule of the question's type."""
    rule = score(gold, response, think)
    if rule.value is not None:
        return rule
    system = (
        "You judge an answer to a question about earlier chats. "
        f"{ABSTENTION if gold['abstain'] else RULES[gold['type']]} Do not answer the question yourself. Explain in "
        "one or two sentences, then end with the verdict on a line of its own: [[YES]] when the answer is right, "
        "[[NO]] when it is not."
    )
    answer = judging.fenced(final_text(response, think).text.strip())
    content = (
        f"Asked on: {gold['date']}\nQuestion: {gold['question']}\n\nReference: {gold['answer']}\n\n"
        f"Answer to judge: {answer}"
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": content}]


LONGMEMEVAL = Benchmark(
    name="longmemeval",
    dataset=HUB.repo,
    split="longmemeval_s_cleaned",
    fields="question_id, question_type, question, answer, question_date, haystack_dates, haystack_sessions",
    licence="MIT",
    metric="share of answers that the judge finds right",
    load=load,
    score=score,
    from_row=from_response(read_gold, "question", "answer", "question_type", "question_date"),
    hub=HUB,
    judge=Judge(judge_messages, judging.read_verdict, None),
)

"""One sample per wanted answer: what became of it, its score, and the reason where it has none.

`status` is one of STATUSES. A score's denominator are the samples of SCORED; all others are counted beside it.
`answer` is the text that was graded, shortened in its middle; the whole response stays in the journal.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from golongrl.core import chat
from golongrl.core.records import Score
from golongrl.core.report.excerpts import middle_cut

if TYPE_CHECKING:
    from golongrl.pipeline.evaluation.job import Slot

Sample = dict[str, Any]
Facts = Mapping[str, Any]
"""What is known of a sample before its answer, see `facts_of`."""

STATUSES = {
    "ok": "an answer with a score",
    "no_answer": "nothing that counts as an answer, such as thinking that never ends; scored, 0",
    "truncated_output": "cut off at the output limit; what is there is scored",
    "overlong_input": "the prompt does not fit; no score",
    "server_error": "no answer because of an error, or none in the responses file; no score, owed",
    "judge_error": "the judge could not be asked; no score, owed",
    "unjudged": "the judge gave no verdict, or the rule no score; no score",
}
"""What may become of a sample."""
SCORED = ("ok", "no_answer", "truncated_output")
OWED = ("server_error", "judge_error")
LONGEST_ANSWER = 1_500
"""Characters of an answer that a sample keeps."""


def facts_of(slot: "Slot") -> dict[str, Any]:
    """The parts of a sample that do not depend on its answer."""
    item = slot.item
    return {
        "id": item.id,
        "repeat": slot.repeat,
        "buckets": item.buckets,
        "depth": item.depth,
        "cluster": item.cluster,
        "n_input_tokens": slot.n_input_tokens,
        "n_cut_tokens": slot.n_cut_tokens,
        "overlong": slot.overlong,
    }


def without_score(facts: Facts, answer: chat.Generation | None, max_input: int) -> Sample:
    """A sample that has no answer to grade."""
    sample = _unanswered(facts)
    error = answer.error if answer is not None else None
    if facts["overlong"] or (error is not None and error.kind == "overlong"):
        details = {"kind": "overlong", "max_input": max_input}
        return {**sample, "status": "overlong_input", "reason": "truncated", "details": details}
    if error is not None:
        reason = "timeout" if error.kind == "timeout" else "error"
        return {**sample, "reason": reason, "details": {"kind": error.kind, "message": error.message}}
    return sample


def with_answer(facts: Facts, answer: chat.Generation, score: Score, *, judge_failed: bool = False) -> Sample:
    """A sample with an answer. One that was cut off is graded for what is there, and counted as cut off."""
    sample = {
        **_unanswered(facts),
        "score": score.value,
        "reason": score.reason,
        "details": score.details,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "answer": shown_answer(answer.text, score.reason),
    }
    if score.value is None:
        return {**sample, "status": "judge_error" if judge_failed else "unjudged"}
    if answer.finish_reason == "length":
        # An unclosed thought says more than that it was cut off.
        reason = "truncated" if score.reason in ("ok", "no_answer") else score.reason
        return {**sample, "status": "truncated_output", "reason": reason}
    return {**sample, "status": "no_answer" if score.reason in ("no_answer", "unclosed_think") else "ok"}


def _unanswered(facts: Facts) -> Sample:
    return {
        "id": facts["id"],
        "repeat": facts["repeat"],
        "status": "server_error",
        "score": None,
        "reason": "error",
        "details": {"kind": "missing"},
        "n_input_tokens": facts["n_input_tokens"],
        "n_cut_tokens": facts["n_cut_tokens"],
        "evidence_depth": facts["depth"],
        **facts["buckets"],
        "cluster": facts["cluster"],
        "finish_reason": None,
        "prompt_tokens": None,
        "completion_tokens": None,
        "answer": None,
        "bucket_keys": sorted(facts["buckets"]),
    }


def shown_answer(response: str, reason: str) -> str:
    """What a response says after its thinking; of thinking that never ends, its last words."""
    thinking = reason == "unclosed_think"
    said = response if thinking else response.rpartition("</think>")[2]
    # Half of a surrogate pair, which a server may send, is no UTF-8.
    said = said.strip().encode("utf-8", "backslashreplace").decode("utf-8")
    if not thinking:
        return middle_cut(said, LONGEST_ANSWER)
    return f"(thinking that does not end) … {said[-LONGEST_ANSWER // 3 :]}"

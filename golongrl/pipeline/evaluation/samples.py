"""One sample per wanted answer: what became of it, its score, and the reason where it has none.

`status` is one of STATUSES. A score's denominator are the samples of SCORED; all others are counted beside it.
"""

from typing import Any

from golongrl.core import chat
from golongrl.core.records import Score
from golongrl.pipeline.evaluation.job import Slot

Sample = dict[str, Any]

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


def describe(slot: Slot) -> Sample:
    """The parts of a sample that do not depend on its answer."""
    return {
        "id": slot.item.id,
        "repeat": slot.repeat,
        "status": "server_error",
        "score": None,
        "reason": "error",
        "details": {"kind": "missing"},
        "n_input_tokens": slot.n_input_tokens,
        "n_cut_tokens": slot.n_cut_tokens,
        **slot.item.buckets,
        "cluster": slot.item.cluster,
        "finish_reason": None,
        "prompt_tokens": None,
        "completion_tokens": None,
        "bucket_keys": sorted(slot.item.buckets),
    }


def without_score(slot: Slot, answer: chat.Generation | None, max_input: int) -> Sample:
    """A sample that has no answer to grade."""
    sample = describe(slot)
    error = answer.error if answer is not None else None
    if slot.overlong or (error is not None and error.kind == "overlong"):
        details = {"kind": "overlong", "max_input": max_input}
        return {**sample, "status": "overlong_input", "reason": "truncated", "details": details}
    if error is not None:
        reason = "timeout" if error.kind == "timeout" else "error"
        return {**sample, "reason": reason, "details": {"kind": error.kind, "message": error.message}}
    return sample


def with_answer(slot: Slot, answer: chat.Generation, score: Score, *, judge_failed: bool = False) -> Sample:
    """A sample with an answer. One that was cut off is graded for what is there, and counted as cut off."""
    sample = {
        **describe(slot),
        "score": score.value,
        "reason": score.reason,
        "details": score.details,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
    }
    if score.value is None:
        return {**sample, "status": "judge_error" if judge_failed else "unjudged"}
    if answer.finish_reason == "length":
        # An unclosed thought says more than that it was cut off.
        reason = "truncated" if score.reason in ("ok", "no_answer") else score.reason
        return {**sample, "status": "truncated_output", "reason": reason}
    return {**sample, "status": "no_answer" if score.reason in ("no_answer", "unclosed_think") else "ok"}

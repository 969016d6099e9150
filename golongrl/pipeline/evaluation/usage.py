"""What a run took: tokens, time, and money by prices that the user states; never a guess."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golongrl.core import chat
from golongrl.pipeline.evaluation.samples import Sample


@dataclass(frozen=True)
class Prices:
    """Price of a million tokens, prompt and answer, in one currency; None where it was not stated."""

    input: float | None = None
    output: float | None = None


def tokens_of(samples: Sequence[Sample], judge_replies: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Tokens of the prompts as counted here, of prompts and answers as the server counted, and of the judge.

    None is for what nothing is known of: prompts that were not given, counts that the server never sent;
    `n_uncounted` answers came without.
    """
    known = [count for sample in samples if (count := sample["n_input_tokens"]) is not None]
    answered = [sample for sample in samples if sample["answer"] is not None]
    counted = [s for s in answered if s["prompt_tokens"] is not None and s["completion_tokens"] is not None]
    found: dict[str, Any] = {
        "input_counted": sum(known) if known else None,
        "prompt": sum(sample["prompt_tokens"] for sample in counted) if counted else None,
        "completion": sum(sample["completion_tokens"] for sample in counted) if counted else None,
        "n_uncounted": len(answered) - len(counted),
    }
    usages = [reply.get("usage") or {} for reply in judge_replies]
    if usages:
        for name in ("prompt", "completion"):
            found[f"judge_{name}"] = sum(usage.get(f"{name}_tokens") or 0 for usage in usages)
    return found


def cost_of(tokens: Mapping[str, Any], prices: Prices) -> dict[str, Any]:
    """`total` in the currency of the prices, without the judge; None with the `reason` why it cannot be told."""
    found: dict[str, Any] = {"total": None, "price_input": prices.input, "price_output": prices.output}
    if prices.input is None or prices.output is None:
        return {**found, "reason": "no prices: pass --price-input and --price-output"}
    if tokens["prompt"] is None or tokens["n_uncounted"]:
        return {**found, "reason": "the server did not count the tokens of every answer"}
    total = (tokens["prompt"] * prices.input + tokens["completion"] * prices.output) / 1_000_000
    return {**found, "total": round(total, 6), "reason": None}


def seconds_of(answers: Iterable[chat.Generation | None]) -> dict[str, float | None]:
    """Seconds of all requests one after the other, of the slowest, and with at least one request in flight.

    `busy` is the union of all requests' times, so pauses between two calls of the command do not count. None where
    the times are not known, as of answers from elsewhere.
    """
    spans, spent, known = [], [], True
    for answer in answers:
        if answer is None or answer.error is not None:
            continue
        spent.append(answer.seconds)
        known &= answer.ended > 0
        spans.append((answer.ended - answer.seconds, answer.ended))
    busy = round(_union(spans), 3) if spans and known else None
    slowest = max(spent, default=0.0) or None
    return {"generation_sum": round(sum(spent), 3) if slowest else None, "slowest_request": slowest, "busy": busy}


def speed_of(tokens: Mapping[str, Any], seconds: Mapping[str, float | None]) -> float | None:
    """Answer tokens per second with a request in flight; None where either is not known."""
    busy, completion = seconds["busy"], tokens["completion"]
    return round(completion / busy, 3) if busy and completion is not None else None


def _union(spans: Sequence[tuple[float, float]]) -> float:
    """Length of what the spans cover together."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total

"""What a report says of a run beside its scores: repeats, tokens, time, cost, and where the numbers come from."""

from collections.abc import Mapping
from typing import Any

from golongrl.pipeline.evaluation.config import EvalConfig


def money(amount: float | None) -> str:
    """An amount in the currency of the prices, small ones with more decimals."""
    return "-" if amount is None else f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def about_cost(results: Mapping[str, Any]) -> str:
    """What to say below the cost: why it is not known, else what it is in."""
    if reason := results["cost"]["reason"]:
        return str(reason)
    return "in the currency of the prices" + (", without the judge" if results["judge"] else "")


AXES = {
    "needles": "how many passages stand under the request that is asked about",
    "length": "tokens of prompt and answer together, up to the number named",
    "depth": "how much of the prompt stands before the text that answers it",
    "o200k": "length in the tokens by which the data set itself is binned",
    "words": "length as the data set names it",
    "memory": "how the notes of earlier chats are kept: by key (kv), by vectors, or as one text (rec_sum)",
}
"""What the buckets of an axis are by, where its name does not say it."""
REPEATS = (
    "avg@n is the mean score of the n answers; pass@k the chance that at least one of k answers, drawn from the n, "
    "is right."
)
_BESIDE = {
    "yarn_buckets": "Which prompts ran with which YaRN factor; none, and all ran with the model as it is.",
}


def settings_of(settings: Mapping[str, Any]) -> list[list[Any]]:
    """(setting, value, what it means) of those that have a value."""
    return [[name, value, _meaning_of(name)] for name, value in known(settings).items()]


def _meaning_of(name: str) -> str | None:
    """A setting's own description; None where it has none."""
    field = EvalConfig.model_fields.get(name)
    text = (field.description if field is not None else None) or _BESIDE.get(name)
    return " ".join(text.replace("`", "").split()) if text else None


def repeats_of(repeats: Mapping[str, Any]) -> dict[str, Any]:
    """avg@n and pass@k, and of how many items."""
    names = {
        "n": "answers to an item",
        "n_items": "items all of whose answers have a score",
        "n_items_left_out": "other items, left out here",
    }
    return {names.get(name, name): value for name, value in repeats.items()}


def spent(results: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens, seconds and cost."""
    tokens, seconds, cost = results["tokens"], results["seconds"], results["cost"]
    return known(
        {
            "prompt tokens, counted here": tokens["input_counted"],
            "prompt tokens, by the server": tokens["prompt"],
            "answer tokens, by the server": tokens["completion"],
            "prompt tokens of the judge": tokens.get("judge_prompt"),
            "answer tokens of the judge": tokens.get("judge_completion"),
            "seconds with a request in flight": seconds["busy"],
            "answer tokens per second": seconds["output_tokens_per_second"],
            "seconds of all requests together": seconds["generation_sum"],
            "slowest request, seconds": seconds["slowest_request"],
            "price of a million prompt tokens": cost["price_input"],
            "price of a million answer tokens": cost["price_output"],
            "cost": money(cost["total"]) if cost["total"] is not None else f"not told: {cost['reason']}",
        }
    )


def origin(results: Mapping[str, Any]) -> dict[str, Any]:
    """Model, data and versions."""
    dataset = results["dataset"]
    return known(
        {
            "model": results["model"],
            "model identity": results["model_identity"],
            "engine": results["engine"],
            "data set": dataset["id"],
            "split": dataset["split"],
            "revision or content hash": dataset["revision"],
            "licence": dataset["licence"],
            **{f"version of {name}": value for name, value in results["versions"].items()},
        }
    )


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in values.items() if value is not None and value != []}

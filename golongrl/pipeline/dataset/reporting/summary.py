"""Facts of the phases collect, assign and construct, counted from what they did."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from golongrl.pipeline.dataset.assign import Assignment, lacks
from golongrl.pipeline.dataset.collect import Collection, funnel
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.produce import Produced
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.reporting.facts import AssignFacts, CollectFacts, ConstructFacts, Refused

REFUSALS = 200
"""Refusals that build.json lists in full."""


def collected(collection: Collection, entries: Sequence[Entry]) -> CollectFacts:
    """Files to documents."""
    filtered = collection.filtered()
    copies = {kind: filtered.pop(kind, Counter()).total() for kind in ("exact copy", "near copy")}
    return {
        "files": collection.files,
        "refused": dict(sorted(Counter(_short(refusal.reason) for refusal in collection.refused).items())),
        "read": collection.read,
        "filtered": {name: dict(sorted(reasons.items())) for name, reasons in filtered.items()},
        "exact_duplicates": copies["exact copy"],
        "near_duplicates": copies["near copy"],
        "documents": len(entries),
        "languages": dict(sorted(Counter(entry.language for entry in entries).items())),
        "validation_documents": sum(entry.held_out for entry in entries),
        "refusals": refusals(collection.refused)[:REFUSALS],
    }


def _short(reason: str) -> str:
    """A reason without what is particular to one file, so that like ones are counted together."""
    return " ".join("N" if any(c.isdigit() for c in word) else word for word in reason.split(":")[0].split())


def refusals(refused: Sequence[Refusal]) -> list[Refused]:
    """The refusals, rows of one file with the same kind of reason together."""
    grouped: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refused:
        file = refusal.source.partition("#")[0]
        grouped.setdefault((file, _short(refusal.reason)), []).append(refusal)
    return [
        {
            "source": same[0].source if len(same) == 1 else f"{file} ({len(same)} rows)",
            "reason": same[0].reason,
        }
        for (file, _), same in grouped.items()
    ]


def assigned(capability: str, entries: Sequence[Entry], assignment: Assignment) -> AssignFacts:
    """Which documents can serve a capability, and what the others lack."""
    served = assignment[capability]
    lacking = Counter(
        lacks(capability, entry).removeprefix("lacks ")
        for number, entry in enumerate(entries)
        if number not in served
    )
    return {"documents": len(served), "missing": dict(sorted(lacking.items()))}


def constructed(capability: str, produced: Produced) -> ConstructFacts:
    """What the rules made of their attempts for one capability."""
    forms = [name for name, form in TASK_FORMS.items() if form.capability == capability]
    tally = produced.tally

    def of(counter: Counter[tuple[str, str]]) -> dict[str, int]:
        return {f"{form}: {why}": n for (form, why), n in sorted(counter.items()) if form in forms}

    kept = sum(made.request.form in forms for made in produced.made)
    passed, rejected = of(tally.unfit), of(tally.dropped)
    attempts = kept + sum(passed.values()) + sum(rejected.values())
    return {"attempts": attempts, "passed_over": passed, "rejected": rejected, "kept": kept}


def asks(construct: Any) -> str:
    """What a task form asks, from its docstring."""
    return construct.__doc__.split("\n\n")[0].replace("\n    ", " ").rstrip(".")


def no_record(collection: Collection, produced: Produced, rejects: Sequence[Mapping[str, Any]]) -> str:
    """The message when not one training record could be built, or none was left."""
    reasons: Counter[str] = Counter()
    for (_, reason), count in (produced.tally.unfit + produced.tally.dropped).items():
        reasons[reason] += count
    if rejects:
        lost: Counter[str] = Counter()
        for row in rejects:
            lost[f"{row['phase']}: {row['reason'].split(':')[0]}"] += row.get("count", 1)
        rules = f"; by rules: {_common(reasons)}" if reasons and not produced.made else ""
        return (
            f"not one training record is left: {_common(lost)}{rules}. rejects.jsonl has each; loosen what removed "
            "them"
        )
    return (
        f"not one training record could be built ({funnel(collection)}): "
        f"{_common(reasons) or 'no document holds tables, sections or running text'}. "
        "Pass longer or more documents, or other --length-bins"
    )


def no_question(refused: Sequence[Refusal]) -> str:
    """The message when question sets are all there is, and no row of them can be used."""
    why = _common(Counter(refusal.reason.split(":")[0] for refusal in refused)) or "the sets hold no row"
    return (
        f"no usable question: {why}. rejects.jsonl has each; pass other sets (docs/dataset.md lists the forms), or "
        "more --capabilities"
    )


def _common(reasons: Counter[str]) -> str:
    return "; ".join(f"{reason} ({count} times)" for reason, count in reasons.most_common(3))

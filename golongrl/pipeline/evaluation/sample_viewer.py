"""What a report shows of single samples: question, answers, the prompt by excerpt, and what became of it."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

from golongrl.core.report import Sample, Viewer, sample_json, score_band, show
from golongrl.core.report.excerpts import middle_cut
from golongrl.pipeline.evaluation import asked, samples

SAMPLES = 5_000
"""Samples that one page holds at most."""
PAGE_BYTES = 18_000_000
"""Bytes that the samples of one page may take."""
LONGEST_GOLD = 1_500
"""Characters of the right answers that are shown."""
FACETS = ("benchmark", "capability", "status", "reason", "score", "length", "depth")
_STATUS = FACETS.index("status")


def as_sample(
    bench: str, capability: str, sample: samples.Sample, row: asked.Row, axes: Sequence[str] = ()
) -> Sample:
    """A sample of the viewer; `row` is what is kept of its item, `axes` are more buckets to filter by."""
    parts: list[tuple[str, Any]] = [("question", row["question"])] if row["question"] else []
    parts.append(("answer", sample["answer"] if sample["answer"] is not None else "(none)"))
    parts.append(("gold answer", middle_cut("\n".join(asked.gold_texts(row)), LONGEST_GOLD)))
    parts += [
        (one["label"], tuple((text, bool(marked)) for text, marked in one["pieces"])) for one in row["excerpts"]
    ]
    parts.append(("sample", _facts(sample, row)))
    line = " ".join((row["question"] or sample["answer"] or "").split())
    facets = (
        bench,
        capability,
        sample["status"],
        sample["reason"],
        score_band(sample["score"]),
        sample.get("length") or "",
        sample.get("depth") or "",
        *(sample.get(axis) or "" for axis in axes),
    )
    name = sample["id"] if not sample["repeat"] else f"{sample['id']}, repeat {sample['repeat']}"
    return Sample(facets, f"{name}: {line[:160]}{'…' if len(line) > 160 else ''}", tuple(parts))


def viewer(found: Sequence[Sample], total: int, axes: Sequence[str] = ()) -> Viewer:
    """The viewer of at most `SAMPLES` of the `total` samples, fewer where they would make the page too large."""
    size = sum(len(sample_json(sample).encode("utf-8", "replace")) for sample in found)
    room = min(SAMPLES, int(len(found) * min(1.0, PAGE_BYTES / max(1, size))))
    shown = found if room >= len(found) else _drawn(found, max(1, room))
    what = "All samples"
    if len(shown) < total:
        what = f"{len(shown):,} of {total:,} samples, drawn at random, half of them from those that are not ok"
    return Viewer(
        (*FACETS, *axes),
        shown,
        f"{what}. Prompts are shown by excerpt with the evidence marked where it is known; long answers lack their "
        "middle. Choose a row with the mouse or the arrow keys.",
    )


def _drawn(found: Sequence[Sample], room: int) -> list[Sample]:
    """So many samples in their order; those that are not ok, which are looked for, get up to half of the room."""
    places = random.Random(0).sample(range(len(found)), len(found))
    rare = [place for place in places if found[place].facets[_STATUS] != "ok"][: room // 2]
    kept = set(rare)
    others = [place for place in places if place not in kept]
    return [found[place] for place in sorted([*rare, *others[: room - len(rare)]])]


def by_item(rows: Iterable[asked.Row]) -> dict[str, asked.Row]:
    """What is kept of each item, by its id."""
    return {row["id"]: row for row in rows}


def _facts(sample: samples.Sample, row: asked.Row) -> str:
    key = next((one["key"] for one in row["repeats"] if one["repeat"] == sample["repeat"]), None)
    depth = sample["evidence_depth"]
    prompt = f"{show(sample['n_input_tokens'])} tokens, {row['n_characters']:,} characters"
    facts = {
        "score": sample["score"],
        "status": f"{sample['status']}: {samples.STATUSES[sample['status']]}",
        "reason": sample["reason"],
        **{f"details, {name}": value for name, value in sample["details"].items()},
        "finish reason": sample["finish_reason"],
        "prompt": prompt if row["n_characters"] else None,
        "cut from the document": f"{sample['n_cut_tokens']:,} tokens" if sample["n_cut_tokens"] else None,
        "answer": f"{sample['completion_tokens']:,} tokens" if sample["completion_tokens"] is not None else None,
        "evidence depth": None if depth is None else f"{100 * depth:.0f}%",
        **{f"bucket, {name}": value for name, value in row["buckets"].items() if name != "depth"},
        "document or conversation": sample["cluster"],
        "key in generations.jsonl": key,
    }
    return "\n".join(f"{name}: {show(value)}" for name, value in facts.items() if value not in (None, ""))

"""What the report page shows of single records: question, gold answer, metadata and the text around the evidence."""

from golongrl.core.records import Record
from golongrl.core.report import Marked, Sample, Viewer, sample_json
from golongrl.core.report.excerpts import excerpt, shortened, stretches

SAMPLES = 5_000
"""Samples that one page holds at most."""
PAGE_BYTES = 24_000_000
"""Bytes that the samples of one page may take."""
AROUND = 400
"""Characters kept on each side of a piece of evidence; the page shows fewer at first."""
PIECES = 4
"""Stretches of text with evidence that are shown of one record."""
FACETS = ("capability", "length bin", "language", "form", "split")


def as_sample(record: Record, split: str) -> Sample:
    """The sample of a record; `extra_info.evidence_in_prompt` says where in the user message its evidence stands."""
    info = record.extra_info
    question = info["question"]
    golds = [record.gold.golden_label, *record.gold.doc_ids]
    parts: list[tuple[str, str | Marked]] = [
        ("question", shortened(question)),
        ("gold answer", shortened("\n".join(gold for gold in golds if gold))),
    ]
    if info.get("options"):
        parts.append(("options", shortened("\n".join(info["options"]))))
    elif info.get("listed"):
        parts.append(("candidates that the question states", shortened("\n".join(info["listed"]))))
    text = next((message.content for message in reversed(record.prompt) if message.role == "user"), "")
    spans = sorted((place["start"], place["end"]) for place in info.get("evidence_in_prompt") or ())
    groups = stretches(spans)
    parts += [(f"evidence, character {first[0][0]:,}", excerpt(text, first, AROUND)) for first in groups[:PIECES]]
    if len(groups) > PIECES:
        parts.append(("more evidence", f"at {len(groups) - PIECES} other places"))
    parts.append(("record", _metadata(record, split, len(text))))
    line = " ".join(question.split())
    facets = (info["capability"], info["length_bin"], record.language, info["task_form"], split)
    return Sample(facets, line[:160] + ("…" if len(line) > 160 else ""), tuple(parts))


def viewer(samples: dict[str, list[Sample]], total: int) -> Viewer:
    """The viewer of the samples of each capability, fewer of every one where they would make the page too large.

    `total` is the number of records in the dataset; each list is in an order of which any beginning is a fair sample.
    """
    sizes = [len(sample_json(sample).encode("utf-8", "replace")) for kept in samples.values() for sample in kept]
    share = min(1.0, PAGE_BYTES / max(1, sum(sizes)))
    shown = [sample for kept in samples.values() for sample in kept[: max(1, int(share * len(kept)))]]
    what = (
        f"{len(shown):,} of {total:,} records, evenly over the capabilities" if len(shown) < total else "All records"
    )
    caption = (
        f"{what}. Texts are shortened; of the prompt, {AROUND} characters on each side of the evidence are kept, "
        "the evidence marked. Choose a row with the mouse or the arrow keys."
    )
    return Viewer(FACETS, shown, caption)


def _metadata(record: Record, split: str, characters: int) -> str:
    info = record.extra_info
    sources = list(dict.fromkeys(info["doc_source"]))
    facts = {
        "index": info.get("index"),
        "split": split,
        "metric": info["metric"],
        "wording": info["template"],
        "prompt": f"{info['n_tokens']:,} tokens, {characters:,} characters, question {info['question_position']} "
        f"{len(info['doc_sha256'])} document(s)",
        "evidence depth": None if info.get("evidence_depth") is None else f"{info['evidence_depth']:.2f}",
        "kind of document": info["document_kind"],
        "sources": "; ".join(sources[:8]) + (f"; {len(sources) - 8} more" if len(sources) > 8 else ""),
        "sha256 of the documents": ", ".join(digest[:16] for digest in info["doc_sha256"][:8]),
        "licences": ", ".join(sorted(set(info["licence"]))),
        "generator": info.get("generator"),
    }
    return "\n".join(f"{name}: {value}" for name, value in facts.items() if value not in (None, ""))

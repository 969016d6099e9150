"""From scored samples to a scorecard: means with intervals per bucket, counts per reason, the report page."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import report, stats
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark
from golongrl.pipeline.evaluation.repeats import over_repeats
from golongrl.pipeline.evaluation.samples import OWED, STATUSES, Sample

DENOMINATOR = "samples with status ok, no_answer or truncated_output"
"""What a score is the mean of; all other samples are counted beside it."""


@dataclass(frozen=True)
class BenchCard:
    """Result of one benchmark: `results` is what results.json holds."""

    bench: str
    folder: Path
    results: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether no sample is owed because of an error."""
        return self.results["n_incomplete"] == 0


@dataclass(frozen=True)
class Scorecard:
    """Results of one `golongrl eval`, a card per benchmark."""

    cards: list[BenchCard]

    @property
    def complete(self) -> bool:
        """Whether every benchmark is complete."""
        return all(card.complete for card in self.cards)

    def as_json(self) -> dict[str, Any]:
        """One object for `--json`."""
        return {"complete": self.complete, "benchmarks": [{**c.results, "out": str(c.folder)} for c in self.cards]}

    def remarks(self) -> list[str]:
        """Lines for people: what did not fit, what is owed and how to go on, where the files are."""
        lines = []
        for card in self.cards:
            results = card.results
            if results["n_overlong"]:
                lines.append(
                    f"{card.bench}: {results['n_overlong']} of {results['n']} samples do not fit the model's length "
                    "and are not in the score"
                )
            if results["n_unjudged"]:
                lines.append(
                    f"{card.bench}: {results['n_unjudged']} of {results['n']} samples have no verdict and are not in "
                    "the score; samples.jsonl holds what was said last"
                )
            if results["n_cut"]:
                lines.append(f"{card.bench}: the document of {results['n_cut']} samples was cut to fit")
            if results["rule"]:
                lines.append(f"{card.bench}: scored without a judge, by {results['rule']}")
            if not card.complete:
                lines.append(
                    f"{card.bench}: {results['n_incomplete']} of {results['n']} samples are owed "
                    f"({', '.join(results['incomplete'][:5])}); {results['go_on']}"
                )
            lines.append(f"{card.bench}: {card.folder / 'report.html'}")
        return lines

    def rows(self) -> list[list[Any]]:
        """Table rows: benchmark, bucket, samples, scored, score, low, high, and all that is not plainly ok."""
        return [[card.bench, *_row(name, entry)] for card in self.cards for name, entry in _lines(card.results)]


COLUMNS = ("benchmark", "bucket", "samples", "scored", "score", "low 95%", "high 95%", "not ok")


def _row(name: str, entry: dict[str, Any]) -> list[Any]:
    not_ok = ", ".join(f"{n} {status}" for status, n in entry["counts"].items() if status != "ok" and n)
    return [name, *(entry[key] for key in ("n", "n_scored", "score", "low", "high")), not_ok or "-"]


def _lines(results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    buckets = [
        (f"{axis} {entry['value']}", entry)
        for axis, entries in results["buckets"].items()
        if len(entries) > 1
        for entry in entries
    ]
    return [("all", results), *buckets]


def aggregate(samples: Sequence[Sample], seed: int) -> dict[str, Any]:
    """Counts per status, mean of what was scored with its 95% cluster-bootstrap interval, that with the rest as 0."""
    scored = [sample for sample in samples if sample["score"] is not None]
    status = Counter(sample["status"] for sample in samples)
    counts = {name: status[name] for name in STATUSES}
    entry: dict[str, Any] = {"n": len(samples), "n_scored": len(scored), "counts": counts}
    if not scored:
        return {**entry, "score": None, "low": None, "high": None, "score_unscored_as_zero": None}
    values = [sample["score"] for sample in scored]
    interval = stats.cluster_bootstrap(values, [sample["cluster"] for sample in scored], seed=seed)
    bounds = [None if math.isnan(bound) else round(bound, 6) for bound in (interval.low, interval.high)]
    return {
        **entry,
        "score": round(interval.mean, 6),
        "low": bounds[0],
        "high": bounds[1],
        "score_unscored_as_zero": round(sum(values) / len(samples), 6),
    }


def _order(value: str) -> tuple[int, float, str]:
    """Numbers and lengths in their order ("512" < "4k" < "1m" < ">1m"), other labels after them."""
    plain = value.removeprefix(">")
    unit = {"k": 1024.0, "m": 1048576.0}.get(plain[-1:], 1.0)
    digits = plain.rstrip("km")
    if not digits.isdigit():
        return (1, 0.0, value)
    return (0, int(digits) * unit + (0.5 if value.startswith(">") else 0.0), value)


def by_bucket(samples: Sequence[Sample], axes: Sequence[str], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Aggregates per value of each axis, and per pair of values when there are two axes that both vary.

    Tokens by another tokenizer (o200k) make no pair with those of the model.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    for axis in axes:
        values = sorted({sample[axis] for sample in samples if sample.get(axis) is not None}, key=_order)
        tables[axis] = [
            {"value": value, **aggregate([s for s in samples if s.get(axis) == value], seed)} for value in values
        ]
    own = [axis for axis in axes if axis != "o200k"]
    if len(own) == 2 and all(len(tables[axis]) > 1 for axis in own):
        first, second = own
        pairs = {(a, b) for s in samples if (a := s.get(first)) and (b := s.get(second))}
        tables[f"{first} x {second}"] = [
            {
                "value": f"{a} x {b}",
                **aggregate([s for s in samples if s.get(first) == a and s.get(second) == b], seed),
            }
            for a, b in sorted(pairs, key=lambda pair: (_order(pair[0]), _order(pair[1])))
        ]
    return tables


def build_results(
    bench: Benchmark,
    model: str,
    samples: Sequence[Sample],
    settings: dict[str, Any],
    seconds: dict[str, float],
    go_on: str,
    judge: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of results.json; `judge` says who gave the verdicts, None where none was asked."""
    axes = sorted({axis for sample in samples for axis in sample["bucket_keys"]}, reverse=True)
    incomplete = [sample["id"] for sample in samples if sample["status"] in OWED]
    owed_items = list(dict.fromkeys(incomplete))
    rule = bench.judge.rule if bench.judge is not None and judge is None else None
    total = aggregate(samples, settings["seed"])
    return {
        "bench": bench.name,
        "model": model,
        "metric": rule or bench.metric,
        "rule": rule,
        "judge": judge,
        "dataset": {"id": bench.dataset, "split": bench.split, "fields": bench.fields, "licence": bench.licence},
        **total,
        "denominator": DENOMINATOR,
        "repeats": over_repeats(samples),
        "n_items": len({sample["id"] for sample in samples}),
        "n_incomplete": len(incomplete),
        "n_overlong": total["counts"]["overlong_input"],
        "n_unjudged": total["counts"]["unjudged"],
        "n_cut": sum(sample["n_cut_tokens"] > 0 for sample in samples),
        "incomplete": owed_items[:20],
        "go_on": go_on if incomplete else None,
        "reasons": dict(sorted(Counter(sample["reason"] for sample in samples).items())),
        "buckets": by_bucket(samples, axes, settings["seed"]),
        "tokens": {
            "input_counted": sum(sample["n_input_tokens"] or 0 for sample in samples),
            "prompt": sum(sample["prompt_tokens"] or 0 for sample in samples),
            "completion": sum(sample["completion_tokens"] or 0 for sample in samples),
        },
        "seconds": seconds,
        "settings": settings,
    }


def write_report(path: Path, results: dict[str, Any]) -> None:
    """The static page of one benchmark's results."""
    rows = [_row(name, entry) for name, entry in _lines(results)]
    bars = [(name, e["score"], e["low"], e["high"]) for name, e in _lines(results) if e["score"] is not None]
    unscored = (
        f"A score is the mean over {results['denominator']}. {results['n_overlong']} samples did not fit the model's "
        f"length, {results['n_unjudged']} have no verdict and {results['n_incomplete']} are owed because of errors; "
        "none of these enters the mean."
    )
    blocks: list[report.Block] = [report.Table(COLUMNS[1:], rows, caption=results["metric"])]
    if bars:
        blocks.append(report.Bars(bars, caption="Mean and 95% cluster-bootstrap interval", top=1.0))
    report.write_page(
        path,
        f"{results['bench']}: {results['model']}",
        [
            ("Score", [*blocks, report.Paragraph(unscored)]),
            ("Status", report.Table(["status", "samples"], [list(pair) for pair in results["counts"].items()])),
            *_judge_section(results),
            *_repeat_section(results),
            ("Reasons", report.Table(["reason", "samples"], [list(pair) for pair in results["reasons"].items()])),
            ("Tokens", report.KeyValues(results["tokens"])),
            ("Settings", report.KeyValues({k: v for k, v in results["settings"].items() if v is not None})),
            ("Dataset", report.KeyValues(results["dataset"])),
        ],
    )


def _judge_section(results: dict[str, Any]) -> list[report.Section]:
    return [("Judge", report.KeyValues(results["judge"]))] if results["judge"] else []


def _repeat_section(results: dict[str, Any]) -> list[report.Section]:
    found = results["repeats"]
    return [("Repeats", report.KeyValues({k: v for k, v in found.items() if v is not None}))] if found else []

"""From scored samples to a scorecard: what results.json holds, and the table and lines for people."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core.tasks import CAPABILITIES
from golongrl.pipeline.evaluation import benchmarks, usage
from golongrl.pipeline.evaluation.aggregates import (
    DENOMINATOR,
    FEW_CLUSTERS,
    PAIR,
    aggregate,
    by_bucket,
    heat_map,
)
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark
from golongrl.pipeline.evaluation.repeats import over_repeats
from golongrl.pipeline.evaluation.samples import OWED, Sample


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

    @property
    def scored(self) -> bool:
        """Whether every benchmark has a score."""
        return all(card.results["n_scored"] > 0 for card in self.cards)

    def as_json(self) -> dict[str, Any]:
        """One object for `--json`."""
        return {"complete": self.complete, "benchmarks": [{**c.results, "out": str(c.folder)} for c in self.cards]}

    def remarks(self) -> list[str]:
        """Lines for people: what did not fit, what is owed and how to go on, where the files are."""
        lines = [line for card in self.cards for line in _remarks(card)]
        pages = {card.folder.parent / "report.html" for card in self.cards}
        return [*lines, *(f"all: {page}" for page in pages if len(self.cards) > 1 and page.is_file())]

    def rows(self) -> list[list[Any]]:
        """Table rows: a line per benchmark first, then one per bucket of each."""
        cards = [(card.bench, lines_of(card.results)) for card in self.cards]
        totals = [_row(bench, *lines[0]) for bench, lines in cards]
        return totals + [_row(bench, name, entry) for bench, lines in cards for name, entry in lines[1:]]


COLUMNS = ("benchmark", "bucket", "scored", "score", "95% interval", "not ok")


def _row(bench: str, name: str, entry: Mapping[str, Any]) -> list[Any]:
    interval = None if entry["low"] is None else f"{entry['low']:.3f} to {entry['high']:.3f}"
    return [bench, name, f"{entry['n_scored']} of {entry['n']}", entry["score"], interval, not_ok(entry)]


def not_ok(entry: Mapping[str, Any]) -> str:
    """How many samples of each status but ok; "-" for none."""
    return ", ".join(f"{n} {status}" for status, n in entry["counts"].items() if status != "ok" and n) or "-"


def lines_of(results: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The whole benchmark as "all", then, where there are scores, every bucket of the single axes that vary."""
    if not results["n_scored"]:
        return [("all", results)]
    buckets = [
        (f"{axis} {entry['value']}", entry)
        for axis, entries in results["buckets"].items()
        if len(entries) > 1 and PAIR not in axis
        for entry in entries
    ]
    return [("all", results), *buckets]


def _remarks(card: BenchCard) -> list[str]:
    results, lines = card.results, []
    if results["n_overlong"]:
        lines.append(
            f"{results['n_overlong']} of {results['n']} samples do not fit the model's length and are not in the "
            "score; serve it with a longer context (--max-model-len), or pass --overlong middle-document"
        )
    if results["n_unjudged"]:
        lines.append(
            f"{results['n_unjudged']} of {results['n']} samples have no verdict and are not in the score; "
            "samples.jsonl holds what was said last"
        )
    if results["n_cut"]:
        lines.append(f"the document of {results['n_cut']} samples was cut to fit")
    if results["rule"]:
        lines.append(f"scored without a judge, by {results['rule']}")
    if not card.complete:
        lines.append(
            f"{results['n_incomplete']} of {results['n']} samples are owed "
            f"({', '.join(results['incomplete'][:5])}); {results['go_on']}"
        )
    if few := few_clusters(results):
        lines.append(few)
    return [f"{card.bench}: {line}" for line in [*lines, str(card.folder / "report.html")]]


def few_clusters(entry: Mapping[str, Any]) -> str | None:
    """What to say of an interval that rests on too little, None where it does not."""
    count = entry["n_clusters"]
    if entry["score"] is None or count >= FEW_CLUSTERS:
        return None
    if count == 1:
        return "all samples share one document or conversation, so there is no interval"
    return (
        f"the samples come from {count} documents or conversations only; with fewer than {FEW_CLUSTERS} the "
        "interval is unreliable"
    )


@dataclass(frozen=True)
class Origin:
    """Where a run's numbers come from, as its manifest says it."""

    model_identity: str | None = None
    engine: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


def build_results(
    bench: Benchmark,
    model: str,
    samples: Sequence[Sample],
    settings: dict[str, Any],
    seconds: Mapping[str, float | None],
    go_on: str,
    judge: dict[str, Any] | None = None,
    *,
    origin: Origin = Origin(),
    prices: usage.Prices = usage.Prices(),  # noqa: B008  frozen
    judge_replies: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The content of results.json; `judge` says who gave the verdicts, None where none was asked."""
    axes = sorted({axis for sample in samples for axis in sample["bucket_keys"]}, reverse=True)
    incomplete = [sample["id"] for sample in samples if sample["status"] in OWED]
    owed_items = list(dict.fromkeys(incomplete))
    rule = bench.judge.rule if bench.judge is not None and judge is None else None
    total = aggregate(samples, settings["seed"])
    tokens = usage.tokens_of(samples, judge_replies)
    return {
        "bench": bench.name,
        "capability": capability_of(bench.name),
        "model": model,
        "model_identity": origin.model_identity,
        "metric": rule or bench.metric,
        "rule": rule,
        "judge": judge,
        "dataset": {
            "id": bench.dataset,
            "split": bench.split,
            "fields": bench.fields,
            "licence": bench.licence,
            "revision": revision_of(origin.inputs),
        },
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
        "heat_map": heat_map(samples, settings["seed"]),
        "tokens": tokens,
        "seconds": {**seconds, "output_tokens_per_second": usage.speed_of(tokens, seconds)},
        "cost": usage.cost_of(tokens, prices),
        "settings": settings,
        "engine": dict(origin.engine) if origin.engine else None,
        "versions": dict(origin.versions),
        "inputs": dict(origin.inputs),
    }


def capability_of(bench: str) -> dict[str, str] | None:
    """Id and name of the capability that a benchmark measures; None for general knowledge and use of tools."""
    found = benchmarks.CAPABILITIES.get(bench)
    return {"id": found, "name": CAPABILITIES[found].name} if found else None


def revision_of(inputs: Mapping[str, str]) -> str | None:
    """The commit of rows that came from the hub, else the hash of the rows that were read; None where neither is."""
    data = inputs.get("data") or inputs.get("documents") or inputs.get("responses")
    return data.rpartition("@")[2] if data else None

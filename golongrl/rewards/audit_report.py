"""What an audit found: counts, attacks, dresses, curves and the scores of given responses."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from golongrl.core.stats import cluster_bootstrap
from golongrl.rewards.pool import PoolCounts

BINS = 10


@dataclass
class MetricCount:
    """The rows of one metric, and the time of everything that was scored for them (costly attacks left out)."""

    rows: int = 0
    gold_ok: int = 0
    scores: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def seconds_per_1000(self) -> float | None:
        """Seconds for 1,000 scores."""
        return 1000 * self.seconds / self.scores if self.scores else None


@dataclass
class ProbeResult:
    """One attack on one metric: what it earned, what it may earn, and the verdict ("ok" or "exploited")."""

    probe: str
    metric: str
    rows: int
    max: float
    mean: float
    bound: str
    verdict: str


@dataclass
class VariantResult:
    """One dress of the right answer under one metric: on how many rows it lost, and the lowest score."""

    variant: str
    metric: str
    rows: int = 0
    lost: int = 0
    lowest: float = 1.0


@dataclass
class Curve:
    """Mean score of a metric against the share of the answer that is corrupted."""

    metric: str
    rows: int
    means: list[float]

    @property
    def falls(self) -> bool:
        """Whether more corruption never pays more, and full corruption pays less than none."""
        pairs = zip(self.means, self.means[1:], strict=False)
        return self.means[-1] < self.means[0] and all(later <= sooner + 1e-9 for sooner, later in pairs)


@dataclass
class ResponseScores:
    """Given responses of one capability: mean with a 95% interval over rows, histogram of ten bins, reasons."""

    responses: int
    mean: float | None
    low: float | None
    high: float | None
    histogram: list[int]
    reasons: dict[str, int]

    @property
    def unscorable(self) -> int:
        """Responses without a value."""
        return sum(self.reasons.values()) - self.responses


@dataclass
class Answers:
    """Scores of one capability while they come in; rows are the clusters of the interval."""

    values: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def summary(self, seed: int) -> ResponseScores:
        """The summary, with intervals drawn by `seed`."""
        mean = low = high = None
        histogram = [0] * BINS
        for value in self.values:
            histogram[min(BINS - 1, int(value * BINS))] += 1
        if self.values:
            mean, *ends = cluster_bootstrap(self.values, self.rows, seed=seed)
            low, high = (None if math.isnan(end) else end for end in ends)
        return ResponseScores(len(self.values), mean, low, high, histogram, dict(self.reasons))


@dataclass
class AuditReport:
    """The outcome of an audit; `passed` is false for the reasons that `problems` lists."""

    data: str
    sha256: str
    rows: int
    checked: int = 0
    bad_rows: int = 0
    gold_failures: int = 0
    max_error_rate: float = 0.0
    metrics: dict[str, MetricCount] = field(default_factory=dict)
    probes: list[ProbeResult] = field(default_factory=list)
    variants: list[VariantResult] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    capabilities: dict[str, ResponseScores] = field(default_factory=dict)
    rows_without_response: int = 0
    unmatched_responses: int = 0
    workers: PoolCounts = field(default_factory=PoolCounts)
    failures: list[dict[str, Any]] = field(default_factory=list)
    out: str | None = None

    @property
    def exploited(self) -> list[ProbeResult]:
        """Attacks that earned more than their bound."""
        return [result for result in self.probes if result.verdict != "ok"]

    @property
    def false_negatives(self) -> list[VariantResult]:
        """Dresses in which a right answer lost."""
        return [result for result in self.variants if result.lost]

    @property
    def response_counts(self) -> tuple[int, int]:
        """How many given responses were scored, and how many could not be."""
        parts = self.capabilities.values()
        return sum(part.responses for part in parts), sum(part.unscorable for part in parts)

    @property
    def error_rate(self) -> float:
        """Share of rows and given responses that could not be scored."""
        scored, unscorable = self.response_counts
        total = self.checked + scored + unscorable
        return (self.bad_rows + unscorable) / total if total else 0.0

    @property
    def problems(self) -> list[str]:
        """Why the audit failed, one line each; empty when it passed."""
        rising = [curve.metric for curve in self.curves if not curve.falls]
        found = {
            "no row could be checked": not self.metrics,
            f"{self.gold_failures} gold answers below 1": self.gold_failures,
            f"{len(self.exploited)} attacks pay": self.exploited,
            f"{len(self.false_negatives)} dresses of right answers lose": self.false_negatives,
            f"corruption does not lower {', '.join(rising)}": rising,
            f"{self.error_rate:.2%} of rows and responses cannot be scored (allowed: {self.max_error_rate:.2%})": (
                self.error_rate > self.max_error_rate
            ),
        }
        return [problem for problem, present in found.items() if present]

    @property
    def passed(self) -> bool:
        """Whether every check held, on at least one row."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """The report as JSON types, `passed` and `problems` included, the single failures left out."""
        plain = asdict(self)
        del plain["failures"]
        for name, count in self.metrics.items():
            plain["metrics"][name]["seconds_per_1000"] = count.seconds_per_1000
        return {"passed": self.passed, "problems": self.problems, **plain}


def from_json(plain: dict[str, Any], failures: Iterable[dict[str, Any]]) -> AuditReport:
    """The report that `AuditReport.as_json` wrote, with the rows of failures.jsonl."""
    parts: dict[str, Any] = {
        "metrics": {
            name: MetricCount(count["rows"], count["gold_ok"], count["scores"], count["seconds"])
            for name, count in plain["metrics"].items()
        },
        "probes": [ProbeResult(**probe) for probe in plain["probes"]],
        "variants": [VariantResult(**variant) for variant in plain["variants"]],
        "curves": [Curve(**curve) for curve in plain["curves"]],
        "capabilities": {name: ResponseScores(**scores) for name, scores in plain["capabilities"].items()},
        "workers": PoolCounts(**plain["workers"]),
        "failures": list(failures),
    }
    own = {field.name for field in fields(AuditReport)}
    return AuditReport(**{**{name: value for name, value in plain.items() if name in own}, **parts})

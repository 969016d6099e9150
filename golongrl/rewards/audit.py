"""The audit of a dataset's rewards: gold must earn everything, attacks almost nothing, broken rows are named."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Record, Score, existing_file, parse_record
from golongrl.core.store import file_sha256
from golongrl.core.text import Think
from golongrl.rewards import REWARDS, score_response
from golongrl.rewards.audit_files import AuditFiles, read_responses, read_tolerant
from golongrl.rewards.gold import gold_response
from golongrl.rewards.probes import CHANCE, PROBES, Probe, guess_rate

GOLD = 1 - 1e-9


@dataclass
class MetricCount:
    """What happened to the rows of one metric; `responses` and `mean` describe the given responses."""

    rows: int = 0
    gold_ok: int = 0
    responses: int = 0
    mean: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)


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
class AuditReport:
    """The outcome of `audit`; `passed` is false when a gold fails, a row is bad or a probe is exploited."""

    data: str
    sha256: str
    rows: int
    checked: int
    bad_rows: int = 0
    gold_failures: int = 0
    unscorable: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, MetricCount] = field(default_factory=dict)
    probes: list[ProbeResult] = field(default_factory=list)
    rows_without_response: int = 0
    unmatched_responses: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    out: str | None = None

    @property
    def exploited(self) -> list[ProbeResult]:
        """Probes that earned more than their bound."""
        return [result for result in self.probes if result.verdict != "ok"]

    @property
    def response_counts(self) -> tuple[int, int]:
        """How many given responses were scored, and how many could not be."""
        scored = sum(count.responses for count in self.metrics.values())
        return scored, sum(sum(count.reasons.values()) for count in self.metrics.values()) - scored

    @property
    def passed(self) -> bool:
        """Whether every check of the audit held, on at least one row."""
        return bool(self.metrics) and not (self.gold_failures or self.bad_rows or self.exploited)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON types, `passed` included."""
        return {"passed": self.passed, **asdict(self)}


@dataclass
class _Tally:
    scores: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)


def audit(
    path: str | Path,
    *,
    responses: str | Path | None = None,
    think: str = "optional",
    sample: int | None = None,
    probes: bool = True,
    out: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    seed: int = 0,
) -> AuditReport:
    """Check the rewards of a parquet or JSONL dataset, row by row without loading it whole.

    Each gold answer must score 1 and an empty response 0 under the record's own metric; with `probes` the attack
    catalogue runs as well. `responses` is a JSONL file of {id, response} that is scored too, joined on
    `extra_info.index` or else the row number from 1; an id may come several times. `think` says how responses are
    read (see `score_response`): "required" for a model whose chat template opens the thinking block in the prompt,
    because there an answer cut off in mid-thought shows no tag at all. `sample` checks that many rows drawn with
    `seed`. With `out`, writes audit.json, failures.jsonl, report.html and, with responses, samples.jsonl there.
    `progress` is called with the number of rows finished since the last call.
    """
    if think not in get_args(Think):
        raise UsageError(f"--think {think!r}: expected one of {', '.join(get_args(Think))}")
    found = existing_file(path, "data file")
    total = sum(1 for _ in read_tolerant(found))
    if not total:
        raise DataError(f"{path} has no rows; build or download it again")
    if sample is not None and sample < 1:
        raise DataError(f"--sample {sample}: expected at least 1")
    chosen = set(random.Random(seed).sample(range(total), min(sample, total))) if sample else None
    given = read_responses(responses) if responses else {}
    report = AuditReport(data=str(path), sha256=file_sha256(found), rows=total, checked=0)
    tallies: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
    with AuditFiles(Path(out) if out else None, samples=responses is not None) as files:
        for position, (number, row) in enumerate(read_tolerant(found)):
            if chosen is not None and position not in chosen:
                if given and isinstance(row, dict):
                    given.pop(_identity(row.get("extra_info"), number), None)
                continue
            report.checked += 1
            for failure in _check_row(report, tallies, row, number, given, cast(Think, think), probes, files):
                files.failure(failure)
                report.failures.append(failure)
            if progress:
                progress(1)
        if responses:
            report.unmatched_responses = len(given)
            if not any(count.responses for count in report.metrics.values()):
                raise DataError(
                    f"no id of {responses} matches a row of {path}; ids are extra_info.index or row numbers from 1"
                )
        report.probes = list(_verdicts(tallies))
        for result in report.exploited:
            failure = {"check": "probe", **asdict(result)}
            files.failure(failure)
            report.failures.append(failure)
        report.out = str(out) if out else None
        files.finish(report)
    return report


def _check_row(
    report: AuditReport,
    tallies: dict[tuple[str, str], _Tally],
    row: dict[str, Any] | DataError,
    number: int,
    given: dict[str, list[str]],
    think: Think,
    probes: bool,
    files: "AuditFiles",
) -> Iterator[dict[str, Any]]:
    """Check one row into the report and the tallies; yields its failures."""
    try:
        if isinstance(row, DataError):
            raise row
        record = parse_record(row, f"{report.data} row {number}")
    except DataError as error:
        report.bad_rows += 1
        yield {"check": "row", "row": number, "problem": str(error)}
        return
    identity = _identity(record.extra_info, number)
    if record.metric not in REWARDS:
        reason = f"no reward for metric {record.metric!r}; available: {', '.join(REWARDS)}"
        report.unscorable[reason] = report.unscorable.get(reason, 0) + 1
        given.pop(identity, None)
        return
    count = report.metrics.setdefault(record.metric, MetricCount())
    count.rows += 1
    gold, problem = _gold_score(record)
    if gold.value is not None and gold.value >= GOLD:
        count.gold_ok += 1
        if probes:
            _run_probes(record, tallies)
    else:
        report.gold_failures += 1
        yield {
            "check": "gold",
            "row": number,
            "id": identity,
            "metric": record.metric,
            "score": gold.value,
            "reason": gold.reason,
            "problem": problem,
        }
    if not probes:
        _tally(tallies, "empty", record, "")
    answers = given.pop(identity, [])
    report.rows_without_response += not answers
    for repeat, answer in enumerate(answers):
        score = score_response(record, answer, think=think)
        _count_response(count, score)
        files.sample(
            {
                "id": identity,
                "repeat": repeat,
                "metric": record.metric,
                "score": score.value,
                "reason": score.reason,
                "details": score.details,
            }
        )


def _identity(extra_info: Any, number: int) -> str:
    """The id responses are joined on: `extra_info.index`, else the row number."""
    index = extra_info.get("index") if isinstance(extra_info, dict) else None
    return str(number if index is None else index)


def _gold_score(record: Record) -> tuple[Score, str | None]:
    try:
        response = gold_response(record)
    except DataError as error:
        return Score(value=None, reason="malformed_gold"), str(error)
    score = score_response(record, response, think="optional")
    reasoned = score_response(record, f"<think>\nHm.\n</think>\n\n{response}", think="required")
    if reasoned.value != score.value:
        return reasoned, "the gold answer scores differently behind a thinking block"
    return score, score.details.get("problem") or f"the gold response scores {score.value}: {response[:200]!r}"


def _count_response(count: MetricCount, score: Score) -> None:
    count.reasons[score.reason] = count.reasons.get(score.reason, 0) + 1
    if score.value is not None:
        count.responses += 1
        count.mean = (count.mean or 0.0) + (score.value - (count.mean or 0.0)) / count.responses


def _run_probes(record: Record, tallies: dict[tuple[str, str], _Tally]) -> None:
    for name, probe in PROBES.items():
        if probe.applies(record.metric) and (response := probe.build(record)) is not None:
            _tally(tallies, name, record, response)


def _tally(tallies: dict[tuple[str, str], _Tally], name: str, record: Record, response: str) -> None:
    value = score_response(record, response).value
    if value is None:
        return
    tally = tallies[name, record.metric]
    tally.scores.append(value)
    if PROBES[name].mean_bounds.get(record.metric) == CHANCE:
        tally.chances.append(guess_rate(record))


def _verdicts(tallies: dict[tuple[str, str], _Tally]) -> Iterable[ProbeResult]:
    order = {name: rank for rank, name in enumerate(PROBES)}
    for (name, metric), tally in sorted(tallies.items(), key=lambda pair: (order[pair[0][0]], pair[0][1])):
        highest, mean = max(tally.scores), math.fsum(tally.scores) / len(tally.scores)
        limit, bound = _bound(PROBES[name], metric, tally)
        reached = highest if metric in PROBES[name].row_bounds else mean
        verdict = "ok" if reached <= limit + 1e-9 else "exploited"
        yield ProbeResult(name, metric, len(tally.scores), highest, mean, bound, verdict)


def _bound(probe: Probe, metric: str, tally: _Tally) -> tuple[float, str]:
    if metric in probe.row_bounds:
        return probe.row_bounds[metric], f"max <= {probe.row_bounds[metric]:.2f}"
    limit = probe.mean_bounds[metric]
    if limit == CHANCE:
        rate = math.fsum(tally.chances) / len(tally.chances)
        limit = min(1.0, rate + 3 * math.sqrt(rate * (1 - rate) / len(tally.chances)))
        return limit, f"mean <= {limit:.2f} (chance {rate:.2f} + 3 standard errors)"
    return limit, f"mean <= {limit:.2f}"

"""The audit of a dataset's rewards: gold must earn everything, attacks almost nothing, broken rows are named."""

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from golongrl.core import tasks
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Record, Score, existing_file, parse_record
from golongrl.core.store import file_sha256
from golongrl.core.text import Think
from golongrl.rewards import pool, score_response
from golongrl.rewards.audit_files import AuditFiles, count_rows, read_responses, read_tolerant
from golongrl.rewards.audit_report import Answers, AuditReport, Curve, MetricCount, ProbeResult, VariantResult
from golongrl.rewards.corruption import SHARES, corrupted
from golongrl.rewards.gold import gold_response
from golongrl.rewards.probes import CHANCE, PROBES, Probe, guess_rate
from golongrl.rewards.variants import VARIANTS

GOLD = {"rouge_l": 0.999}
"""Least score of a right answer; 1 for metrics that are not named."""


@dataclass
class _Tally:
    scores: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)


@dataclass
class _Audit:
    """State of one audit."""

    report: AuditReport
    files: AuditFiles
    think: Think
    probes: bool
    costly: bool
    given: dict[str, list[str]]
    attacks: dict[tuple[str, str], _Tally] = field(default_factory=lambda: defaultdict(_Tally))
    dresses: dict[tuple[str, str], VariantResult] = field(default_factory=dict)
    curves: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, Answers] = field(default_factory=lambda: defaultdict(Answers))
    answered: dict[str, int] = field(default_factory=dict)
    """Ids with given responses, and the rows that had them."""
    last: dict[str, Record] = field(default_factory=dict)
    """The last record of each metric: its gold answer is tried on the next one."""

    def fail(self, check: str, **fields: Any) -> None:
        failure = {"check": check, **fields}
        self.files.failure(failure)
        self.report.failures.append(failure)


def audit(
    path: str | Path,
    *,
    responses: str | Path | None = None,
    think: str = "optional",
    sample: int | None = None,
    probes: bool = True,
    costly: bool = True,
    max_error_rate: float = 0.0,
    out: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
    seed: int = 0,
    name: str | None = None,
) -> AuditReport:
    """Check the rewards of a parquet or JSONL dataset, row by row without loading it whole.

    Each gold answer must score 1 under the record's own metric. With `probes` the attack catalogue, the dresses of
    right answers and growing corruption are tried as well; `costly` includes attacks that take seconds. `responses`
    is a JSONL file of {id, response} that is scored too, joined on `extra_info.index` or else the row's place from 0;
    an id may come several times, or with a list of `responses`. `think` says how responses are read (see
    `score_response`): "required" for a model whose chat template opens the thinking block in the prompt, because
    there an answer cut off in mid-thought shows no tag at all. `sample` checks that many rows drawn with `seed`. More
    than `max_error_rate` of rows or responses without a score fail the audit. With `out`, writes audit.json,
    failures.jsonl, report.html and, with responses, samples.jsonl there. `progress` is called with the number of rows
    finished since the last call. `name` stands for the path in the report. UsageError for options out of their range;
    DataError for files that cannot be read or hold no rows, and for responses that fit no row or two.
    """
    if think not in get_args(Think):
        raise UsageError(f"--think {think!r}: expected one of {', '.join(get_args(Think))}")
    if not 0 <= max_error_rate <= 1:
        raise UsageError(f"--max-error-rate {max_error_rate}: expected a share from 0 to 1")
    found = existing_file(path, "data file")
    total = count_rows(found)
    if not total:
        raise DataError(f"{path} has no rows; build or download it again")
    if sample is not None and sample < 1:
        raise UsageError(f"--sample {sample}: expected at least 1")
    given = read_responses(responses) if responses else {}
    chosen = set(random.Random(seed).sample(range(total), min(sample, total))) if sample else None
    report = AuditReport(name or str(path), file_sha256(found), rows=total, max_error_rate=max_error_rate)
    report.out = str(out) if out else None
    before = pool.counts()
    with AuditFiles(Path(out) if out else None, samples=responses is not None) as files:
        state = _Audit(report, files, cast(Think, think), probes, costly, given)
        for place, (number, row) in enumerate(read_tolerant(found)):
            if chosen is not None and place not in chosen:
                if isinstance(row, dict):
                    state.given.pop(_identity(row.get("extra_info"), place), None)
                continue
            report.checked += 1
            _check_row(state, row, number, place)
            if progress:
                progress(1)
        if responses and not state.answers:
            raise DataError(
                f"no id of {responses} matches a row of {path}; ids are extra_info.index or places from 0"
            )
        _conclude(state, seed)
        after = pool.counts()
        report.workers = pool.PoolCounts(
            **{name: value - getattr(before, name) for name, value in asdict(after).items()}
        )
        files.finish(report)
    return report


def _check_row(state: _Audit, row: dict[str, Any] | DataError, number: int, place: int) -> None:
    report = state.report
    try:
        if isinstance(row, DataError):
            raise row
        record = parse_record(row, f"{report.data} row {number}")
    except DataError as error:
        report.bad_rows += 1
        state.fail("row", row=number, problem=str(error))
        return
    identity = _identity(record.extra_info, place)
    count = report.metrics.setdefault(record.metric, MetricCount())
    count.rows += 1
    gold, problem = _gold_score(state, record)
    if gold.value is not None and gold.value >= GOLD.get(record.form, 1 - 1e-9):
        count.gold_ok += 1
        if state.probes:
            _try_probes(state, record)
            _try_variants(state, record, number)
            _try_corruption(state, record)
    else:
        report.gold_failures += 1
        state.fail(
            "gold",
            row=number,
            id=identity,
            metric=record.metric,
            field="reward_model.ground_truth",
            score=gold.value,
            reason=gold.reason,
            problem=problem,
        )
    answers = state.given.pop(identity, [])
    if answers:
        state.answered[identity] = number
    elif identity in state.answered:
        raise DataError(
            f"{report.data} rows {state.answered[identity]} and {number} share the index {identity}, so that nobody "
            "can tell whose the given responses are; give every row an extra_info.index of its own"
        )
    report.rows_without_response += not answers
    for repeat, answer in enumerate(answers):
        score = _timed(state, record, answer, think=state.think)
        part = state.answers[_capability(record)]
        part.reasons[score.reason] += 1
        if score.value is not None:
            part.values.append(score.value)
            part.rows.append(place)
        state.files.sample(
            {
                "id": identity,
                "repeat": repeat,
                "metric": record.metric,
                "score": score.value,
                "reason": score.reason,
                "details": score.details,
            }
        )


def _identity(extra_info: Any, place: int) -> str:
    """The id responses are joined on: `extra_info.index`, else the row's place from 0."""
    index = extra_info.get("index") if isinstance(extra_info, dict) else None
    return str(place if index is None else index)


def _capability(record: Record) -> str:
    """T1 to T9 with its name: the record's own, else the one whose metric scores it."""
    named = record.extra_info.get("capability")
    key = named if named in tasks.CAPABILITIES else tasks.capability_of(record.metric)
    return f"{key} {tasks.CAPABILITIES[key].name}"


def _timed(state: _Audit, record: Record, response: str, think: Think = "auto") -> Score:
    count = state.report.metrics[record.metric]
    start = time.perf_counter()
    score = score_response(record, response, think=think)
    count.seconds += time.perf_counter() - start
    count.scores += 1
    return score


def _gold_score(state: _Audit, record: Record) -> tuple[Score, str | None]:
    try:
        response = gold_response(record)
    except DataError as error:
        return Score(value=None, reason="malformed_gold"), str(error)
    score = _timed(state, record, response, think="optional")
    reasoned = _timed(state, record, f"<think>\nHm.\n</think>\n\n{response}", think="required")
    if reasoned.value != score.value:
        return reasoned, "the gold answer scores differently behind a thinking block"
    return score, score.details.get("problem") or f"the gold response scores {score.value}: {response[:200]!r}"


def _try_probes(state: _Audit, record: Record) -> None:
    other = state.last.get(record.metric)
    if other is not None and gold_response(other) == gold_response(record):
        other = None
    state.last[record.metric] = record
    for name, probe in PROBES.items():
        if not probe.applies(record.form) or (probe.rows and not state.costly):
            continue
        tally = state.attacks[name, record.metric]
        if len(tally.scores) >= (probe.rows or math.inf) or (response := probe.response(record, other)) is None:
            continue
        score = score_response(record, response) if probe.rows else _timed(state, record, response)
        # An attack that ends without a verdict (a timeout) is not paid either.
        tally.scores.append(score.value or 0.0)
        if probe.mean_bounds.get(record.form) == CHANCE:
            tally.chances.append(guess_rate(record))


def _try_variants(state: _Audit, record: Record, number: int) -> None:
    for name, variant in VARIANTS.items():
        if (response := variant.build(record)) is None:
            continue
        key = name, record.metric
        result = state.dresses.setdefault(key, VariantResult(name, record.metric))
        value = _timed(state, record, response).value or 0.0
        result.rows += 1
        result.lowest = min(result.lowest, value)
        if value < GOLD.get(record.form, 1 - 1e-9):
            result.lost += 1
            if result.lost == 1:
                problem = f"{variant.what}: scores {value:.3f}, {response[:200]!r}"
                state.fail("variant", row=number, metric=record.metric, variant=name, score=value, problem=problem)


def _try_corruption(state: _Audit, record: Record) -> None:
    responses = [corrupted(record, share) for share in SHARES]
    if record.extra_info.get("relevance") is None and all(response is not None for response in responses):
        scores = [_timed(state, record, response).value or 0.0 for response in responses if response is not None]
        state.curves[record.metric].append(scores)


def _conclude(state: _Audit, seed: int) -> None:
    """Verdicts over all rows."""
    report = state.report
    report.unmatched_responses = len(state.given)
    report.probes = list(_verdicts(state.attacks))
    report.variants = sorted(state.dresses.values(), key=lambda result: result.metric)
    report.capabilities = {name: part.summary(seed) for name, part in sorted(state.answers.items())}
    for metric, rows in sorted(state.curves.items()):
        means = [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
        report.curves.append(Curve(metric, len(rows), means))
    for result in report.exploited:
        state.fail("probe", **asdict(result))
    for curve in report.curves:
        if not curve.falls:
            state.fail("sensitivity", metric=curve.metric, problem=f"mean scores {curve.means} do not fall")


def _verdicts(attacks: dict[tuple[str, str], _Tally]) -> Iterator[ProbeResult]:
    order = {name: rank for rank, name in enumerate(PROBES)}
    tried = ((key, tally) for key, tally in attacks.items() if tally.scores)
    for (name, metric), tally in sorted(tried, key=lambda pair: (order[pair[0][0]], pair[0][1])):
        highest, mean = max(tally.scores), math.fsum(tally.scores) / len(tally.scores)
        form = tasks.METRICS[metric]
        limit, bound = _bound(PROBES[name], form, tally)
        reached = highest if form in PROBES[name].row_bounds else mean
        verdict = "ok" if reached <= limit + 1e-9 else "exploited"
        yield ProbeResult(name, metric, len(tally.scores), highest, mean, bound, verdict)


def _bound(probe: Probe, form: str, tally: _Tally) -> tuple[float, str]:
    if form in probe.row_bounds:
        return probe.row_bounds[form], f"max <= {probe.row_bounds[form]:.2f}"
    rate = probe.mean_bounds[form]
    if rate == CHANCE:
        rate = math.fsum(tally.chances) / len(tally.chances)
    limit = min(1.0, rate + 3 * math.sqrt(rate * (1 - rate) / len(tally.scores)))
    return limit, f"mean <= {limit:.2f} ({rate:.2f} + 3 standard errors)"

"""How hard finished records are: pass rates of a small model and, for what it leaves open, of a larger one.

The two stages and their thresholds are those reported of the paper's pipeline: 8 rollouts each; easy above 0.75 and
medium from 0.5 for the small model, medium above 0.75 and hard from 0.25 for the large one. What even the large one
hardly solves is set apart with its rollouts instead of deleted: an unsolvable question and a hard one look the same.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from golongrl.core.records import Record
from golongrl.pipeline.dataset.calls import Call, Calls
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.llm_settings import DifficultyConfig
from golongrl.pipeline.dataset.reporting.phase_facts import DifficultyFacts
from golongrl.pipeline.dataset.verifying.rollouts import (
    Answer,
    Records,
    answered,
    calls_for,
    own_messages,
    pass_mark,
    passes,
    record_key,
    track_of,
)
from golongrl.pipeline.dataset.verifying.rounds import added, added_each

Level = Literal["easy", "medium", "hard", "unsolved", "quarantined", "unknown"]
LEVELS: tuple[Level, ...] = ("easy", "medium", "hard", "unsolved", "quarantined", "unknown")
"""`unsolved` is what the small model never solves where there is no large one, `unknown` what too few rollouts had a
score for."""
QUARANTINED = "the large model hardly solves it"
QUORUM = 0.5
"""Smallest share of the rollouts that must have a score."""
Z = 1.959964
"""Normal quantile of a 95 % interval."""


class Interval(NamedTuple):
    """Bounds of a pass rate, 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """How hard one record is. `model`, `rate`, `interval` and `scores` are those of the stage that decided; the rate
    is None where it could not be told, and `reason` says why."""

    level: Level
    model: str
    scores: tuple[float, ...] = ()
    rate: float | None = None
    interval: Interval | None = None
    reason: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """What goes into `extra_info`."""
        found: dict[str, Any] = {"difficulty": self.level, "calibrated_by": self.model, "rollouts": list(self.scores)}
        if self.rate is not None and self.interval is not None:
            found |= {"pass_rate": self.rate, "pass_interval": list(self.interval)}
        return found


def calibrate(
    calls: Calls,
    records: Records,
    config: DifficultyConfig,
    *,
    seed: int,
    names: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> tuple[list[Calibration | None], DifficultyFacts]:
    """A calibration per record, in order, and the facts; None for records of other tracks.

    `names` gives the identity by which the records know a model (default: the name of its entry). Raises
    CheckFailedError when calls failed for good; the same command asks for the rest.
    """
    names = names or {}
    tally = _Tally()
    found: list[Calibration | None] = []

    def small(number: int, record: Record) -> list[Call]:
        return _rollouts(record, config.small, config, seed) if track_of(record) in config.tracks else []

    name = names.get(config.small, config.small)
    for number, record, answers in answered(calls, records, small, label="difficulty: stage 1", progress=progress):
        found.append(calibration(name, record, answers, config, small_level) if answers else None)
        if answers:
            tally.count(name, number, record, answers)
    if not config.large:
        return found, tally.facts(found)
    decided = {n for n, one in enumerate(found) if one is None or one.level in ("easy", "medium")}

    def large(number: int, record: Record) -> list[Call]:
        return [] if number in decided else _rollouts(record, config.large, config, seed)

    name = names.get(config.large, config.large)
    for number, record, answers in answered(calls, records, large, label="difficulty: stage 2", progress=progress):
        if answers:
            found[number] = calibration(name, record, answers, config, large_level)
            tally.count(name, number, record, answers)
    return found, tally.facts(found)


def together(first: DifficultyFacts, second: DifficultyFacts) -> DifficultyFacts:
    """The facts of two rounds as one."""

    def rated(facts: DifficultyFacts, name: str) -> int:
        levels = facts["levels"] if name == "all" else facts["capabilities"].get(name, {})
        return sum(count for level, count in levels.items() if level != "unknown")

    means = {}
    for name in sorted({*first.get("mean_pass_rate", {}), *second.get("mean_pass_rate", {})}):
        parts = [(rated(facts, name), facts.get("mean_pass_rate", {}).get(name, 0.0)) for facts in (first, second)]
        means[name] = math.fsum(count * mean for count, mean in parts) / max(1, sum(count for count, _ in parts))
    return {
        "records": first["records"] + second["records"],
        "levels": _levels(added(first["levels"], second["levels"])),
        "capabilities": {
            name: _levels(tally) for name, tally in added_each(first["capabilities"], second["capabilities"]).items()
        },
        "stages": added(first["stages"], second["stages"]),
        "mean_pass_rate": means,
        "unscored": added_each(first.get("unscored", {}), second.get("unscored", {})),
        "cut": added(first.get("cut", {}), second.get("cut", {})),
    }


def small_level(rate: float, config: DifficultyConfig) -> Level:
    """Stage 1's verdict; "hard" and "unsolved" stand only where no large model is asked."""
    if rate > config.easy:
        return "easy"
    if rate >= config.medium:
        return "medium"
    return "hard" if rate > 0 else "unsolved"


def large_level(rate: float, config: DifficultyConfig) -> Level:
    """Stage 2's verdict."""
    if rate > config.large_medium:
        return "medium"
    return "hard" if rate >= config.large_hard else "quarantined"


def calibration(
    model: str,
    record: Record,
    answers: Sequence[Answer],
    config: DifficultyConfig,
    level: Callable[[float, DifficultyConfig], Level],
) -> Calibration:
    """One stage's answers as a calibration: the pass rate over the rollouts that have a score."""
    scores = tuple(answer.value for answer in answers if answer.value is not None)
    if not scores or len(scores) < QUORUM * len(answers):
        why = Counter(answer.reason for answer in answers if answer.value is None)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(why.items()))
        reason = f"only {len(scores)} of {len(answers)} rollouts have a score ({reasons})"
        return Calibration("unknown", model, scores, reason=reason)
    mark = pass_mark(record, config)
    passed = sum(passes(score, mark) for score in scores)
    rate = passed / len(scores)
    return Calibration(level(rate, config), model, scores, rate, wilson(passed, len(scores)))


def wilson(passed: int, count: int) -> Interval:
    """95 % Wilson score interval (Wilson 1927) of a share `passed / count`: it stays in [0, 1], and has a width also
    where all or none passed."""
    share = passed / count
    scale = 1 + Z * Z / count
    middle = (share + Z * Z / (2 * count)) / scale
    half = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count)) / scale
    # Rounding must not leave the share outside.
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def quarantined(
    calls: Calls,
    records: Records,
    found: Sequence[Calibration | None],
    config: DifficultyConfig,
    *,
    seed: int,
    names: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """One row per quarantined record: the record, its calibration, and the text and score of every rollout."""
    names = names or {}

    def plan(number: int, record: Record) -> list[Call]:
        one = found[number]
        if one is None or one.level != "quarantined":
            return []
        return [call for m in (config.small, config.large) for call in _rollouts(record, m, config, seed)]

    for number, record, answers in answered(calls, records, plan, label="difficulty: quarantine"):
        one = found[number]
        if one is not None and answers:
            texts = [{**asdict(answer), "model": names.get(answer.model, answer.model)} for answer in answers]
            row = record.model_dump()
            row["extra_info"] |= one.fields
            yield {"reason": QUARANTINED, "record": row, "texts": texts}


def _rollouts(record: Record, model: str, config: DifficultyConfig, seed: int) -> list[Call]:
    return calls_for(
        own_messages(record),
        (model,) * config.rollouts,
        seed=seed,
        stage="rollout",
        key=record_key(record),
    )


class _Tally:
    """The facts, counted as rollouts come in."""

    def __init__(self) -> None:
        self.members: dict[str, set[int]] = {}
        """Capability -> numbers of its records."""
        self.asked: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.unscored: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def count(self, model: str, number: int, record: Record, answers: Sequence[Answer]) -> None:
        self.members.setdefault(str(record.extra_info.get("capability") or record.metric), set()).add(number)
        self.asked[model] += 1
        self.cut[model] += sum(answer.cut for answer in answers)
        self.unscored[model].update(answer.reason for answer in answers if answer.value is None)

    def facts(self, found: Sequence[Calibration | None]) -> DifficultyFacts:
        everyone = [one for one in found if one is not None]
        groups = {
            capability: [one for number in sorted(numbers) if (one := found[number]) is not None]
            for capability, numbers in sorted(self.members.items())
        }
        rates = {name: [one.rate for one in ones if one.rate is not None] for name, ones in groups.items()}
        rates["all"] = [one.rate for one in everyone if one.rate is not None]
        return {
            "records": len(everyone),
            "levels": _levels(Counter(one.level for one in everyone)),
            "capabilities": {name: _levels(Counter(one.level for one in ones)) for name, ones in groups.items()},
            "stages": dict(self.asked),
            # fsum: the mean does not depend on the order of the records.
            "mean_pass_rate": {name: math.fsum(own) / len(own) for name, own in rates.items() if own},
            "unscored": {model: dict(sorted(why.items())) for model, why in self.unscored.items() if why},
            "cut": {model: n for model, n in self.cut.items() if n},
        }


def _levels(counts: Mapping[str, int]) -> dict[str, int]:
    return {level: counts[level] for level in LEVELS if counts.get(level)}

"""What could give answers away in a finished dataset, beside what guessing by rules earns (`closed_book`): uneven
distributions of answers and places, and what a classifier learns from the options alone."""

import contextlib
import math
import statistics
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from golongrl.core import tasks
from golongrl.core.errors import GolongrlError, require
from golongrl.core.records import Record
from golongrl.core.stats import cluster_bootstrap
from golongrl.core.store import content_key
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.reporting.closed_book import MARGIN
from golongrl.pipeline.dataset.reporting.closed_book_strategies import LETTERS, golds
from golongrl.pipeline.dataset.reporting.phase_facts import LearnedFacts, ProbeFacts, ShortcutFacts
from golongrl.rewards import pool
from golongrl.rewards.audit import audit

DEPTHS = 10
FOLDS = 5
LEAST = 50
"""Choice questions from which a classifier is trained."""
SAMPLE = 64
"""Records that the reward audit checks."""
ANSWER = 200
"""Characters by which two gold answers are told apart."""


@dataclass
class _Tally:
    records: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    letters: Counter[str] = field(default_factory=Counter)
    expected: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Letter -> records whose right option it would be on average."""
    longest: list[float] = field(default_factory=list)
    shortest: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    digits: Counter[str] = field(default_factory=Counter)
    depth: list[int] = field(default_factory=lambda: [0] * DEPTHS)
    ends: list[tuple[bool, bool, float]] = field(default_factory=list)
    """Of a record of several documents: evidence in the first alone, in the last alone, chance of either."""


class ShortcutSurvey:
    """Counts the answers and places of a dataset, record by record; no prompt is kept."""

    def __init__(self, capabilities: Sequence[str]) -> None:
        self._of = {capability: _Tally() for capability in capabilities}

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass records through, for example on their way to `write_parquet`, and count them."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record) -> None:
        """Count one record."""
        tally = self._of[record.extra_info["capability"]]
        gold = golds(record)
        tally.records += 1
        tally.answers[normalise("\n".join(sorted(gold)))[:ANSWER]] += 1
        tally.sizes.append(sum(map(len, gold)))
        if record.metric == "choice":
            _count_choice(tally, gold[0], record.extra_info.get("options") or ())
        elif record.metric == "math" and (digit := next((c for c in gold[0] if c in "123456789"), None)):
            tally.digits[digit] += 1
        _count_places(tally, record)

    def facts(self) -> list[ShortcutFacts]:
        """What was counted, per capability that has records."""
        return [_facts(capability, tally) for capability, tally in self._of.items() if tally.records]


def _count_choice(tally: _Tally, letter: str, options: Sequence[str]) -> None:
    if letter not in LETTERS[: len(options)]:
        return
    tally.letters[letter] += 1
    for other in LETTERS[: len(options)]:
        tally.expected[other] += 1 / len(options)
    tally.chances.append(1 / len(options))
    sizes = [len(option) for option in options]
    own = sizes[LETTERS.index(letter)]
    tally.longest.append((own == max(sizes)) / sizes.count(own))
    tally.shortest.append((own == min(sizes)) / sizes.count(own))


def _count_places(tally: _Tally, record: Record) -> None:
    info = record.extra_info
    size = max(1, sum(len(message.content) for message in record.prompt))
    for place in info.get("evidence_in_prompt") or ():
        tally.depth[min(DEPTHS - 1, int((place["start"] + place["end"]) / 2 / size * DEPTHS))] += 1
    shown = list(info["doc_sha256"])
    holders = {place["doc"] for place in info.get("evidence") or ()} & set(shown)
    if len(shown) > 1 and holders:
        tally.ends.append((holders == {shown[0]}, holders == {shown[-1]}, 1 / len(shown)))


def _facts(capability: str, tally: _Tally) -> ShortcutFacts:
    letters = sorted(tally.expected)
    right = [tally.letters[letter] for letter in letters]
    ends = tally.ends
    return {
        "capability": capability,
        "records": tally.records,
        "answer_length": [min(tally.sizes), int(statistics.median_low(tally.sizes)), max(tally.sizes)],
        "common_answer": round(max(tally.answers.values()) / tally.records, 4),
        "letters": {letter: tally.letters[letter] for letter in letters},
        "letters_p": _chi_square(right, [tally.expected[letter] for letter in letters]),
        "longest": _mean(tally.longest),
        "shortest": _mean(tally.shortest),
        "option_chance": _mean(tally.chances),
        "digits": dict(sorted(tally.digits.items())),
        "depth": list(tally.depth),
        "depth_p": _chi_square(tally.depth, [sum(tally.depth) / DEPTHS] * DEPTHS),
        "first": _mean([first for first, _, _ in ends]),
        "last": _mean([last for _, last, _ in ends]),
        "end_chance": _mean([chance for _, _, chance in ends]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(math.fsum(values) / len(values), 4) if values else None


def _chi_square(counts: Sequence[int], expected: Sequence[float]) -> float | None:
    """p of the counts under the expected ones; None where fewer than five are expected somewhere (Cochran's rule)."""
    if len(counts) < 2 or min(expected) < 5:
        return None
    distance = math.fsum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True))
    return round(_chi_square_tail(distance, len(counts) - 1), 4)


def _chi_square_tail(distance: float, degrees: int) -> float:
    """Probability of at least this distance (Abramowitz and Stegun 26.4.4 and 26.4.5); scipy takes long to import."""
    half = distance / 2
    powers = [degree / 2 for degree in range(degrees % 2, degrees, 2)]
    terms = (half**power / math.gamma(power + 1) for power in powers)
    return math.exp(-half) * math.fsum(terms) + (math.erfc(math.sqrt(half)) if degrees % 2 else 0.0)


def learned(questions: Mapping[str, Sequence[Record]], seed: int) -> list[LearnedFacts]:
    """Per capability of choices: how often a logistic regression on the options' characters and letters finds the
    right one in questions that it was not trained on (five folds), with a 95 % bootstrap interval, against chance.

    "above": even the lower end of the interval is more than `closed_book.MARGIN` over chance; "unclear": the mean is.
    """
    found = []
    for capability, records in questions.items():
        asked = [(record, options) for record in records if (options := _options(record))]
        if not asked:
            continue
        chance = math.fsum(1 / len(options) for _, options in asked) / len(asked)
        accuracy = low = high = None
        verdict = "too few records"
        if len(asked) >= LEAST:
            right = _cross_validated(asked, seed)
            accuracy, low, high = (round(x, 4) for x in cluster_bootstrap(right, range(len(right)), seed=seed))
            verdict = "within"
            if accuracy - chance > MARGIN:
                verdict = "above" if low - chance > MARGIN else "unclear"
        entry: LearnedFacts = {
            "capability": capability,
            "records": len(asked),
            "accuracy": accuracy,
            "low": low,
            "high": high,
            "chance": round(chance, 4),
            "verdict": verdict,
        }
        found.append(entry)
    return found


def _options(record: Record) -> list[str]:
    options = list(record.extra_info.get("options") or ()) if record.metric == "choice" else []
    return options if golds(record)[0] in LETTERS[: len(options)] else []


def _cross_validated(asked: Sequence[tuple[Record, list[str]]], seed: int) -> list[float]:
    """Per question, 1 where the option with the highest score is the right one, else 0."""
    folds = [int(content_key("fold", seed, record.extra_info["question"]), 16) % FOLDS for record, _ in asked]
    right = [0.0] * len(asked)
    for fold in sorted(set(folds)):
        trained = [entry for entry, own in zip(asked, folds, strict=True) if own != fold]
        tested = [number for number, own in enumerate(folds) if own == fold]
        model = _model()
        texts, labels = _examples(trained)
        model.fit(texts, labels)
        for number in tested:
            record, options = asked[number]
            scores = model.decision_function(_texts(record, options))
            right[number] = float(LETTERS[int(np.argmax(scores))] == golds(record)[0])
    return right


def _model() -> Any:
    """Character n-grams to a weight each."""
    vectors = require("sklearn.feature_extraction.text").TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 4), min_df=2, max_features=50_000, sublinear_tf=True
    )
    regression = require("sklearn.linear_model").LogisticRegression(class_weight="balanced", max_iter=500)
    return require("sklearn.pipeline").make_pipeline(vectors, regression)


def _examples(asked: Sequence[tuple[Record, list[str]]]) -> tuple[list[str], list[bool]]:
    texts: list[str] = []
    labels: list[bool] = []
    for record, options in asked:
        texts += _texts(record, options)
        labels += [letter == golds(record)[0] for letter in LETTERS[: len(options)]]
    return texts, labels


def _texts(record: Record, options: Sequence[str]) -> list[str]:
    """Each option as the classifier sees it: its letter, how it ranks by length, whether the question names it, and
    its text. The question's own words are the same for all of them, so they can tell nothing by themselves."""
    question = normalise(str(record.extra_info["question"]).split("\nA. ")[0])
    ranks = [sum(len(other) < len(option) for other in options) for option in options]
    return [
        f"@{letter} #{rank} {'+named' if normalise(option) in question else ''} {normalise(option)}"
        for letter, rank, option in zip(LETTERS, ranks, options, strict=False)
    ]


def before_probes() -> None:
    """Start the process that `probes` asks about formulas, which takes a second; what fails here fails there too."""
    with contextlib.suppress(GolongrlError):
        pool.verdict("1", "2")


def probes(path: Path, *, seed: int, sample: int = SAMPLE) -> list[ProbeFacts]:
    """The audit of `golongrl verify-rewards` on `sample` records of a finished file, per metric; attacks that take
    seconds are left out."""
    report = audit(path, sample=sample, seed=seed, costly=False)
    found = []
    for metric in (metric for metric in tasks.METRICS if metric in report.metrics):
        tried = [probe for probe in report.probes if probe.metric == metric]
        highest = max(tried, key=lambda probe: probe.mean, default=None)
        entry: ProbeFacts = {
            "capability": tasks.capability_of(metric),
            "metric": metric,
            "records": report.metrics[metric].rows,
            "gold_ok": report.metrics[metric].gold_ok,
            "attacks": len(tried),
            "highest": highest.probe if highest else "",
            "mean": round(highest.mean, 4) if highest else 0.0,
            "exploited": [probe.probe for probe in tried if probe.verdict != "ok"],
            "lost": {one.variant: one.lost for one in report.variants if one.metric == metric and one.lost},
        }
        found.append(entry)
    return found

"""What the phases beyond the rules track came to, as plain JSON: the optional keys of build.json."""

from typing import NotRequired, TypedDict

Tally = dict[str, int]
"""Reason or name -> count."""


class FunnelStep(TypedDict):
    """One stage of a track."""

    stage: str
    """What the stage does, such as "votes"."""
    unit: str
    """What `left` counts: "rows", "questions" or "records"."""
    removed: Tally
    """Why the stage removed something -> how many."""
    left: int
    """What is left after it."""


class QaSetFacts(TypedDict):
    """One QA file or set."""

    set: str
    rows: int
    """Rows read."""
    items: int
    """Questions that the rows gave; a row may hold several."""
    refused: Tally
    """Why rows or questions were refused -> how many."""


class SynthesisFacts(TypedDict):
    """Questions that models wrote."""

    asked: int
    """Calls made."""
    malformed: int
    """Answers that were not what the schema asks for."""
    repaired: int
    """Malformed answers that a second call put right."""
    rejected: Tally
    """Why answers or questions were rejected -> how many."""
    items: int
    """Questions left."""
    capabilities: NotRequired[dict[str, Tally]]
    """Capability -> "asked", "items" and the like -> count."""
    types: NotRequired[Tally]
    """Question type -> questions left."""
    positions: NotRequired[Tally]
    """Part of the document that a question was wanted from -> questions left."""
    models: NotRequired[Tally]
    """Model -> questions left."""


class VerifiedGroup(TypedDict):
    """Records of one track and capability."""

    track: str
    capability: str
    records: int
    kept: int
    reasons: Tally


class VerifyFacts(TypedDict):
    """Votes and necessity (`verification.verify`)."""

    records: int
    kept: int
    reasons: Tally
    """Why records were dropped -> how many."""
    votes: Tally
    """ "2 of 3": answers that passed, of those that say something -> records."""
    tests: dict[str, Tally]
    """Necessity prompt -> "asked", or why it could not be -> records."""
    groups: list[VerifiedGroup]
    abstentions: NotRequired[dict[str, Tally]]
    """Model -> why an answer says nothing -> answers."""


class DifficultyFacts(TypedDict):
    """Pass rates (`difficulty.calibrate`)."""

    records: int
    levels: Tally
    """Level -> records."""
    capabilities: dict[str, Tally]
    """Capability -> level -> records."""
    stages: Tally
    """Model -> records it was asked about."""
    mean_pass_rate: NotRequired[dict[str, float]]
    """Capability -> mean pass rate in the stage that decided."""
    unscored: NotRequired[dict[str, Tally]]
    """Model -> why a rollout had no score -> rollouts."""
    cut: NotRequired[Tally]
    """Model -> rollouts that reached the token limit."""


class BenchmarkHits(TypedDict):
    """Overlap with one benchmark."""

    benchmark: str
    items: int
    """Items of the benchmark that were indexed."""
    question_hits: int
    """Records removed because question or answer shares an n-gram with an item."""
    near_questions: NotRequired[int]
    """Records removed because their question is almost one of the benchmark's."""
    shared_documents: int
    """Documents that the benchmark's contexts hold as well."""
    template_ngrams: NotRequired[int]
    """N-grams that many of its questions share and that count as no hit."""


class ContaminationExample(TypedDict):
    """One hit with its evidence."""

    benchmark: str
    item: str
    """Which item of the benchmark."""
    kind: str
    """ "question", "near question" or "document"."""
    ours: str
    """Which record or document of ours."""
    text: str
    """The words that both share."""


class ContaminationFacts(TypedDict):
    """Decontamination against evaluation data."""

    n: int
    """Words (characters of Chinese) of one n-gram."""
    benchmarks: list[BenchmarkHits]
    document_share: NotRequired[float]
    """Share of a document's n-grams from which it counts as shared."""
    checked: NotRequired[int]
    """Records checked."""
    evidence: NotRequired[list[ContaminationExample]]
    """The first hits; rejects.jsonl holds all."""


class CallFacts(TypedDict):
    """What was asked of one model."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    """In the currency of the configured prices; 0 where no price was set."""


class BaseFacts(TypedDict):
    """The dataset that a version was made from."""

    version: int
    digest: str
    """Content key of the records' files."""
    records: int


class VersionFacts(TypedDict):
    """What became of the base version's records and what joined them; changelog.jsonl names each."""

    version: int
    base: BaseFacts
    kept: Tally
    """Capability -> records of the base that stay."""
    removed: dict[str, Tally]
    """Capability -> why records of the base went -> how many."""
    added: Tally
    """Capability -> new records."""
    refused: Tally
    """Why new records did not join -> how many."""


class CellFacts(TypedDict):
    """Scores of one capability, or of one value of an axis within it."""

    capability: str
    axis: str
    """ "capability", "length", "depth", "form" or "language"."""
    value: str
    n: int
    """Scored answers."""
    clusters: int
    """Records or documents that they come from: what counts as independent."""
    mean: float
    low: float | None
    high: float | None
    """95 % interval of the mean; None where one cluster says nothing of its spread."""
    shrunk: float
    """The mean pulled towards that of the capability (of all, for a capability), the more so the fewer clusters."""
    failed: float
    """Share of answers that count as failures."""
    reasons: Tally
    """Why failures failed -> answers."""


class SegmentFacts(TypedDict):
    """One segment of answers that score alike, found by a decision tree."""

    where: str
    """In words, such as "capability T4; length 32k or 64k"."""
    n: int
    """Scored answers in it."""
    share: float
    """Share of all scored answers."""
    mean: float | None
    low: float | None
    high: float | None
    """From the half of the records that did not shape the tree; None where it holds too few."""
    failed: float
    """Share of its answers that count as failures."""
    failures: float
    """Share of all failures that lie in it."""
    reasons: Tally


class QuotaFacts(TypedDict):
    """Records that the next round should build of one capability."""

    capability: str
    records: int
    headroom: float
    """1 minus the shrunk mean."""
    bins: Tally
    """Length bin -> records, by the headroom of the bins; empty where no lengths are known."""


class DiagnosisFacts(TypedDict):
    """What a scored run says about the next round."""

    used: list[str]
    """Benchmarks and runs whose scores shaped the quotas."""
    held_out: list[str]
    """Benchmarks that may not."""
    answers: int
    unscored: Tally
    """Why answers have no score -> how many; they are in no mean."""
    left_out: Tally
    """Why rows of the run were not used -> how many."""
    notes: list[str]
    cells: list[CellFacts]
    segments: list[SegmentFacts]
    quotas: list[QuotaFacts]


class ShortcutFacts(TypedDict):
    """Distributions of one capability that could give answers away."""

    capability: str
    records: int
    answer_length: list[int]
    """Characters of the gold answer: shortest, median, longest."""
    common_answer: float
    """Share of records with the most frequent gold answer."""
    letters: Tally
    """Choices: right letter -> records."""
    letters_p: float | None
    """p of a chi-square test that every option is right equally often."""
    longest: float | None
    """Choices: share whose right option is the longest, ties split."""
    shortest: float | None
    option_chance: float | None
    """What both would be by chance."""
    digits: Tally
    """Leading digit of numeric gold answers -> records."""
    depth: list[int]
    """Pieces of evidence per tenth of the prompt."""
    depth_p: float | None
    """p of a chi-square test that every tenth holds equally many."""
    first: float | None
    """Share of records of several documents whose evidence is in the first one alone."""
    last: float | None
    end_chance: float | None
    """What each would be by chance: the mean of 1 / documents."""


class LearnedFacts(TypedDict):
    """A classifier that sees the options and no document, against chance, by cross-validation."""

    capability: str
    records: int
    accuracy: float | None
    low: float | None
    high: float | None
    chance: float
    verdict: str
    """ "within", "above", "unclear" or "too few records"."""


class ProbeFacts(TypedDict):
    """The reward audit of one metric on a sample of the finished records."""

    capability: str
    metric: str
    records: int
    gold_ok: int
    """Records whose gold answer earns everything."""
    attacks: int
    """Attacks tried."""
    highest: str
    """The attack that earned most on average."""
    mean: float
    """What it earned on average."""
    exploited: list[str]
    """Attacks that earned more than they may."""
    lost: Tally
    """Dress of the right answer -> records on which it lost."""

"""What a build came to, as plain JSON: the content of build.json, from which card and report page are written.

The build fills `source`, `collect`, `assign`, `construct` and `asked`; `records` and `closed_book` come from one pass
over the finished records (`survey.Survey`, `closed_book.closed_book`). Phases that did not run have no key.
"""

from typing import NotRequired, TypedDict

from golongrl.pipeline.dataset.reporting.phase_facts import (
    CallFacts,
    ContaminationFacts,
    DiagnosisFacts,
    DifficultyFacts,
    FunnelStep,
    LearnedFacts,
    ProbeFacts,
    QaSetFacts,
    ShortcutFacts,
    SynthesisFacts,
    Tally,
    VerifyFacts,
    VersionFacts,
)


class SourceFacts(TypedDict):
    """How the build was asked for; nothing here may name a path of the machine."""

    command: str
    """The command line that builds the dataset again."""
    version: str
    """golongrl's version."""
    tokenizer: str
    """Label of the tokenizer that counted the prompts."""
    seed: int
    length_bins: list[str]
    """Labels in rising order, such as "4k"."""
    capabilities: list[str]
    """Ids in the order they were asked for."""
    wanted: Tally
    """Capability -> records asked for."""
    val_share: float


class Refused(TypedDict):
    """A file or row that was refused or filtered."""

    source: str
    reason: str


class CollectFacts(TypedDict):
    """Phase 1: files to documents."""

    files: int
    """Files found, members of archives included."""
    refused: Tally
    """Why files and rows were refused -> how many."""
    read: int
    """Documents parsed."""
    filtered: dict[str, Tally]
    """Filter (language, length, licence, boilerplate, quality) in the order applied -> reason -> documents."""
    exact_duplicates: int
    near_duplicates: int
    documents: int
    """Documents left."""
    languages: Tally
    """Language -> documents left."""
    validation_documents: int
    """Documents left that are kept for validation."""
    refusals: list[Refused]
    """The first refusals in full, for the page; rejects.jsonl holds all."""


class AssignFacts(TypedDict):
    """Phase 2 for one capability: which documents can serve it."""

    documents: int
    missing: Tally
    """What a document lacked -> documents that cannot serve it."""


class ConstructFacts(TypedDict):
    """Phase 3 for one capability: attempts to records."""

    attempts: int
    """Scenes that a form was asked about."""
    passed_over: Tally
    """"form: reason" -> scenes without an unambiguous question."""
    rejected: Tally
    """"form: reason" -> candidates that failed a check."""
    kept: int


class FormAsked(TypedDict):
    """What a task form asks."""

    capability: str
    asks: str
    """One sentence."""


class Cell(TypedDict):
    """Records of one capability, length bin, language and split."""

    capability: str
    length_bin: str
    language: str
    split: str
    records: int


class FormFacts(TypedDict):
    """Records of one task form."""

    capability: str
    metric: str
    records: int
    wordings: Tally
    """Language -> distinct wordings that occur."""


class Lengths(TypedDict):
    """Prompt lengths of one length bin, in tokens."""

    shortest: int
    median: int
    longest: int


class LicenceFacts(TypedDict):
    """Distinct documents shown under one licence, and the records that show at least one of them."""

    documents: int
    records: int


class SourceCounts(TypedDict):
    """Document sources: how many there are, and those that most records show, as [source, records]."""

    count: int
    top: list[list[str | int]]


class RecordFacts(TypedDict):
    """What the finished records hold (`survey.Survey.facts`)."""

    splits: Tally
    """ "train" and "validation" -> records."""
    cells: list[Cell]
    forms: dict[str, FormFacts]
    depth: dict[str, list[int]]
    """Length bin -> pieces of evidence per tenth of the prompt."""
    question: Tally
    """ "before" or "after" the documents -> records."""
    kinds: Tally
    """Kind of the document asked about -> records."""
    shown: Tally
    """Number of documents in the prompt (as text) -> records."""
    lengths: dict[str, Lengths]
    documents: int
    """Distinct documents that the prompts show."""
    licences: dict[str, LicenceFacts]
    sources: SourceCounts


class GuessFacts(TypedDict):
    """One closed-book strategy."""

    strategy: str
    n: int
    """Records that it has an answer for; on the others it counts as a random guess."""
    mean: float
    """Mean score, 0 to 1."""
    difference: float
    """Mean minus chance."""
    error: float
    """Standard error of the difference, paired by record."""


class ClosedBookFacts(TypedDict):
    """Closed-book scores of one capability or one of its task forms."""

    capability: str
    form: str
    """Empty for the whole capability."""
    scored: int
    """Records answered: all, or as many as the survey draws."""
    chance: float
    """Mean score of random guesses."""
    guesses: list[GuessFacts]
    highest: GuessFacts
    """The strategy that gains most over chance."""
    widest: GuessFacts
    """The strategy farthest from chance in either direction."""
    verdict: str
    """ "within", "above" or "unclear" (`closed_book.VERDICTS`)."""


class BuildFacts(TypedDict):
    """The content of build.json."""

    source: SourceFacts
    collect: CollectFacts
    assign: dict[str, AssignFacts]
    """By capability."""
    construct: dict[str, ConstructFacts]
    """By capability, both splits together."""
    asked: dict[str, FormAsked]
    """By task form, in the order of the registry."""
    records: RecordFacts
    closed_book: list[ClosedBookFacts]
    notes: NotRequired[list[str]]
    """Further sentences for the card, such as what could not be built."""
    funnel: NotRequired[dict[str, list[FunnelStep]]]
    """Track ("rules", "qa", "llm") -> its stages in order."""
    qa: NotRequired[list[QaSetFacts]]
    synthesis: NotRequired[SynthesisFacts]
    verify: NotRequired[VerifyFacts]
    difficulty: NotRequired[DifficultyFacts]
    contamination: NotRequired[ContaminationFacts]
    calls: NotRequired[dict[str, CallFacts]]
    """By model."""
    version_of_data: NotRequired[int]
    """1, or one more than that of the base."""
    versions: NotRequired[VersionFacts]
    diagnosis: NotRequired[DiagnosisFacts]
    shortcuts: NotRequired[list[ShortcutFacts]]
    learned: NotRequired[list[LearnedFacts]]
    probes: NotRequired[list[ProbeFacts]]

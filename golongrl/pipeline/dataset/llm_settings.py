"""Settings of the phases of `golongrl build-dataset` that ask models: synthesis, verification, difficulty."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from golongrl.core.config import Config
from golongrl.core.tasks import METRICS

DECISIVE = ("model", "max_model_len", "max_tokens", "temperature", "top_p", "think")
"""Settings of a model that decide its answers, or which prompts it can take."""


class ModelConfig(Config):
    """One model behind an OpenAI-compatible endpoint."""

    base_url: str = ""
    """Up to and including /v1; empty for the generator's when `engine` starts its server."""
    model: str
    """The name that the endpoint serves, or the model's folder when `engine` starts its server."""
    max_model_len: int | None = Field(default=None, ge=2)
    """Prompt and answer together, in tokens; default: what the endpoint says."""
    max_tokens: int = Field(default=4096, ge=1)
    """Largest answer in tokens, thinking included."""
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    think: Literal["optional", "required"] = "optional"
    """Whether an answer needs a closed thinking block."""
    concurrency: int = Field(default=32, ge=1)
    """Requests at once."""
    token_budget: int | None = Field(default=None, ge=1)
    """Prompt and output tokens in flight at once; default: 8 times the model's length."""
    timeout: float = Field(default=600.0, gt=0)
    """Seconds until a request counts as lost."""
    retries: int = Field(default=5, ge=0)
    """Attempts after the first, for rate limits, server errors and broken connections."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key."""
    input_price: float = Field(default=0.0, ge=0)
    """Price of a million prompt tokens, in the currency of `max_cost`."""
    output_price: float = Field(default=0.0, ge=0)
    """Price of a million answer tokens."""

    def identity(self) -> dict[str, Any]:
        """What decides its answers, without where and how patiently it is asked, and how long a prompt may be."""
        return self.model_dump(include=set(DECISIVE))


class SynthesisConfig(Config):
    """Questions by a model."""

    model: str = "generator"
    """Name of the entry in `models` that asks."""
    per_bin: dict[str, str] = Field(default_factory=dict)
    """Another entry for some length bins, such as {"128k": "long"}."""
    oversample: float = Field(default=1.5, ge=1)
    """Questions asked for per record wanted, since some are refused."""
    questions_per_call: int = Field(default=1, ge=1, le=8)


class VerifyConfig(Config):
    """Votes of independent answerers, and whether the context is needed."""

    answerers: tuple[str, ...] = ()
    """Names of entries in `models`; empty: nothing is verified."""
    tracks: tuple[Literal["rules", "qa", "llm"], ...] = ("qa", "llm")
    """Tracks whose records are verified."""
    votes: int = Field(default=3, ge=1)
    """Answers per record, taken from the answerers in turn."""
    agree: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of answers that pass for the gold to stand."""
    pass_score: float = Field(default=0.75, gt=0, le=1)
    """Score from which an answer under a graded metric passes; ungraded ones pass at 1."""
    pass_scores: dict[str, float] = Field(default_factory=lambda: {"rouge_l": 0.3})
    """Another such score for some metrics. Good summaries of one text share few words in order; 0.3 is reached by 2 %
    of QMSum's references to other questions about the same meeting, and by 0.2 % of those about other meetings."""
    necessity: bool = True
    """Whether the context must be needed: closed book and without the evidence must fail, the evidence alone pass."""
    necessity_votes: int = Field(default=2, ge=1)
    """Answers per necessity question."""

    @field_validator("answerers", "tracks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return parts(value)

    @field_validator("pass_scores")
    @classmethod
    def _metrics(cls, value: dict[str, float]) -> dict[str, float]:
        return _pass_scores(value)


class DifficultyConfig(Config):
    """Pass rates of one or two models; off while `small` is empty."""

    small: str = ""
    """Entry in `models` of stage 1."""
    large: str = ""
    """Entry of stage 2, which gets what stage 1 leaves open; empty: there is no stage 2."""
    tracks: tuple[Literal["rules", "qa", "llm"], ...] = ("rules", "qa", "llm")
    rollouts: int = Field(default=8, ge=1)
    """Answers per record and stage."""
    pass_score: float = Field(default=0.75, gt=0, le=1)
    """Score from which an answer under a graded metric passes; ungraded ones pass at 1."""
    pass_scores: dict[str, float] = Field(default_factory=lambda: {"rouge_l": 0.3})
    """Another such score for some metrics. Good summaries of one text share few words in order; 0.3 is reached by 2 %
    of QMSum's references to other questions about the same meeting, and by 0.2 % of those about other meetings."""
    easy: float = Field(default=0.75, ge=0, le=1)
    """Stage 1: easy above this pass rate."""
    medium: float = Field(default=0.5, ge=0, le=1)
    """Stage 1: medium from this pass rate on; below, stage 2 decides."""
    large_medium: float = Field(default=0.75, ge=0, le=1)
    """Stage 2: medium above this pass rate."""
    large_hard: float = Field(default=0.25, ge=0, le=1)
    """Stage 2: hard from this pass rate on; below, quarantined."""

    @field_validator("tracks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return parts(value)

    @field_validator("pass_scores")
    @classmethod
    def _metrics(cls, value: dict[str, float]) -> dict[str, float]:
        return _pass_scores(value)

    @model_validator(mode="after")
    def _ordered(self) -> "DifficultyConfig":
        for upper, lower in (("easy", "medium"), ("large_medium", "large_hard")):
            if getattr(self, lower) > getattr(self, upper):
                raise ValueError(f"{lower} is above {upper}; pass rates from {lower} to {upper} make a level")
        if self.small and self.small == self.large:
            raise ValueError("small and large are one entry; name a larger model, or leave large out")
        if self.large and not self.small:
            raise ValueError("large is the second stage; name the model of the first as small")
        return self


def parts(value: Any) -> Any:
    """ "a, b" as ["a", "b"]; a lone number as a list of it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int) else value


def _pass_scores(scores: dict[str, float]) -> dict[str, float]:
    """The scores, once every metric is known and can be passed."""
    for metric, score in scores.items():
        if metric not in METRICS:
            raise ValueError(f"no metric {metric!r}; metrics: {', '.join(METRICS)}")
        if not 0 < score <= 1:
            raise ValueError(f"{metric} = {score}: expected a score above 0, 1 at the most")
    return scores


class DecontaminateConfig(Config):
    """Overlap with evaluation data; off while `against` is empty."""

    against: tuple[str, ...] = ()
    """Benchmark names, or files of benchmark rows (jsonl, json, parquet, csv)."""
    n: int = Field(default=13, ge=1)
    """Words (characters in Chinese) of one n-gram."""
    document_share: float = Field(default=0.2, gt=0, le=1)
    """Share of a document's n-grams found in a benchmark's contexts from which it counts as the same document."""

    @field_validator("against", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return parts(value)

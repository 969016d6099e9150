"""Settings of the phases of `golongrl build-dataset` that ask models: synthesis, verification, difficulty."""

from typing import Literal

from pydantic import Field

from golongrl.core.config import Config


class ModelConfig(Config):
    """One model behind an OpenAI-compatible endpoint."""

    base_url: str
    """Up to and including /v1."""
    model: str
    """The name that the endpoint serves."""
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
    necessity: bool = True
    """Whether the context must be needed: closed book and without the evidence must fail, the evidence alone pass."""
    necessity_votes: int = Field(default=2, ge=1)
    """Answers per necessity question."""


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
    easy: float = Field(default=0.75, ge=0, le=1)
    """Stage 1: easy above this pass rate."""
    medium: float = Field(default=0.5, ge=0, le=1)
    """Stage 1: medium from this pass rate on; below, stage 2 decides."""
    large_medium: float = Field(default=0.75, ge=0, le=1)
    """Stage 2: medium above this pass rate."""
    large_hard: float = Field(default=0.25, ge=0, le=1)
    """Stage 2: hard from this pass rate on; below, quarantined."""


class DecontaminateConfig(Config):
    """Overlap with evaluation data; off while `against` is empty."""

    against: tuple[str, ...] = ()
    """Benchmark names, or files of benchmark rows (jsonl, json, parquet, csv)."""
    n: int = Field(default=13, ge=1)
    """Words (characters in Chinese) of one n-gram."""
    document_share: float = Field(default=0.2, gt=0, le=1)
    """Share of a document's n-grams found in a benchmark's contexts from which it counts as the same document."""

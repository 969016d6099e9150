"""Settings of `golongrl eval`."""

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from golongrl.core import tokens
from golongrl.core.config import Config
from golongrl.pipeline.evaluation import benchmarks

ThinkOption = Literal["auto", "required", "optional"]
Engine = Literal["transformers", "vllm", "sglang"]
Overlong = Literal["error", "skip", "middle-document"]
YarnOption = Literal["auto", "off"] | float

RECIPE_INPUT = 131072
RECIPE_OUTPUT = 51200

# What decides how and where the work is done, but not what comes out of it.
_NOT_IDENTITY = frozenset(
    {
        "base_url",
        "server_python",
        "server_args",
        "port",
        "concurrency",
        "token_budget",
        "timeout",
        "retries",
        "rescore",
        "dry_run",
        "fresh",
        "out",
        "data",
        "responses",
        "bfcl_python",
        "judge_base_url",
        "judge_api_key_env",
        "judge_concurrency",
        "price_input",
        "price_output",
    }
)
JUDGE_SETTINGS = ("judge_model", "judge_temperature", "judge_max_output", "judge_retries")
"""What decides the verdicts; another judge may grade the same answers again."""


class EvalConfig(Config):
    """Defaults are the recipe's: temperature 0.7, top-p 0.95, 128K tokens in, 50K out."""

    bench: list[str] = Field(min_length=1)
    """Names of benchmarks and groups; see BENCHMARKS and GROUPS of golongrl.pipeline.evaluation.benchmarks."""
    model: str | None = None
    """A model folder; with `base_url` the name that the endpoint serves, also where a folder is called the same."""
    base_url: str | None = None
    """OpenAI-compatible endpoint, up to and including /v1; without one a server is started."""
    engine: Engine | None = None
    """Engine of the server that is started; default: transformers, when `model` is a local folder."""
    server_python: str | None = None
    """Interpreter that has the engine; default: this one."""
    server_args: list[str] = Field(default_factory=list)
    """More arguments for the engine, as they are."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the started server on 127.0.0.1; default: a free one."""
    data: str | None = None
    """The benchmark's rows (a file or folder), or the documents that mrcr-mini builds from.

    Or a folder with a file or folder per benchmark, named after it; those it lacks come from the hub. Data without
    such names serve every benchmark.
    """
    responses: str | None = None
    """JSONL of {id, response}: score these instead of generating."""
    rescore: bool = False
    """Grade the journal of an earlier run again; no server is needed."""
    max_length: list[int] = Field(default_factory=list)
    """Lengths in tokens: mrcr-mini builds items of these lengths, mrcr bounds its items by the largest."""
    limit: int | None = Field(default=None, ge=1)
    """How many items."""
    needles: list[int] = Field(default=[2, 4])
    """mrcr-mini: how many passages share one request."""
    answer_tokens: int = Field(default=64, ge=8)
    """mrcr-mini: the largest passage, in tokens."""
    repeats: int | None = Field(default=None, ge=1)
    """Generations per item, each with a seed of its own; default: the benchmark's (32 for AIME, else 1)."""
    temperature: float = Field(default=0.7, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus mass."""
    max_input: int | None = Field(default=None, ge=1)
    """Largest prompt in tokens; default 131072 or the benchmark's, less where the model's length needs it."""
    max_output: int | None = Field(default=None, ge=1)
    """Largest answer in tokens, thinking included; default 51200 or the benchmark's, less where it must be."""
    max_model_len: int | None = Field(default=None, ge=2)
    """Prompt and answer together; default: what the server or the model's config.json says."""
    yarn: YarnOption = "auto"
    """Prompts longer than the model: auto scales its rotary embedding by the smallest factor for each bucket of
    lengths, off leaves them out, a number is the factor for all prompts. A running server (--base-url) has the factor
    it was started with; a number says which."""
    overlong: Overlong = "skip"
    """Prompts above `max_input`: stop before the first request, leave them out, or cut the document's middle."""
    tokenizer: str | None = None
    """Folder, hub id or "approx"; default: the model folder's, else "approx".

    With `base_url` a folder also gives the chat template, and the config.json from which YaRN is read.
    """
    think: ThinkOption = "auto"
    """Whether an answer needs a closed thinking block; auto: as the chat template says, "optional" without one."""
    concurrency: int | Literal["auto"] = "auto"
    """Requests at once."""
    token_budget: int | None = Field(default=None, ge=1)
    """Prompt and expected output tokens in flight at once; default: what the server's KV cache holds, or, where it
    does not say, 8 times the model's length."""
    timeout: float = Field(default=3600.0, gt=0)
    """Seconds until a request counts as lost."""
    retries: int = Field(default=5, ge=0)
    """Attempts after the first, for rate limits, server errors and broken connections."""
    judge_model: str | None = None
    """The model that judges free answers, by the name that its endpoint serves."""
    judge_base_url: str | None = None
    """The judge's OpenAI-compatible endpoint, up to and including /v1."""
    judge_api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the judge's key."""
    judge_temperature: float = Field(default=0.0, ge=0)
    """The judge's sampling temperature."""
    judge_max_output: int = Field(default=4096, ge=16)
    """Largest reply of the judge in tokens, thinking included."""
    judge_retries: int = Field(default=3, ge=0)
    """How often a reply without a verdict is asked for again, before the answer counts as unjudged."""
    judge_concurrency: int = Field(default=16, ge=1)
    """Questions to the judge at once."""
    price_input: float | None = Field(default=None, ge=0)
    """Price of a million prompt tokens, in any currency; with `price_output` the report states what the run cost."""
    price_output: float | None = Field(default=None, ge=0)
    """Price of a million answer tokens, thinking included."""
    bfcl_python: str | None = None
    """Interpreter that has the package bfcl-eval; default: `server_python`."""
    seed: int = 0
    """Seed of sampling, of mrcr-mini's construction and of the intervals."""
    out: str | None = None
    """Run folder; default runs/eval/BENCH-MODEL. Several benchmarks get a folder each inside it."""
    fresh: bool = False
    """Set an earlier run in `out` aside instead of going on with it."""
    dry_run: bool = False
    """Load and plan only."""

    @field_validator("bench", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            return value
        names = [name.strip() for part in parts for name in part.split(",") if name.strip()]
        return benchmarks.expand(names)

    @field_validator("max_length", mode="before")
    @classmethod
    def _parse_lengths(cls, value: object) -> object:
        parts = value if isinstance(value, list) else str(value).split(",")
        return sorted({tokens.parse_length(part) for part in parts})

    @field_validator("needles", mode="before")
    @classmethod
    def _parse_needles(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value
        return parts

    @field_validator("needles")
    @classmethod
    def _at_least_two(cls, value: list[int]) -> list[int]:
        if not value or min(value) < 2:
            raise ValueError("a request needs at least 2 needles, or there is nothing to tell apart")
        return sorted(set(value))

    @field_validator("yarn", mode="before")
    @classmethod
    def _parse_factor(cls, value: object) -> object:
        if value in ("auto", "off"):
            return value
        try:
            factor = float(str(value))
        except ValueError:
            factor = math.nan
        if not 1 < factor < math.inf:
            raise ValueError("must be auto, off, or a factor above 1")
        return factor

    @field_validator("concurrency")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1, or auto")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "EvalConfig":
        if self.responses and (self.model or self.base_url or self.engine):
            raise ValueError("--responses scores finished answers; leave out --model, --base-url and --engine")
        if self.responses and self.rescore:
            raise ValueError("--responses and --rescore exclude each other")
        if not self.responses and not self.model:
            raise ValueError("--model is missing: a model folder, or the name that --base-url serves")
        if self.base_url and self.engine:
            raise ValueError("--base-url uses a running server and --engine starts one; give one of them")
        if (self.judge_model is None) != (self.judge_base_url is None):
            raise ValueError("--judge-model and --judge-base-url belong together: the name, and where it is served")
        return self

    def repeats_of(self, bench: str) -> int:
        """Generations per item of one benchmark."""
        return self.repeats or benchmarks.get(bench).repeats

    def identity(self, bench: str) -> dict[str, object]:
        """What decides the result for one benchmark, as JSON types: a run folder holds exactly one of these."""
        settings = self.model_dump(mode="json", exclude=set(_NOT_IDENTITY | {"bench"}))
        return {"bench": bench, **settings, "repeats": self.repeats_of(bench)}

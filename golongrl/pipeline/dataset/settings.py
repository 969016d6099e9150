"""Configuration of `golongrl build-dataset`."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from golongrl.core import tokens
from golongrl.core.config import Config
from golongrl.core.errors import UsageError
from golongrl.pipeline.dataset.construct import CAPABILITIES
from golongrl.pipeline.dataset.llm_settings import (
    DecontaminateConfig,
    DifficultyConfig,
    ModelConfig,
    SynthesisConfig,
    VerifyConfig,
    parts,
)

FREE = ("workers", "ray_address", "max_cost", "server_python")
"""Keys that change no byte of the result, so that a run may be resumed with other values."""


class BuildConfig(Config):
    """What to build from which documents."""

    sources: tuple[str, ...] = Field(default=(), validate_default=True)
    """Files, folders (read recursively), archives, glob patterns and hf://datasets/ORG/NAME."""
    qa: tuple[str, ...] = ()
    """Existing question sets, named like sources; their contexts become documents."""
    generator: Literal["rules", "llm", "both", "none"] = "rules"
    """How questions are made: by rules, by a model (`models`, `synthesis`), by both, or not at all (question sets
    only)."""
    capabilities: tuple[str, ...] = CAPABILITIES
    """Capabilities to build, as ids; records are split evenly over them unless `mix` says otherwise."""
    target: int = Field(default=300, gt=0)
    """Number of records, validation included."""
    mix: dict[str, int] | None = None
    """Records per capability, such as {"T1": 500, "T4": 200}; takes the place of `capabilities` and `target`."""
    length_bins: tuple[int, ...] = (4096, 16384, 32768)
    """Upper bounds, in tokens, of the prompt lengths; records are split evenly over them. Writes as 512, 4k, 1m."""
    tokenizer: str = "approx"
    """Model folder, tokenizer.json, hub id, or `approx` (bytes / 4)."""
    template_tokens: int = Field(default=40, ge=0)
    """Tokens kept free below a bin's upper bound for the model's chat template and system message."""
    val_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the records that become validation data; whole documents go to one side."""
    seed: int = 0
    """Seed of every random choice."""
    text_column: str | None = None
    """Column of JSON, JSONL and parquet files that holds the text; default: the first of the usual names."""
    max_document_mb: float = Field(default=40, gt=0)
    """Larger files, and larger rows of row files, are refused."""
    min_tokens: int = Field(default=32, ge=0)
    """Shorter documents are filtered out."""
    licences: tuple[str, ...] = ()
    """Allowed licences (case is ignored); empty: all of them, "unknown" included."""
    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """Estimated Jaccard similarity from which a document counts as a copy of another; 1 keeps all near copies."""
    max_answer_share: float = Field(default=0.02, gt=0, le=1)
    """Largest share of a capability's records that may have the same short answer (never below two records)."""
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    """Models that the phases below may name."""
    engine: Literal["transformers", "vllm", "sglang"] | None = None
    """Engine of a server that is started for the generator's model folder."""
    server_python: str | None = None
    """Interpreter that has the engine; default: this one."""
    synthesis: SynthesisConfig = SynthesisConfig()
    verify: VerifyConfig = VerifyConfig()
    difficulty: DifficultyConfig = DifficultyConfig()
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    max_cost: float | None = Field(default=None, gt=0)
    """What the models' calls may cost together, in the currency of their prices."""
    near_question: float = Field(default=0.8, gt=0, le=1)
    """Estimated Jaccard similarity from which a question counts as a copy of another; 1 keeps all near copies."""
    base: str | None = None
    """Folder of an earlier version, whose records stay where they still pass."""
    diagnose: str | None = None
    """Scored evaluation or training run whose weak spots set this build's mix."""
    diagnose_data: tuple[str, ...] = ()
    """Record files (train.parquet ...) that the diagnosed run scored, for its lengths, depths and forms."""
    held_out_benchmarks: tuple[str, ...] = ()
    """Benchmarks that may not be used for diagnosis."""
    workers: int | None = Field(default=None, ge=1)
    """Processes on this machine; None: as many as it has cores and memory for and the sources are worth."""
    ray_address: str | None = None
    """Ray cluster to run on instead: `auto`, HOST:PORT, or `local` for one started here."""

    @field_validator(
        "sources", "qa", "capabilities", "licences", "held_out_benchmarks", "diagnose_data", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return parts(value)

    @field_validator("length_bins", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> Any:
        try:
            bounds = sorted({tokens.parse_length(bound) for bound in parts(value)})
        except UsageError as error:
            raise ValueError(str(error)) from error
        if not bounds:
            raise ValueError("name at least one length, such as 4k")
        return bounds

    @field_validator("capabilities")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _capabilities(value)

    @field_validator("mix")
    @classmethod
    def _counts(cls, value: dict[str, int] | None) -> dict[str, int] | None:
        if value is None:
            return None
        if len({name.upper() for name in value}) < len(value):
            raise ValueError("a mix names every capability once")
        if min(value.values(), default=0) < 1:
            raise ValueError("a mix wants at least one record of every capability it names")
        return {name: value[key] for name, key in zip(_capabilities(value), value, strict=True)}

    @model_validator(mode="after")
    def _one_of_both(self) -> "BuildConfig":
        if self.mix is not None and "capabilities" in self.model_fields_set:
            raise ValueError("a mix names its capabilities itself; leave --capabilities out")
        return self

    @model_validator(mode="after")
    def _something_to_read(self) -> "BuildConfig":
        if not self.sources and not self.qa:
            raise ValueError("name the files or folders to read: golongrl build-dataset FOLDER --out DIR")
        if self.generator == "none" and not self.qa:
            raise ValueError("generator none makes no questions of its own; name question sets with --qa")
        return self

    @model_validator(mode="after")
    def _known_models(self) -> "BuildConfig":
        named: dict[str, list[str]] = {
            "verify.answerers": list(self.verify.answerers),
            "difficulty.small": [self.difficulty.small],
            "difficulty.large": [self.difficulty.large],
        }
        if self.asks_model:
            named["synthesis.model"] = [self.synthesis.model, *self.synthesis.per_bin.values()]
        for key, names in named.items():
            for name in filter(None, names):
                if name not in self.models:
                    known = ", ".join(self.models) or "none"
                    advice = "; --base-url URL --model NAME gives one" if key == "synthesis.model" else ""
                    raise ValueError(f"{key} names {name!r}, which [models] does not hold (it holds {known}){advice}")
        used = {name for names in named.values() for name in names}
        if "generator" in self.models and "generator" not in used:
            raise ValueError("nothing asks models.generator; pass --generator llm or both, or name it as an answerer")
        labels = [tokens.format_length(bound) for bound in self.length_bins]
        for label in self.synthesis.per_bin:
            if label not in labels:
                raise ValueError(f"synthesis.per_bin names the bin {label!r}; the bins are {', '.join(labels)}")
        priced = any(model.input_price or model.output_price for model in self.models.values())
        if self.max_cost is not None and self.models and not priced:
            raise ValueError("max_cost stops nothing without prices; set models.NAME.input_price and output_price")
        return self

    @model_validator(mode="after")
    def _reachable(self) -> "BuildConfig":
        if self.engine and "generator" not in self.models:
            raise ValueError("engine serves models.generator; name its folder with --model")
        served = {"generator"} if self.engine else set()
        homeless = [name for name, model in self.models.items() if not model.base_url and name not in served]
        if homeless:
            raise ValueError(f"models.{homeless[0]} has no base_url, such as http://127.0.0.1:8000/v1")
        return self

    def identity(self) -> dict[str, Any]:
        """What decides the result, as JSON types: where models are served does not."""
        models = {name: model.identity() for name, model in self.models.items()}
        # What these paths hold is among the run's inputs; how they are written decides nothing.
        paths = {"base": bool(self.base), "diagnose": bool(self.diagnose)}
        decontaminate = {**self.decontaminate.model_dump(mode="json"), "against": len(self.decontaminate.against)}
        return {**self.model_dump(mode="json"), "models": models, **paths, "decontaminate": decontaminate}

    @property
    def asks_model(self) -> bool:
        """Whether a model makes questions."""
        return self.generator in ("llm", "both")

    @property
    def by_rules(self) -> bool:
        """Whether rules make questions."""
        return self.generator in ("rules", "both")

    @property
    def wanted(self) -> dict[str, int]:
        """Records wanted per capability."""
        return dict(self.mix) if self.mix else quotas(self.target, self.capabilities)


def parse_target(text: str) -> dict[str, Any]:
    """`--target` as settings: "500" or a mix such as "T1=500,T4=200"."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return {"target": int(text)}
    mix: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        if not (count.strip().isascii() and count.strip().isdigit()) or name.strip().upper() in mix:
            raise UsageError(
                f"--target {text!r}: write a number of records, or a mix such as T1=500,T4=200, each once"
            )
        mix[name.strip().upper()] = int(count)
    return {"mix": mix}


def generator_table(base_url: str | None, model: str | None, engine: str | None) -> dict[str, Any]:
    """`--base-url`, `--model` and `--engine` as settings of the model called "generator"."""
    if base_url and engine:
        raise UsageError("--base-url uses a running server and --engine starts one; give one of them")
    if (base_url or engine) and not model:
        raise UsageError("--model is missing: the name that --base-url serves, or the folder that --engine loads")
    flags = {"models.generator.base_url": base_url, "models.generator.model": model}
    return {key: value for key, value in flags.items() if value}


def quotas(total: int, names: tuple[str, ...] | list[str]) -> dict[str, int]:
    """`total` split as evenly as it goes; the first names get what is left over."""
    share, rest = divmod(total, len(names))
    return {name: share + (position < rest) for position, name in enumerate(names)}


def _capabilities(names: Any) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(str(name).upper() for name in names))
    unknown = [name for name in wanted if name not in CAPABILITIES]
    if unknown or not wanted:
        raise ValueError(f"capabilities are {', '.join(CAPABILITIES)}, not {', '.join(unknown) or 'nothing'}")
    return wanted

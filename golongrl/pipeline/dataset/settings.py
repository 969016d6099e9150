"""Configuration of `golongrl build-dataset`."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from golongrl.core import tokens
from golongrl.core.config import Config
from golongrl.core.errors import UsageError
from golongrl.pipeline.dataset.construct import CAPABILITIES

FREE = ("workers", "ray_address")
"""Keys that change no byte of the result, so that a run may be resumed with other values."""


class BuildConfig(Config):
    """What to build from which documents."""

    sources: tuple[str, ...] = Field(default=(), validate_default=True)
    """Files, folders (read recursively), archives, glob patterns and hf://datasets/ORG/NAME."""
    generator: Literal["rules"] = "rules"
    """How questions are made."""
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
    workers: int = Field(default=1, ge=1)
    """Processes on this machine."""
    ray_address: str | None = None
    """Ray cluster to run on instead: `auto`, HOST:PORT, or `local` for one started here."""

    @field_validator("sources")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name the files or folders to read: golongrl build-dataset FOLDER --out DIR")
        return value

    @field_validator("sources", "capabilities", "licences", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return _parts(value)

    @field_validator("length_bins", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> Any:
        try:
            bounds = sorted({tokens.parse_length(bound) for bound in _parts(value)})
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


def quotas(total: int, names: tuple[str, ...] | list[str]) -> dict[str, int]:
    """`total` split as evenly as it goes; the first names get what is left over."""
    share, rest = divmod(total, len(names))
    return {name: share + (position < rest) for position, name in enumerate(names)}


def _capabilities(names: Any) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(str(name).upper() for name in names))
    unknown = [name for name in wanted if name not in CAPABILITIES]
    if unknown or not wanted:
        raise ValueError(f"rules build {', '.join(CAPABILITIES)}, not {', '.join(unknown) or 'nothing'}")
    return wanted


def _parts(value: Any) -> Any:
    """ "a, b" as ["a", "b"]; a lone number as a list of it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int) else value

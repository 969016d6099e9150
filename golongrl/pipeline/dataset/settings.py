"""Configuration of `golongrl build-dataset`."""

from typing import Any

from pydantic import Field, field_validator

from golongrl.core import tokens
from golongrl.core.config import Config
from golongrl.core.errors import UsageError
from golongrl.pipeline.dataset.construct import CAPABILITIES


class BuildConfig(Config):
    """What to build from which documents."""

    sources: tuple[str, ...] = Field(default=(), validate_default=True)
    """Files, folders (read recursively) and glob patterns."""
    capabilities: tuple[str, ...] = CAPABILITIES
    """Capabilities to build, as ids; records are split evenly over them."""
    target: int = Field(default=300, gt=0)
    """Number of records, validation included."""
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
    """Column of JSONL files that holds the text; default: the first of text, content, context, document, body."""
    max_document_mb: float = Field(default=40, gt=0)
    """Larger files are refused."""

    @field_validator("sources")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name the files or folders to read: golongrl build-dataset FOLDER --out DIR")
        return value

    @field_validator("sources", "capabilities", mode="before")
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
        wanted = tuple(dict.fromkeys(name.upper() for name in value))
        unknown = [name for name in wanted if name not in CAPABILITIES]
        if unknown or not wanted:
            raise ValueError(f"rules build {', '.join(CAPABILITIES)}, not {', '.join(unknown) or 'nothing'}")
        return wanted


def _parts(value: Any) -> Any:
    """ "a, b" as ["a", "b"]; a lone number as a list of it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int) else value

"""Settings of `golongrl doctor`."""

from typing import Literal

from pydantic import Field

from golongrl.core.config import Config

Purpose = Literal["train", "eval", "build"]
PURPOSES: tuple[Purpose, ...] = ("train", "eval", "build")


class DoctorConfig(Config):
    """What is to be examined."""

    purposes: list[Purpose] = Field(default=list(PURPOSES), min_length=1)
    """The work that is planned."""
    rollout: Literal["transformers", "sglang", "vllm"] | None = None
    """Engine that training generates with; default: the GPU engine that is installed, else transformers."""
    server_python: str | None = None
    """Interpreter of a model server."""
    base_url: str | None = None
    """Endpoint to try, up to and including /v1."""
    model: str | None = None
    """Name of the model at the endpoint; default: the first it serves."""
    data: str | None = None
    """Records whose longest prompt must fit the endpoint."""
    max_output: int = Field(default=51200, ge=1)
    """Tokens of an answer, on top of the longest prompt; the recipe's default."""
    hub: bool = False
    """Whether to try the hub login against the hub."""
    folder: str = "."
    """Where output will go."""

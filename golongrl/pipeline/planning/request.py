"""What is to be planned."""

from dataclasses import dataclass, field
from typing import Literal

from golongrl.pipeline.planning.quantities import Gpus

BYTES: dict[str, float] = {"bf16": 2, "fp8": 1, "int8": 1, "int4": 0.5625}
"""Bytes a number takes. int4: 4 bits, and a scale in 16 bits for every 32 weights or so (4.5 bits)."""

AUTO = "auto"
"""Weights as the checkpoint stores them."""

Purpose = Literal["serve", "train"]


@dataclass(frozen=True)
class Efficiency:
    """Shares of what the hardware could do that a plan counts on: assumptions, none of them measured here.

    Communication, kernel launches and scheduling are in them. Long prefills and large training batches on well-kept
    engines are reported between 0.3 and 0.6 of the peak, decoding between 0.5 and 0.8 of the bandwidth.
    """

    prefill: float = 0.45
    """Of the FLOP/s in prefill and log-probabilities."""
    train: float = 0.35
    """Of the FLOP/s in the policy update."""
    bandwidth: float = 0.6
    """Of the memory bandwidth in decoding."""


@dataclass(frozen=True)
class Request:
    """A model at a length on GPUs."""

    gpus: Gpus
    length: int
    """Tokens of the longest sequence, prompt and response."""
    purpose: Purpose = "serve"
    response: int = 16_384
    """Tokens of a response, within `length`; longer responses take prompt tokens away."""
    batch: int = 1
    """Serve: sequences of full length that must fit at once."""
    weights: str = "bf16"
    """Serve: a key of BYTES, or AUTO, which a plan replaces by what it found."""
    cache: str = "bf16"
    """Serve: a key of BYTES."""
    memory_share: float = 0.9
    """Serve: share of a card that the server may take."""
    prompts: int = 128
    """Train: prompt groups of a step."""
    rollouts: int = 16
    """Train: rollouts of a prompt."""
    rollout_memory: float = 0.6
    """Train: share of a card for the rollout server."""
    efficiency: Efficiency = field(default_factory=Efficiency)
    price: float | None = None
    """What a GPU costs per hour, in any currency."""

    @property
    def prompt(self) -> int:
        """Tokens of the prompt of a sequence of full length."""
        return self.length - self.response

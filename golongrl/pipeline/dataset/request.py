"""What the driver asks a worker to build, one record of one document, and what it hears of a record that was made."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from golongrl.core.store import content_key
from golongrl.core.tokens import format_length


@dataclass(frozen=True)
class Bin:
    """Prompt lengths above `lower` and up to `upper` tokens."""

    label: str
    lower: int
    upper: int


def bins(bounds: tuple[int, ...]) -> list[Bin]:
    """The length bins between the bounds."""
    lowers = (0, *bounds[:-1])
    return [Bin(format_length(upper), lower, upper) for lower, upper in zip(lowers, bounds, strict=True)]


@dataclass(frozen=True)
class Request:
    """One record wanted: about which document, by which form, in which bin, for which side, as which slot."""

    document: int
    form: str
    bin: Bin
    held_out: bool
    slot: int
    attempt: int

    def as_job(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def from_job(cls, job: dict[str, Any]) -> "Request":
        """The request of `as_job`."""
        return cls(**{**job, "bin": Bin(**job["bin"])})

    def key(self, seed: int, sha256: str) -> str:
        """Content key: equal requests of equal documents give equal records."""
        return content_key(seed, sha256, self.form, self.bin.label, self.held_out, self.slot, self.attempt)


@dataclass(frozen=True)
class Made:
    """A record on disk, and what the driver must know of it."""

    request: Request
    shard: str
    offset: int
    size: int
    question: str
    signature: str
    """The question's MinHash signature, base 85."""
    answer: str
    evidence: str
    """Digest of the evidence spans."""
    guesses: dict[str, bool]
    """Whether strategies without the documents find the right option."""
    metric: str
    language: str
    items: Sequence[str]
    """Of an answer that is a list, and of which the question states no candidates, the items; else none."""

"""Serving: every way to cut the GPUs into servers, and the one that holds most at the length asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.planning.cuts import Cut
from golongrl.pipeline.planning.request import Request
from golongrl.pipeline.planning.servers import Server, Way, read_seconds, server, write_seconds

LARGEST_BATCH = 4096
"""Sequences that one server is taken to write at once, however many its cache would hold."""

WORTH_SPLITTING = 1.5
"""How many times the sequences attention split by data, or stages, must hold.

The first is harder to run and reads a prompt slowly, the others make every sequence wait for each stage in turn.
"""


@dataclass(frozen=True)
class Option:
    """One way to serve, with its speed at full length."""

    server: Server
    batch: int
    """Sequences at once on one server that the rates are for."""
    read: float
    """Seconds to read one prompt of full length on one server."""
    read_attention: float
    """Those of them that attention takes."""
    alone: float
    """Seconds per token of one sequence alone, at full length."""
    full: float
    """Seconds per token of all when the server is full of sequences of full length; 0 when none fits."""

    @property
    def tokens_per_second(self) -> float:
        """New tokens of all servers together when full."""
        return self.server.servers * self.batch / self.full if self.full else 0.0


@dataclass(frozen=True)
class Serving:
    """Ways to serve."""

    options: list[Option]
    best: Option | None
    """The recommended one, None where nothing fits."""
    why_not: str
    """Why nothing fits and what would; empty where something does."""


def plan_serving(shape: Shape, request: Request, cuts: list[Cut]) -> Serving:
    """All servers whose sizes divide the model and the GPUs."""
    options = [_option(shape, request, server(shape, request, way)) for way in _ways(shape, request, cuts)]
    fitting = [option for option in options if option.server.sequences]
    best = max(fitting, key=lambda option: _worth(option, request.batch), default=None)
    return Serving(options, best, "" if best else _why_not(request, options))


def _worth(option: Option, batch: int) -> tuple[bool, float, float]:
    """What is recommended: the batch that was asked for, then most sequences, then most tokens per second."""
    total = option.server.total
    way = option.server.way
    weighed = total / WORTH_SPLITTING if way.by_data or way.pipeline > 1 else total
    return total >= batch, weighed, option.tokens_per_second


def _ways(shape: Shape, request: Request, cuts: list[Cut]) -> Iterator[Way]:
    """Tensor parallelism within a machine; stages where a machine does not hold the model; attention by data."""
    of = {cut.kind: cut.sizes for cut in cuts}
    world = request.gpus.world
    for tensor in of["tensor"]:
        yield Way(tensor)
    widest = max(of["tensor"])
    for pipeline in of["pipeline"]:
        if pipeline > 1 and world % (widest * pipeline) == 0:
            yield Way(widest, pipeline)
    latent = all(mixer.kind == "MLA" for mixer in shape.mixers)
    for size in of["expert"] if shape.experts else of["tensor"] if latent else []:
        if size > 1:
            yield Way(size, by_data=True)


def _option(shape: Shape, request: Request, made: Server) -> Option:
    batch = min(made.sequences, LARGEST_BATCH)
    read, attention = read_seconds(shape, request, made.way)
    alone = write_seconds(shape, request, made.way, 1, request.length)
    full = write_seconds(shape, request, made.way, batch, request.length) if batch else 0.0
    return Option(made, batch, read, attention, alone, full)


def _why_not(request: Request, options: list[Option]) -> str:
    nearest = max((option.server for option in options), key=lambda made: made.pool - made.sequence)
    if nearest.pool <= 0:
        need = (nearest.weights + nearest.working) / request.memory_share / (1 << 30)
        smaller = ", or --weights-dtype fp8" if request.weights == "bf16" else ""
        return (
            f"with {nearest.way} the weights and a prefill chunk alone need GPUs of {need:.1f} GiB: use more or "
            f"larger GPUs{smaller}"
        )
    tokens = request.length * nearest.pool // nearest.sequence
    smaller = ", or --kv-dtype fp8" if request.cache == "bf16" else ""
    return (
        f"with {nearest.way} the cache holds {tokens:,} tokens, and one sequence has {request.length:,}: use more or "
        f"larger GPUs, a shorter --length{smaller}"
    )

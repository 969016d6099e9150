"""A model server: what it holds on each GPU, how many sequences fit, and how fast it reads and writes.

Time is a roofline: the larger of FLOPs over FLOP/s and bytes over bandwidth, each times the share that Efficiency
states. A decode step reads the weights that its tokens touch once and the cache of every sequence; with experts, a
batch of B tokens touches 1 - (1 - k/E)^B of them. PP stages work one after another, each on a PP-th of the batch.

Attention split by data (vLLM's data parallelism with expert parallelism, SGLang's dp-attention): every GPU has all of
attention's weights and sequences of its own, experts and the rest are spread over the GPUs. The cache is not copied
then, but a prompt's attention is computed by one GPU.
"""

from dataclasses import dataclass

from golongrl.core.memory.rollout import PREFILL_TOKENS, sequence_bytes, server_weights, server_working
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.planning.request import BYTES, Request
from golongrl.pipeline.planning.work import Work, decode, forward


@dataclass(frozen=True)
class Way:
    """How a server is cut."""

    tensor: int
    pipeline: int = 1
    by_data: bool = False
    """Attention is split by data; `tensor` is then how many GPUs share experts and the rest."""

    @property
    def gpus(self) -> int:
        """GPUs of one server."""
        return self.tensor * self.pipeline

    @property
    def attention(self) -> int:
        """GPUs that share the attention of one sequence."""
        return 1 if self.by_data else self.tensor

    def __str__(self) -> str:
        if self.by_data:
            return f"{self.tensor} GPUs that share the experts, attention split by data"
        return f"TP {self.tensor}" + (f" x PP {self.pipeline}" if self.pipeline > 1 else "")


@dataclass(frozen=True)
class Server:
    """Equal servers that together take all the GPUs."""

    way: Way
    servers: int
    weights: int
    """Bytes on one GPU."""
    working: int
    """Bytes of a prefill chunk on one GPU."""
    pool: int
    """Bytes that are left for the cache on one GPU; negative where the weights do not fit."""
    sequence: int
    """Bytes of a sequence of full length on one GPU."""

    @property
    def sequences(self) -> int:
        """Sequences of full length that fit one server at once."""
        each = max(0, self.pool // max(1, self.sequence))
        return each * self.way.tensor if self.way.by_data else each

    @property
    def total(self) -> int:
        """Sequences of full length that fit all servers at once."""
        return self.servers * self.sequences


def server(shape: Shape, request: Request, way: Way) -> Server:
    """Such a server, and as many of them as there are GPUs for."""
    weights = weight_bytes(shape, way, BYTES[request.weights])
    working, _ = server_working(shape, min(PREFILL_TOKENS, request.length), way.attention)
    return Server(
        way=way,
        servers=request.gpus.world // way.gpus,
        weights=weights,
        working=working,
        pool=round(request.memory_share * request.gpus.type.memory) - weights - working,
        sequence=cache_bytes(shape, request.length, way, BYTES[request.cache]),
    )


def weight_bytes(shape: Shape, way: Way, number: float) -> int:
    """Weights on one GPU, at `number` bytes each; of the stage that has most, with the embedding or the head."""
    counts = shape.parameters
    if way.by_data:
        rest = counts.embedding + counts.head + counts.mlp + counts.experts
        return round(number * (rest / way.tensor + counts.attention + counts.replicated))
    whole = server_weights(shape, way.tensor, number)
    if way.pipeline == 1:
        return whole
    ends = number * (counts.embedding + counts.head) / way.tensor
    return round((whole - ends) * _stage(shape, way) + number * counts.embedding / way.tensor)


def cache_bytes(shape: Shape, length: int, way: Way, number: float) -> int:
    """Cache of a sequence on one GPU that has it, at `number` bytes a number."""
    return round(_stage(shape, way) * sequence_bytes(shape, length, way.attention, number))


def _stage(shape: Shape, way: Way) -> float:
    """Share of the layers in the largest stage."""
    return -(-shape.layers // way.pipeline) / shape.layers


def read_prompt(shape: Shape, length: int) -> Work:
    """The prefill of a prompt: logits of its last token only."""
    return forward(shape, length, logits=1)


def read_seconds(shape: Shape, request: Request, way: Way) -> tuple[float, float]:
    """Seconds that one server takes to read a prompt of full length, and those of them that attention takes."""
    work = read_prompt(shape, request.length)
    alone = 2 * shape.parameters.attention * request.length if way.by_data else 0
    rate = request.gpus.type.flops * request.efficiency.prefill
    attention = work.attention / (way.attention * way.pipeline * rate)
    rest = alone / rate + (work.matrices + work.head - alone) / (way.gpus * rate)
    return attention + rest, attention


def write_seconds(shape: Shape, request: Request, way: Way, batch: int, context: int) -> float:
    """Seconds of one token for each of `batch` sequences that have `context` tokens, on one server."""
    gpu, efficiency, counts = request.gpus.type, request.efficiency, shape.parameters
    number = BYTES[request.weights]
    at_once = max(1, -(-batch // way.pipeline))
    # Of the embedding only the rows of the batch are read; one stage alone reads the head.
    ends = counts.embedding + (counts.head if way.pipeline == 1 else 0)
    head = (counts.head or counts.embedding) / way.pipeline
    read = weight_bytes(shape, way, number) + round(number * (head - ends) / way.tensor)
    if shape.experts:
        read -= round(number * counts.experts * (1 - touched(shape, at_once)) * _stage(shape, way) / way.tensor)
    held = -(-at_once // way.tensor) if way.by_data else at_once
    cache = held * cache_bytes(shape, context, way, BYTES[request.cache])
    work = decode(shape, context)
    attention = held * work.attention / (way.attention * way.pipeline)
    rest = at_once * (work.matrices + work.head) / way.gpus
    moved = (read + cache) / (gpu.bandwidth * efficiency.bandwidth)
    computed = (attention + rest) / (gpu.flops * efficiency.prefill)
    return way.pipeline * max(moved, computed)


def touched(shape: Shape, tokens: int) -> float:
    """Share of the experts that a batch of so many tokens uses, if they choose independently."""
    feed = max((group.feed for group in shape.groups), key=lambda feed: feed.experts)
    return 1 - (1 - feed.experts_per_token / feed.experts) ** tokens

"""Memory of a model server, of rollouts, and of handing them new weights.

Symbols as in memory/update.py; b bytes of a weight, c bytes of a cached number (2 in bf16).
Weights: b (Pt/rTP + Pr + Pe/rTP), key-value heads copied where rTP exceeds them.
A token of context on one GPU: c times what its layers cache, which is 2 x head_dim x max(1, kv heads / rTP) for
grouped attention, and rank and rotary key, on every GPU, for latent attention. Windowed layers keep the window,
recurrent layers a state of constant size in fp32 (and their convolution's window in bf16), split over rTP. Engines
may hold more: some keep whole sequences for windowed layers, and blocks are filled up to their size.
"""

from dataclasses import dataclass

from golongrl.core.memory.layout import Layout
from golongrl.core.memory.rows import GIB, OTHER, Row, count, over
from golongrl.core.memory.update import resident
from golongrl.core.model_shape.shape import Shape

SYNC_BUCKET = 2 * GIB
"""verl's rollout.checkpoint_engine.update_weights_bucket_megabytes."""

PREFILL_TOKENS = 8192
"""Tokens of a rollout server's largest prefill. Longer prompts are cut into chunks: SGLang's chunked_prefill_size on
cards of 80 GB (larger ones take up to twice that), verl's max_num_batched_tokens for vLLM."""


@dataclass(frozen=True)
class Pool:
    """The key-value cache of one server, as one of its GPUs sees it."""

    bytes: int
    """Negative when not even the weights fit."""
    sequence: int
    """Bytes of a sequence of full length."""
    longest: int
    """Tokens of the longest request."""

    @property
    def per_token(self) -> int:
        """Bytes a token of the longest request takes, of windowed and recurrent layers its share."""
        return max(1, -(-self.sequence // self.longest))

    @property
    def tokens(self) -> int:
        """Tokens that fit."""
        return max(0, self.bytes // self.per_token)

    @property
    def holds_longest(self) -> bool:
        """Whether one request of full length fits; vLLM waits for ever on one that does not, SGLang crashes."""
        return self.bytes >= self.sequence

    @property
    def sequences(self) -> int:
        """Requests of full length that fit at once."""
        return max(0, self.bytes // max(1, self.sequence))


def kv_bytes_per_token(shape: Shape, tensor: int, number: float = 2) -> int:
    """Cache of one further token of a long sequence on one of `tensor` GPUs, at `number` bytes a number."""
    cached = sum(group.count * group.mixer.cached(tensor) for group in shape.groups if group.mixer.window is None)
    return round(number * cached)


def sequence_bytes(shape: Shape, length: int, tensor: int, number: float = 2) -> int:
    """Cache and states of a sequence of `length` tokens on one of `tensor` GPUs, at `number` bytes a number."""
    cached = sum(
        group.count * group.mixer.cached(tensor) * group.mixer.cached_tokens(length) for group in shape.groups
    )
    states = sum(group.count * group.mixer.state_bytes(tensor) for group in shape.groups)
    return round(number * cached) + states


def server_weights(shape: Shape, tensor: int, number: float = 2) -> int:
    """Weights on one GPU of a server of `tensor`, at `number` bytes each."""
    counts = shape.parameters
    copied = sum(group.count * group.mixer.copied(shape.hidden, tensor) for group in shape.groups)
    split = counts.sharded + counts.experts + copied
    return round(number * (split / tensor + counts.replicated))


def server_working(shape: Shape, tokens: int, tensor: int) -> tuple[int, str]:
    """Activations of a prefill of so many tokens at once in bf16, and the arithmetic."""
    widths = []
    for group in shape.groups:
        mixer, feed, k = group.mixer, group.feed, group.feed.experts_per_token
        wide = 3 * (feed.intermediate + k * feed.expert_intermediate)
        widths.append(4 * shape.hidden + (mixer.query_width + 2 * mixer.kv_width + wide) / tensor + k * shape.hidden)
    return round(2 * tokens * max(widths)), f"2 bytes x {tokens:,} tokens x {max(widths):,.0f}"


def trainer_resident_in_rollouts(shape: Shape, cut: Layout) -> int:
    """What the trainer keeps on a GPU while rollouts are generated: what is not offloaded."""
    held = resident(shape, cut)
    # Megatron's gradient buffer lives as long as the weights do; FSDP drops gradients after the step.
    weights = held.weights + (held.gradients if cut.megatron else 0)
    return (0 if cut.offload_parameters else weights) + (0 if cut.offload_optimizer else held.optimizer)


def kv_pool(shape: Shape, cut: Layout, card: int) -> Pool:
    """The key-value pool of an SGLang or vLLM rollout server on cards of `card` bytes."""
    weights = server_weights(shape, cut.rollout_tensor)
    if cut.rollout == "vllm":
        working, _ = server_working(shape, PREFILL_TOKENS, cut.rollout_tensor)
        room = cut.rollout_memory * card - weights - working
    else:
        free = card - OTHER - trainer_resident_in_rollouts(shape, cut)
        room = cut.rollout_memory * free - weights
    return Pool(round(room), sequence_bytes(shape, cut.longest, cut.rollout_tensor), cut.longest)


def rollout_rows(shape: Shape, cut: Layout, card: int) -> list[Row]:
    """One GPU while rollouts are generated, on cards of `card` bytes; the pool takes what rollout_memory leaves."""
    n = "rollouts"
    working, how = server_working(shape, PREFILL_TOKENS, cut.rollout_tensor)
    weights = server_weights(shape, cut.rollout_tensor)
    rows = [
        Row(n, "weights", weights, f"2 bytes x {count(shape.parameters.total)}{over(cut.rollout_tensor)}"),
        Row(n, "working memory", working, how),
        Row(n, "trainer", trainer_resident_in_rollouts(shape, cut), "what is not offloaded"),
        Row(n, "contexts and buffers", OTHER, "assumed"),
    ]
    if cut.rollout != "transformers":
        pool = kv_pool(shape, cut, card)
        formula = (
            f"{pool.tokens:,} tokens x {pool.per_token:,} bytes = {pool.tokens / cut.longest:.1f} sequences of "
            f"{cut.longest:,}"
        )
        rows.insert(1, Row(n, "key-value pool", max(0, pool.bytes), formula))
    return rows


def sync_rows(shape: Shape, cut: Layout) -> list[Row]:
    """One GPU while the new weights go to the rollout server: both have theirs, and a bucket is on its way."""
    n = "weight sync"
    held = resident(shape, cut)
    optimizer = 0 if cut.offload_optimizer else held.optimizer
    return [
        Row(n, "trainer weights", held.weights, held.times(2 if cut.megatron else 4)),
        Row(n, "optimizer", optimizer, "0 when offloaded"),
        Row(
            n,
            "rollout weights",
            server_weights(shape, cut.rollout_tensor),
            f"2 bytes x {count(shape.parameters.total)}{over(cut.rollout_tensor)}",
        ),
        Row(n, "in flight", max(SYNC_BUCKET, 4 * shape.parameters.embedding), "a bucket, or the embedding in fp32"),
        Row(n, "contexts and buffers", OTHER, "assumed"),
    ]

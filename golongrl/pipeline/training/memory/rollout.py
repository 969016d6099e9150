"""Memory of rollouts and of handing them new weights; symbols and formulas stand in memory/update.py."""

from dataclasses import dataclass

from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import Layout, layout
from golongrl.pipeline.training.memory.update import GIB, OTHER, Row, count, over, resident
from golongrl.pipeline.training.model_shape import Shape

SYNC_BUCKET = 2 * GIB
"""verl's rollout.checkpoint_engine.update_weights_bucket_megabytes."""

PREFILL_TOKENS = 8192
"""SGLang's chunked_prefill_size on cards of 80 GB; larger cards take up to twice that."""


@dataclass(frozen=True)
class Pool:
    """The key-value cache of one rollout server, as one of its GPUs sees it."""

    bytes: int
    """Negative when not even the weights fit."""
    per_token: int
    longest: int
    """Tokens of the longest request."""

    @property
    def tokens(self) -> int:
        """Tokens that fit."""
        return max(0, self.bytes // self.per_token)

    @property
    def holds_longest(self) -> bool:
        """Whether one request of full length fits; vLLM waits for ever on one that does not, SGLang crashes."""
        return self.tokens >= self.longest


def kv_bytes_per_token(shape: Shape, rollout_tensor: int) -> int:
    """Keys and values of one token in bf16 on one GPU of a rollout server."""
    heads = max(1, -(-shape.kv_heads // rollout_tensor))
    return 2 * 2 * shape.layers * heads * shape.head_dim


def rollout_weights(shape: Shape, rollout_tensor: int) -> int:
    """bf16 weights on one GPU of a rollout server."""
    counts = shape.parameters
    copies = max(1, rollout_tensor // shape.kv_heads)
    key_value = 2 * shape.layers * shape.hidden * shape.kv_width
    split = counts.sharded + counts.experts + (copies - 1) * key_value
    return round(2 * (split / rollout_tensor + counts.replicated))


def rollout_working(shape: Shape, config: TrainConfig, cut: Layout) -> tuple[int, str]:
    """Activations of a rollout server's largest prefill in bf16, and the arithmetic.

    vLLM measures them with max_num_batched_tokens, which golongrl sets to the longest sequence so that every prompt
    goes in at once; SGLang cuts prompts into chunks.
    """
    tokens = max(PREFILL_TOKENS, config.longest) if config.rollout == "vllm" else PREFILL_TOKENS
    k = shape.experts_per_token
    wide = 3 * shape.intermediate if shape.sparse_layers < shape.layers else 0
    wide = max(wide, 3 * k * shape.expert_intermediate) / cut.rollout_tensor + k * shape.hidden
    width = 4 * shape.hidden + (shape.query_width + 2 * shape.kv_width) / cut.rollout_tensor + wide
    return round(2 * tokens * width), f"2 bytes x {tokens:,} tokens x {width:,.0f}"


def trainer_resident_in_rollouts(shape: Shape, config: TrainConfig) -> int:
    """What the trainer keeps on a GPU while rollouts are generated: what is not offloaded."""
    cut, megatron = layout(config), config.engine == "megatron"
    held = resident(shape, cut, megatron)
    # Megatron's gradient buffer lives as long as the weights do; FSDP drops gradients after the step.
    weights = held.weights + (held.gradients if megatron else 0)
    return (0 if cut.offload_parameters else weights) + (0 if cut.offload_optimizer else held.optimizer)


def kv_pool(shape: Shape, config: TrainConfig, card: int) -> Pool:
    """The key-value pool of an SGLang or vLLM server on cards of `card` bytes."""
    cut = layout(config)
    weights = rollout_weights(shape, cut.rollout_tensor)
    if config.rollout == "vllm":
        working, _ = rollout_working(shape, config, cut)
        room = cut.rollout_memory * card - weights - working
    else:
        free = card - OTHER - trainer_resident_in_rollouts(shape, config)
        room = cut.rollout_memory * free - weights
    return Pool(round(room), kv_bytes_per_token(shape, cut.rollout_tensor), config.longest)


def rollout_rows(shape: Shape, config: TrainConfig, card: int) -> list[Row]:
    """One GPU while rollouts are generated, on cards of `card` bytes; the pool takes what rollout_memory leaves."""
    cut, n = layout(config), "rollouts"
    working, how = rollout_working(shape, config, cut)
    weights = rollout_weights(shape, cut.rollout_tensor)
    rows = [
        Row(n, "weights", weights, f"2 bytes x {count(shape.parameters.total)}{over(cut.rollout_tensor)}"),
        Row(n, "working memory", working, how),
        Row(n, "trainer", trainer_resident_in_rollouts(shape, config), "what is not offloaded"),
        Row(n, "contexts and buffers", OTHER, "assumed"),
    ]
    if config.rollout != "transformers":
        pool = kv_pool(shape, config, card)
        formula = (
            f"{pool.tokens:,} tokens x {pool.per_token:,} bytes = {pool.tokens / config.longest:.1f} sequences of "
            f"{config.longest:,}"
        )
        rows.insert(1, Row(n, "key-value pool", max(0, pool.bytes), formula))
    return rows


def sync_rows(shape: Shape, config: TrainConfig) -> list[Row]:
    """One GPU while the new weights go to the rollout server: both have theirs, and a bucket is on its way."""
    cut, megatron, n = layout(config), config.engine == "megatron", "weight sync"
    held = resident(shape, cut, megatron)
    optimizer = 0 if cut.offload_optimizer else held.optimizer
    return [
        Row(n, "trainer weights", held.weights, held.times(2 if megatron else 4)),
        Row(n, "optimizer", optimizer, "0 when offloaded"),
        Row(
            n,
            "rollout weights",
            rollout_weights(shape, cut.rollout_tensor),
            f"2 bytes x {count(shape.parameters.total)}{over(cut.rollout_tensor)}",
        ),
        Row(n, "in flight", max(SYNC_BUCKET, 4 * shape.parameters.embedding), "a bucket, or the embedding in fp32"),
        Row(n, "contexts and buffers", OTHER, "assumed"),
    ]

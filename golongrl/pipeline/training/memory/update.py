"""Memory of a run, estimated from a model's shape and the configuration: pure arithmetic, nothing is loaded.

Symbols. Parameters: Pt split by tensor parallelism (embedding, head, attention, dense feed-forward), Pr replicated
(norms, routers), Pe experts, P all. Sizes: h hidden, q = heads x head_dim, kv = key-value heads x head_dim, f
feed-forward width, k experts per token, fe width of an expert, V vocabulary, L layers, T tokens of a micro batch on
one GPU: the limit, which verl keeps by making micro batches until each is within it, or one sequence of full length
where a GPU run pads (TrainConfig.one_at_a_time). Groups: TP, PP, CP, EP, ETP (ranks per expert), W all processes, rTP
ranks of a rollout server. Bytes throughout.

Update, Megatron (N = (Pt/TP + Pr + Pe/(EP ETP)) / PP parameters on a GPU; with PP > 1 the stage with an embedding):
    weights 2N in bf16; gradients 4N, whole on every GPU; optimizer 12 bytes (fp32 weights and two moments) times N,
    split over the copies: Pt and Pr over W/(TP PP), Pe over W/(EP ETP PP) (distributed optimizer, ZeRO stage 1,
    arXiv 1910.02054).
Update, FSDP2 (verl keeps fp32 weights, computes in bf16):
    weights 4P/W, gradients 4P/W, two moments 8P/W (ZeRO stage 3), and what is gathered to compute: two layers and
    the root unit (the embedding or head) in bf16, one of them with a gradient in bf16 and fp32. With offload_policy
    only the latter is on the GPU.
Activations (arXiv 2205.05198): with full recomputation each layer's input, 2 T h L / TP (sequence parallelism), and
    one layer in full, T (16h + 10q + 10kv + 8f) / TP in bf16; an expert layer has k (4h + 8fe) for 8f, of which the
    copies of tokens are split over EP only. Without recomputation every layer in full. The coefficients are what
    autograd saves in transformers' Qwen3, counted with saved_tensors_hooks; Megatron's fused kernels save less.
    Gradients of the widest part, T (4h + 6f) / TP, come on top. PP stages hold L/PP layers of PP micro batches each.
Logits: T V/TP times the bytes in LOGITS; with fused kernels T is FUSED_TOKENS.
Attention mask: sdpa on padded sequences takes one of T x T, in bool and in the computing type.
Rollouts: weights 2 (Pt/rTP + Pr + Pe/rTP), key-value heads copied where rTP exceeds them; a token of context
    2 x 2 x L x head_dim x max(1, kv heads / rTP). The pool of SGLang is rollout_memory x F - weights with F what is
    free when the server starts; that of vLLM is rollout_memory x card - weights - working memory.
Host: see memory/host.py.

Left out: fragmentation, padding of short sequences beside long ones (verl counts real tokens; there is none where a
micro batch is packed or one sequence), experts that get more tokens than others, communication buffers beyond OTHER,
and kernels' workspaces. No run on a GPU has been compared with it yet, so take a quarter more or less as likely.
"""

from dataclasses import dataclass

from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import Layout, layout
from golongrl.pipeline.training.model_shape import Shape

GIB = 1 << 30

LOGITS = {"megatron": 8, "flash": 4, "packed": 9, "padded": 13, "float32": 20, "fused": 16}
"""Bytes per logit at the peak of forward and backward.

megatron: bf16 logits, the fp32 softmax of the vocabulary-parallel cross entropy, a bf16 gradient (by reading). flash:
flash-attn's cross entropy, whose backward pass works in place (by reading). packed, padded, float32: verl 0.9.1's
log_softmax path in bf16 without and with padding, and in fp32 with padding, measured as peak resident memory on a CPU
(8.6, 13.1 and 20.2 bytes with 4,096 tokens x 32,768 words). fused: four fp32 arrays of one chunk (by reading).
"""

FUSED_TOKENS = 512
"""Tokens whose logits verl's fused kernel holds at once."""

OTHER = 3 * GIB
"""CUDA contexts of trainer and server, NCCL buffers, CUDA graphs: an assumption."""


@dataclass(frozen=True)
class Row:
    """One item of the estimate."""

    phase: str
    item: str
    bytes: int
    formula: str
    """The arithmetic with its numbers."""


def rows_total(rows: list[Row], phase: str) -> int:
    """Bytes of one phase."""
    return sum(row.bytes for row in rows if row.phase == phase)


@dataclass(frozen=True)
class Resident:
    """What one GPU holds of the trainer: bytes."""

    weights: int
    gradients: int
    optimizer: int
    how: str
    """Where the sizes come from, for people; empty when all of it is in host memory."""

    def times(self, size: int) -> str:
        """The arithmetic of something that takes `size` bytes a parameter."""
        return f"{size} bytes x {self.how}" if self.how else "in host memory"


def resident(shape: Shape, cut: Layout, megatron: bool) -> Resident:
    """Weights, gradients and optimizer state of one GPU while the policy is updated."""
    counts = shape.parameters
    if cut.offload_policy:
        return Resident(0, 0, 0, "")
    if not megatron:
        each = counts.total / cut.world
        return Resident(
            round(4 * each), round(4 * each), round(8 * each), f"{count(counts.total)} / {cut.world} processes"
        )
    ends = counts.embedding + counts.head if cut.pipeline == 1 else counts.embedding
    dense = (ends + (counts.attention + counts.mlp) / cut.pipeline) / cut.tensor + counts.replicated / cut.pipeline
    experts = counts.experts / (cut.expert * cut.expert_tensor * cut.pipeline)
    dense_copies = cut.world // (cut.tensor * cut.pipeline)
    expert_copies = max(1, cut.world // (cut.expert * cut.expert_tensor * cut.pipeline))
    how = f"({count(counts.sharded)} / {cut.tensor} + {count(counts.replicated)}"
    how += f" + {count(counts.experts)} / {cut.expert * cut.expert_tensor}" if counts.experts else ""
    how += ")" if cut.pipeline == 1 else f") / {cut.pipeline} stages"
    return Resident(
        weights=round(2 * (dense + experts)),
        gradients=round(4 * (dense + experts)),
        optimizer=round(12 * (dense / dense_copies + experts / expert_copies)),
        how=how,
    )


def layer_bytes(shape: Shape, cut: Layout) -> tuple[float, float]:
    """(saved, gradients) of one layer in bf16, bytes per token on one GPU."""
    h, dense = shape.hidden, shape.sparse_layers < shape.layers
    saved = 16 * h + 10 * shape.query_width + 10 * shape.kv_width
    wide = shape.intermediate if dense else 0
    saved_dense, gradients = (saved + 8 * wide) / cut.tensor, (4 * h + 6 * wide) / cut.tensor
    if not shape.sparse_layers:
        return saved_dense, gradients
    k, fe = shape.experts_per_token, shape.expert_intermediate
    # A token goes to every rank that shares one of its experts, so its copies shrink with TP only as far as ETP does
    # not multiply them.
    share = cut.expert_tensor / cut.tensor
    saved_sparse = saved / cut.tensor + k * share * (4 * h + 8 * fe / cut.expert_tensor)
    gradients_sparse = 4 * h / cut.tensor + k * share * (2 * h + 6 * fe / cut.expert_tensor)
    return max(saved_dense, saved_sparse), max(gradients, gradients_sparse)


def update_rows(shape: Shape, config: TrainConfig) -> list[Row]:
    """One GPU at the peak of a policy update; offloading does not lower it, all of it is on the GPU then."""
    cut, megatron = layout(config), config.engine == "megatron"
    held = resident(shape, cut, megatron)
    n, layers, tokens = "update", shape.layers, cut.tokens
    rows = [
        Row(n, "weights", held.weights, held.times(2 if megatron else 4)),
        Row(n, "gradients", held.gradients, held.times(4)),
        Row(n, "optimizer", held.optimizer, _optimizer_formula(cut, held, megatron)),
    ]
    if not megatron:
        counts = shape.parameters
        root, layer = counts.embedding + shape.hidden, counts.largest_layer
        gathered = 2 * (2 * layer + root) + 6 * max(layer, root)
        formula = f"2 bytes x (2 x {count(layer)} + {count(root)}) + 6 bytes x {count(max(layer, root))}"
        rows.append(Row(n, "gathered weights", gathered, formula))
    saved, gradients = layer_bytes(shape, cut)
    if config.recompute:
        inputs = round(2 * tokens * shape.hidden * layers / cut.tensor)
        formula = f"2 bytes x {tokens:,} tokens x {shape.hidden:,} x {layers} layers{over(cut.tensor)}"
        rows.append(Row(n, "layer inputs", inputs, formula))
        rows.append(
            Row(
                n,
                "one layer",
                round(tokens * (saved + gradients)),
                f"{tokens:,} tokens x {saved + gradients:,.0f} bytes",
            )
        )
    else:
        kept = round(tokens * (saved * layers + gradients))
        rows.append(
            Row(
                n,
                "activations",
                kept,
                f"{tokens:,} tokens x ({layers} layers x {saved:,.0f} bytes + {gradients:,.0f})",
            )
        )
    per_logit = LOGITS[logits_path(config, cut)]
    at_once = min(tokens, FUSED_TOKENS) if cut.fused else tokens
    rows.append(
        Row(
            n,
            "logits",
            round(at_once * shape.vocab / cut.tensor * per_logit),
            f"{at_once:,} tokens x {shape.vocab:,} words{over(cut.tensor)} x {per_logit} bytes",
        )
    )
    if not cut.packed:
        rows.append(Row(n, "attention mask", 3 * tokens**2, f"3 bytes x {tokens:,} x {tokens:,} tokens"))
    rows.append(Row(n, "contexts and buffers", OTHER, "assumed"))
    return rows


def logits_path(config: TrainConfig, cut: Layout) -> str:
    """Which entry of LOGITS a run uses."""
    if config.device == "cpu":
        return "float32"
    if cut.fused:
        return "fused"
    if config.engine == "megatron":
        return "megatron"
    if config.attention != "sdpa":
        return "flash"
    return "packed" if cut.packed else "padded"


def _optimizer_formula(cut: Layout, held: Resident, megatron: bool) -> str:
    if not megatron:
        return held.times(8)
    return f"{held.times(12)}, over {cut.world // (cut.tensor * cut.pipeline)} copies (fewer for experts)"


def over(size: int) -> str:
    """A divisor in a formula; nothing for 1."""
    return f" / {size}" if size > 1 else ""


def count(number: float) -> str:
    """Numbers for people: 4.02 B, 151.9 M."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:.0f}"

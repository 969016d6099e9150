"""Memory of a policy update, estimated from a model's shape and a run's layout.

Symbols. Parameters: Pt split by tensor parallelism (embedding, head, attention, dense feed-forward), Pr replicated
(norms, routers), Pe experts, P all. Sizes: h hidden, q = heads x head_dim, kv = key-value heads x head_dim, f
feed-forward width, k experts per token, fe width of an expert, V vocabulary, L layers, T tokens of a micro batch on
one GPU: the limit, which verl keeps by making micro batches until each is within it, or one sequence of full length
where a GPU run pads. Groups: TP, PP, CP, EP, ETP (ranks per expert), W all processes, rTP ranks of a rollout server.
Bytes throughout.

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
    autograd saves in transformers' Qwen3, counted with saved_tensors_hooks; Megatron's fused kernels save less, and
    other kinds of layers (latent attention, recurrent states) are taken to save as much for their widths.
    Gradients of the widest part, T (4h + 6f) / TP, come on top. PP stages hold L/PP layers of PP micro batches each.
Logits: T V/TP times the bytes in LOGITS; with fused kernels T is FUSED_TOKENS.
Attention mask: sdpa on padded sequences takes one of T x T, in bool and in the computing type.
Rollouts: see memory/rollout.py. Host: see memory/host.py.

Left out: fragmentation, padding of short sequences beside long ones (verl counts real tokens; there is none where a
micro batch is packed or one sequence), experts that get more tokens than others, communication buffers beyond OTHER,
and kernels' workspaces. No run on a GPU has been compared with it yet, so take a quarter more or less as likely.
"""

from dataclasses import dataclass

from golongrl.core.memory.layout import Layout, LogitsPath
from golongrl.core.memory.rows import OTHER, Row, count, over
from golongrl.core.model_shape.shape import Layers, Shape

LOGITS: dict[LogitsPath, int] = {"megatron": 8, "flash": 4, "packed": 9, "padded": 13, "float32": 20, "fused": 16}
"""Bytes per logit at the peak of forward and backward.

megatron: bf16 logits, the fp32 softmax of the vocabulary-parallel cross entropy, a bf16 gradient (by reading). flash:
flash-attn's cross entropy, whose backward pass works in place (by reading). packed, padded, float32: verl 0.9.1's
log_softmax path in bf16 without and with padding, and in fp32 with padding, measured as peak resident memory on a CPU
(8.6, 13.1 and 20.2 bytes with 4,096 tokens x 32,768 words). fused: four fp32 arrays of one chunk (by reading).
"""

FUSED_TOKENS = 512
"""Tokens whose logits verl's fused kernel holds at once."""


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


def resident(shape: Shape, cut: Layout) -> Resident:
    """Weights, gradients and optimizer state of one GPU while the policy is updated."""
    counts = shape.parameters
    if cut.offload_policy:
        return Resident(0, 0, 0, "")
    if not cut.megatron:
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


def layer_bytes(shape: Shape, layers: Layers, cut: Layout) -> tuple[float, float]:
    """(saved, gradients) of one such layer in bf16, bytes per token on one GPU."""
    h, mixer, feed = shape.hidden, layers.mixer, layers.feed
    saved = 16 * h + 10 * mixer.query_width + 10 * mixer.kv_width + 8 * feed.intermediate
    gradients = 4 * h + 6 * feed.intermediate
    k, fe = feed.experts_per_token, feed.expert_intermediate
    # A token goes to every rank that shares one of its experts, so its copies shrink with TP only as far as ETP does
    # not multiply them.
    share = cut.expert_tensor / cut.tensor
    return (
        saved / cut.tensor + k * share * (4 * h + 8 * fe / cut.expert_tensor),
        gradients / cut.tensor + k * share * (2 * h + 6 * fe / cut.expert_tensor),
    )


def update_rows(shape: Shape, cut: Layout) -> list[Row]:
    """One GPU at the peak of a policy update; offloading does not lower it, all of it is on the GPU then."""
    held = resident(shape, cut)
    n, layers, tokens = "update", shape.layers, cut.tokens
    rows = [
        Row(n, "weights", held.weights, held.times(2 if cut.megatron else 4)),
        Row(n, "gradients", held.gradients, held.times(4)),
        Row(n, "optimizer", held.optimizer, _optimizer_formula(cut, held)),
    ]
    if not cut.megatron:
        counts = shape.parameters
        root, layer = counts.embedding + shape.hidden, counts.largest_layer
        gathered = 2 * (2 * layer + root) + 6 * max(layer, root)
        formula = f"2 bytes x (2 x {count(layer)} + {count(root)}) + 6 bytes x {count(max(layer, root))}"
        rows.append(Row(n, "gathered weights", gathered, formula))
    each = [(group.count, *layer_bytes(shape, group, cut)) for group in shape.groups]
    gradients = max(of_gradients for _, _, of_gradients in each)
    if cut.recompute:
        inputs = round(2 * tokens * shape.hidden * layers / cut.tensor)
        formula = f"2 bytes x {tokens:,} tokens x {shape.hidden:,} x {layers} layers{over(cut.tensor)}"
        rows.append(Row(n, "layer inputs", inputs, formula))
        widest = max(saved for _, saved, _ in each) + gradients
        rows.append(Row(n, "one layer", round(tokens * widest), f"{tokens:,} tokens x {widest:,.0f} bytes"))
    else:
        saved = sum(number * of_layer for number, of_layer, _ in each)
        formula = f"{tokens:,} tokens x ({layers} layers x {saved / layers:,.0f} bytes + {gradients:,.0f})"
        rows.append(Row(n, "activations", round(tokens * (saved + gradients)), formula))
    per_logit = LOGITS[cut.logits]
    at_once = min(tokens, FUSED_TOKENS) if cut.logits == "fused" else tokens
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


def _optimizer_formula(cut: Layout, held: Resident) -> str:
    if not cut.megatron:
        return held.times(8)
    return f"{held.times(12)}, over {cut.world // (cut.tensor * cut.pipeline)} copies (fewer for experts)"

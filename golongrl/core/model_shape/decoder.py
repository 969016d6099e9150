"""Decoders of softmax attention, full or windowed, with dense or expert feed-forward layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from golongrl.core.model_shape.fields import Fields
from golongrl.core.model_shape.parts import Attention, FeedForward
from golongrl.core.model_shape.shape import Shape, grouped


@dataclass(frozen=True)
class Family:
    """What a model type adds to the plain decoder; None takes it from the config's `attention_bias`."""

    qk_norm: bool = False
    qkv_bias: bool | None = None
    output_bias: bool | None = None
    mlp_bias: bool = False
    """Whether the model has the setting `mlp_bias`."""
    norms: int = 2
    tied: bool = False
    """Where the config does not say."""
    window_every: int = 0
    """Every so many layers one sees everything and the others a window; 0: see `_windows`."""
    experts: bool = False
    shared_gate: bool = False
    sinks: bool = False
    matrices: int = 3
    """Of a feed-forward layer; 2 without a gate."""
    expert_bias: bool = False
    defaults: Mapping[str, int] = field(default_factory=dict)
    """Numbers that published configs leave out because transformers fills them in."""


def read_decoder(fields: Fields, family: Family) -> Shape:
    """The shape of a decoder of a known family. DataError naming the first dimension that is missing."""

    def size(*names: str) -> int:
        return fields.size(*names, default=family.defaults.get(names[0]))

    layers, heads, hidden = size("num_hidden_layers"), size("num_attention_heads"), size("hidden_size")
    bias = fields.flag("attention_bias", family.sinks)
    kv_heads = fields.stated("num_key_value_heads") or family.defaults.get("num_key_value_heads") or heads
    head_dim = fields.stated("head_dim") or family.defaults.get("head_dim") or hidden // heads

    def mixer(window: int | None) -> Attention:
        return Attention(
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            window=window,
            qk_norm=fields.flag("use_qk_norm", family.qk_norm),
            qkv_bias=bias if family.qkv_bias is None else family.qkv_bias,
            output_bias=bias if family.output_bias is None else family.output_bias,
            sinks=family.sinks,
        )

    feeds = feed_forwards(fields, family, layers)
    mixers = [mixer(window) for window in _windows(fields, family, layers)]
    return Shape(
        hidden, size("vocab_size"), fields.tied(family.tied), grouped(zip(mixers, feeds, strict=True), family.norms)
    )


def feed_forwards(fields: Fields, family: Family, layers: int) -> list[FeedForward]:
    """The feed-forward part of every layer, in the words of Qwen, Mixtral or DeepSeek."""
    default = family.defaults.get("intermediate_size")
    experts = fields.stated("num_experts", "num_local_experts", "n_routed_experts") if family.experts else None
    wide = fields.stated("moe_intermediate_size")
    if not experts or wide is None or fields.stated("intermediate_size") is not None:
        dense_width = fields.size("intermediate_size", default=default)
    else:
        dense_width = 0
    dense = FeedForward(dense_width, matrices=family.matrices, bias=family.mlp_bias and fields.flag("mlp_bias"))
    if not experts:
        return [dense] * layers
    wide = dense_width if wide is None else wide
    shared = fields.stated("shared_expert_intermediate_size")
    sparse = FeedForward(
        intermediate=wide * (fields.stated("n_shared_experts") or 0) if shared is None else shared,
        experts=experts,
        experts_per_token=fields.size("num_experts_per_tok"),
        expert_intermediate=wide,
        matrices=family.matrices,
        expert_bias=family.expert_bias,
        router_bias=family.expert_bias,
        shared_gate=family.shared_gate,
    )
    dense_only, stride = fields.text.get("mlp_only_layers") or [], fields.stated("decoder_sparse_step") or 1
    first = fields.stated("first_k_dense_replace") or 0
    kinds = fields.layer_kinds(layers, "mlp_layer_types")
    if kinds is not None:
        return [dense if kind == "dense" else sparse for kind in kinds]
    return [sparse if i >= first and i not in dense_only and (i + 1) % stride == 0 else dense for i in range(layers)]


def _windows(fields: Fields, family: Family, layers: int) -> list[int | None]:
    """Per layer the tokens a query sees, None for all."""
    window = fields.stated("sliding_window")
    if fields.text.get("use_sliding_window") is False or not window:
        window = family.defaults.get("sliding_window") if family.window_every else None
    if not window:
        return [None] * layers
    kinds = fields.layer_kinds(layers)
    if kinds is not None:
        return [window if kind == "sliding_attention" else None for kind in kinds]
    if family.window_every:
        every = fields.stated("sliding_window_pattern") or family.window_every
        return [window if (i + 1) % every else None for i in range(layers)]
    # Qwen's switch leaves the first max_window_layers layers whole; Mistral has no switch and windows everywhere.
    whole = fields.stated("max_window_layers") if fields.flag("use_sliding_window") else None
    return [window if i >= (whole or 0) else None for i in range(layers)]


DECODERS: dict[str, Family] = {
    "llama": Family(mlp_bias=True),
    "mistral": Family(qkv_bias=False, output_bias=False),
    "mixtral": Family(qkv_bias=False, output_bias=False, experts=True),
    "qwen2": Family(qkv_bias=True, output_bias=False),
    "qwen3": Family(qk_norm=True),
    "qwen3_moe": Family(qk_norm=True, experts=True),
    "qwen2_moe": Family(qkv_bias=True, output_bias=False, experts=True, shared_gate=True),
    "phi3": Family(qkv_bias=False, output_bias=False),
    "granite": Family(mlp_bias=True),
    "smollm3": Family(mlp_bias=True, tied=True),
    "glm4_moe": Family(output_bias=False, experts=True),
    "gpt_oss": Family(experts=True, sinks=True, expert_bias=True, window_every=2),
    "gemma2": Family(norms=4, tied=True, window_every=2),
    "gemma3": Family(
        qk_norm=True,
        norms=4,
        tied=True,
        window_every=6,
        defaults={
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "vocab_size": 262_208,
            "sliding_window": 4096,
        },
    ),
}
"""Model types whose parameters are counted. To add one, add a row and a case to the test against transformers."""

"""Hybrids: most layers keep a state of constant size, a few attend to everything."""

from golongrl.core.model_shape.decoder import Family, feed_forwards
from golongrl.core.model_shape.fields import Fields
from golongrl.core.model_shape.parts import Attention, FeedForward, Recurrent
from golongrl.core.model_shape.shape import Shape, grouped


def gated_delta_net(fields: Fields, hidden: int) -> Recurrent:
    """A gated delta net (arXiv 2412.06464) as Qwen3-Next and Qwen3.5 have it.

    Projections to queries, keys, values, gates z (all split), b and a per value head, a convolution over q, k and v,
    A and dt per head, a norm of one value head, and the output. The state is value heads x key dim x value dim.
    """
    key_heads, value_heads = fields.size("linear_num_key_heads"), fields.size("linear_num_value_heads")
    key_dim, value_dim = fields.size("linear_key_head_dim"), fields.size("linear_value_head_dim")
    kernel = fields.size("linear_conv_kernel_dim")
    keys, values = key_heads * key_dim, value_heads * value_dim
    convolved = 2 * keys + values
    projections = hidden * (2 * keys + 2 * values + 2 * value_heads) + values * hidden
    return Recurrent(
        kind="gated delta net",
        heads=key_heads,
        split_parameters=projections + convolved * kernel + 2 * value_heads,
        replicated_parameters=value_dim,
        state=value_heads * key_dim * value_dim,
        convolution=convolved * (kernel - 1),
        query_width=2 * values,
        kv_width=2 * keys,
    )


def read_delta_hybrid(fields: Fields) -> Shape:
    """Qwen3-Next, Qwen3.5: gated delta nets, and gated softmax attention every few layers."""
    hidden, layers = fields.size("hidden_size"), fields.size("num_hidden_layers")
    heads = fields.size("num_attention_heads")
    bias = fields.flag("attention_bias")
    whole = Attention(
        heads=heads,
        kv_heads=fields.stated("num_key_value_heads") or heads,
        head_dim=fields.size("head_dim", default=256),
        qk_norm=True,
        qkv_bias=bias,
        output_bias=bias,
        gated=True,
    )
    linear = gated_delta_net(fields, hidden)
    kinds = fields.layer_kinds(layers)
    if kinds is None:
        every = fields.size("full_attention_interval", default=4)
        kinds = ["linear_attention" if (i + 1) % every else "full_attention" for i in range(layers)]
    feeds = feed_forwards(fields, Family(experts=True, shared_gate=True), layers)
    mixers = [linear if kind == "linear_attention" else whole for kind in kinds]
    return Shape(hidden, fields.size("vocab_size"), fields.tied(), grouped(zip(mixers, feeds, strict=True)))


def mamba(fields: Fields, hidden: int) -> Recurrent:
    """A Mamba-1 layer (arXiv 2312.00752) as Jamba has it, with norms of dt, B and C."""
    inner = fields.size("mamba_expand") * hidden
    state, kernel = fields.size("mamba_d_state"), fields.size("mamba_d_conv")
    rank = fields.stated("mamba_dt_rank") or -(-hidden // 16)
    bias = fields.flag("mamba_proj_bias")
    projections = 3 * hidden * inner + (2 * inner + hidden if bias else 0)
    steps = inner * (rank + 2 * state) + rank * inner + inner
    convolution = inner * kernel + (inner if fields.flag("mamba_conv_bias", True) else 0)
    return Recurrent(
        kind="Mamba",
        heads=inner,
        split_parameters=projections + steps + convolution + inner * state + inner,
        replicated_parameters=rank + 2 * state,
        state=inner * state,
        convolution=inner * (kernel - 1),
        query_width=2 * inner,
        kv_width=rank + 2 * state,
    )


def read_jamba(fields: Fields) -> Shape:
    """Jamba: Mamba layers, attention every `attn_layer_period`, experts every `expert_layer_period`."""
    hidden, layers = fields.size("hidden_size"), fields.size("num_hidden_layers")
    heads, wide = fields.size("num_attention_heads"), fields.size("intermediate_size")
    whole = Attention(heads, fields.stated("num_key_value_heads") or heads, hidden // heads)
    recurrent, experts = mamba(fields, hidden), fields.size("num_experts")
    dense = FeedForward(wide)
    sparse = FeedForward(0, experts, fields.size("num_experts_per_tok"), wide) if experts > 1 else dense

    def is_on(i: int, name: str) -> bool:
        return i % fields.size(f"{name}_layer_period") == fields.size(f"{name}_layer_offset")

    parts = [
        (whole if is_on(i, "attn") else recurrent, sparse if is_on(i, "expert") else dense) for i in range(layers)
    ]
    return Shape(hidden, fields.size("vocab_size"), fields.tied(), grouped(parts))

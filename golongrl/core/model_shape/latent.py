"""DeepSeek's decoders: multi-head latent attention, a few dense layers first, shared experts."""

from golongrl.core.model_shape.decoder import Family, feed_forwards
from golongrl.core.model_shape.fields import Fields
from golongrl.core.model_shape.parts import LatentAttention
from golongrl.core.model_shape.shape import Shape, grouped


def read_latent(fields: Fields) -> Shape:
    """The shape of a model with latent attention. DataError naming the first dimension that is missing."""
    layers = fields.size("num_hidden_layers")
    mixer = LatentAttention(
        heads=fields.size("num_attention_heads"),
        kv_rank=fields.size("kv_lora_rank"),
        nope_dim=fields.size("qk_nope_head_dim"),
        rope_dim=fields.size("qk_rope_head_dim"),
        value_dim=fields.size("v_head_dim"),
        query_rank=fields.stated("q_lora_rank"),
        bias=fields.flag("attention_bias"),
    )
    feeds = feed_forwards(fields, Family(experts=True), layers)
    groups = grouped((mixer, feed) for feed in feeds)
    return Shape(fields.size("hidden_size"), fields.size("vocab_size"), fields.tied(), groups)

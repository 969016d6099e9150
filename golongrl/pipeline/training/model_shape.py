"""A model's sizes, read from its config.json without loading it: shape, parameter counts, context length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.model_config import language_config


@dataclass(frozen=True)
class Family:
    """What a model type adds to the plain decoder; None takes it from the config's `attention_bias`."""

    qk_norm: bool = False
    qkv_bias: bool | None = None
    output_bias: bool | None = None


FAMILIES: dict[str, Family] = {
    "llama": Family(),
    "mistral": Family(qkv_bias=False, output_bias=False),
    "qwen2": Family(qkv_bias=True, output_bias=False),
    "qwen3": Family(qk_norm=True),
    "qwen3_moe": Family(qk_norm=True),
}
"""Model types whose parameters are counted. To add one, add a row and a case to the test against transformers."""


@dataclass(frozen=True)
class Parameters:
    """Parameter counts by how parallelism spreads them."""

    embedding: int
    head: int
    """0 where it is tied to the embedding."""
    attention: int
    """Projections of all layers, with their biases."""
    mlp: int
    """Feed-forward weights of all dense layers."""
    experts: int
    replicated: int
    """Norms and routers, of which every tensor-parallel rank has all."""
    largest_layer: int
    """Everything in the largest decoder layer."""

    @property
    def sharded(self) -> int:
        """What tensor parallelism splits."""
        return self.embedding + self.head + self.attention + self.mlp

    @property
    def total(self) -> int:
        """Every parameter once."""
        return self.sharded + self.experts + self.replicated


@dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder-only transformer."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    """Width of a dense feed-forward layer."""
    vocab: int
    tied: bool
    qk_norm: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    sparse_layers: int = 0
    """Layers with experts in place of the dense feed-forward weights."""

    @property
    def query_width(self) -> int:
        """heads x head_dim."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """kv_heads x head_dim."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> Parameters:
        """Exact parameter counts, equal to those of the transformers model."""
        h, q, kv = self.hidden, self.query_width, self.kv_width
        attention = 2 * h * q + 2 * h * kv
        attention += (q + 2 * kv if self.qkv_bias else 0) + (h if self.output_bias else 0)
        norms = 2 * h + (2 * self.head_dim if self.qk_norm else 0)
        dense = 3 * h * self.intermediate + (2 * self.intermediate + h if self.mlp_bias else 0)
        experts, router = 3 * h * self.expert_intermediate * self.experts, h * self.experts
        dense_layers = self.layers - self.sparse_layers
        return Parameters(
            embedding=self.vocab * h,
            head=0 if self.tied else self.vocab * h,
            attention=self.layers * attention,
            mlp=dense_layers * dense,
            experts=self.sparse_layers * experts,
            replicated=self.layers * norms + h + self.sparse_layers * router,
            largest_layer=attention
            + norms
            + max(dense if dense_layers else 0, experts + router if self.sparse_layers else 0),
        )


def read_shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape of a model config; None for a model type that FAMILIES does not have.

    DataError naming the first dimension that is missing.
    """
    text = language_config(config)
    kind = str(text.get("model_type") or config.get("model_type")).removesuffix("_text")
    family = FAMILIES.get(kind)
    if family is None:
        return None

    def size(*names: str) -> int:
        for name in names:
            if isinstance(text.get(name), int):
                return int(text[name])
        raise DataError(f"the model's config.json has no {names[0]}; copy the model folder again")

    bias = bool(text.get("attention_bias"))
    layers, heads = size("num_hidden_layers"), size("num_attention_heads")
    hidden = size("hidden_size")
    experts = size("num_experts", "num_local_experts") if kind == "qwen3_moe" else 0
    dense_only, stride = text.get("mlp_only_layers") or [], text.get("decoder_sparse_step") or 1
    return Shape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or hidden // heads,
        intermediate=size("intermediate_size"),
        vocab=size("vocab_size"),
        tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        qk_norm=family.qk_norm,
        qkv_bias=bias if family.qkv_bias is None else family.qkv_bias,
        output_bias=bias if family.output_bias is None else family.output_bias,
        mlp_bias=kind == "llama" and bool(text.get("mlp_bias")),
        experts=experts,
        experts_per_token=size("num_experts_per_tok") if experts else 0,
        expert_intermediate=size("moe_intermediate_size") if experts else 0,
        sparse_layers=sum(i not in dense_only and (i + 1) % stride == 0 for i in range(layers)) if experts else 0,
    )


def context_length(config: Mapping[str, Any]) -> int | None:
    """Longest sequence of a model config as transformers, SGLang and vLLM read it; None where it states none.

    `max_position_embeddings` counts as it is written, YaRN or not: SGLang ignores the factor of a rope dict that
    names `original_max_position_embeddings`, and transformers never multiplies.
    """
    text = language_config(config)
    found = text.get("max_position_embeddings")
    return found if isinstance(found, int) else None

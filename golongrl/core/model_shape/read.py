"""From a config.json to a shape: the families whose parameters are counted, and a best guess for the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from golongrl.core.model_config import language_config
from golongrl.core.model_shape.decoder import DECODERS, Family, read_decoder
from golongrl.core.model_shape.fields import Fields
from golongrl.core.model_shape.latent import read_latent
from golongrl.core.model_shape.recurrent import gated_delta_net, read_delta_hybrid, read_jamba
from golongrl.core.model_shape.shape import Shape

FAMILIES: dict[str, Callable[[Fields], Shape]] = {
    **{kind: partial(read_decoder, family=family) for kind, family in DECODERS.items()},
    "deepseek_v2": read_latent,
    "deepseek_v3": read_latent,
    "glm4_moe_lite": read_latent,
    "kimi_k2": read_latent,
    "qwen3_next": read_delta_hybrid,
    "qwen3_5": read_delta_hybrid,
    "qwen3_5_moe": read_delta_hybrid,
    "jamba": read_jamba,
}
"""Model type -> what reads it; `kimi_k2` is DeepSeek-V3's architecture under another name."""


@dataclass(frozen=True)
class Reading:
    """A shape and how sure it is."""

    shape: Shape
    kind: str
    """The config's model_type."""
    known: bool
    """Whether FAMILIES has it, so that parameters are exact."""
    assumed: list[str]
    """What the config does not state, or what was left out, in full sentences or `name = value, why`."""


def read_shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape of a model config; None for a model type that FAMILIES does not have.

    DataError naming the first dimension that is missing.
    """
    fields = Fields(config)
    reader = FAMILIES.get(fields.kind)
    return None if reader is None else reader(fields)


def read_or_guess(config: Mapping[str, Any]) -> Reading:
    """The shape of any decoder: exact for a known model type, else read off the names that most configs share.

    DataError where not even those are there.
    """
    fields = Fields(config)
    reader = FAMILIES.get(fields.kind)
    shape = _guess(fields) if reader is None else reader(fields)
    senses = [name for name in ("vision_config", "audio_config") if isinstance(config.get(name), dict)]
    if senses:
        fields.assumed.append(f"{' and '.join(senses)}: only the language model is counted")
    predicted = fields.stated("num_nextn_predict_layers", "mtp_num_hidden_layers")
    if predicted:
        fields.assumed.append(f"{predicted} layer(s) for multi-token prediction are not counted")
    return Reading(shape, fields.kind, reader is not None, fields.assumed)


_OTHER_NAMES = {
    "hidden_size": ("n_embd", "d_model", "dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "num_key_value_heads": ("n_kv_heads", "multi_query_group_num", "num_kv_heads"),
    "intermediate_size": ("ffn_dim", "n_inner", "ffn_hidden_size", "hidden_dim"),
    "head_dim": ("kv_channels",),
    "vocab_size": ("padded_vocab_size",),
    "num_experts": ("moe_num_experts",),
    "num_experts_per_tok": ("moe_k", "moe_topk", "num_experts_per_token", "num_selected_experts"),
    "moe_intermediate_size": ("expert_ffn_hidden_size",),
    "n_shared_experts": ("moe_num_shared_experts", "num_shared_experts"),
}
_UNGATED = {"relu", "relu2", "xielu", "gelu_new", "gelu_fast"}
"""Activations of feed-forward layers without a gate."""
_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention", "attention"}


def _guess(unknown: Fields) -> Shape:
    """The shape of a model type that FAMILIES lacks; every step that is not stated in the config is noted."""
    text = dict(unknown.text)
    for name, synonyms in _OTHER_NAMES.items():
        stated = unknown.stated(*synonyms)
        if not isinstance(text.get(name), int) and stated is not None:
            text[name] = stated
    fields = Fields(
        {**text, "model_type": unknown.kind},
        f"model_type {unknown.kind!r} is not known, and without that number its shape cannot be guessed",
    )
    fields.assumed = unknown.assumed
    fields.assumed.append(
        f"model_type {unknown.kind!r} is not known: parameters come from the names that most configs share, and "
        "norms and biases may be missing"
    )
    if fields.stated("kv_lora_rank"):
        fields.assumed.append("kv_lora_rank is there: multi-head latent attention as in DeepSeek-V3")
        return read_latent(fields)
    if fields.stated("linear_num_value_heads"):
        gated_delta_net(fields, fields.size("hidden_size"))
        fields.assumed.append("linear_num_value_heads is there: gated delta nets as in Qwen3-Next")
        return read_delta_hybrid(fields)
    if fields.stated("intermediate_size", "moe_intermediate_size") is None:
        text["intermediate_size"] = 4 * fields.size("hidden_size")
        fields.assumed.append(f"intermediate_size = {text['intermediate_size']:,}, four times the hidden size")
        fields.text = text
    if not fields.stated("num_key_value_heads"):
        fields.assumed.append("no num_key_value_heads: as many as attention heads (MHA)")
    stateful = sorted(set(fields.layer_kinds(fields.size("num_hidden_layers")) or []) - _ATTENTION)
    stateful = stateful or sorted(name for name in text if name.startswith(("mamba_", "ssm_", "linear_attn")))
    if stateful:
        fields.assumed.append(
            f"the config names layers without a growing cache ({', '.join(stateful)}), which are taken as attention: "
            "cache and its time are upper bounds"
        )
    experts = fields.stated("num_experts", "num_local_experts", "n_routed_experts")
    if experts:
        fields.assumed.append(
            f"{experts} experts of moe_intermediate_size (else intermediate_size) in every layer that "
            "mlp_only_layers, decoder_sparse_step and first_k_dense_replace do not make dense"
        )
    activation = text.get("hidden_act") or text.get("activation_function")
    matrices = 2 if activation in _UNGATED else 3
    kinds = "up and down" if matrices == 2 else "gate, up and down"
    fields.assumed.append(f"{matrices} feed-forward matrices ({kinds}), by the activation {activation}")
    return read_decoder(fields, Family(experts=bool(experts), mlp_bias=True, matrices=matrices))


def context_length(config: Mapping[str, Any]) -> int | None:
    """Longest sequence of a model config as transformers, SGLang and vLLM read it; None where it states none.

    `max_position_embeddings` counts as it is written, YaRN or not: SGLang ignores the factor of a rope dict that
    names `original_max_position_embeddings`, and transformers never multiplies.
    """
    text = language_config(config)
    found = text.get("max_position_embeddings")
    return found if isinstance(found, int) else None

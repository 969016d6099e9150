"""A llama-architecture GGUF file as a Hugging Face model folder, without torch.

The GGUF project's `gguf` package reads and dequantises; what is left is renaming, undoing llama.cpp's row order of
the query and key projections, and rebuilding the byte-level BPE tokenizer from the vocabulary in the file.
"""

import json
from pathlib import Path
from typing import Any

from golongrl.core.errors import DataError, require

LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GLOBAL_TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
# gguf.TokenType: control tokens never appear in text, user-defined ones do but are not split.
CONTROL, USER_DEFINED = 3, 4


def hf_name(name: str) -> str:
    """The transformers name of a llama tensor: `blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    if name in GLOBAL_TENSORS:
        return GLOBAL_TENSORS[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in LAYER_TENSORS and parts[3] == "weight":
        return f"model.layers.{parts[1]}.{LAYER_TENSORS[parts[2]]}.weight"
    raise DataError(f"tensor {name!r} has no place in a llama model; only llama-architecture GGUF files convert")


def unpermute(weight: Any, n_heads: int) -> Any:
    """Undo llama.cpp's row order of a q or k projection, shape [n_heads * head_dim, hidden].

    llama.cpp interleaves the two rotary halves of every head (rows 0, d/2, 1, d/2 + 1, ...); transformers keeps them
    one after the other.
    """
    half = weight.shape[0] // n_heads // 2
    return weight.reshape(n_heads, half, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def convert_gguf(source: Path, folder: Path) -> None:
    """Write config.json, model.safetensors (float32), the tokenizer and generation_config.json into `folder`.

    Raises DataError when the file is no llama-architecture GGUF with a byte-level BPE vocabulary.
    """
    gguf = require("gguf", "demo")
    try:
        reader = gguf.GGUFReader(source)
    except ValueError as error:
        raise DataError(f"{source} is not a GGUF file ({error}); install its package again") from error
    architecture = _field(reader, "general.architecture", source)
    model = _field(reader, "tokenizer.ggml.model", source)
    if (architecture, model) != ("llama", "gpt2"):
        raise DataError(
            f"{source} holds a {architecture!r} model with a {model!r} vocabulary; "
            "only 'llama' with 'gpt2' (byte-level BPE) converts"
        )
    folder.mkdir(parents=True, exist_ok=True)
    config = _config(reader, source)
    _write_weights(reader, config, folder / "model.safetensors")
    _write_tokenizer(reader, config, source, folder)
    _write_json(folder / "config.json", config)
    ids = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    _write_json(folder / "generation_config.json", {"_from_model_config": True, **ids})


def _field(reader: Any, name: str, source: Path, default: Any = None) -> Any:
    field = reader.get_field(name)
    if field is not None:
        return field.contents()
    if default is None:
        raise DataError(f"{source} has no field {name!r}; it is not a complete GGUF model")
    return default


def _config(reader: Any, source: Path) -> dict[str, Any]:
    def value(name: str, default: Any = None) -> Any:
        return _field(reader, name, source, default)

    hidden, heads = value("llama.embedding_length"), value("llama.attention.head_count")
    theta = float(value("llama.rope.freq_base", 10000.0))
    eos = value("tokenizer.ggml.eos_token_id")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": value("llama.feed_forward_length"),
        "num_hidden_layers": value("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": value("llama.attention.head_count_kv", heads),
        "head_dim": value("llama.rope.dimension_count", hidden // heads),
        "max_position_embeddings": value("llama.context_length"),
        # The file stores a float32; its shortest decimal is the number that was meant (1e-05).
        "rms_norm_eps": float(f"{value('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "tie_word_embeddings": not any(tensor.name == "output.weight" for tensor in reader.tensors),
        "attention_bias": False,
        "mlp_bias": False,
        "vocab_size": len(value("tokenizer.ggml.tokens")),
        "bos_token_id": value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": eos,
        "pad_token_id": value("tokenizer.ggml.padding_token_id", eos),
        "use_cache": True,
    }


def _write_weights(reader: Any, config: dict[str, Any], path: Path) -> None:
    import numpy as np
    from gguf import dequantize
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    weights = {}
    for tensor in reader.tensors:
        name = hf_name(tensor.name)
        weight = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        if name.endswith("q_proj.weight"):
            weight = unpermute(weight, config["num_attention_heads"])
        elif name.endswith("k_proj.weight"):
            weight = unpermute(weight, config["num_key_value_heads"])
        weights[name] = np.ascontiguousarray(weight)
    try:
        save_file(weights, path, metadata={"format": "pt"})
    except SafetensorError as error:
        # What the library raises for a full disk is no OSError.
        raise OSError(f"{path.name}: {error}") from error


def _write_tokenizer(reader: Any, config: dict[str, Any], source: Path, folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = _field(reader, "tokenizer.ggml.tokens", source)
    kinds = _field(reader, "tokenizer.ggml.token_type", source)
    merges = [tuple(merge.split(" ", 1)) for merge in _field(reader, "tokenizer.ggml.merges", source)]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    # llama.cpp's name for this split is "smollm": single digits first, then GPT-2's byte-level pattern.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    added = {CONTROL: True, USER_DEFINED: False}
    for token, kind in zip(tokens, kinds, strict=True):
        if kind in added:
            tokenizer.add_tokens([AddedToken(token, special=added[kind], normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[config["bos_token_id"]],
            "eos_token": tokens[config["eos_token_id"]],
            "pad_token": tokens[config["pad_token_id"]],
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            "chat_template": _field(reader, "tokenizer.chat_template", source),
        },
    )


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

"""A tiny model whose answers depend on its rotary embedding, so that a server with the wrong one is caught."""

from pathlib import Path

from golongrl.core.byte_model import build_byte_model

LENGTH = 1024
"""Tokens, which are bytes, that it takes without YaRN."""


def build(folder):
    """Write a Qwen3 with heads of 64, which every engine can serve, and the byte tokenizer; returns the folder."""
    import torch
    import transformers

    build_byte_model(folder, max_positions=LENGTH)
    config = transformers.Qwen3Config(
        vocab_size=259,
        hidden_size=128,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=LENGTH,
        # Far from the default of 10,000, which an engine falls back to in silence.
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        # With the usual 0.02 attention is flat, and positions hardly matter.
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    transformers.Qwen3ForCausalLM(config).save_pretrained(folder)
    return Path(folder)


def load(folder):
    """The model of a folder, for reference."""
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()

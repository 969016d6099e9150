"""A byte-level Qwen3 of 90 thousand parameters, built from a seed: the model of tests and dry runs, no download.

The vocabulary is three special tokens and the 256 symbols of the byte-level alphabet (BPE without merges), so any
text in any language is in it. It learns on two CPU cores within tens of steps.
"""

import json
from pathlib import Path

from golongrl.core.errors import require

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_byte_model(
    folder: str | Path, *, seed: int = 0, hidden: int = 64, layers: int = 2, max_positions: int = 4096
) -> Path:
    """Write config, fp32 weights, tokenizer and chat template to `folder`; returns the folder.

    `hidden` must be a multiple of 16 (head size 16, `hidden / 16` heads, half as many key-value heads).
    """
    torch = require("torch", "train")
    transformers = require("transformers")
    tokenizers = require("tokenizers")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *alphabet])}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    backend.add_special_tokens(list(SPECIAL))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=max_positions,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(target)
    heads = hidden // 16
    config = transformers.Qwen3Config(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 2),
        head_dim=16,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary["<|im_end|>"],
        pad_token_id=vocabulary["<|endoftext|>"],
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.Qwen3ForCausalLM(config)
    model.save_pretrained(target)
    # Without this file servers fall back to sampling defaults of their own.
    (target / "generation_config.json").write_text(
        json.dumps({"eos_token_id": config.eos_token_id, "pad_token_id": config.pad_token_id}), encoding="utf-8"
    )
    return target

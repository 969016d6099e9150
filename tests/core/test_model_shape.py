"""Parameter counts against transformers, published sizes and hand-computed parts, caches of every kind of layer."""

import json

import pytest
from model_configs import DEEPSEEK_V2_LITE, GEMMA3_4B, QWEN3_4B, QWEN3_30B_A3B, QWEN3_NEXT_80B

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import DataError
from golongrl.core.memory.rollout import kv_bytes_per_token, sequence_bytes
from golongrl.core.model_config import model_config
from golongrl.core.model_shape.parts import Attention, FeedForward
from golongrl.core.model_shape.read import FAMILIES, context_length, read_or_guess, read_shape
from golongrl.core.model_shape.shape import Layers, Shape, attended

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "intermediate_size": 160,
    "vocab_size": 300,
}
PLAIN = {key: value for key, value in SMALL.items() if key != "head_dim"}
EXPERTS = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 40}
ROUTED = {"n_routed_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 40, "first_k_dense_replace": 1}
LATENT = {
    **PLAIN,
    **ROUTED,
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 20,
    "qk_nope_head_dim": 12,
    "qk_rope_head_dim": 8,
    "v_head_dim": 10,
    "n_shared_experts": 2,
    "n_group": 2,
    "topk_group": 1,
}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 12,
    "linear_conv_kernel_dim": 4,
    "shared_expert_intermediate_size": 48,
}
MAMBA = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "expert_layer_period": 2,
    "expert_layer_offset": 1,
    "attn_layer_period": 3,
    "attn_layer_offset": 1,
    "mamba_d_state": 8,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_dt_rank": 5,
}
CONFIGS = {
    "qwen3-4b": QWEN3_4B,
    "qwen3-30b-a3b": QWEN3_30B_A3B,
    "deepseek-v2-lite": DEEPSEEK_V2_LITE,
    "qwen3": {"model_type": "qwen3", **SMALL, "tie_word_embeddings": False, "attention_bias": True},
    "qwen3_moe": {"model_type": "qwen3_moe", **SMALL, **EXPERTS, "decoder_sparse_step": 2, "mlp_only_layers": [3]},
    "llama-tied": {"model_type": "llama", **SMALL, "tie_word_embeddings": True},
    "llama-biases": {"model_type": "llama", **SMALL, "attention_bias": True, "mlp_bias": True},
    "qwen2": {"model_type": "qwen2", **PLAIN},
    "mistral": {"model_type": "mistral", **SMALL, "sliding_window": 32},
    "mixtral": {"model_type": "mixtral", **SMALL, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {"model_type": "qwen2_moe", **PLAIN, **EXPERTS, "shared_expert_intermediate_size": 48},
    "phi3": {"model_type": "phi3", **PLAIN, "pad_token_id": 0},
    "granite": {"model_type": "granite", **PLAIN, "mlp_bias": True, "attention_bias": True},
    "smollm3": {"model_type": "smollm3", **PLAIN, "pad_token_id": 0},
    "glm4_moe": {
        "model_type": "glm4_moe",
        **SMALL,
        **ROUTED,
        "n_shared_experts": 1,
        "use_qk_norm": True,
        "attention_bias": True,
    },
    "gpt_oss": {
        "model_type": "gpt_oss",
        **SMALL,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "sliding_window": 32,
    },
    "gemma2": {"model_type": "gemma2", **SMALL, "sliding_window": 32},
    "gemma3": {"model_type": "gemma3_text", **SMALL, "sliding_window": 32},
    "deepseek_v2": {"model_type": "deepseek_v2", **LATENT},
    "deepseek_v3": {"model_type": "deepseek_v3", **LATENT, "attention_bias": True},
    "glm4_moe_lite": {
        "model_type": "glm4_moe_lite",
        **LATENT,
        "mlp_layer_types": ["dense", "sparse", "dense", "sparse", "sparse", "sparse"],
    },
    "qwen3_next": {"model_type": "qwen3_next", **SMALL, **EXPERTS, **DELTA},
    "qwen3_5": {"model_type": "qwen3_5_text", **SMALL, **DELTA},
    "jamba": {"model_type": "jamba", **PLAIN, **MAMBA},
}

TINY = Shape(
    hidden=4,
    vocab=7,
    tied=False,
    groups=(Layers(2, Attention(heads=2, kv_heads=1, head_dim=3, qk_norm=True), FeedForward(5)),),
)


def built(config):
    """The transformers model of a config dict, without memory for its weights."""
    import torch
    import transformers

    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config))


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_counted_as_transformers_has_them(name):
    config = CONFIGS[name]
    model = built(config)
    # A tied head is the embedding again; parameters() gives it once.
    assert read_shape(config).parameters.total == sum(parameter.numel() for parameter in model.parameters())
    # What transformers writes to config.json is read the same.
    assert read_shape(json.loads(model.config.to_json_string())) == read_shape(config)


def test_qwen3_4b_by_hand():
    counts = read_shape(QWEN3_4B).parameters
    assert counts.embedding == 151_936 * 2560 == 388_956_160
    assert counts.head == 0
    # q and o 2560 x 4096 each, k and v 2560 x 1024 each: 26,214,400 in each of 36 layers.
    assert counts.attention == 36 * (2 * 2560 * 4096 + 2 * 2560 * 1024) == 943_718_400
    assert counts.mlp == 36 * 3 * 2560 * 9728 == 2_689_597_440
    # Two norms of 2560 and two of head_dim 128 in every layer, and the last norm.
    assert counts.replicated == 36 * (2 * 2560 + 2 * 128) + 2560 == 196_096
    assert counts.total == counts.active == 4_022_468_096


def test_qwen3_30b_a3b_by_hand():
    counts = read_shape(QWEN3_30B_A3B).parameters
    assert counts.embedding == counts.head == 311_164_928
    assert counts.experts == 48 * 128 * 3 * 2048 * 768 == 28_991_029_248
    assert counts.active_experts == counts.experts * 8 // 128 == 1_811_939_328
    # A router of 2048 x 128, two norms of 2048 and two of 128 in every layer, and the last norm.
    assert counts.replicated == 48 * (2048 * 128 + 2 * 2048 + 2 * 128) + 2048
    assert counts.total == 30_532_122_624
    # "30.5B in total, 3.3B activated".
    assert counts.active == 3_353_032_704


def test_deepseek_v2_lite_by_hand():
    counts = read_shape(DEEPSEEK_V2_LITE).parameters
    # Queries 2048 x 16 (128 + 64), keys and values 512 x 16 (128 + 128) up, output 16 x 128 x 2048.
    assert counts.attention == 27 * (2048 * 3072 + 512 * 4096 + 2048 * 2048)
    # Down to 512 + 64 and its norm of 512 in 27 layers; routers of 64 in 26; two norms of 2048; the last norm.
    assert counts.replicated == 27 * (2048 * 576 + 512 + 2 * 2048) + 26 * 2048 * 64 + 2048
    assert counts.experts == 26 * 64 * 3 * 2048 * 1408
    # One dense layer, and two shared experts in the other 26.
    assert counts.mlp == 3 * 2048 * 10_944 + 26 * 3 * 2048 * 2 * 1408
    assert round(counts.total / 1e9, 1) == 15.7
    assert round(counts.active / 1e9, 1) == 2.7


def test_qwen3_next_by_hand():
    shape = read_shape(QWEN3_NEXT_80B)
    assert [(group.count, group.mixer.kind) for group in shape.groups] == [(36, "gated delta net"), (12, "GQA")]
    assert round(shape.parameters.total / 1e9, 1) == 79.7
    assert round(shape.parameters.active / 1e9, 1) == 3.9


def test_parts_of_a_tiny_model_by_hand():
    counts = TINY.parameters
    assert (counts.embedding, counts.head) == (28, 28)
    # Per layer: q 4x6, k and v 4x3, o 6x4 = 72; gate, up, down 3x4x5 = 60; two norms of 4, two of head_dim 3 = 14.
    assert (counts.attention, counts.mlp, counts.replicated) == (144, 120, 2 * 14 + 4)
    assert counts.total == 56 + 144 + 120 + 32
    assert counts.body == 144 + 120 + 32
    assert counts.largest_layer == 72 + 60 + 14


def test_grouped_attention_caches_its_key_value_heads_and_copies_them_where_there_are_few():
    shape = read_shape(QWEN3_4B)
    assert kv_bytes_per_token(shape, 1) == 2 * 2 * 36 * 8 * 128 == 147_456
    assert kv_bytes_per_token(shape, 1, 1) == 73_728
    assert [kv_bytes_per_token(shape, size) for size in (2, 8, 16)] == [73_728, 18_432, 18_432]
    assert sequence_bytes(shape, 1 << 20, 1) == 147_456 << 20 == 144 << 30


def test_latent_attention_caches_512_and_64_numbers_on_every_gpu():
    shape = read_shape(DEEPSEEK_V2_LITE)
    assert kv_bytes_per_token(shape, 1) == kv_bytes_per_token(shape, 8) == 2 * 27 * (512 + 64) == 31_104


def test_windowed_layers_keep_their_window():
    shape = read_shape(GEMMA3_4B)
    # Every sixth of 34 layers sees everything: 5; the other 29 keep 1,024 tokens. 4 heads of 256, keys and values.
    assert [(group.count, group.mixer.window) for group in shape.groups] == [(29, 1024), (5, None)]
    assert kv_bytes_per_token(shape, 1) == 2 * 5 * 2 * 4 * 256 == 20_480
    assert sequence_bytes(shape, 131_072, 1) == 20_480 * 131_072 + 29 * 4096 * 1024
    assert sequence_bytes(shape, 512, 1) == (20_480 + 29 * 4096) * 512
    # Mistral 7B as first published windows every layer: nothing grows beyond.
    mistral = read_shape({"model_type": "mistral", **SMALL, "sliding_window": 32})
    assert kv_bytes_per_token(mistral, 1) == 0
    assert sequence_bytes(mistral, 1 << 20, 1) == sequence_bytes(mistral, 32, 1) == 2 * 6 * 2 * 2 * 24 * 32


def test_recurrent_layers_keep_a_state_of_constant_size():
    shape = read_shape(QWEN3_NEXT_80B)
    # 12 layers of 2 key-value heads of 256.
    assert kv_bytes_per_token(shape, 1) == 2 * 12 * 2 * 2 * 256 == 24_576
    # 32 value heads x 128 x 128 in fp32; 3 tokens of 2 x 2048 + 4096 convolved channels in bf16.
    state = 4 * 32 * 128 * 128 + 2 * 3 * (2 * 2048 + 4096)
    assert sequence_bytes(shape, 1000, 1) == 24_576 * 1000 + 36 * state
    assert sequence_bytes(shape, 1000, 2) == 12_288 * 1000 + 36 * state // 2
    # Jamba: 2 of 6 layers attend (1 and 4), the others keep 128 x 8 in fp32 and 3 x 128 in bf16.
    jamba = read_shape(CONFIGS["jamba"])
    assert sequence_bytes(jamba, 10, 1) == 10 * 2 * 2 * 2 * 2 * 16 + 4 * (4 * 128 * 8 + 2 * 128 * 3)


def test_attended_positions_of_a_causal_sequence():
    assert attended(4) == 1 + 2 + 3 + 4
    assert attended(4, window=2) == 1 + 2 + 2 + 2
    assert attended(4, window=2, first=2) == 2 + 2


def test_a_model_folder_is_read_without_loading_it(tmp_path):
    from safetensors import safe_open

    folder = build_byte_model(tmp_path / "model", max_positions=512)
    config = model_config(folder)
    with safe_open(folder / "model.safetensors", framework="np") as file:
        stored = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118  no mapping
    assert read_shape(config).parameters.total == stored
    assert context_length(config) == 512


def test_an_unknown_model_type_has_no_shape_and_a_torn_config_is_an_error():
    assert read_shape({"model_type": "mamba"}) is None
    with pytest.raises(DataError, match=r"config\.json has no num_hidden_layers"):
        read_shape({"model_type": "llama", "num_attention_heads": 4})


def test_an_unknown_model_type_is_guessed_and_says_what_was_assumed():
    config = {"model_type": "new", "n_embd": 64, "n_layer": 6, "n_head": 4, "vocab_size": 300}
    reading = read_or_guess(config)
    assert not reading.known
    assert reading.shape.groups == (Layers(6, Attention(4, 4, 16), FeedForward(256)),)
    said = " ".join(reading.assumed)
    assert "'new' is not known" in said
    assert "intermediate_size = 256, four times the hidden size" in said
    assert "as many as attention heads" in said
    assert "3 feed-forward matrices (gate, up and down), by the activation None" in said
    ungated = read_or_guess({**config, "activation_function": "gelu_new"})
    assert ungated.shape.groups[0].feed == FeedForward(256, matrices=2)
    # A config with the names of a known family is read as that family, norms of q and k apart.
    renamed = read_or_guess({**QWEN3_30B_A3B, "model_type": "new_moe"}).shape.parameters
    assert read_shape(QWEN3_30B_A3B).parameters.total - renamed.total == 48 * 2 * 128
    latent = read_or_guess({**DEEPSEEK_V2_LITE, "model_type": "new_mla"})
    assert latent.shape == read_shape(DEEPSEEK_V2_LITE)
    assert any("latent attention" in line for line in latent.assumed)


def test_layers_that_a_guess_cannot_see_through_are_named():
    kinds = ["rwkv", "full_attention"] * 3
    reading = read_or_guess({"model_type": "new", **SMALL, "layer_types": kinds})
    assert any("without a growing cache (rwkv)" in line and "upper bounds" in line for line in reading.assumed)
    with pytest.raises(DataError, match="has no hidden_size"):
        read_or_guess({"model_type": "new", "num_hidden_layers": 3})
    with pytest.raises(DataError, match="1 layer_types for 6 layers"):
        read_or_guess({"model_type": "new", **SMALL, "sliding_window": 8, "layer_types": ["sliding_attention"]})


def test_defaults_that_published_configs_leave_out_are_noted():
    reading = read_or_guess(GEMMA3_4B)
    assert reading.known
    assert "num_attention_heads = 8, the default of gemma3" in reading.assumed
    assert any("vision_config" in line for line in reading.assumed)


def test_multi_token_prediction_layers_are_noted():
    reading = read_or_guess({**DEEPSEEK_V2_LITE, "num_nextn_predict_layers": 1})
    assert any("multi-token prediction" in line for line in reading.assumed)
    assert set(FAMILIES) >= {"kimi_k2", "qwen3_5_moe"}

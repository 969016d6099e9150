"""The proof of a merged folder: what it says of a good one, and what it names in one that is not the base model's."""

import json
from dataclasses import asdict
from functools import partial

import pytest
import torch
from model_folders import folder_like, names, trained

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import CheckFailedError
from golongrl.core.machine import host_memory
from golongrl.core.rope import write_yarn
from golongrl.pipeline.training.model import speak
from golongrl.pipeline.training.model.prove import prove

HEAD, EMBEDDING, NORM = "lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("base") / "bytes")


def test_a_trained_model_is_proven(tmp_path, base):
    seen = []
    folder = folder_like(base, tmp_path / "m", trained)
    proof = prove(folder, base, "中文?", tokens=3, on_tensor=lambda done, total: seen.append((done, total)))
    # Two layers of 11 tensors, the embedding and the last norm; the head is the embedding.
    assert (proof.tensors, proof.parameters, proof.bytes) == (24, 90_688, 4 * 90_688)
    assert (proof.changed, proof.largest_change) == (24, pytest.approx(0.01, rel=1e-5))
    assert (proof.architectures, proof.vocab_size, proof.tied_head) == (["Qwen3ForCausalLM"], 259, True)
    assert (proof.loaded, proof.skipped, proof.warnings, proof.config_changes) == (True, None, [], {})
    assert proof.prompt == "中文?"
    # A token is a byte or a special one.
    assert proof.text
    assert json.loads((folder / "proof.json").read_text()) == asdict(proof)
    assert seen == [(done, 24) for done in range(1, 25)]


def test_the_answer_is_the_greedy_one(tmp_path, base):
    import transformers

    folder = folder_like(base, tmp_path / "m", trained)
    # Sampling settings as published models have them.
    generation = {"eos_token_id": 2, "pad_token_id": 0, "do_sample": True, "temperature": 0.6, "top_k": 20}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    proof = prove(folder, base, "Hi", tokens=4)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
    for _ in range(4):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert proof.text == tokenizer.decode(ids[-4:])


def test_an_untrained_model_is_a_warning(tmp_path, base):
    proof = prove(folder_like(base, tmp_path / "m"), base)
    assert (proof.changed, proof.largest_change) == (0, 0)
    assert proof.warnings[0].startswith("no tensor differs from the base model's: the run trained nothing")

    def one(tensors):
        tensors[NORM][3] += 0.5

    assert prove(folder_like(base, tmp_path / "one", one), base).changed == 1


def test_rounding_is_no_change(tmp_path, base):
    def rounded(tensors):
        for name in tensors:
            tensors[name] = tensors[name].bfloat16()

    proof = prove(folder_like(base, tmp_path / "m", rounded, dtype="bfloat16"), base)
    assert (proof.changed, proof.dtypes) == (0, {"BF16": 24})


def missing(tensors):
    del tensors[NORM]


def reshaped(tensors):
    tensors["model.layers.0.mlp.down_proj.weight"] = torch.zeros(64, 96)


def extra(tensors):
    tensors["model.layers.2.input_layernorm.weight"] = torch.zeros(64)


def no_number(tensors):
    tensors[NORM][:2] = float("nan")
    tensors["model.layers.1.self_attn.q_norm.weight"][0] = float("inf")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (missing, r"has 23 tensors, the base model .* 24; 1 missing: model\.norm\.weight \(base \[64\]\)\. Either"),
        (
            reshaped,
            r"24 tensors, .* 24; 1 of another shape: model\.layers\.0\.mlp\.down_proj\.weight \[64, 96\] "
            r"\(base \[64, 128\]\)\.",
        ),
        (extra, r"25 tensors, .* 24; 1 not in the base: model\.layers\.2\.input_layernorm\.weight \[64\]\."),
        (
            no_number,
            r"2 of 24 tensors .*: model\.layers\.1\.self_attn\.q_norm\.weight \(1 values\), "
            r"model\.norm\.weight \(2 values\); the training diverged",
        ),
    ],
)
def test_what_does_not_fit_the_base_is_named(tmp_path, base, change, message):
    folder = folder_like(base, tmp_path / "m", change)
    (folder / "proof.json").write_text("{}")
    with pytest.raises(CheckFailedError, match=message):
        prove(folder, base)
    assert not (folder / "proof.json").exists()


def test_only_the_first_tensors_are_named(tmp_path, base):
    folder = folder_like(base, tmp_path / "m", lambda tensors: [tensors.pop(n) for n in list(tensors) if ".0." in n])
    with pytest.raises(
        CheckFailedError, match=r"13 tensors.*11 missing: (model\.layers\.0\.\S+ \(\S+ .*?\),? ){3}\.\.\."
    ):
        prove(folder, base)


@pytest.mark.parametrize("which", ["folder", "base"])
def test_one_file_and_shards_of_it_are_the_same(tmp_path, base, which):
    import transformers

    folder = folder_like(base, tmp_path / "m", trained)
    split = folder if which == "folder" else folder_like(base, tmp_path / "base")
    model = transformers.AutoModelForCausalLM.from_pretrained(split)
    (split / "model.safetensors").unlink()
    model.save_pretrained(split, max_shard_size="100KB")
    shards = [name for name in names(split) if name.endswith(".safetensors")]
    assert len(shards) > 2
    proof = prove(folder, base if which == "folder" else split)
    assert (proof.tensors, proof.parameters, proof.changed, proof.loaded) == (24, 90_688, 24, True)


def with_head(tensors):
    tensors[HEAD] = tensors[EMBEDDING].clone()


def with_own_head(tensors):
    tensors[HEAD] = tensors[EMBEDDING] + 1


def test_a_tied_head_may_stand_in_either_folder(tmp_path, base):
    headed = folder_like(base, tmp_path / "headed", with_head)
    assert (prove(headed, base).tensors, prove(headed, base).loaded) == (25, True)
    assert prove(folder_like(base, tmp_path / "m", trained), headed).tensors == 24
    with pytest.raises(CheckFailedError, match=r"tied head, but lm_head\.weight differs from model\.embed_tokens"):
        prove(folder_like(base, tmp_path / "own", with_own_head), base)


def test_an_untied_head_may_not_be_left_out(tmp_path, base):
    untied = folder_like(base, tmp_path / "base", with_own_head, tie_word_embeddings=False)
    assert prove(folder_like(untied, tmp_path / "whole", trained), untied).tensors == 25
    headless = folder_like(untied, tmp_path / "m", lambda tensors: tensors.pop(HEAD))
    with pytest.raises(CheckFailedError, match=r"1 missing: lm_head\.weight \(base \[259, 64\]\)"):
        prove(headless, untied)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 300}, "vocab_size 300, base 259"),
        (
            {"architectures": ["Qwen2ForCausalLM"]},
            r"architectures \['Qwen2ForCausalLM'\], base \['Qwen3ForCausalLM'\]",
        ),
        ({"tie_word_embeddings": False}, "tie_word_embeddings False, base True"),
    ],
)
def test_a_config_of_another_model_is_named(tmp_path, base, change, message):
    with pytest.raises(CheckFailedError, match=message):
        prove(folder_like(base, tmp_path / "m", trained, **change), base)


def test_other_config_changes_are_told(tmp_path, base):
    folder = folder_like(base, tmp_path / "m", trained)
    write_yarn(folder, 2)
    proof = prove(folder, base)
    assert proof.config_changes == {
        "max_position_embeddings": [4096, 8192],
        "rope_parameters.factor": [None, 2.0],
        "rope_parameters.original_max_position_embeddings": [None, 4096],
        "rope_parameters.rope_type": ["default", "yarn"],
    }
    assert proof.warnings[0].startswith("config.json differs from the base model's in max_position_embeddings, rope_")
    # The forms of transformers 4 and 5 are one config.
    plain = {"rope_parameters": None, "rope_theta": 10000.0, "torch_dtype": "float32", "dtype": None}
    assert prove(folder_like(base, tmp_path / "v4", trained, **plain), base).config_changes == {}


def test_weights_and_config_that_agree_with_the_base_but_not_with_each_other(tmp_path, base):
    odd = folder_like(base, tmp_path / "base", num_hidden_layers=3, layer_types=None)
    folder = folder_like(odd, tmp_path / "m", trained)
    with pytest.raises(
        CheckFailedError, match=r"does not load as Qwen3ForCausalLM \(missing keys: model\.layers\.2\."
    ):
        prove(folder, odd)


def test_logits_that_are_no_numbers_fail(tmp_path, base):
    def huge(tensors):
        tensors[NORM][:] = 3e38
        tensors[EMBEDDING] *= 1000

    with pytest.raises(CheckFailedError, match="computes NaN or infinite logits, although its weights are finite"):
        prove(folder_like(base, tmp_path / "m", huge), base)


def test_a_folder_without_a_chat_template_does_not_speak(tmp_path, base):
    folder = folder_like(base, tmp_path / "m", trained)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(CheckFailedError, match=r"cannot be used in transformers \(ValueError: .*chat_template"):
        prove(folder, base)


def test_a_model_too_large_for_the_memory_is_not_loaded(tmp_path, base, monkeypatch):
    monkeypatch.setattr(speak, "host_memory", partial(host_memory, cgroup=tmp_path))
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\nactive_file 200000\ninactive_file 300000\n")
    # 0.6 x (1,000,000 - 400,000) = 360,000 bytes for 362,752: cached files would give way.
    folder = folder_like(base, tmp_path / "m", trained)
    proof = prove(folder, base)
    assert (proof.loaded, proof.text, proof.changed) == (None, None, 24)
    assert proof.skipped.startswith("the weights take 0.0 GiB, more than 60% of the")
    assert proof.warnings == [f"not loaded: {proof.skipped}"]
    (tmp_path / "memory.max").write_text("1010000\n")
    assert prove(folder, base).loaded is True


def test_a_model_that_transformers_does_not_know_is_not_loaded(tmp_path, base):
    odd = folder_like(base, tmp_path / "base", architectures=["NewForCausalLM"])
    proof = prove(folder_like(odd, tmp_path / "m", trained), odd)
    assert proof.loaded is None
    assert "has no NewForCausalLM, and code of models is not run" in proof.skipped

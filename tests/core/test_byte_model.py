import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import chat_template, tokens
from golongrl.core.byte_model import build_byte_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_byte_model(tmp_path_factory.mktemp("model") / "bytes", seed=3)


@pytest.fixture(scope="module")
def model(folder):
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(folder)


def test_ninety_thousand_parameters(model):
    # Embedding (shared with the output) 259 * 64, final norm 64; per layer: q and o 64 * 64, k and v 64 * 32,
    # gate, up and down 64 * 128, two norms of 64 and the two of the heads of 16.
    layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64 + 2 * 16
    assert model.num_parameters() == 259 * 64 + 64 + 2 * layer == 90_688
    assert str(model.dtype) == "torch.float32"


def test_the_seed_decides_the_weights_and_leaves_the_callers_generator_alone(folder, model, tmp_path):
    import torch
    import transformers

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    same = transformers.AutoModelForCausalLM.from_pretrained(build_byte_model(tmp_path / "same", seed=3))
    other = transformers.AutoModelForCausalLM.from_pretrained(build_byte_model(tmp_path / "other", seed=4))
    assert torch.equal(torch.random.get_rng_state(), before)
    first, again, different = (m.state_dict()["model.embed_tokens.weight"] for m in (model, same, other))
    assert torch.equal(first, again)
    assert not torch.equal(first, different)


def test_special_tokens_are_one_token_and_end_generation(folder):
    tokenizer = tokens.load(str(folder))
    assert tokenizer.encode("<|endoftext|><|im_start|><|im_end|>") == [0, 1, 2]
    assert json.loads((folder / "generation_config.json").read_text()) == {"eos_token_id": 2, "pad_token_id": 0}


@settings(deadline=None)
@given(text=st.text())
def test_every_text_is_its_bytes_and_comes_back(folder, text):
    tokenizer = tokens.load(str(folder))
    ids = tokenizer.encode(text)
    if "<|" not in text:
        assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_our_prompt_is_the_one_transformers_renders(folder):
    import transformers

    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "中文?\n"}]
    found = chat_template.read_template(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert chat_template.render(found, messages) == expected
    ids = tokenizer(expected, add_special_tokens=False)["input_ids"]
    assert chat_template.prompt_tokens(tokens.load(str(folder)), messages, found) == len(ids)
    assert chat_template.detect_think(found) == "optional"


def test_it_generates(model):
    import torch

    ids = torch.tensor([[1, 100, 2]])
    made = model.generate(ids, max_new_tokens=4, do_sample=False, attention_mask=torch.ones_like(ids))
    assert 1 <= made.shape[1] - 3 <= 4
    assert made.max() < 259

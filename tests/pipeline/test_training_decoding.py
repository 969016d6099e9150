"""The transformers rollout's sampling, against transformers' own generation and a plain forward pass."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from golongrl.core.byte_model import build_byte_model
from golongrl.pipeline.training.verl_plugin.decoding import Sampling, choose, sample

PROMPTS = ["a", "a much longer prompt, so that the others are padded", "a", "你好"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = build_byte_model(tmp_path_factory.mktemp("model"), seed=3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer


def draw(tiny, budgets, sampling, seed=0, stop=frozenset()):
    model, tokenizer = tiny
    return sample(
        model,
        [tokenizer.encode(prompt) for prompt in PROMPTS],
        budgets,
        sampling,
        stop_ids=stop,
        pad_id=tokenizer.pad_token_id,
        generator=torch.Generator().manual_seed(seed),
    )


def test_greedy_tokens_are_those_of_transformers(tiny):
    model, tokenizer = tiny
    results = draw(tiny, [12] * 4, Sampling(temperature=0))
    for prompt, result in zip(PROMPTS, results, strict=True):
        ids = torch.tensor([tokenizer.encode(prompt)])
        with torch.inference_mode():
            expected = model.generate(ids, max_new_tokens=12, do_sample=False, eos_token_id=None)
        assert result.token_ids == expected[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_log_probs_are_those_of_the_scaled_policy(tiny, temperature):
    model, tokenizer = tiny
    for prompt, result in zip(PROMPTS, draw(tiny, [9] * 4, Sampling(temperature=temperature)), strict=True):
        start = len(tokenizer.encode(prompt))
        ids = torch.tensor([tokenizer.encode(prompt) + result.token_ids])
        with torch.inference_mode():
            logits = model(ids).logits[0, start - 1 : -1].float() / temperature
        expected = torch.log_softmax(logits, -1).gather(-1, ids[0, start:, None])[:, 0]
        assert result.log_probs == pytest.approx(expected.tolist(), abs=1e-4)


def test_budgets_and_stop_tokens_end_a_response(tiny):
    results = draw(tiny, [1, 5, 3, 8], Sampling())
    assert [len(result.token_ids) for result in results] == [1, 5, 3, 8]
    assert not any(result.completed for result in results)
    stop = results[3].token_ids[2]
    again = draw(tiny, [1, 5, 3, 8], Sampling(), stop=frozenset({stop}))
    for result in again:
        assert stop not in result.token_ids[:-1]
        assert result.completed == (result.token_ids[-1] == stop)


def test_the_seed_decides_what_is_drawn(tiny):
    def texts(seed):
        return [result.token_ids for result in draw(tiny, [16] * 4, Sampling(), seed=seed)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_a_nucleus_keeps_the_token_that_crosses_the_mass():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(400, 1)
    generator = torch.Generator().manual_seed(0)
    tokens, log_probs = choose(logits, Sampling(top_p=0.6), generator)
    assert set(tokens.tolist()) == {0, 1}
    # What the cut leaves is renormalised for drawing, not for the log-probs.
    assert log_probs[tokens == 1][0].exp().item() == pytest.approx(0.3)
    assert set(choose(logits, Sampling(top_k=1), generator)[0].tolist()) == {0}

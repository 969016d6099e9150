"""The transformers rollout's sampling, against exact probabilities, transformers' own generation, a plain forward."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import CheckFailedError
from golongrl.pipeline.training.verl_plugin.decoding import Sampling, choose, group_key, sample, stream

PROMPTS = ["a", "a much longer prompt, so that the others are padded", "a", "你好"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = build_byte_model(tmp_path_factory.mktemp("model"), seed=3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer


def draw(tiny, budgets, sampling, seed=0, stop=frozenset(), prompts=PROMPTS, numbers=range(100)):
    """Responses to the prompts; rollout i draws from stream `numbers[i]` of its prompt."""
    model, tokenizer = tiny
    ids = [tokenizer.encode(prompt) for prompt in prompts]
    groups = [group_key(seed, 7, own, sampling) for own in ids]
    return sample(
        model,
        ids,
        budgets,
        sampling,
        stop_ids=stop,
        pad_id=tokenizer.pad_token_id,
        streams=[stream(group, number) for group, number in zip(groups, numbers, strict=False)],
    )


def drawn(probs, count=20_000, **settings):
    """Tokens drawn `count` times from a distribution, and their log-probs; always with the same uniforms."""
    uniforms = torch.from_numpy(np.random.default_rng(5).random(count))
    logits = torch.log(torch.tensor(probs, dtype=torch.float32)).expand(count, -1)
    return choose(logits, Sampling(**settings), uniforms)


def chi_square(tokens, probs) -> float:
    """Pearson's statistic of drawn tokens against probabilities."""
    probs = np.array(probs)
    counts = np.bincount(tokens.numpy(), minlength=len(probs))
    assert not counts[probs == 0].any()
    expected = len(tokens) * probs[probs > 0]
    return float((((counts[probs > 0] - expected) ** 2) / expected).sum())


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
    settings = Sampling(temperature=temperature, top_p=0.9)
    for prompt, result in zip(PROMPTS, draw(tiny, [9] * 4, settings), strict=True):
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
    for before, result in zip(results, again, strict=True):
        assert result.token_ids == before.token_ids[: len(result.token_ids)]
        assert stop not in result.token_ids[:-1]
        assert result.completed == (result.token_ids[-1] == stop)


@pytest.mark.parametrize("settings", [Sampling(), Sampling(temperature=0.6, top_p=0.9, top_k=50)])
def test_a_rollout_does_not_depend_on_its_batch(tiny, settings):
    together = [result.token_ids for result in draw(tiny, [24] * 4, settings)]
    for place, prompt in enumerate(PROMPTS):
        (alone,) = draw(tiny, [24], settings, prompts=[prompt], numbers=[place])
        assert alone.token_ids == together[place]
    order = [2, 0, 3, 1]
    shuffled = draw(tiny, [24] * 4, settings, prompts=[PROMPTS[place] for place in order], numbers=order)
    assert [result.token_ids for result in shuffled] == [together[place] for place in order]
    others = draw(tiny, [24] * 6, settings, prompts=["something else", *PROMPTS, "a"], numbers=[9, 0, 1, 2, 3, 9])
    assert [result.token_ids for result in others[1:5]] == together


def test_seed_step_prompt_settings_and_number_give_streams_of_their_own():
    def first(seed=1, step=2, prompt=(3, 4), temperature=1.0, number=0):
        return tuple(stream(group_key(seed, step, prompt, Sampling(temperature)), number).random(4))

    streams = [
        first(),
        first(seed=2),
        first(step=3),
        first(prompt=(4, 3)),
        first(prompt=(3, 4, 0)),
        first(temperature=0.6),
        first(number=1),
    ]
    assert len(set(streams)) == 7
    assert first() == streams[0]


def test_streams_stay_the_same_between_releases():
    # A checkpoint may be resumed with another version of golongrl, and should then draw what it would have drawn.
    values = stream(group_key(0, 12, [5, 6, 7], Sampling(temperature=0.8)), 3).random(3)
    assert values.tolist() == pytest.approx([0.3674899617451294, 0.33149575433033884, 0.7566337152299721])


@pytest.mark.parametrize("probs", [[0.5, 0.3, 0.15, 0.05], [0.0, 0.7, 0.0, 0.2, 0.1, 0.0]])
def test_tokens_are_drawn_in_proportion(probs):
    tokens, _ = drawn(probs)
    # 16.27 is exceeded by chance once in a thousand at 3 degrees of freedom.
    assert chi_square(tokens, probs) < 16.27


def test_temperature_scales_the_logits():
    # Temperature 0.5 squares the probabilities: 0.64, 0.16 -> 0.8, 0.2.
    tokens, log_probs = drawn([0.8, 0.4], temperature=0.5)
    assert chi_square(tokens, [0.8, 0.2]) < 10.83
    assert log_probs[tokens == 1][0].exp().item() == pytest.approx(0.2, abs=1e-6)


def test_a_nucleus_keeps_the_token_that_crosses_the_mass():
    tokens, log_probs = drawn([0.15, 0.5, 0.05, 0.3], top_p=0.6)
    assert chi_square(tokens, [0, 0.625, 0, 0.375]) < 10.83
    # What the cut leaves is renormalised for drawing, not for the log-probs.
    assert log_probs[tokens == 3][0].exp().item() == pytest.approx(0.3)


def test_top_k_keeps_exactly_k_tokens_even_among_equals():
    tokens, log_probs = drawn([0.25, 0.25, 0.25, 0.25], top_k=2)
    assert chi_square(tokens, [0.5, 0.5, 0, 0]) < 10.83
    assert log_probs.exp().unique().tolist() == pytest.approx([0.25])
    assert drawn([0.3, 0.3, 0.4], top_k=1)[0].unique().tolist() == [2]
    assert chi_square(drawn([0.2, 0.3, 0.5], top_k=3)[0], [0.2, 0.3, 0.5]) < 13.82


def test_nucleus_and_top_k_never_draw_outside():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(300, 50)) * 2).float()
    uniforms = torch.from_numpy(rng.random(300))
    probs = torch.softmax(logits, -1)
    for settings in (Sampling(top_p=0.5), Sampling(top_k=3), Sampling(top_p=0.7, top_k=4)):
        tokens, _ = choose(logits, settings, uniforms)
        for row, token in zip(probs, tokens, strict=True):
            larger = row[row > row[token]]
            assert larger.sum() < settings.top_p
            assert settings.top_k < 1 or len(larger) < settings.top_k


@pytest.mark.parametrize("settings", [Sampling(), Sampling(top_p=0.99), Sampling(top_k=4)])
def test_the_ends_of_the_unit_interval_draw_possible_tokens(settings):
    logits = torch.log(torch.tensor([[0.0, 0.2, 0.0, 0.5, 0.3, 0.0, 0.0]]))
    least, most = torch.zeros(1, dtype=torch.float64), torch.full((1,), 1 - 2.0**-53, dtype=torch.float64)
    assert choose(logits, settings, least)[0].tolist() == [1]
    assert choose(logits, settings, most)[0].tolist() == [4]


def test_a_large_vocabulary_is_drawn_to_its_end():
    # In float32 the last thousand of these sums would be one and the same.
    size = 200_000
    logits = torch.zeros(1, size)
    edges = torch.tensor([0.5, 1 - 1.5 / size, 1 - 0.5 / size], dtype=torch.float64)
    tokens, _ = choose(logits.expand(3, -1), Sampling(), edges)
    assert tokens.tolist() == [size // 2, size - 2, size - 1]


def test_logits_that_are_no_numbers_are_an_error(tiny):
    model, tokenizer = tiny
    weight = model.model.norm.weight
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight[0] = float("nan")
        for settings in (Sampling(), Sampling(temperature=0)):
            with pytest.raises(CheckFailedError, match="not numbers"):
                draw((model, tokenizer), [4] * 4, settings)
    finally:
        with torch.no_grad():
            weight.copy_(kept)

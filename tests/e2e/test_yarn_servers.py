"""Real servers with YaRN on a CPU: their numbers are those of transformers with the same YaRN.

vLLM needs an interpreter of its own: `make test-vllm` makes one and names it in GOLONGRL_VLLM_PYTHON.
"""

import json
import os
import urllib.request

import pytest
import yarn_model

from golongrl.core import engine_flags, servers
from golongrl.core.rope import link_with_yarn, yarn_override
from golongrl.pipeline.evaluation import runner
from golongrl.pipeline.evaluation.config import EvalConfig

VLLM = os.environ.get("GOLONGRL_VLLM_PYTHON")
EAGER = ["--enforce-eager", "--dtype", "float32"]
TEXTS = ("It rains on the town. " * 20, "The river runs to the sea. " * 60)
"""The second is longer than the model without YaRN, and needs a factor of 1.75."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The model as it is, and with the factor that the long text needs, as folders."""
    place = tmp_path_factory.mktemp("models")
    model = yarn_model.build(place / "model")
    config = json.loads((model / "config.json").read_text())
    return model, link_with_yarn(model, place / "scaled", yarn_override(config, 1.75))


def evaluate(place, model, **settings):
    with open(place / "rows.jsonl", "w") as out:
        for text in TEXTS:
            prompt = json.dumps([{"role": "user", "content": text}])
            row = {"prompt": prompt, "answer": "abcx", "random_string_to_prepend": "abc", "n_needles": 2}
            out.write(json.dumps(row) + "\n")
    return runner.evaluate(
        EvalConfig(
            bench="mrcr",
            model=str(model),
            data=str(place / "rows.jsonl"),
            max_input=4000,
            max_output=8,
            temperature=0,
            out=str(place / "run"),
            **settings,
        )
    )


def answers(place):
    """The answers by the length of their prompt, short one first."""
    rows = [json.loads(line) for line in (place / "run" / "generations.jsonl").read_text().splitlines()]
    return [row["text"] for row in sorted(rows, key=lambda row: row["usage"]["prompt_tokens"])]


def by_transformers(folder, text):
    """The greedy answer of a model folder."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    made = yarn_model.load(folder).generate(ids, max_new_tokens=8, do_sample=False)
    return tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.slow
def test_transformers_serves_each_bucket_with_its_factor(tmp_path, models):
    model, scaled = models
    card = evaluate(tmp_path, model, engine="transformers")
    assert card.complete
    assert [one["factor"] for one in card.cards[0].results["settings"]["yarn_buckets"]] == [None, 1.75]
    expected = [by_transformers(model, TEXTS[0]), by_transformers(scaled, TEXTS[1])]
    assert answers(tmp_path) == expected
    # Without YaRN, or with it on the short prompt, the answers would be others.
    assert by_transformers(model, TEXTS[1]) != expected[1]
    assert by_transformers(scaled, TEXTS[0]) != expected[0]
    assert not (tmp_path / "run" / servers.YARN_FOLDER).exists()


def log_probs(folder, ids):
    """The natural log-probability of each token after the first."""
    import torch

    tokens = torch.tensor([ids])
    with torch.no_grad():
        scores = yarn_model.load(folder)(tokens).logits.log_softmax(-1)
    return scores[0, :-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()


def asked_log_probs(server, ids):
    """The same, as a vLLM server computes them."""
    body = {"model": server.model, "prompt": ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    request = urllib.request.Request(
        server.base_url + "/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as reply:
        found = json.load(reply)["choices"][0]["prompt_logprobs"]
    return [one[str(token)]["logprob"] for one, token in zip(found[1:], ids[1:], strict=True)]


needs_vllm = pytest.mark.skipif(VLLM is None, reason="vLLM in an interpreter of its own: make test-vllm")


@pytest.mark.slow
@needs_vllm
def test_vllm_computes_what_transformers_does(tmp_path, models):
    model, scaled = models
    override = yarn_override(json.loads((model / "config.json").read_text()), 1.75)
    version = engine_flags.installed_version("vllm", VLLM)
    assert version is not None
    ids = [3 + 7 * place % 256 for place in range(1700)]
    with servers.serve(
        "vllm",
        str(model),
        python=VLLM,
        log=tmp_path / "server.log",
        extra_args=EAGER,
        max_model_len=override.length,
        yarn=override,
        version=version,
        env={"VLLM_CPU_KVCACHE_SPACE": "1"},
    ) as server:
        with urllib.request.urlopen(server.base_url + "/models", timeout=30) as reply:
            (told,) = json.load(reply)["data"]
        assert (told["id"], told["max_model_len"]) == (str(model), 1792)
        found = asked_log_probs(server, ids)
    expected = log_probs(scaled, ids)
    assert found == pytest.approx(expected, abs=1e-2)
    # The model without YaRN is far from both.
    assert max(abs(a - b) for a, b in zip(found, log_probs(model, ids), strict=True)) > 1


@pytest.mark.slow
@needs_vllm
def test_vllm_is_restarted_for_each_bucket(tmp_path, models, monkeypatch):
    model, scaled = models
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    card = evaluate(tmp_path, model, engine="vllm", server_python=VLLM, server_args=EAGER)
    assert card.complete
    assert answers(tmp_path) == [by_transformers(model, TEXTS[0]), by_transformers(scaled, TEXTS[1])]
    log = (tmp_path / "run" / "server.log").read_text()
    assert log.count("Application startup complete") == 2

"""Small folders that can be published: a dataset, an evaluation, a training run."""

import json
import math
import shutil

from dataset_records import choices, facts_of, make, surveyed

from golongrl.core.byte_model import CHAT_TEMPLATE, SPECIAL
from golongrl.core.records import write_parquet
from golongrl.core.stats import cluster_bootstrap
from golongrl.pipeline.dataset.reporting.card import write_card
from golongrl.rewards.audit import audit


def records(start=0, count=4):
    """Records of two capabilities, numbered from `start`."""
    found = [make("T1", f"Who wrote book {n}?", f"Author {n}") for n in range(start, start + count)]
    found += choices(count, lambda n: ["red", "blue", "green"], lambda n: n % 3)
    for number, record in enumerate(found, start):
        record.extra_info["index"] = number
    return found


def check_rewards(folder, *names):
    """Audit data files as verify-rewards does, without the attacks that take seconds."""
    for name in names or ("train", "val"):
        assert audit(folder / f"{name}.parquet", costly=False, out=folder / f"{name}.audit").passed


def dataset(folder):
    """A dataset as build-dataset writes one, its rewards audited."""
    folder.mkdir(parents=True)
    train, validation = records(), records(100, 2)
    write_parquet(folder / "train.parquet", train)
    write_parquet(folder / "val.parquet", validation)
    facts = facts_of(surveyed(train, validation=validation))
    write_card(folder / "README.md", facts)
    (folder / "build.json").write_text(json.dumps(facts))
    (folder / "documents.jsonl").write_text(json.dumps({"sha256": "d1", "text": "Some text."}) + "\n")
    (folder / "report.html").write_text("<p>Report</p>")
    (folder / "config.json").write_text(json.dumps({"sources": ["/home/ann/docs"]}))
    (folder / "golongrl.toml").write_text(
        '[train]\ndata = "talks/train.parquet"\nmodel = "/home/ann/base"\nprompts_per_batch = 64\n'
    )
    (folder / ".lock").touch()
    check_rewards(folder)
    return folder


def evaluation(folder, bench="mrcr", model="org/reader", scores=(1.0, 0.5, None, 0.0)):
    """A finished evaluation as eval writes one; None is a prompt that did not fit."""
    folder.mkdir(parents=True)
    status = ["ok" if score is not None else "overlong_input" for score in scores]
    rows = [
        {"id": str(n), "repeat": 0, "status": s, "score": score, "reason": "ok", "details": {}, "n_input_tokens": 9}
        for n, (score, s) in enumerate(zip(scores, status, strict=True))
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = [score for score in scores if score is not None]
    interval = cluster_bootstrap(known, range(len(known)))
    counts = {"ok": len(known), "overlong_input": len(scores) - len(known), "server_error": 0}
    results = {
        "bench": bench,
        "model": model,
        "metric": "difflib ratio",
        "judge": None,
        "dataset": {"id": "openai/mrcr", "licence": "MIT"},
        "n": len(scores),
        "n_scored": len(known),
        "counts": counts,
        "score": round(math.fsum(known) / len(known), 6),
        "low": round(interval.low, 6),
        "high": round(interval.high, 6),
        "interval": "bootstrap over clusters",
        "n_incomplete": 0,
        "go_on": None,
        "buckets": {},
        "settings": {"temperature": 0.7, "max_input": 131072, "seed": 0, "limit": None},
    }
    config = {"command": "eval", "bench": bench, "model": model, "temperature": 0.7, "limit": None, "inputs": {}}
    manifest = {
        "command": "eval",
        "finished": "2026-05-01T10:00:00+0000",
        "git_sha": "c" * 40,
        "versions": {"golongrl": "1.2.3", "python": "3.12.1"},
        "inputs": {"data": f"openai/mrcr@{'d' * 40}"},
    }
    for name, content in (("results", results), ("config", config), ("manifest", manifest)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "report.html").write_text("<p>Report</p>")
    (folder / "generations.jsonl").write_text('{"key": "k", "text": "The whole prompt and answer."}\n')
    return folder


def model(folder, width=16):
    """A model folder with the parts that are looked at, written without torch: importing it takes half a minute."""
    import numpy
    import tokenizers
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": width}
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": len(vocabulary)}))
    tensors = {"model.embed_tokens.weight": numpy.ones((len(vocabulary), width), numpy.float32)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def training_run(folder, data_sha256, base="org/base"):
    """A finished run of train of four steps."""
    model(folder / "model")
    config = {
        "command": "train",
        "algo": "tmn-reweight",
        "model": base,
        "data": "/home/ann/data/train.parquet",
        "val_data": None,
        "prompts_per_batch": 6,
        "rollouts_per_prompt": 16,
        "max_prompt_tokens": 1024,
        "max_response_tokens": 64,
        "learning_rate": 1e-6,
        "filter_groups": True,
        "loggers": ["console", "file"],
        "seed": 3,
        "verl": {"trainer.project_name": "long"},
        "inputs": {},
    }
    manifest = {
        "command": "train",
        "started": "2026-05-01T10:00:00+0000",
        "finished": "2026-05-01T11:00:00+0000",
        "git_sha": "e" * 40,
        "versions": {"golongrl": "1.2.3", "verl": "0.9.1"},
        "inputs": {"/home/ann/data/train.parquet": data_sha256},
        "reward_gate": True,
    }
    rewards = {"em": {"first": 0.1, "last": 0.35}}
    results = {"steps": 4, "window": 5, "rewards": rewards, "proof": None}
    for name, content in (("config", config), ("manifest", manifest), ("results", results)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    steps = [{"step": n + 1, "metrics": {"task/em/reward": value}} for n, value in enumerate((0.1, 0.1, 0.3, 0.4))]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    (folder / "report.html").write_text("<p>Rewards rose.</p>")
    return folder


def copied(source, target):
    """A copy of a folder that a test may spoil."""
    shutil.copytree(source, target)
    return target

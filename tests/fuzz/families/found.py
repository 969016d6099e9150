"""Inputs that broke a parser before it was mended, each with its family."""

import json

import model_configs
import qa_rows

from families.answers import seed
from families.judged import QUESTION

_DEEP = "[" * 3000
_DIGITS = "9" * 5000
_OBJECTS = '{"a":' * 60 + "1" + "}" * 60
_ROLLOUT = {"key": "k", "step": 1, "prompt": "p", "task": "em", "reward": 1.0, "index": 0, "reason": "ok"}
_SAMPLE = {"id": "a", "score": 0.5}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}


def _config(**changes: object) -> bytes:
    return b"config.json\n" + json.dumps({**model_configs.QWEN3_4B, **changes}).encode()


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FOUND: list[tuple[str, bytes]] = [
    # A table of objects in objects: its comparable form doubled with every level.
    ("answers", seed("iou", f'{{"data": [{_OBJECTS}]}}')),
    ("answers", f'f1\n{{"doc_ids": {_DEEP}\n'.encode()),
    # Python's own limits: a hundred brackets, a thousand levels of JSON, 4300 digits.
    ("judged", b"(" * 200 + b"1" + b")" * 200),
    ("judged", b"1e-99999999"),
    ("judged", f'{{"questions": [{_DIGITS}]}}'.encode()),
    ("configs", f"[eval]\nbench = {_DEEP}".encode()),
    ("configs", f"[eval]\nseed = {_DIGITS}".encode()),
    ("configs", f"seed={_DIGITS}\nbench={_DEEP}".encode()),
    ("configs", b"4k\n" + b"9" * 400 + b"k"),
    # Bytes of a command line that are no UTF-8: no JSON file takes them.
    ("configs", b"bench=mrcr-mini\nmodel=m\xfa"),
    ("configs", f'"a" = {_DEEP}'.encode()),
    ("records", f'{{"key": {_DEEP}\n'.encode()),
    ("records", f'{{"key": {_DIGITS}}}\n'.encode()),
    ("records", f'[{{"id": {_DIGITS}}}]'.encode()),
    ("records", _lines({**_ROLLOUT, "step": None}, {**_ROLLOUT, "key": ["l"]})),
    ("records", _lines({"step": 1}, {"step": 2, "metrics": 3})),
    ("records", b'{"step": 1, "metrics": {}}\nno JSON\n'),
    ("records", _lines({**_SAMPLE, "repeat": [0]})),
    ("records", _lines({**_SAMPLE, "metric": ["f1"], "doc_sha256": 3, "n_tokens": "many"})),
    ("records", _lines({"data_source": "x", "prompt": [{"role": "user", "content": "?"}], "extra_info": 3})),
    (
        "records",
        _lines(
            {
                "data_source": "x",
                "prompt": [{"role": "user", "content": "?"}],
                "reward_model": {"ground_truth": "a"},
                "extra_info": {"metric": ["f1"]},
            }
        ),
    ),
    (
        "benchmarks",
        b'docmath\n{"question_id": "simpshort-testmini-0", "paragraph_evidence": [{}], "question": "q", '
        b'"paragraphs": ["a"], "ground_truth": 1, "python_solution": "", "source": "s"}',
    ),
    ("benchmarks", f"\n{_DEEP}".encode()),
    # Half of a surrogate pair: no parquet file takes it, so that a whole build ended with it.
    ("benchmarks", b"\n" + json.dumps(qa_rows.squad(question="Where \ud800 was it built?")).encode()),
    ("judged", json.dumps({"questions": [{**QUESTION, "question": "When \ud800 was it built?"}]}).encode()),
    ("archives", b".zip\nPK\x05\x06" + bytes(18)),
    ("models", _config(num_hidden_layers=10**30)),
    ("models", _config(max_position_embeddings="x" * 9, rope_theta="a")),
    ("models", _config(rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": "a"})),
    (
        "models",
        _config(rope_scaling={"rope_type": "yarn", "factor": 1e999, "original_max_position_embeddings": 4096}),
    ),
    ("models", f"config.json\n{_DEEP}".encode()),
    ("models", b"tokenizer_config.json\n[1]"),
    ("models", b"chat_template.jinja\n\xfc"),
    ("models", b"chat_template.jinja\n{{ 1/0 }}"),
    ("models", b"chat_template.jinja\n{{ messages(1) }}"),
    ("models", f"chat_template.jinja\n{{{{ {_DIGITS} }}}}".encode()),
    ("models", b"chat_template.jinja\n{{" + b"(" * 3000),
    ("models", b'tokenizer.json\n{"model": {"type": "none"}}'),
    ("models", b'model.safetensors.index.json\n{"weight_map": {"a": "' + b"e" * 3000 + b'"}}'),
    ("models", b'model.safetensors.index.json\n{"weight_map": {"a": ".."}}'),
    ("models", f'server\nvllm:cache_config_info{{block_size="{_DIGITS}"}}'.encode()),
    ("models", f"server\n{_DEEP}".encode()),
    ("models", f"header\n{_DEEP}".encode()),
    ("models", b'server\n{"internal_states": Infinity}'),
    ("models", b"chat_template.jinja\n{% for m in 1E99999 %}{% endfor %}"),
    ("replies", b'200\n"a text"'),
    ("replies", f"200\n{_DEEP}".encode()),
    ("replies", f"200\n{_DIGITS}".encode()),
    ("replies", b'200\n{"object": "list", "data": [1, {"id": [1]}]}'),
    ("replies", json.dumps({"choices": [_CHOICE], "usage": 1.5}).encode().join((b"200\n", b""))),
    ("replies", b'stream\ndata: {"choices": [{"index": 0}]}\n\ndata: [DONE]\n\n'),
    ("replies", b"stream\ndata: 1\n\n"),
]

"""Files of a model folder: config.json, headers of safetensors, tokenizer settings with their chat template; and what
a server says of its cache."""

import contextlib
import json
import struct

import model_configs

from families import scratch
from golongrl.core import chat_template, kv_pool, rope, tokens, yarn_plan
from golongrl.core.errors import GolongrlError
from golongrl.core.model_config import model_config
from golongrl.core.model_shape.read import context_length, read_or_guess, read_shape
from golongrl.core.weight_files import read_headers
from golongrl.pipeline.evaluation.plan import model_length
from golongrl.pipeline.publishing.model_files import check_loads, check_tokenizer

CONFIGS = [value for name, value in vars(model_configs).items() if name.isupper() and isinstance(value, dict)]
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "rope_theta": 1e6}
# As some config.json ship it: the length is that of the model without YaRN.
_UNSCALED = {**model_configs.QWEN3_4B, "max_position_embeddings": 32768}
_HEADER = {
    "__metadata__": {"format": "pt"},
    "model.embed_tokens.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
}
_TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m.content }}\n{% endfor %}<|assistant|><think>"


def safetensors(header: bytes, values: int = 16) -> bytes:
    """A file of weights."""
    return struct.pack("<Q", len(header)) + header + bytes(values)


READ_BY = {
    "shape": [b"config.json\n" + json.dumps(config).encode() for config in CONFIGS],
    "longer by YaRN": [b"config.json\n" + json.dumps(model_configs.QWEN3_4B).encode()],
    "shipped YaRN": [
        b"config.json\n" + json.dumps({**_UNSCALED, "rope_scaling": _YARN}).encode(),
        b"config.json\n" + json.dumps({"text_config": {**_UNSCALED, "rope_parameters": _YARN}}).encode(),
    ],
    "headers": [
        b"header\n" + json.dumps(_HEADER).encode(),
        b"model.safetensors\n" + safetensors(json.dumps(_HEADER).encode()),
        b'model.safetensors.index.json\n{"weight_map": {"model.embed_tokens.weight": "model-1.safetensors"}}',
    ],
    "template": [
        b"tokenizer_config.json\n"
        + json.dumps({"chat_template": _TEMPLATE, "eos_token": {"content": "</s>"}, "bos_token": "<s>"}).encode(),
        b"chat_template.jinja\n" + _TEMPLATE.encode(),
    ],
    "tokenizer": [
        b"tokenizer.json\n" + json.dumps({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}).encode()
    ],
    "cache": [
        b'server\nvllm:cache_config_info{block_size="16",num_gpu_blocks="100"} 1.0',
        b'server\n{"max_total_num_tokens": 5, "internal_states": [{"max_total_num_tokens": 4}]}',
    ],
}
_NAMES = {seed.partition(b"\n")[0].decode() for seeds in READ_BY.values() for seed in seeds}


def check(data: bytes) -> set[str]:
    """A file of a model folder by its name in the first line; every reader reads it or says what is wrong."""
    head, _, content = data.partition(b"\n")
    name = head.decode("utf-8", "replace")
    if name not in _NAMES:
        return set()
    if name == "server":
        said = scratch.text(content)
        return {"cache"} if kv_pool.of_vllm_metrics(said) or kv_pool.of_sglang_info(said) else set()
    name, content = ("model.safetensors", safetensors(content)) if name == "header" else (name, content)
    folder = scratch.file(f"model-{name}/{name}", content).parent
    if name == "model.safetensors.index.json":
        scratch.file(f"model-{name}/model-1.safetensors", safetensors(json.dumps(_HEADER).encode()))
    found = set()
    for reader, read in READERS.items():
        with contextlib.suppress(GolongrlError):
            if read(folder):
                found.add(reader)
    return found


READERS = {
    "headers": read_headers,
    "publishing": check_loads,
    "publishing's tokenizer": check_tokenizer,
    "length": model_length,
    "template": lambda folder: chat_template.detect_think(chat_template.read_template(folder)) == "required",
    "tokenizer": lambda folder: tokens.load(str(folder)),
    "shape": lambda folder: read_shape(model_config(folder)),
    "guessed shape": lambda folder: read_or_guess(model_config(folder)),
    "context": lambda folder: context_length(model_config(folder)),
    "longer by YaRN": lambda folder: rope.yarn(model_config(folder), 2.0),
    "shipped YaRN": lambda folder: rope.shipped_override(model_config(folder)),
    "both forms": lambda folder: rope.both_forms(model_config(folder)),
    "reach": lambda folder: yarn_plan.reach(model_config(folder), "auto"),
}
"""A reader has read what it gives something for."""

"""How many tokens a server's KV cache holds: a request above it hangs vLLM's scheduler and ends SGLang's server.

vLLM tells it in its metrics (blocks x block size of `vllm:cache_config_info`), SGLang in /server_info
(`max_total_num_tokens`), which older versions call /get_server_info. Other servers do not tell.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from golongrl.core import json_text
from golongrl.core.local_hosts import opener

_LABEL = re.compile(r'(num_gpu_blocks|num_cpu_blocks|block_size)="(\d{1,18})"')
_LONGEST = 8 << 20


def kv_tokens(base_url: str, *, api_key: str | None = None, timeout: float = 10.0) -> int | None:
    """Tokens that the KV cache behind an OpenAI-compatible endpoint (`base_url` ends in /v1) holds, None if unknown.

    An endpoint that is unreachable, or answers with anything but these pages, is unknown as well.
    """
    parts = urlsplit(base_url)
    root = parts.path.rstrip("/").removesuffix("/v1")
    for path, read in _PAGES.items():
        text = _get(urlunsplit((parts.scheme, parts.netloc, root + path, "", "")), api_key, timeout)
        found = read(text) if text is not None else None
        if found:
            return found
    return None


def of_vllm_metrics(text: str) -> int | None:
    """Tokens by the text of vLLM's /metrics; its CPU build calls the blocks `num_cpu_blocks`."""
    for line in text.splitlines():
        if line.startswith("vllm:cache_config_info{"):
            labels = {name: int(value) for name, value in _LABEL.findall(line)}
            blocks = labels.get("num_gpu_blocks") or labels.get("num_cpu_blocks")
            size = labels.get("block_size")
            return blocks * size if blocks and size else None
    return None


def of_sglang_info(text: str) -> int | None:
    """Tokens by the JSON of SGLang's /server_info; several data-parallel replicas: the smallest of them."""
    try:
        info = json_text.loads(text)
    except json.JSONDecodeError:
        return None
    if not isinstance(info, Mapping):
        return None
    states = info.get("internal_states")
    of_states = states if isinstance(states, list) else []
    pools = [_pool(info), *(_pool(state) for state in of_states if isinstance(state, Mapping))]
    return min((pool for pool in pools if pool), default=None)


def _pool(info: Mapping[str, Any]) -> int | None:
    value = info.get("max_total_num_tokens")
    return value if isinstance(value, int) and value > 0 else None


_PAGES = {"/metrics": of_vllm_metrics, "/server_info": of_sglang_info, "/get_server_info": of_sglang_info}


def _get(url: str, api_key: str | None, timeout: float) -> str | None:
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with opener(url).open(urllib.request.Request(url, headers=headers), timeout=timeout) as reply:
            return reply.read(_LONGEST).decode("utf-8", "replace")
    except (urllib.error.URLError, OSError, ValueError):
        return None

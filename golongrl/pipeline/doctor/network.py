"""Ports, the hub login, and a model endpoint. Nothing is asked beyond 127.0.0.1 but what the caller names."""

import os
import socket
from collections.abc import Iterator

from golongrl.core import chat
from golongrl.core.errors import ServerError, require
from golongrl.core.kv_pool import kv_tokens
from golongrl.core.servers import HOST, choose_port
from golongrl.pipeline.doctor.findings import Finding

GROUP = "network"
RAY_PORTS = {6379: "Ray's head node", 8265: "Ray's dashboard"}


def check(purpose: str, ask_hub: bool) -> Iterator[Finding]:
    """Findings about ports and the hub; the hub itself is asked only with `ask_hub`."""
    try:
        yield Finding(GROUP, "free port", f"{HOST}:{choose_port()}")
    except ServerError as error:
        yield Finding(GROUP, "free port", "none", "missing", str(error))
    if purpose == "train":
        for port, user in RAY_PORTS.items():
            if _answers(port):
                fix = "another Ray runs here: join it with --ray-address auto, or end it with ray stop"
                yield Finding(GROUP, f"port {port}", f"in use ({user})", "note", fix)
    proxies = [name for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY") if os.environ.get(name)]
    if proxies and HOST not in os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")):
        yield Finding(
            GROUP, "proxy", ", ".join(proxies), "note", f"export no_proxy={HOST},localhost: model servers are local"
        )
    yield _login(ask_hub)


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def _login(ask_hub: bool) -> Finding:
    """Whether there is a token, never which; with `ask_hub` whether the hub takes it."""
    import httpx

    hub = require("huggingface_hub")
    if hub.get_token() is None:
        fix = "hf auth login, or set HF_TOKEN: needed for gated data and for push-to-hub"
        return Finding(GROUP, "hub login", "no token", "note", fix)
    where = "token in HF_TOKEN" if os.environ.get("HF_TOKEN") else "token of hf auth login"
    if not ask_hub:
        return Finding(GROUP, "hub login", f"{where}, not tried (--hub tries it)")
    try:
        who = hub.HfApi().whoami()
    except hub.errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status not in (401, 403):
            return Finding(GROUP, "hub login", f"{where}, the hub answers {status}", "missing", "try again later")
        return Finding(
            GROUP, "hub login", f"{where}, refused ({status})", "missing", "hf auth login with a new token"
        )
    except (OSError, httpx.HTTPError) as error:
        fix = "check the network, HF_ENDPOINT and proxies"
        return Finding(GROUP, "hub login", f"the hub cannot be reached ({type(error).__name__})", "missing", fix)
    return Finding(GROUP, "hub login", f"{where}, as {who['name']}")


def check_endpoint(base_url: str, model: str | None, longest: int | None) -> Iterator[Finding]:
    """Findings about an OpenAI-compatible endpoint; `longest` is the largest prompt and answer, in tokens."""
    group = "endpoint"
    try:
        models = chat.served_models(chat.Endpoint(base_url=base_url, model=model or ""))
    except ServerError as error:
        yield Finding(group, base_url, "no answer", "missing", str(error))
        return
    yield Finding(group, base_url, f"serves {', '.join(models) or 'no model'}")
    name = model or next(iter(models), None)
    if name is None or name not in models:
        fix = f"pass one of the served names: {', '.join(models)}" if models else "start the server with a model"
        yield Finding(group, "model", f"{name or 'none'} is not served", "missing", fix)
        return
    length = models[name]
    fix = "start the server with a longer context: golongrl eval --dry-run shows the flags"
    yield _fits(group, "max_model_len", length, longest, fix)
    pool = kv_tokens(base_url, api_key=os.environ.get("OPENAI_API_KEY"))
    fix = "give the KV cache more memory (more GPUs, a lower precision): a longer request hangs the server"
    yield _fits(group, "KV cache", pool, longest, fix)


def _fits(group: str, name: str, have: int | None, longest: int | None, fix: str) -> Finding:
    if have is None:
        return Finding(group, name, "the server does not say", "note" if longest else "ok")
    text = f"{have:,} tokens"
    if longest is None:
        return Finding(group, name, text)
    if longest > have:
        return Finding(group, name, f"{text}, {longest:,} are needed", "missing", fix)
    return Finding(group, name, f"{text}, {longest:,} are needed")

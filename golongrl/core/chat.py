"""Chat completions over HTTP: one request with its bounded retries, and what `chat_batch` sends many with.

A finished request is a `Generation`, kept in a Journal under its content key. A request that leads others with the
same start is streamed: its first token tells when these find that start in the server's cache (see `schedule`).

What went wrong has one of four kinds: `overlong` (the prompt does not fit the server), `refused` (any other 4xx),
`server` (5xx, rate limits, broken connections), `timeout`. Only the last two are retried.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from golongrl.core import chat_stream
from golongrl.core.errors import ServerError, require
from golongrl.core.local_hosts import is_local
from golongrl.core.prompts import Messages, Prompt, encode, measure
from golongrl.core.store import Journal, content_key

ErrorKind = Literal["overlong", "refused", "server", "timeout"]

_READ_IN_THREAD = 1 << 18
_MISSHAPEN = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What comes of a body that is no JSON, or other JSON than was asked for: openai builds its objects unchecked."""

_OVERLONG = (
    "context_length_exceeded",
    "maximum context length",
    "maximum model length",
    "context length",
    "max_model_len",
    "longer than the model",
    "prompt is too long",
    "input is too long",
)


class Sampling(BaseModel):
    """How to sample; `extra` goes into the request body as it is (engine-specific fields)."""

    model_config = ConfigDict(frozen=True)

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = Field(default=51200, ge=1)
    extra: dict[str, Any] = Field(default_factory=dict)


class ChatError(BaseModel):
    """Why a request has no text."""

    kind: ErrorKind
    message: str


class Usage(BaseModel):
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Generation(BaseModel):
    """One answer, or the error that stands for it. `text` includes thinking, in `<think>` tags."""

    key: str
    text: str = ""
    finish_reason: str | None = None
    usage: Usage = Field(default_factory=Usage)
    error: ChatError | None = None
    seconds: float = 0.0
    ended: float = 0.0
    """Unix time at which it came; 0 where that is not known."""


@dataclass(frozen=True)
class Request:
    """One prompt to answer, given or kept on disk. `seed` is what the server is given.

    `n_tokens` is the prompt's size for the budget; `n_shared` of them it shares, at its start, with all requests of
    its `group`.
    """

    messages: Messages | Prompt
    sampling: Sampling
    seed: int
    repeat: int = 0
    n_tokens: int = 0
    group: str = ""
    n_shared: int = 0

    def key(self, model: str) -> str:
        """Content hash of (model, messages, sampling, seed, repeat)."""
        prompt = self.messages if isinstance(self.messages, Prompt) else measure(self.messages)
        return content_key(model, prompt.key, self.sampling.model_dump(), self.seed, self.repeat)

    def body(self, model: str, *, stream: bool = False) -> bytes:
        """The JSON to send; a prompt on disk is read from there."""
        settings: dict[str, Any] = {
            "model": model,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_tokens": self.sampling.max_tokens,
            "seed": self.seed,
            **self.sampling.extra,
        }
        if stream:
            settings |= {"stream": True, "stream_options": {"include_usage": True}}
        parts = self.messages.parts() if isinstance(self.messages, Prompt) else [encode(self.messages)]
        return b"".join([json.dumps(settings)[:-1].encode(), b', "messages": ', *parts, b"}"])


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and how patiently.

    `identity` names the model in content keys (default: `model`), so that a model folder can be known by its content
    instead of its path. `token_budget` bounds the prompt and expected output tokens in flight; None leaves only
    `max_requests`. `kv_tokens` is what the server's KV cache holds, None where it does not say: a larger request
    would hang it and is not sent. `alive` is asked after failures and about once a second; it raises when waiting is
    pointless. `api_key_env` is the environment variable that holds the key; `address_option` is what error messages
    tell people to check.
    """

    base_url: str
    model: str
    identity: str | None = None
    max_requests: int = 64
    token_budget: int | None = None
    kv_tokens: int | None = None
    timeout: float = 3600.0
    retries: int = 5
    backoff: float = 1.0
    alive: Callable[[], None] | None = None
    api_key_env: str = "OPENAI_API_KEY"
    address_option: str = "--base-url"


class TokenGate:
    """Admits requests, first come first served, while their tokens fit a budget; one alone may exceed it."""

    def __init__(self, max_requests: int, token_budget: int | None):
        self.max_requests = max_requests
        self.token_budget = token_budget
        self.in_flight = 0
        self.tokens = 0
        self._free = asyncio.Condition()

    def _fits(self, cost: int) -> bool:
        if self.in_flight == 0:
            return True
        within = self.token_budget is None or self.tokens + cost <= self.token_budget
        return within and self.in_flight < self.max_requests

    async def enter(self, cost: int) -> None:
        """Wait until a request of `cost` tokens may start."""
        async with self._free:
            await self._free.wait_for(lambda: self._fits(cost))
            self.in_flight += 1
            self.tokens += cost

    async def leave(self, cost: int) -> None:
        """Give the tokens of a finished request back."""
        async with self._free:
            self.in_flight -= 1
            self.tokens -= cost
            self._free.notify_all()


def derive_seed(seed: int, sample: str, repeat: int) -> int:
    """A 31-bit seed of its own for each (sample, repeat), the same on every machine."""
    return int(content_key(seed, sample, repeat)[:8], 16) & 0x7FFFFFFF


def api_key(variable: str = "OPENAI_API_KEY") -> str:
    """The key in an environment variable, or "EMPTY", which local servers accept; never written anywhere."""
    return os.environ.get(variable) or "EMPTY"


def open_client(endpoint: Endpoint) -> Any:
    """An openai.AsyncOpenAI without retries of its own; requests to this machine bypass proxies."""
    openai = require("openai")
    return openai.AsyncOpenAI(
        base_url=endpoint.base_url,
        api_key=api_key(endpoint.api_key_env),
        max_retries=0,
        timeout=endpoint.timeout,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not is_local(endpoint.base_url)),
    )


def _classify(error: Exception) -> tuple[ChatError, bool]:
    """The error's kind and message, and whether trying again can help."""
    openai, httpx = require("openai"), require("httpx")
    # While an answer is streamed, openai hands on what the connection raises.
    if isinstance(error, (openai.APITimeoutError, httpx.TimeoutException, TimeoutError)):
        return ChatError(kind="timeout", message="the server did not answer in time"), True
    if isinstance(error, openai.APIStatusError):
        status, message = error.status_code, str(error)[:500]
        if status == 429 or status == 408 or status >= 500:
            return ChatError(kind="server", message=message), True
        code = (error.code or "").lower()
        if status in (400, 413, 422) and any(mark in f"{code} {message.lower()}" for mark in _OVERLONG):
            return ChatError(kind="overlong", message=message), False
        return ChatError(kind="refused", message=message), False
    if isinstance(error, (openai.APIConnectionError, httpx.HTTPError)):
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        detail = f" ({type(cause).__name__})" if cause is not None else ""
        return ChatError(kind="server", message=f"no connection to the server{detail}"), True
    return ChatError(kind="server", message=f"unreadable reply: {error}"[:500]), True


def _delay(endpoint: Endpoint, attempt: int, error: Exception) -> float:
    """Seconds before the next attempt: exponential with jitter, at least what the server asks for, at most 60."""
    wait = min(30.0, endpoint.backoff * 2**attempt) * random.uniform(0.5, 1.0)
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after", "") if response is not None else ""
    if asked.replace(".", "", 1).isdecimal():
        wait = max(wait, float(asked))
    return min(wait, 60.0)


def _read_reply(key: str, reply: Any, seconds: float) -> Generation | None:
    """The generation in a completion, or None when it holds no choice.

    Servers with a reasoning parser return the thinking apart; it is put back in tags, unclosed when no answer
    followed, so that grading sees one form from every server.
    """
    if not getattr(reply, "choices", None) or reply.choices[0].message is None:
        return None
    choice = reply.choices[0]
    text = choice.message.content or ""
    reasoning = chat_stream.reasoning_of(choice.message)
    if reasoning:
        text = f"<think>{reasoning}" + (f"</think>{text}" if text.strip() else "")
    usage = Usage()
    if reply.usage is not None:
        usage = Usage(prompt_tokens=reply.usage.prompt_tokens, completion_tokens=reply.usage.completion_tokens)
    return Generation(key=key, text=text, finish_reason=choice.finish_reason, usage=usage, seconds=round(seconds, 3))


class Health:
    """Tells one failed request from an endpoint that is gone for all of them."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self.last_reply = time.monotonic()
        self.streams = True
        """Whether the endpoint takes requests for a stream; false once it refused one."""

    def replied(self) -> None:
        """Note that the endpoint answered something."""
        self.last_reply = time.monotonic()

    def gave_up(self, started: float, error: ChatError, status: int | None) -> None:
        """Raise ServerError when a request that ran out of attempts speaks for the whole endpoint."""
        if status in (401, 403, 404):
            address = self.endpoint.address_option
            advice = (
                f"check {address} and the model's name" if status == 404 else f"check {self.endpoint.api_key_env}"
            )
            raise ServerError(f"{self.endpoint.base_url} refuses requests ({error.message}); {advice}")
        if status is None and error.kind == "server" and self.last_reply <= started:
            raise ServerError(
                f"{self.endpoint.base_url} cannot be reached ({error.message}); finished work is kept: "
                "start the server and run the same command again"
            )


async def ask(
    client: Any,
    endpoint: Endpoint,
    request: Request,
    key: str,
    health: Health,
    on_first_token: Callable[[], None] | None = None,
) -> Generation:
    """One request with its retries; errors of the request come back as a Generation with `error` set.

    With `on_first_token` the answer is streamed where the endpoint can do that, and the call tells that the prompt
    was read.
    """
    openai, httpx = require("openai"), require("httpx")
    started = time.monotonic()
    attempt = 0

    def first_token() -> None:
        health.replied()
        if on_first_token is not None:
            on_first_token()

    while True:
        sent = time.monotonic()
        status = None
        stream = on_first_token is not None and health.streams
        try:
            content = await _body(request, endpoint.model, stream)
            # The client's own limit is for each piece of a stream.
            async with asyncio.timeout(endpoint.timeout if stream else None):
                reply = await chat_stream.complete(client, content, first_token if stream else None)
            health.replied()
            generation = _read_reply(key, reply, time.monotonic() - sent)
            if generation is not None:
                return generation
            cause: Exception = ValueError("a reply without choices")
        except (openai.APIError, httpx.HTTPError, TimeoutError, *_MISSHAPEN) as caught:
            cause = caught
            status = getattr(caught, "status_code", None)
            if status is not None:
                health.replied()
        error, again = _classify(cause)
        if endpoint.alive is not None:
            endpoint.alive()
        if stream and error.kind == "refused" and "stream" in error.message.lower():
            health.streams = False
            continue
        if not again or attempt == endpoint.retries:
            health.gave_up(started, error, status)
            return Generation(key=key, error=error, seconds=round(time.monotonic() - started, 3))
        await asyncio.sleep(_delay(endpoint, attempt, cause))
        attempt += 1


async def watch(alive: Callable[[], None]) -> None:
    """Ask about once a second, without end, whether waiting still makes sense; raises what `alive` raises."""
    while True:
        await asyncio.sleep(1.0)
        alive()


async def _body(request: Request, model: str, stream: bool) -> bytes:
    """What to send; a long prompt is read in a thread, so that other answers are taken meanwhile."""
    if isinstance(request.messages, Prompt) and request.messages.n_bytes > _READ_IN_THREAD:
        return await asyncio.to_thread(request.body, model, stream=stream)
    return request.body(model, stream=stream)


def stored(journal: Journal, key: str) -> Generation | None:
    """The journal's generation of a key, or None."""
    row = journal.get(key)
    return Generation.model_validate(row) if row is not None else None


def served_models(endpoint: Endpoint) -> dict[str, int | None]:
    """The models that the endpoint lists, each with its `max_model_len`, None where it does not say.

    Raises ServerError when nothing answers there, or no list of models.
    """
    openai = require("openai")
    try:
        return _listed(endpoint)
    except openai.APIStatusError as error:
        refused = error.status_code in (401, 403)
        why = f"check the key in {endpoint.api_key_env}" if refused else "check that the address ends in /v1"
        raise ServerError(f"{endpoint.base_url}/models answers {error.status_code}; {why}") from error


def served_length(endpoint: Endpoint) -> int | None:
    """`max_model_len` that the endpoint reports for its model, None when it does not say or lists no models.

    Raises ServerError when nothing answers there.
    """
    openai = require("openai")
    try:
        return _listed(endpoint).get(endpoint.model)
    except openai.APIStatusError:
        return None


def _listed(endpoint: Endpoint) -> dict[str, int | None]:
    openai = require("openai")

    async def ask() -> list[Any]:
        async with open_client(endpoint) as client:
            return list((await client.with_options(timeout=30.0).models.list()).data or [])

    try:
        models = asyncio.run(ask())
    except openai.APIConnectionError as error:
        raise ServerError(
            f"{endpoint.base_url} cannot be reached ({type(error.__cause__).__name__}); "
            f"start the server, or check {endpoint.address_option} (such as http://127.0.0.1:8000/v1)"
        ) from error
    except _MISSHAPEN as error:
        raise ServerError(
            f"{endpoint.base_url}/models gives no list of models; check {endpoint.address_option} (such as "
            "http://127.0.0.1:8000/v1)"
        ) from error
    named = ((getattr(model, "id", None), getattr(model, "max_model_len", None)) for model in models)
    return {name: length if isinstance(length, int) else None for name, length in named if isinstance(name, str)}

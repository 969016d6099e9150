"""One chat completion over HTTP, whole or streamed; a stream comes back in the form of a whole one."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from golongrl.core import json_text
from golongrl.core.errors import require

_PATH = "/chat/completions"


def reasoning_of(part: Any) -> str:
    """The thinking that a server returns apart from the answer, empty where it does not."""
    found = getattr(part, "reasoning_content", None) or getattr(part, "reasoning", None)
    return found if isinstance(found, str) else ""


async def complete(client: Any, content: bytes, on_first_token: Callable[[], None] | None = None) -> Any:
    """The reply to a request body; with `on_first_token` the body asks for a stream, and the call tells its start.

    A server that answers such a body at once has its whole reply read. ValueError for a stream that ends too early.
    """
    openai = require("openai")
    # Versions before 2.16, to one of which SGLang pins its environment, take a finished body under the other name.
    takes_content = "content" in inspect.signature(client.post).parameters
    sent: dict[str, Any] = {"content" if takes_content else "body": content}
    sent["options"] = {"headers": {"Content-Type": "application/json"}}
    kind = openai.types.chat.ChatCompletion
    if on_first_token is None:
        return await client.post(_PATH, cast_to=kind, **sent)
    chunk = openai.types.chat.ChatCompletionChunk
    stream = await client.post(_PATH, cast_to=chunk, **sent, stream=True, stream_cls=openai.AsyncStream[chunk])
    async with stream:
        if "event-stream" not in stream.response.headers.get("content-type", ""):
            return _whole(kind, await stream.response.aread())
        return await _joined(stream, on_first_token)


def _whole(kind: Any, body: bytes) -> Any:
    """A reply that came in one piece, read as leniently as openai reads one."""
    value = json_text.loads(body)
    return kind.construct(**value) if isinstance(value, dict) else None


async def _joined(stream: Any, on_first_token: Callable[[], None]) -> Any:
    """The message that a stream's pieces make, with finish reason and usage."""
    texts: list[str] = []
    thoughts: list[str] = []
    finish, usage = None, None
    async for chunk in stream:
        usage = chunk.usage or usage
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        finish = choice.finish_reason or finish
        text, thought = choice.delta.content or "", reasoning_of(choice.delta)
        # Some servers send the role before they have read the prompt.
        if (text or thought or finish) and not (texts or thoughts):
            on_first_token()
        texts += [text] if text else []
        thoughts += [thought] if thought else []
    if finish is None:
        raise ValueError("the stream ended before the answer did")
    message = SimpleNamespace(content="".join(texts), reasoning_content="".join(thoughts))
    return SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason=finish)], usage=usage)

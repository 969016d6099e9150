"""What a model server replies: completions whole and streamed, lists of models, errors, and what is none of these."""

import asyncio
import contextlib
import json

from families import scratch
from golongrl.core import chat
from golongrl.core.errors import GolongrlError
from golongrl.core.store import Journal

_COMPLETION = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}
_MESSAGE = {"role": "assistant", "content": None, "reasoning_content": "Let me see.", "tool_calls": []}
_REASONED = {**_COMPLETION, "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "length"}]}
_CHUNKS = [
    {"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
    {"id": "x", "choices": [{"index": 0, "delta": {"content": "Ye"}}]},
    {"id": "x", "choices": [{"index": 0, "delta": {"content": "s."}, "finish_reason": "stop"}]},
    {"id": "x", "choices": [], "usage": _COMPLETION["usage"]},
]
_MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "max_model_len": 4096}]}
_STREAM = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in _CHUNKS) + "data: [DONE]\n\n"
_TOO_LONG = {"error": {"message": "maximum context length is 9 tokens", "code": "context_length_exceeded"}}
READ_BY = {
    "answer": [
        b"200\n" + json.dumps(_COMPLETION).encode(),
        b"200\n" + json.dumps(_REASONED).encode(),
        b"stream\n" + _STREAM.encode(),
    ],
    "models": [b"200\n" + json.dumps(_MODELS).encode()],
    "overlong": [b"400\n" + json.dumps(_TOO_LONG).encode()],
    "server": [b"503\n<html>busy</html>"],
}
_REQUEST = chat.Request([{"role": "user", "content": "Is it?"}], chat.Sampling(max_tokens=8), seed=1)


def check(data: bytes) -> set[str]:
    """An answer, an answer's error (by its kind) or a ServerError; and what was answered comes back out of the
    journal."""
    head, _, body = data.partition(b"\n")
    return asyncio.run(
        _ask(int(head) if head.isdigit() and len(head) == 3 and head >= b"200" else 200, b"stream" in head, body)
    )


async def _ask(status: int, stream: bool, body: bytes) -> set[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")), 0
        )
        await reader.readexactly(length)
        kind = b"text/event-stream" if stream else b"application/json"
        writer.write(b"HTTP/1.1 %d x\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (status, kind, len(body)))
        writer.write(b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    endpoint = chat.Endpoint(base_url=address, model="m", retries=0, timeout=5.0)
    key, found = _REQUEST.key("m"), set()
    async with server:
        with contextlib.suppress(GolongrlError):
            async with chat.open_client(endpoint) as client:
                told = (lambda: None) if stream else None
                generation = await chat.ask(client, endpoint, _REQUEST, key, chat.Health(endpoint), told)
            with Journal(scratch.file("replies.jsonl", b"")) as journal:
                journal.append(key, **generation.model_dump(exclude={"key"}))
            with Journal(scratch.file("replies.jsonl", journal.path.read_bytes())) as journal:
                assert chat.stored(journal, key) == generation
            found.add(generation.error.kind if generation.error is not None else "answer")
            if await asyncio.to_thread(chat.served_models, endpoint):
                found.add("models")
    return found

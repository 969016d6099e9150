"""A chat endpoint with a fixed time per token and the prefix cache of vLLM, to measure clients with.

    python benchmarks/servers/token_time.py --slots 20 --read-us 20 --write-us 1000

A request holds a slot while its prompt is read and its answer written; a token is four bytes of the prompt. The first
token of a streamed answer comes when the prompt is read. With `--pool N` there are N tokens of KV cache in blocks of
16, as vLLM's scheduler handles them: requests are admitted first come, first served, when blocks for prompt and
answer can be had; a full block of a prompt is found again, by the hash of all up to its end, once the prompt that
brought it is read; blocks of finished requests stay until they are needed, the longest unused go first, of one
request the last first. `/metrics` tells the pool as vLLM does. The server prints its port; `GET /stats` tells what it
did.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

BLOCK_TOKENS = 16
TOKEN_BYTES = 4
BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES
READ_AT_ONCE = 1 << 20
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class BlockCache:
    """Blocks of a KV cache: those in use by hash and number of users, and those that only wait to be found again."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.users: dict[int, int] = {}
        self.unused: OrderedDict[int, None] = OrderedDict()
        self.unnamed = 0
        """Blocks in use that cannot be found: those of answers, and of prompts that are being read."""

    def found(self, hashes: list[int]) -> int:
        """How many leading blocks are there."""
        return sum(1 for _ in itertools.takewhile(lambda h: h in self.users or h in self.unused, hashes))

    def take(self, hashes: list[int], n_new: int) -> int | None:
        """Reserve a request's blocks and `n_new` more; how many leading ones were found, None where it must wait."""
        n_found = self.found(hashes)
        need = len(hashes) - n_found + n_new
        kept = sum(1 for h in hashes[:n_found] if h in self.unused)
        if need > self.capacity - len(self.users) - self.unnamed - kept:
            return None
        for h in hashes[:n_found]:
            self.unused.pop(h, None)
            self.users[h] = self.users.get(h, 0) + 1
        while need > self.capacity - len(self.users) - self.unnamed - len(self.unused):
            self.unused.popitem(last=False)
        self.unnamed += need
        return n_found

    def name(self, hashes: list[int]) -> list[int]:
        """Let a read prompt's blocks be found; returns those that are now named, twins of others stay unnamed."""
        named = [h for h in hashes if h not in self.users]
        for h in named:
            # A twin that nobody uses any more gives way.
            self.unused.pop(h, None)
            self.users[h] = 1
        self.unnamed -= len(named)
        return named

    def give_back(self, named: list[int], n_unnamed: int, answer: list[int]) -> None:
        """End a request: its named blocks and those of its answer wait to be found, twins are free."""
        self.unnamed -= n_unnamed
        for h in reversed([*named, *answer]):
            others = self.users.pop(h, 1) - 1
            if others:
                self.users[h] = others
            else:
                self.unused[h] = None


@dataclass
class Totals:
    """What the server did."""

    requests: int = 0
    bytes: int = 0
    prompt_tokens: int = 0
    hit_tokens: int = 0
    blocks: int = 0
    service_seconds: float = 0.0
    hopeless: int = 0
    first: float = 0.0
    last: float = 0.0
    bodies: set[int] = field(default_factory=set)


class Engine:
    """Slots, cache and clock."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.cache = BlockCache(options.pool // BLOCK_TOKENS) if options.pool else None
        self.totals = Totals()
        self.running = 0
        self.waiting: deque[tuple[asyncio.Future[int], list[int]]] = deque()
        self.answer_blocks = -(-options.answer_tokens // BLOCK_TOKENS)
        self.unique = itertools.count(1)
        self.different: set[int] = set()
        """Hashes of all blocks that came; every other one could have been found."""

    def admit(self) -> None:
        """Start what can start, in the order of arrival."""
        while self.waiting and self.running < self.options.slots:
            future, hashes = self.waiting[0]
            n_found = 0
            if self.cache is not None and not future.cancelled():
                taken = self.cache.take(hashes, self.answer_blocks)
                if taken is None:
                    return
                n_found = taken
            self.waiting.popleft()
            if not future.cancelled():
                self.running += 1
                future.set_result(n_found)

    async def serve(self, body: bytes, on_first: "asyncio.Future[None]") -> int:
        """Read the prompt, tell so, write the answer; returns the prompt's tokens."""
        # The settings before the messages differ from client to client, and are no part of a prompt.
        prompt = body[body.index(b'"content"') :]
        n_tokens = len(prompt) // TOKEN_BYTES
        hashes = chain(prompt) if self.cache else []
        self.totals.blocks += len(hashes)
        self.different.update(hashes)
        self.totals.prompt_tokens += n_tokens
        if self.cache and len(hashes) + self.answer_blocks > self.cache.capacity:
            self.totals.hopeless += 1
            raise ValueError("the request is larger than the KV cache")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.waiting.append((future, hashes))
        self.admit()
        n_found = await future
        hit = n_found * BLOCK_TOKENS
        self.totals.hit_tokens += hit
        read = (n_tokens - hit) * self.options.read_us * 1e-6
        write = self.options.answer_tokens * self.options.write_us * 1e-6
        self.totals.service_seconds += read + write
        await asyncio.sleep(read)
        new = self.cache.name(hashes[n_found:]) if self.cache else []
        on_first.set_result(None)
        await asyncio.sleep(write)
        if self.cache:
            twins = len(hashes) - n_found - len(new)
            answer = [-next(self.unique) for _ in range(self.answer_blocks)]
            self.cache.give_back([*hashes[:n_found], *new], twins + self.answer_blocks, answer)
        self.totals.last = time.monotonic()
        self.running -= 1
        self.admit()
        return n_tokens

    def stats(self) -> dict[str, float]:
        """The totals. `seconds` is between the first request and the last answer, `service_seconds` the sum of what
        all requests take by the constants."""
        t = self.totals
        return {
            "requests": t.requests,
            "different": len(t.bodies),
            "bytes": t.bytes,
            "prompt_tokens": t.prompt_tokens,
            "hit_tokens": t.hit_tokens,
            "attainable_tokens": (t.blocks - len(self.different)) * BLOCK_TOKENS,
            "hopeless": t.hopeless,
            "seconds": t.last - t.first,
            "service_seconds": t.service_seconds,
        }


def chain(prompt: bytes) -> list[int]:
    """The hash of each full block, which depends on all blocks before it."""
    found, previous = [], 0
    for start in range(0, len(prompt) - BLOCK_BYTES + 1, BLOCK_BYTES):
        previous = hash((previous, prompt[start : start + BLOCK_BYTES]))
        found.append(previous)
    return found


def completion(n_prompt: int, n_answer: int) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "The correct answer is (A)"}
    usage = {"prompt_tokens": n_prompt, "completion_tokens": n_answer, "total_tokens": n_prompt + n_answer}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    head = {"id": "x", "object": "chat.completion", "created": 0, "model": "echo"}
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()


def event(delta: dict[str, str], finish: str | None, usage: dict[str, int] | None = None) -> bytes:
    """One piece of a streamed answer as an HTTP chunk."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "echo", "usage": usage}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return chunk(b"data: " + json.dumps({**head, "choices": choices}).encode() + b"\n\n")


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def whole(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """An HTTP reply."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(body: bytes, writer: asyncio.StreamWriter, engine: Engine) -> None:
    """Answer one chat request, whole or streamed."""
    totals, n_answer = engine.totals, engine.options.answer_tokens
    if not totals.requests:
        totals.first = time.monotonic()
    totals.requests += 1
    totals.bytes += len(body)
    totals.bodies.add(hash(body))
    first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stream = b'"stream": true' in body[:2000] or b'"stream":true' in body[:2000]
    work = asyncio.create_task(engine.serve(body, first))
    if stream:
        await asyncio.wait({work, first}, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            writer.write(STREAM_HEAD + event({"role": "assistant", "content": "The correct"}, None))
    try:
        n_prompt = await work
    except ValueError as error:
        writer.write(whole(json.dumps({"error": {"message": str(error)}}).encode(), "400 Bad Request"))
        return
    if stream:
        usage = {"prompt_tokens": n_prompt, "completion_tokens": n_answer, "total_tokens": n_prompt + n_answer}
        writer.write(event({"content": " answer is (A)"}, None) + event({}, "stop", usage))
        writer.write(chunk(b"data: [DONE]\n\n") + chunk(b""))
    else:
        writer.write(whole(completion(n_prompt, n_answer)))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: Engine) -> None:
    """Answer one connection's requests until it closes."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            size = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            parts = []
            while size:
                parts.append(await reader.read(min(size, READ_AT_ONCE)))
                size -= len(parts[-1])
            if head.startswith("post"):
                await answer(b"".join(parts), writer, engine)
            elif "/stats" in head:
                writer.write(whole(json.dumps(engine.stats()).encode()))
            elif "/metrics" in head and engine.cache is not None:
                labels = f'block_size="{BLOCK_TOKENS}",num_gpu_blocks="{engine.cache.capacity}"'
                writer.write(whole(f"vllm:cache_config_info{{{labels}}} 1.0\n".encode(), kind="text/plain"))
            elif "/models" in head:
                writer.write(whole(b'{"object": "list", "data": []}'))
            else:
                writer.write(whole(b"{}", "404 Not Found"))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--read-us", type=float, default=10.0, help="microseconds per token of a prompt")
    parser.add_argument("--write-us", type=float, default=1000.0, help="microseconds per token of an answer")
    parser.add_argument("--answer-tokens", type=int, default=64)
    parser.add_argument("--pool", type=int, default=0, help="tokens of KV cache; 0: no cache, and no bound")
    engine = Engine(parser.parse_args())
    server = await asyncio.start_server(
        lambda r, w: serve(r, w, engine), "127.0.0.1", 0, limit=READ_AT_ONCE, backlog=512
    )
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

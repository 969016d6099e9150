"""A chat endpoint that costs next to nothing: K slots, a fixed time per answer, bodies counted and thrown away.

    python benchmarks/servers/fixed_time.py --slots 16 --answer-seconds 0.2

It prints its port. `GET /stats` tells requests, bytes, and the share of its slots that was busy between the first
request and the last answer.
"""

import argparse
import asyncio
import json
import time

ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "echo",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
BLOCK = 1 << 20


class Slots:
    """What the server's slots did."""

    def __init__(self, count: int, seconds: float):
        self.count, self.seconds = count, seconds
        self.free = asyncio.Semaphore(count)
        self.requests, self.bytes, self.busy = 0, 0, 0.0
        self.first = self.last = time.monotonic()

    async def work(self, size: int) -> None:
        """Hold a slot for the time of one answer."""
        async with self.free:
            started = time.monotonic()
            if self.seconds:
                await asyncio.sleep(self.seconds)
            self.last = time.monotonic()
            self.busy += self.last - started
            self.bytes += size

    def stats(self) -> bytes:
        """The totals as JSON."""
        window = max(self.last - self.first, 1e-9)
        share = self.busy / (self.count * window)
        return json.dumps({"requests": self.requests, "bytes": self.bytes, "seconds": window, "busy": share}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slots: Slots) -> None:
    """Answer one connection's requests until it closes."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")
            left = size = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
            if lines[0].startswith("post"):
                if slots.requests == 0:
                    slots.first = time.monotonic()
                slots.requests += 1
            while left:
                left -= len(await reader.read(min(left, BLOCK)))
            body = b'{"object": "list", "data": []}'
            if lines[0].startswith("post"):
                await slots.work(size)
                body = ANSWER
            elif "/stats" in lines[0]:
                body = slots.stats()
            start = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(start.encode() + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--answer-seconds", type=float, default=0.0)
    options = parser.parse_args()
    slots = Slots(options.slots, options.answer_seconds)
    server = await asyncio.start_server(lambda r, w: serve(r, w, slots), "127.0.0.1", 0, limit=BLOCK, backlog=512)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

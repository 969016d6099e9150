"""Asking models at capacity: share of a server's slots kept busy, and the client's memory as the queue grows.

    python benchmarks/synthesis.py

The server is a process of its own with K slots and a fixed time per token. The peer is what one writes by hand:
openai.AsyncOpenAI, asyncio.gather and a semaphore. Every measurement is a fresh client process.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "pipeline"))

import llm_server

CONTEXT = 500_000


class Characters:
    """Counts four characters as a token."""

    def count(self, text: str) -> int:
        return len(text) // 4


def text(number: int, size: int) -> str:
    return f"{number:08d} " + "x" * size


def ours(url: str, calls: int, size: int, slots: int, folder: str) -> None:
    from golongrl.pipeline.dataset.calls import Call, open_calls
    from golongrl.pipeline.dataset.llm_settings import ModelConfig

    config = ModelConfig(base_url=url, model="echo", max_tokens=64, concurrency=slots)
    with open_calls(Path(folder), {"echo": config}, max_cost=None, tokenizer=Characters()) as asked:
        asked.run(Call("echo", ({"role": "user", "content": text(n, size)},), n) for n in range(calls))


def peer(url: str, calls: int, size: int, slots: int, folder: str) -> None:
    import openai

    async def work() -> None:
        free = asyncio.Semaphore(slots)
        async with openai.AsyncOpenAI(base_url=url, api_key="EMPTY") as client:

            async def one(number: int, content: str) -> None:
                messages = [{"role": "user", "content": content}]
                async with free:
                    await client.chat.completions.create(model="echo", messages=messages, max_tokens=64, seed=number)

            await asyncio.gather(*(one(n, text(n, size)) for n in range(calls)))

    asyncio.run(work())


CLIENTS = {"golongrl": ours, "openai + gather": peer}


def measure(client: str, calls: int, size: int, slots: int, token_seconds: float) -> list[str]:
    options = ("--slots", slots, "--answer-tokens", 20, "--token-seconds", token_seconds, "--script", __file__)
    with tempfile.TemporaryDirectory() as folder, llm_server.start(*options) as server:
        command = [sys.executable, __file__, "--client", client, "--url", server.base_url, "--folder", folder]
        command += ["--calls", str(calls), "--size", str(size), "--slots", str(slots)]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        busy = server.stats()["busy_seconds"] / (slots * done["seconds"])
    share = f"{busy:.1%}" if token_seconds else "-"
    return [client, str(calls), str(size), f"{done['seconds']:.1f}", share, f"{done['peak_mb']:.0f}"]


def answer(messages, schema, model, seed) -> str:
    """The server's script: an answer that does not repeat the context."""
    return "fine"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", default="")
    parser.add_argument("--url")
    parser.add_argument("--folder")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--queued", type=int, default=10_000)
    options = parser.parse_args()
    if options.client:
        started = time.monotonic()
        CLIENTS[options.client](options.url, options.calls, options.size, options.slots, options.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": time.monotonic() - started, "peak_mb": peak}))
        return
    rows = [["client", "calls", "characters each", "seconds", "slots busy", "peak MB"]]
    rows += [measure(client, options.calls, options.size, options.slots, 0.01) for client in CLIENTS]
    rows += [measure("golongrl", n, CONTEXT, options.slots, 0.0) for n in (options.queued // 10, options.queued)]
    # The peer holds every context at once: a tenth of the queue is enough to see it.
    rows.append(measure("openai + gather", options.queued // 10, CONTEXT, options.slots, 0.0))
    for row in rows:
        print("  ".join(cell.rjust(16) for cell in row))


if __name__ == "__main__":
    main()

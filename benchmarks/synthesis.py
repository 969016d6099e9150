"""Asking models at capacity: share of a server's slots kept busy, and the client's memory as the queue grows.

    python benchmarks/synthesis.py

The server is a process of its own with K slots and a fixed time per answer; it measures how busy its slots were
between the first request and the last answer. The peer is what one writes by hand: openai.AsyncOpenAI,
asyncio.gather and a semaphore. Every measurement is a fresh client process; its start is not part of the share, and
its CPU time is what one call costs after the imports.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

SERVER = Path(__file__).with_name("servers") / "fixed_time.py"
CONTEXT = 500_000
CONTEXTS = 4
"""Different contexts; every prompt is a text of its own, made when it is asked for."""


class Characters:
    """Counts four characters as a token."""

    def count(self, text: str) -> int:
        return len(text) // 4


def prompts(calls: int, size: int) -> Iterator[str]:
    """`calls` different prompts of `size` characters and a question."""
    contexts = [chr(ord("a") + number) * size for number in range(CONTEXTS)]
    return (f"{contexts[number % CONTEXTS]} {number:08d}" for number in range(calls))


def ours(url: str, calls: int, size: int, slots: int, folder: str) -> None:
    from golongrl.pipeline.dataset.calls import Call, open_calls
    from golongrl.pipeline.dataset.llm_settings import ModelConfig

    config = ModelConfig(base_url=url, model="echo", max_tokens=64, concurrency=slots)
    with open_calls(Path(folder), {"echo": config}, max_cost=None, tokenizer=Characters()) as asked:
        asked.run(Call("echo", ({"role": "user", "content": text},), 1) for text in prompts(calls, size))


def peer(url: str, calls: int, size: int, slots: int, folder: str) -> None:
    import openai

    async def work() -> None:
        free = asyncio.Semaphore(slots)
        async with openai.AsyncOpenAI(base_url=url, api_key="EMPTY") as client:

            async def one(text: str) -> None:
                messages = [{"role": "user", "content": text}]
                async with free:
                    await client.chat.completions.create(model="echo", messages=messages, max_tokens=64, seed=1)

            await asyncio.gather(*(one(text) for text in prompts(calls, size)))

    asyncio.run(work())


CLIENTS = {"golongrl": ours, "openai + gather": peer}


@contextlib.contextmanager
def server(slots: int, answer_seconds: float) -> Iterator[str]:
    """A started server's address."""
    command = [sys.executable, str(SERVER), "--slots", str(slots), "--answer-seconds", str(answer_seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().split()[1]}"
    finally:
        process.kill()
        process.wait()


def measure(client: str, calls: int, size: int, slots: int, answer_seconds: float) -> list[str]:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder, server(slots, answer_seconds) as url:
        command = [sys.executable, __file__, "--client", client, "--url", f"{url}/v1", "--folder", folder]
        command += ["--calls", str(calls), "--size", str(size), "--slots", str(slots)]
        done = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        seen = json.load(urllib.request.urlopen(f"{url}/stats"))
    assert seen["requests"] == calls, seen
    assert seen["bytes"] > calls * size, seen
    busy = f"{seen['busy']:.1%}" if answer_seconds else "-"
    cpu = f"{done['cpu'] / calls * 1e3:.1f}"
    return [
        client,
        f"{calls:,}",
        f"{size:,}",
        f"{answer_seconds:g}",
        f"{seen['seconds']:.1f}",
        busy,
        cpu,
        done["peak"],
    ]


def run_client(options: argparse.Namespace) -> None:
    """Be the client of one measurement, and print its CPU seconds and peak memory in MB."""
    import openai  # noqa: F401  not part of a call

    started = time.process_time()
    CLIENTS[options.client](options.url, options.calls, options.size, options.slots, options.folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": time.process_time() - started, "peak": f"{peak:.0f}"}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=640, help="calls of the capacity rows")
    parser.add_argument("--size", type=int, default=2_000, help="characters of their prompts")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--answer-seconds", type=float, default=0.5)
    parser.add_argument("--queued", type=int, default=10_000, help=f"calls of {CONTEXT:,} characters")
    options = parser.parse_args()
    if options.client:
        run_client(options)
        return
    few = options.queued // 10
    # The peer holds every prompt at once; a tenth of the queue is enough to see it.
    rows = [
        *((name, options.calls, options.size, options.answer_seconds) for name in CLIENTS),
        *((name, few, CONTEXT, 0.0) for name in CLIENTS),
        ("golongrl", options.queued, CONTEXT, 0.0),
    ]
    head = ["client", "calls", "characters", "answer s", "seconds", "slots busy", "CPU ms/call", "peak MB"]
    print("  ".join(cell.rjust(15) for cell in head))
    for name, calls, size, seconds in rows:
        row = measure(name, calls, size, options.slots, seconds)
        print("  ".join(cell.rjust(15) for cell in row), flush=True)


if __name__ == "__main__":
    main()

"""What `golongrl eval` costs beside its server, in what order it asks, and how much it holds in memory.

    python benchmarks/eval_client.py [--quick] [--inspect-python PYTHON]

The server (servers/token_time.py) takes a fixed time per token in a fixed number of slots, so the shortest time for a
set of requests is known: the sum of their times over the slots. Three measurements, each client in a fresh process:

- overhead: LongBench v2 rows of 1 MB each, from reading the file to the written report
- order: CorpusQA rows, 20 corpora with 15 questions each, shuffled; the server's KV cache holds five corpora
- memory: LongBench v2 rows of 4 MB each, all queued at once (a fifth of them for the peers, which hold them all)

Peers: what one writes by hand (openai.AsyncOpenAI, asyncio.gather and a semaphore, prompts in the order of the file),
and inspect_ai, which runs in an interpreter of its own (pip install inspect-ai openai) named with --inspect-python.
Exit code 1 where golongrl misses a bar, 3 without inspect_ai.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("servers") / "token_time.py"
MEGABYTE = 1_000_000
ANSWER_TOKENS = 64
QUESTION = "Which of the four is right?"
OVERHEAD_BAR, SCHEDULE_BAR, MEMORY_BAR = 0.03, 1.05, 1.5
HITS_BAR, FILE_ORDER_BAR = 0.9, 0.3


@dataclass(frozen=True)
class Case:
    """One measurement: the benchmark, its rows, and the server."""

    name: str
    bench: str
    rows: int
    size: int
    slots: int
    read_us: float
    pool: int = 0
    contexts: int = 0
    """Different contexts; 0: every row has its own."""

    def rows_for(self, client: str) -> int:
        """How many rows a client asks."""
        return self.rows // 5 if self.name == "memory" and client != "golongrl" else self.rows


def cases(quick: bool) -> list[Case]:
    """The three measurements."""
    return [
        Case("overhead", "longbench-v2", 200 if quick else 1000, MEGABYTE, 20, 30.0),
        Case("order", "corpusqa-128k", 300, 500_000, 16, 4.0, pool=650_000, contexts=20),
        Case("memory", "longbench-v2", 200 if quick else 1000, 4 * MEGABYTE, 20, 0.2),
    ]


def words(size: int, rng: random.Random) -> str:
    """A text of `size` characters with a line break now and then."""
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 10))) for _ in range(4000)]
    text = " ".join(rng.choices(vocabulary, k=size // 5))
    return text.replace(" a", "\na")[:size]


def write_rows(case: Case, path: Path) -> None:
    """The benchmark's rows in the published schema, in random order."""
    rng = random.Random(0)
    base = words(2 * case.size, rng)
    numbers = list(range(case.rows))
    rng.shuffle(numbers)
    with open(path, "w", encoding="utf-8") as out:
        for number in numbers:
            context = number % case.contexts if case.contexts else number
            start = random.Random(context).randrange(case.size)
            text = f"# Document 1: {context:08d}\n{base[start : start + case.size]}"
            out.write(json.dumps(row(case.bench, number, text)) + "\n")


def keep_rows(path: Path, count: int) -> None:
    """Cut a file down to its first rows."""
    with open(path, "rb+") as lines:
        for _ in itertools.islice(lines, count):
            pass
        lines.truncate(lines.tell())


def row(bench: str, number: int, text: str) -> dict[str, Any]:
    """One row; its right answer is what the server always says."""
    if bench == "longbench-v2":
        choices = {f"choice_{letter}": f"number {letter}" for letter in "ABCD"}
        return {"_id": f"r{number}", "question": QUESTION, **choices, "answer": "A", "context": text}
    question = f"What about {number}?"
    prompt = [{"role": "user", "content": f"{text}\n\nQuestion: {question}"}]
    return {"id": f"r{number}", "prompt": prompt, "question": question, "answer": "x"}


def prompt_of(row: dict[str, Any]) -> str:
    """What the peers ask."""
    if "prompt" in row:
        return str(row["prompt"][0]["content"])
    return f"{row['context']}\n\nQuestion: {row['question']}\nA) number A\nB) number B\nC) number C\nD) number D"


def golongrl(case: Case, url: str, data: str, folder: Path) -> None:
    from golongrl.cli import console
    from golongrl.core.config import build
    from golongrl.pipeline.evaluation import runner
    from golongrl.pipeline.evaluation.config import EvalConfig

    settings = {
        "bench": case.bench,
        "model": "echo",
        "base_url": url,
        "data": data,
        "out": str(folder / "run"),
        "concurrency": case.slots,
        "max_input": 2 * case.size,
        "max_output": ANSWER_TOKENS,
        "max_model_len": 2 * case.size + ANSWER_TOKENS,
        "tokenizer": "approx",
        "token_budget": None if case.pool else 1 << 40,
    }
    card = runner.evaluate(build(EvalConfig, settings), console.Progress, console.say)
    assert card.complete, card.remarks()


def by_hand(case: Case, url: str, data: str, folder: Path) -> None:
    import openai

    async def work() -> None:
        with open(data, encoding="utf-8") as lines:
            prompts = [prompt_of(json.loads(line)) for line in lines]
        free = asyncio.Semaphore(case.slots)
        async with openai.AsyncOpenAI(base_url=url, api_key="EMPTY", timeout=3600) as client:

            async def one(text: str) -> None:
                async with free:
                    await client.chat.completions.create(
                        model="echo", messages=[{"role": "user", "content": text}], max_tokens=ANSWER_TOKENS, seed=1
                    )

            await asyncio.gather(*map(one, prompts))

    asyncio.run(work())


def inspect(case: Case, url: str, data: str, folder: Path) -> None:
    from inspect_ai import Task
    from inspect_ai import eval as evaluate
    from inspect_ai.dataset import Sample, json_dataset
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import includes

    def sample(row: dict[str, Any]) -> Sample:
        return Sample(input=prompt_of(row), target="(A)", id=row.get("_id") or row["id"])

    model = get_model("openai-api/local/echo", base_url=url, api_key="EMPTY", config=GenerateConfig(seed=1))
    task = Task(dataset=json_dataset(data, sample), scorer=includes())
    logs = evaluate(
        task,
        model=model,
        max_connections=case.slots,
        max_samples=2 * case.slots,
        max_tokens=ANSWER_TOKENS,
        log_dir=str(folder / "logs"),
        display="none",
    )
    assert logs[0].status == "success", logs[0].error


CLIENTS = {"golongrl": golongrl, "openai + gather": by_hand, "inspect_ai": inspect}


def run_client(options: argparse.Namespace) -> None:
    """Be one client, and print its seconds and its peak memory in MB, that of its largest child process added."""
    case = next(case for case in cases(options.quick) if case.name == options.case)
    started = time.perf_counter()
    CLIENTS[options.client](case, options.url, options.data, Path(options.folder))
    seconds = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": sum(u.ru_maxrss for u in used) / 1024}))


@contextlib.contextmanager
def server(case: Case) -> Iterator[str]:
    """A started server's address."""
    options = {"slots": case.slots, "read-us": case.read_us, "answer-tokens": ANSWER_TOKENS, "pool": case.pool}
    command = [sys.executable, str(SERVER), *(f"--{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().split()[1]}"
    finally:
        process.kill()
        process.wait()


def measure(case: Case, client: str, data: Path, python: str, quick: bool) -> dict[str, float]:
    """What a client took and what its server saw."""
    with tempfile.TemporaryDirectory(dir=data.parent) as folder, server(case) as url:
        options = {"client": client, "case": case.name, "url": f"{url}/v1", "data": data, "folder": folder}
        command = [python, __file__, *(f"--{name}={value}" for name, value in options.items())]
        command += ["--quick"] if quick else []
        # The client's own lines for people are no part of the table.
        with open(Path(folder) / "client.log", "w+") as log:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
            log.seek(0)
            if done.returncode:
                raise SystemExit(f"{client} failed in {case.name}:\n{log.read()[-4000:]}")
        seen = json.load(urllib.request.urlopen(f"{url}/stats"))
    rows = case.rows_for(client)
    assert (seen["requests"], seen["different"], seen["hopeless"]) == (rows, rows, 0), seen
    found = json.loads(done.stdout.splitlines()[-1])
    # The client's own seconds stand behind the server's, which begin with its first request.
    return {**seen, **found, "ideal": seen["service_seconds"] / case.slots}


def report(case: Case, client: str, found: dict[str, float]) -> bool:
    """Print one line; whether golongrl keeps the bars."""
    overhead, ratio = 1 - found["ideal"] / found["seconds"], found["seconds"] / found["ideal"]
    memory = found["peak"] / 1000
    cells = [
        case.name,
        client,
        f"{case.rows_for(client):,}",
        f"{found['seconds']:.1f}",
        f"{found['cpu']:.1f}",
        f"{memory:.2f}",
    ]
    good = True
    if case.name == "overhead":
        cells += [f"{found['ideal']:.1f}", f"{ratio:.3f}", f"{overhead:.1%}", "-"]
        good = overhead < OVERHEAD_BAR and ratio <= SCHEDULE_BAR
    elif case.name == "order":
        hits = found["hit_tokens"] / found["attainable_tokens"]
        cells += ["-", "-", "-", f"{hits:.1%}"]
        good = hits >= HITS_BAR if client == "golongrl" else hits < FILE_ORDER_BAR
    else:
        cells += ["-", "-", "-", "-"]
        good = memory < MEMORY_BAR
    print("".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)
    return good or (client != "golongrl" and case.name != "order")


HEAD = ("measurement", "client", "rows", "seconds", "CPU s", "peak GB", "ideal s", "x ideal", "overhead", "hits")
WIDTHS = (12, 18, 8, 10, 8, 9, 9, 9, 10, 9)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the long rows")
    parser.add_argument("--inspect-python", default=sys.executable, help="interpreter that has inspect_ai")
    parser.add_argument("--only", choices=[case.name for case in cases(True)], help="one measurement")
    parser.add_argument("--clients", default=",".join(CLIENTS), help="names, with commas between them")
    parser.add_argument("--folder", help="where to put the rows (up to 9 GB); default: a temporary folder")
    for name in ("client", "case", "url", "data"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        run_client(options)
        return 0
    clients = options.clients.split(",")
    probe = [options.inspect_python, "-c", "import inspect_ai, openai"]
    if "inspect_ai" in clients and subprocess.run(probe, capture_output=True, check=False).returncode:
        print(
            "inspect_ai is not installed: python -m venv DIR; DIR/bin/pip install inspect-ai openai; then pass "
            "--inspect-python DIR/bin/python, or leave it out with --clients 'golongrl,openai + gather'",
            file=sys.stderr,
        )
        return 3
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("".join(cell.rjust(width) for cell, width in zip(HEAD, WIDTHS, strict=True)))
    kept = True
    for case in cases(options.quick):
        if options.only not in (None, case.name):
            continue
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        try:
            write_rows(case, folder / "rows.jsonl")
            for client in sorted(clients, key=case.rows_for, reverse=True):
                keep_rows(folder / "rows.jsonl", case.rows_for(client))
                python = options.inspect_python if client == "inspect_ai" else sys.executable
                kept &= report(case, client, measure(case, client, folder / "rows.jsonl", python, options.quick))
        finally:
            shutil.rmtree(folder)
    # With fewer rows the fixed costs weigh more, so the bars are for the whole.
    return 0 if kept or options.quick else 1


if __name__ == "__main__":
    sys.exit(main())

"""Items per second of `golongrl eval` against a plain sequential loop with the openai package.

A local server answers after 20 ms, so the table shows what the runner costs and what concurrency gains, not a model.
Run: python benchmarks/eval.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from golongrl.core import chat_template, tokens
from golongrl.core.config import build
from golongrl.pipeline.evaluation import runner
from golongrl.pipeline.evaluation.benchmarks import mrcr, mrcr_mini
from golongrl.pipeline.evaluation.benchmarks.base import LoadOptions
from golongrl.pipeline.evaluation.config import EvalConfig

SERVER = Path(__file__).parents[1] / "tests" / "chat_server.py"
ITEMS = 200
LATENCY = 0.02


def sequential(base_url: str) -> float:
    """Build the same items, ask one after the other, grade; keeps nothing. Seconds."""
    import openai

    started = time.perf_counter()
    approx = tokens.load("approx")
    items = mrcr_mini.load(
        LoadOptions(
            data=None,
            tokenizer=approx,
            count_prompt=lambda messages: chat_template.prompt_tokens(approx, messages, None),
            max_length=[1024],
            limit=ITEMS,
            needles=[2, 4],
            answer_tokens=64,
            seed=0,
        )
    )
    client = openai.OpenAI(base_url=base_url, api_key="EMPTY")
    for item in items:
        reply = client.chat.completions.create(
            model="echo", messages=item.messages, temperature=0.7, top_p=0.95, max_tokens=192
        )
        mrcr.score(item.gold, reply.choices[0].message.content or "", "optional")
    return time.perf_counter() - started


def golongrl(base_url: str, concurrency: int, out: Path) -> float:
    """`golongrl eval` with its journal, intervals and report. Seconds."""
    table = {"bench": "mrcr-mini", "model": "echo", "base_url": base_url, "max_length": "1k", "limit": ITEMS}
    started = time.perf_counter()
    runner.evaluate(build(EvalConfig, {**table, "concurrency": concurrency, "out": str(out)}))
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    command = [sys.executable, str(SERVER), "--delay", str(LATENCY)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        base_url = f"http://127.0.0.1:{server.stdout.readline().split()[1]}/v1"
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            # The first call pays for imports on both sides.
            golongrl(base_url, 32, out / "warm")
            rows = [("sequential openai loop", sequential(base_url))]
            for concurrency in (1, 8, 32):
                name = f"golongrl eval, concurrency {concurrency}"
                rows.append((name, golongrl(base_url, concurrency, out / str(concurrency))))
            rows.append(("golongrl eval, all in the journal", golongrl(base_url, 32, out / "32")))
    finally:
        server.kill()
        server.wait()
    print(f"{ITEMS} mrcr-mini items of 1k tokens, server latency {LATENCY * 1000:.0f} ms")
    print(f"{'':36}{'seconds':>10}{'items/s':>10}{'speed-up':>10}")
    for name, seconds in rows:
        print(f"{name:36}{seconds:10.2f}{ITEMS / seconds:10.1f}{rows[0][1] / seconds:9.1f}x")


if __name__ == "__main__":
    main()

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import llm_server
import pytest

from golongrl.core.errors import CheckFailedError, ServerError
from golongrl.pipeline.dataset.call_lanes import LOOKAHEAD
from golongrl.pipeline.dataset.calls import Call, grouped, open_calls
from golongrl.pipeline.dataset.llm_settings import ModelConfig


class Words:
    def count(self, text):
        return len(text.split())


def entry(server, model="echo", **options):
    return ModelConfig(base_url=server.base_url, model=model, **{"max_tokens": 10, "timeout": 1.0, **options})


def call(text, model="echo", prefix="", **options):
    return Call(model, ({"role": "user", "content": text},), 1, prefix=prefix, **options)


def ask(folder, models, calls, max_cost=None):
    with open_calls(folder, models, max_cost=max_cost, tokenizer=Words()) as asked:
        asked.run(iter(calls))
        return [asked.result(one).text for one in calls]


@pytest.mark.parametrize("fault", ["429", "500", "hang", "cut", "nonsense"])
def test_a_passing_fault_leaves_no_trace(tmp_path, fault):
    calls = [call(f"q{i}") for i in range(6)]
    with llm_server.start("--schedule", fault, "--fault-attempts", 1) as server:
        assert ask(tmp_path, {"echo": entry(server)}, calls) == [f"echo: q{i}" for i in range(6)]
        stats = server.stats()
    assert stats["faults"] == {fault: 6}
    assert stats["requests"] == 12


def test_what_failed_is_owed_again_after_the_rest_is_done(tmp_path):
    calls = [call(f"q{i}") for i in range(4)]
    with llm_server.start("--schedule", "500", "--fault-attempts", 1) as server:
        models = {"echo": entry(server, retries=0)}
        with pytest.raises(CheckFailedError, match=r"4 calls failed .*broken.*same command again"):
            ask(tmp_path, models, calls)
        assert ask(tmp_path, models, calls)[3] == "echo: q3"
        assert server.stats()["requests"] == 8


CLIENT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_calls import Words, call
from golongrl.pipeline.dataset.calls import open_calls
from golongrl.pipeline.dataset.llm_settings import ModelConfig
entry = ModelConfig(base_url={url!r}, model="echo", max_tokens=10, concurrency=4)
with open_calls(Path({folder!r}), {{"echo": entry}}, max_cost=None, tokenizer=Words()) as asked:
    asked.run(call(f"q{{i}}") for i in range(60))
    print([asked.result(call(f"q{{i}}")).text for i in range(60)])
"""


def test_killed_clients_pay_only_what_was_in_flight_again(tmp_path):
    with llm_server.start("--answer-tokens", 1, "--token-seconds", 0.05) as server:
        tests = str(Path(__file__).parent)
        code = CLIENT.format(tests=tests, url=server.base_url, folder=str(tmp_path))
        journal = tmp_path / "calls.jsonl"
        for rows in (5, 23):
            process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
            while not journal.exists() or journal.read_bytes().count(b"\n") < rows:
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
            process.wait()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        stats = server.stats()
    assert done.stdout.strip() == str([f"echo: q{i}" for i in range(60)])
    assert len(stats["seen"]) == 60
    assert stats["requests"] <= 60 + 2 * 4


def test_the_cost_limit_stops_and_a_higher_one_goes_on(tmp_path):
    # One answer token costs 1; an answer may have 10 and has 5.
    calls = [call(f"q{i}") for i in range(10)]
    with llm_server.start("--answer-tokens", 5) as server:
        models = {"echo": entry(server, output_price=1e6)}
        with pytest.raises(CheckFailedError, match=r"spent 25\.0000 of 30.*5 calls not made; raise --max-cost"):
            ask(tmp_path, models, calls, max_cost=30)
        assert server.stats()["requests"] == 5
        with open_calls(tmp_path, models, max_cost=100, tokenizer=Words()) as asked:
            assert asked.spent == 25
            asked.run(calls)
            assert (asked.spent, asked.usage["echo"].calls) == (50, 10)
        assert server.stats()["requests"] == 10


def test_too_long_and_refused_calls_are_final(tmp_path):
    calls = [call("w " * 40), call("forbidden"), call("fine")]
    with llm_server.start("--model-len", 40, "--refuse", "forbidden") as server:
        for _ in range(2):
            with open_calls(tmp_path, {"echo": entry(server)}, max_cost=None, tokenizer=Words()) as asked:
                asked.run(calls)
                errors = [asked.result(one).error for one in calls]
            assert [error and error.kind for error in errors] == ["overlong", "refused", None]
        assert server.stats()["requests"] == 2


def test_an_endpoint_that_refuses_everyone_stops_the_run(tmp_path):
    with llm_server.start() as server, pytest.raises(ServerError, match="model's name"):
        ask(tmp_path, {"echo": entry(server, model="other")}, [call("q")])


def test_two_models_work_at_once(tmp_path):
    options = ("--answer-tokens", 1, "--token-seconds", 0.1, "--models", "a,b")
    with llm_server.start(*options) as server:
        models = {name: entry(server, model=name, concurrency=1) for name in "ab"}
        ask(tmp_path, models, [call(f"q{i}", model="ab"[i % 2]) for i in range(6)])
        assert server.stats()["peak"] == 2


def test_calls_of_one_prefix_are_sent_one_after_the_other(tmp_path):
    calls = [call(f"{'xyz'[i % 3] * 200} {i}", prefix="xyz"[i % 3]) for i in range(12)]
    with llm_server.start() as server:
        ask(tmp_path, {"echo": entry(server, concurrency=1)}, grouped(calls))
        assert server.stats()["prefix_hits"] == 9


def test_a_schema_is_part_of_the_request_and_of_the_key(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json\ndef answer(messages, schema, model, seed):\n    return json.dumps(schema)\n")
    schema = {"type": "object"}
    with llm_server.start("--script", script) as server:
        texts = ask(tmp_path, {"echo": entry(server)}, [call("q", schema=schema), call("q")])
    assert [json.loads(text) for text in texts] == [schema, None]


def test_prompts_are_built_as_they_are_needed(tmp_path):
    built = []

    def make():
        for number in range(200):
            built.append(number)
            yield call(f"q{number}")

    behind = []

    class Bar:
        done = 0

        def advance(self, count=1):
            self.done += count
            behind.append(len(built) - self.done)

    with llm_server.start("--answer-tokens", 1, "--token-seconds", 0.02) as server:
        models = {"echo": entry(server, concurrency=2)}
        with open_calls(tmp_path, models, max_cost=None, tokenizer=Words()) as asked:
            asked.run(make(), progress=lambda label, total: contextlib.nullcontext(Bar()))
    assert len(behind) == 200
    # In flight, in the queue, at the gate, and one each in the hands of the two that pass them on.
    assert max(behind) <= 2 + LOOKAHEAD + 3

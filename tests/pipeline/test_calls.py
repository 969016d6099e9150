import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import time

import llm_server
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.byte_model import build_byte_model
from golongrl.core.errors import CheckFailedError, ServerError, UsageError
from golongrl.pipeline.dataset.call_lanes import LOOKAHEAD, CostLimit
from golongrl.pipeline.dataset.calls import Call, open_calls, serve_model
from golongrl.pipeline.dataset.llm_settings import ModelConfig


class Words:
    def count(self, text):
        return len(text.split())


def entry(server, model="echo", **options):
    return ModelConfig(base_url=server.base_url, model=model, **{"max_tokens": 10, "timeout": 1.0, **options})


def call(text, model="echo", **options):
    return Call(model, ({"role": "user", "content": text},), 1, **options)


def ask(folder, models, calls, max_cost=None):
    with open_calls(folder, models, max_cost=max_cost, tokenizer=Words()) as asked:
        asked.run(iter(calls))
        return [asked.result(one).text for one in calls]


def test_passing_faults_leave_no_trace(tmp_path):
    calls = [call(f"q{i}") for i in range(30)]
    with llm_server.start("--probability", 0.9, "--fault-seed", 3, "--fault-attempts", 1) as server:
        for _ in range(2):
            assert ask(tmp_path, {"echo": entry(server)}, calls) == [f"echo: q{i}" for i in range(30)]
            stats = server.stats()
            assert set(stats["faults"]) == {"429", "500", "hang", "cut", "nonsense"}
            assert stats["requests"] == 30 + sum(stats["faults"].values())
            assert list(stats["answered"].values()) == [1] * 30


def test_what_failed_is_owed_again_after_the_rest_is_done(tmp_path):
    calls = [call(f"q{i}") for i in range(4)]
    with llm_server.start("--schedule", "500", "--fault-attempts", 1) as server:
        models = {"echo": entry(server, retries=0)}
        with pytest.raises(CheckFailedError, match=r"4 calls failed .*broken.*same command again"):
            ask(tmp_path, models, calls)
        assert ask(tmp_path, models, calls)[3] == "echo: q3"
        assert server.stats()["requests"] == 8


def test_clients_killed_anywhere_pay_only_what_was_in_flight_again(tmp_path):
    draw = random.Random(5)
    calls = [call(f"q{i}") for i in range(100)]
    # The server knows a call by this.
    known = {f"echo: q{i}": llm_server.digest(list(calls[i].messages), "echo", 1) for i in range(100)}
    journal = tmp_path / "calls.jsonl"
    settled = {}
    with llm_server.start("--answer-tokens", 1, "--token-seconds", 0.05) as server:
        models = {"echo": entry(server, concurrency=4)}
        for _ in range(6):
            client = multiprocessing.get_context("fork").Process(target=ask, args=(tmp_path, models, calls))
            client.start()
            wanted = server.stats()["requests"] + draw.randint(1, 12)
            while server.stats()["requests"] < wanted:
                time.sleep(0.005)
            time.sleep(draw.uniform(0, 0.05))
            os.kill(client.pid, signal.SIGKILL)
            client.join()
            assert client.exitcode == -signal.SIGKILL
            lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
            done = [known[json.loads(line)["text"]] for line in lines if line.endswith(b"\n")]
            seen = server.stats()["seen"]
            settled = {key: seen[key] for key in done}
        assert 0 < len(settled) < 100
        assert ask(tmp_path, models, calls) == list(known)
        stats = server.stats()
    assert {key: stats["seen"][key] for key in settled} == settled
    assert set(stats["seen"]) == set(known.values())
    assert stats["requests"] <= 100 + 6 * 4


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


def test_the_length_of_the_model_is_no_reason_to_pay_again(tmp_path):
    calls = [call("fine"), call("w " * 40)]
    with llm_server.start("--max-chars", 60) as server:
        for length, asked in ((40, 1), (100, 2), (None, 3)):
            with open_calls(
                tmp_path, {"echo": entry(server, max_model_len=length)}, max_cost=None, tokenizer=Words()
            ) as c:
                c.run(calls)
                assert c.result(calls[0]).text == "echo: fine"
                assert c.result(calls[1]).error.kind == "overlong"
            assert server.stats()["requests"] == asked
    with llm_server.start() as server:
        assert ask(tmp_path, {"echo": entry(server, max_model_len=100)}, calls)[1] == "echo: " + "w " * 40
        assert server.stats()["requests"] == 1


def test_an_endpoint_that_refuses_everyone_stops_the_run(tmp_path):
    with (
        llm_server.start() as server,
        pytest.raises(ServerError, match=r"check models\.echo\.base_url and the model's name"),
    ):
        ask(tmp_path, {"echo": entry(server, model="other")}, [call("q")])


def test_a_model_without_an_address_or_an_entry_is_named(tmp_path):
    with pytest.raises(UsageError, match="'echo' of models has no base_url"):
        ask(tmp_path, {"echo": ModelConfig(model="m")}, [call("q")])
    with pytest.raises(UsageError, match=r"no entry 'echo' in models \(there are: other\)"):
        ask(tmp_path, {"other": ModelConfig(model="m")}, [call("q")])


def test_a_dead_engine_ends_the_run_at_once(tmp_path):
    def gone():
        raise ServerError("the engine ended")

    started = time.monotonic()
    with llm_server.start("--answer-tokens", 1, "--token-seconds", 30) as server:
        models = {"echo": entry(server, timeout=60, concurrency=2)}
        opened = open_calls(tmp_path, models, max_cost=None, tokenizer=Words(), alive={"echo": gone})
        with opened as asked, pytest.raises(ServerError, match="the engine ended"):
            asked.run(call(f"q{i}") for i in range(100))
    assert time.monotonic() - started < 10


def test_what_another_endpoint_has_in_flight_outlives_a_dead_one(tmp_path):
    calls = [call(f"q{i}", model="ab"[i % 2]) for i in range(40)]
    slow = ("--models", "b", "--answer-tokens", 1, "--token-seconds", 0.1)
    stuck = ("--models", "a", "--answer-tokens", 1, "--token-seconds", 30)
    with llm_server.start(*stuck) as a, llm_server.start(*slow) as b:
        models = {"a": entry(a, "a", retries=0, timeout=60), "b": entry(b, "b", concurrency=2)}

        class Bar:
            def advance(self, count=1):
                a.process.kill()

        with open_calls(tmp_path, models, max_cost=None, tokenizer=Words()) as asked:
            with pytest.raises(ServerError, match=f"{a.base_url} cannot be reached"):
                asked.run(calls, progress=lambda label, total: contextlib.nullcontext(Bar()))
            assert asked.usage["b"].calls == b.stats()["requests"] < 20
        with llm_server.start("--models", "a") as mended:
            models["a"] = entry(mended, "a")
            assert ask(tmp_path, models, calls) == [f"echo: q{i}" for i in range(40)]
        assert list(b.stats()["seen"].values()) == [1] * 20


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=20), st.integers(0, 60))
def test_what_is_spent_never_passes_the_limit(prices, most):
    async def scenario():
        spent = [0]
        limit = CostLimit(most, lambda: spent[0])

        async def pay(worst, cost):
            await asyncio.sleep(0)
            spent[0] += min(worst, cost)
            assert spent[0] <= most
            await limit.release(worst)

        made = 0
        async with asyncio.TaskGroup() as tasks:
            for worst, cost in prices:
                if await limit.reserve(worst):
                    made += 1
                    tasks.create_task(pay(worst, cost))
        assert made + limit.not_made == len(prices)
        return limit, spent[0], made

    limit, spent, made = asyncio.run(scenario())
    assert spent == sum(min(pair) for pair in prices[:made])
    # The first that was not made would not have fitted, with all before it paid.
    assert not limit.reached or spent + prices[made][0] > most


def test_the_key_of_the_named_variable_reaches_the_server_and_nothing_else(tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.setenv("OTHER_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-this-one")
    caplog.set_level("DEBUG")
    calls = [call("q"), call("forbidden")]
    with llm_server.start("--refuse", "forbidden") as server:
        ask(tmp_path, {"echo": entry(server, api_key_env="OTHER_KEY")}, calls)
        assert server.stats()["keys"] == {"Bearer sk-very-secret": 2}
    written = [*(path.read_text() for path in tmp_path.iterdir()), caplog.text, *capsys.readouterr()]
    assert not any("very-secret" in text for text in written)


def test_thinking_is_as_the_entry_says(tmp_path):
    models = {name: ModelConfig(model="m", think=name) for name in ("optional", "required")}
    with open_calls(tmp_path, models, max_cost=None, tokenizer=Words()) as asked:
        assert [asked.think(name) for name in models] == ["optional", "required"]


def test_the_cost_is_shown_while_calls_run(tmp_path):
    notes = []

    class Bar:
        def advance(self, count=1):
            pass

        def note(self, text):
            notes.append(text)

    with llm_server.start("--answer-tokens", 5) as server:
        models = {"echo": entry(server, output_price=1e6, concurrency=1)}
        with open_calls(tmp_path, models, max_cost=30, tokenizer=Words()) as asked:
            asked.run([call("q"), call("r")], progress=lambda label, total: contextlib.nullcontext(Bar()))
    assert notes == ["cost 5.0000 of 30", "cost 10.0000 of 30"]


def test_two_models_work_at_once(tmp_path):
    options = ("--answer-tokens", 1, "--token-seconds", 0.1, "--models", "a,b")
    with llm_server.start(*options) as server:
        models = {name: entry(server, model=name, concurrency=1) for name in "ab"}
        ask(tmp_path, models, [call(f"q{i}", model="ab"[i % 2]) for i in range(6)])
        assert server.stats()["peak"] == 2


def test_calls_are_sent_in_their_order_so_that_those_of_one_prefix_meet_the_cache(tmp_path):
    calls = [call(f"{'xyz'[i // 4] * 200} {i}") for i in range(12)]
    with llm_server.start() as server:
        ask(tmp_path, {"echo": entry(server, concurrency=1)}, calls)
        # Runs of one prefix: a call that was sent twice, after a broken connection, lengthens its run only.
        assert len(list(itertools.groupby(server.stats()["prefixes"]))) == 3


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
        for number in range(100):
            built.append(number)
            yield call(f"q{number}")

    behind = []

    class Bar:
        done = 0

        def advance(self, count=1):
            self.done += count
            behind.append(len(built) - self.done)

    with llm_server.start("--answer-tokens", 1, "--token-seconds", 0.01) as server:
        models = {"echo": entry(server, concurrency=2)}
        with open_calls(tmp_path, models, max_cost=None, tokenizer=Words()) as asked:
            asked.run(make(), progress=lambda label, total: contextlib.nullcontext(Bar()))
    assert len(behind) == 100
    # In flight, in the queue, at the gate, and one each in the hands of the two that pass them on.
    assert max(behind) <= 2 + LOOKAHEAD + 3


def after_the_end_of(process):
    process.terminate()
    process.wait()
    yield call("new", model="generator")


@pytest.mark.slow
def test_an_engine_serves_the_entry_and_its_death_ends_the_run(tmp_path):
    model = build_byte_model(tmp_path / "model", seed=3)
    config = ModelConfig(model=str(model), max_tokens=4, temperature=0, concurrency=8, retries=0)
    calls = [call(f"q{i}", model="generator") for i in range(3)]
    with serve_model("transformers", config, log=tmp_path / "server.log") as (served, alive):
        assert served.concurrency == 1
        assert served.identity() == config.identity()
        options = {"max_cost": None, "tokenizer": Words(), "alive": {"generator": alive}}
        with open_calls(tmp_path / "calls", {"generator": served}, **options) as asked:
            asked.run(calls)
            found = [asked.result(one) for one in calls]
            assert [one.error for one in found] == [None] * 3
            assert asked.usage["generator"].completion_tokens <= 12
            with pytest.raises(ServerError, match="server ended with exit code"):
                asked.run(after_the_end_of(alive.__self__.process))
    assert ask(tmp_path / "calls", {"generator": config}, calls) == [one.text for one in found]

import asyncio
import json

import chat_server
import pytest
import stream_server
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import chat, chat_batch
from golongrl.core.errors import ServerError
from golongrl.core.prompts import PromptFile
from golongrl.core.store import Journal


def ask(text, repeat=0, max_tokens=8, n_tokens=4):
    return chat.Request(
        [{"role": "user", "content": text}],
        chat.Sampling(max_tokens=max_tokens),
        chat.derive_seed(0, text, repeat),
        repeat,
        n_tokens,
    )


def endpoint(server, **options):
    return chat.Endpoint(**{"base_url": server.base_url, "model": "echo", "backoff": 0.01, "retries": 3, **options})


def run(server, requests, path, **options):
    results = []
    with Journal(path) as journal:
        chat_batch.run(endpoint(server, **options), requests, journal, results.append)
    return results


def test_answers_are_journalled_and_not_asked_twice(tmp_path):
    with chat_server.start() as server:
        requests = [ask(f"q{i}") for i in range(5)]
        first = run(server, requests, tmp_path / "j.jsonl")
        second = run(server, [*requests, ask("new")], tmp_path / "j.jsonl")
        assert server.stats()["requests"] == 6
    assert sorted(g.text for g in first) == [f"echo: q{i}" for i in range(5)]
    assert len(second) == 6
    assert first[0].usage == chat.Usage(prompt_tokens=11, completion_tokens=7)
    rows = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == 6
    assert all(row["error"] is None and row["finish_reason"] == "stop" for row in rows)


def test_repeats_have_their_own_key_and_seed(tmp_path):
    with chat_server.start() as server:
        run(server, [ask("q", repeat) for repeat in range(3)], tmp_path / "j.jsonl")
        seeds = server.stats()["seeds"]
    assert len(set(seeds)) == 3
    assert sorted(seeds) == sorted(chat.derive_seed(0, "q", repeat) for repeat in range(3))


def test_key_depends_on_everything_that_decides_the_answer():
    base = ask("q")
    others = [
        ask("r"),
        ask("q", repeat=1),
        ask("q", max_tokens=9),
        chat.Request(base.messages, base.sampling, base.seed + 1),
        chat.Request(base.messages, chat.Sampling(max_tokens=8, extra={"top_k": 1}), base.seed),
    ]
    keys = {base.key("m"), base.key("other"), *(other.key("m") for other in others)}
    assert len(keys) == 7
    assert ask("q", n_tokens=99).key("m") == base.key("m")


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_passing_faults_are_retried(tmp_path, status):
    with chat_server.start("--fail-first", 2, "--status", status) as server:
        results = run(server, [ask("a"), ask("b")], tmp_path / "j.jsonl")
        assert server.stats()["requests"] == 6
    assert sorted(g.text for g in results) == ["echo: a", "echo: b"]


def test_retries_are_bounded_and_the_error_is_owed_again(tmp_path):
    path = tmp_path / "j.jsonl"
    with chat_server.start("--fail-first", 4, "--status", 500) as server:
        results = run(server, [ask("a")], path, retries=2)
        assert server.stats()["requests"] == 3
        assert results[0].error.kind == "server"
        assert "try later" in results[0].error.message
        again = run(server, [ask("a")], path, retries=2)
        assert again[0].text == "echo: a"
        assert again[0].error is None


def test_other_4xx_is_refused_at_once(tmp_path):
    with chat_server.start("--refuse", "forbidden") as server:
        results = run(server, [ask("forbidden"), ask("fine")], tmp_path / "j.jsonl")
        assert server.stats()["requests"] == 2
    kinds = {g.error.kind if g.error else g.text for g in results}
    assert kinds == {"refused", "echo: fine"}


def test_context_length_is_overlong_not_refused(tmp_path):
    with chat_server.start("--max-chars", 100) as server:
        results = run(server, [ask("x" * 200)], tmp_path / "j.jsonl")
    assert results[0].error.kind == "overlong"


def test_timeouts_are_their_own_kind(tmp_path):
    with chat_server.start("--delay", 5) as server:
        results = run(server, [ask("a")], tmp_path / "j.jsonl", timeout=0.2, retries=1)
    assert results[0].error.kind == "timeout"


def test_unknown_model_stops_the_run_with_advice(tmp_path):
    with chat_server.start("--strict") as server, pytest.raises(ServerError, match="model's name"):
        run(server, [ask("a")], tmp_path / "j.jsonl", model="other")


def test_an_endpoint_that_is_gone_stops_the_run_and_keeps_the_rest(tmp_path):
    path = tmp_path / "j.jsonl"
    with chat_server.start("--die-after", 3) as server, pytest.raises(ServerError, match="cannot be reached"):
        run(server, [ask(f"q{i}") for i in range(50)], path, max_requests=1)
    with Journal(path) as journal:
        assert len(journal) == 3
    with chat_server.start() as server:
        assert len(run(server, [ask(f"q{i}") for i in range(50)], path)) == 50
        assert server.stats()["requests"] == 47


def test_alive_is_asked_while_a_request_hangs(tmp_path):
    def gone():
        raise ServerError("the process ended")

    with chat_server.start("--delay", 30) as server, pytest.raises(ServerError, match="the process ended"):
        run(server, [ask("a")], tmp_path / "j.jsonl", alive=gone)


def test_thinking_that_the_server_split_off_is_put_back(tmp_path):
    with chat_server.start("--reasoning") as server:
        results = run(server, [ask("a")], tmp_path / "j.jsonl")
    assert results[0].text == "<think>let me think</think>echo: a"


def test_tokens_in_flight_stay_below_the_budget(tmp_path):
    requests = [ask(f"question {i}", max_tokens=100, n_tokens=50) for i in range(12)]
    with chat_server.start("--delay", 0.05) as server:
        run(server, requests, tmp_path / "j.jsonl", token_budget=450)
        assert server.stats()["peak"] == 3


def test_a_request_that_the_cache_cannot_hold_is_not_sent(tmp_path):
    requests = [ask("fits", max_tokens=60, n_tokens=40), ask("too long", max_tokens=60, n_tokens=41)]
    with chat_server.start() as server:
        results = run(server, requests, tmp_path / "j.jsonl", kv_tokens=100)
        assert server.stats()["requests"] == 1
        kinds = {g.error.kind if g.error else g.text for g in results}
        assert kinds == {"overlong", "echo: fits"}
        # A server with a larger cache is asked.
        run(server, requests, tmp_path / "j.jsonl", kv_tokens=101)
        assert server.stats()["requests"] == 2


def test_prompts_on_disk_are_sent_like_others(tmp_path):
    store = PromptFile(tmp_path)
    text = "灯塔 " * 200_000 + "\U0001f600"
    given = chat.Request([{"role": "user", "content": text}], chat.Sampling(max_tokens=8, extra={"top_k": 3}), 7)
    kept = chat.Request(store.add(given.messages), given.sampling, given.seed)
    assert kept.body("m") == given.body("m")
    assert kept.key("m") == given.key("m")
    assert json.loads(kept.body("m", stream=True)) == {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 8,
        "seed": 7,
        "top_k": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with chat_server.start() as server:
        assert run(server, [kept], tmp_path / "j.jsonl")[0].text == f"echo: {text}"


def grouped(count, name="a"):
    return [chat.Request(ask(f"{name}{n}").messages, chat.Sampling(), n, 0, 10, name, 8) for n in range(count)]


def test_followers_start_when_the_first_token_comes_and_not_before(tmp_path):
    with stream_server.start("--read", 0.2, "--write", 1.0) as server:
        results = run(server, [*grouped(3), *grouped(2, "b"), ask("alone")], tmp_path / "j.jsonl", max_requests=8)
        log = server.stats()["log"]
        assert server.stats()["streams"] == 2
    assert sorted(g.text for g in results) == [*(f"echo: {n}" for n in ("a0", "a1", "a2", "alone", "b0", "b1"))]
    assert {g.usage.completion_tokens for g in results} == {7}
    # Slots are not left idle meanwhile: what does not belong to the group starts at once.
    assert set(log[:3]) == {"start a0", "start b0", "start alone"}
    for name in ("a", "b"):
        assert log.index(f"first {name}0") < log.index(f"start {name}1") < log.index(f"end {name}0")


@pytest.mark.parametrize("options", [("--cut",), ("--refuse",), ("--reasoning",), ()])
def test_streams_end_in_the_same_answers_as_whole_replies(tmp_path, options):
    with stream_server.start(*options) as server:
        results = run(server, grouped(4), tmp_path / "j.jsonl", max_requests=4)
        stats = server.stats()
    thought = "<think>let me think</think>" if "--reasoning" in options else ""
    # Only the request that is sent ahead is streamed.
    expected = [f"{thought if n == 0 else ''}echo: a{n}" for n in range(4)]
    assert sorted(g.text for g in results) == sorted(expected)
    assert all(g.finish_reason == "stop" and g.error is None for g in results)
    # A stream that breaks off is asked again, one that is refused is asked for whole.
    assert (stats["requests"], stats["streams"]) == {("--cut",): (5, 2), ("--refuse",): (5, 1)}.get(options, (4, 1))


def test_servers_that_do_not_stream_answer_as_ever(tmp_path):
    with chat_server.start() as server:
        results = run(server, grouped(5), tmp_path / "j.jsonl")
        assert server.stats()["requests"] == 5
    assert sorted(g.text for g in results) == [f"echo: a{n}" for n in range(5)]


def test_a_stream_that_never_ends_is_a_timeout(tmp_path):
    with stream_server.start("--write", 30) as server:
        results = run(server, grouped(2)[:1] + grouped(2), tmp_path / "j.jsonl", timeout=0.5, retries=0)
    assert {g.error.kind for g in results} == {"timeout"}


def test_request_cap(tmp_path):
    with chat_server.start("--delay", 0.05) as server:
        run(server, [ask(f"q{i}") for i in range(10)], tmp_path / "j.jsonl", max_requests=2)
        assert server.stats()["peak"] == 2


def test_key_comes_from_the_environment_and_stays_out_of_the_journal(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with chat_server.start("--refuse", "forbidden") as server:
        run(server, [ask("a"), ask("forbidden")], tmp_path / "j.jsonl")
        assert set(server.stats()["keys"]) == {"Bearer sk-very-secret"}
    assert "very-secret" not in (tmp_path / "j.jsonl").read_text()


def test_a_proxy_does_not_see_local_requests(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server_endpoint = chat.Endpoint
    with chat_server.start() as server, Journal(tmp_path / "j.jsonl") as journal:
        results = []
        chat_batch.run(server_endpoint(server.base_url, "echo", retries=0), [ask("a")], journal, results.append)
    assert results[0].text == "echo: a"


def test_served_length(tmp_path):
    with chat_server.start("--model-len", 4096) as server:
        assert chat.served_length(endpoint(server)) == 4096
        assert chat.served_length(endpoint(server, model="other")) is None
    with pytest.raises(ServerError, match="--base-url"):
        chat.served_length(endpoint(server))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 5))
def test_gate_never_exceeds_its_limits_and_serves_everyone(costs, cap):
    async def scenario():
        gate = chat.TokenGate(cap, 200)
        order = []

        async def hold(cost):
            await asyncio.sleep(0)
            assert gate.in_flight <= cap
            assert gate.tokens <= 200 or gate.in_flight == 1
            await gate.leave(cost)

        async with asyncio.TaskGroup() as tasks:
            for cost in costs:
                await gate.enter(cost)
                order.append(cost)
                tasks.create_task(hold(cost))
        return order, gate.tokens, gate.in_flight

    assert asyncio.run(scenario()) == (costs, 0, 0)


def test_seeds_fit_31_bits_and_differ():
    seeds = {chat.derive_seed(s, item, r) for s in range(3) for item in "abc" for r in range(3)}
    assert len(seeds) == 27
    assert all(0 <= seed < 2**31 for seed in seeds)

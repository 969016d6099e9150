"""Which rollout server takes which rollout."""

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from verl.utils.import_utils import load_class_from_fqn
from verl.workers.rollout.router import GlobalRequestLoadBalancer

from golongrl.pipeline.training import verl_overrides
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.verl_plugin.prompt_router import PromptRouter

SERVERS = {"a": 1, "b": 2, "c": 3}


def router(answer_tokens=0, servers=SERVERS):
    return PromptRouter(servers, {"answer_tokens": answer_tokens})


def test_the_rollouts_of_a_prompt_go_to_one_server_and_prompts_to_different_ones():
    made = router()
    prompts = {"x": [1] * 10, "y": [2] * 10, "z": [3] * 10}
    places = defaultdict(set)
    for number in range(4):
        for name, prompt in prompts.items():
            places[name].add(made.acquire_server(f"{name}{number}", prompt_ids=prompt))
    assert sorted(map(sorted, places.values())) == [[("a", 1)], [("b", 2)], [("c", 3)]]


def test_verls_own_router_spreads_the_rollouts_of_a_prompt():
    made = GlobalRequestLoadBalancer(SERVERS)
    assert {made.acquire_server(f"x{number}")[0] for number in range(3)} == set(SERVERS)


def test_a_new_prompt_goes_where_the_fewest_tokens_are():
    made = router(answer_tokens=5)
    assert made.acquire_server("long", prompt_ids=[1] * 100)[0] == "a"
    assert made.acquire_server("short", prompt_ids=[2] * 10)[0] == "b"
    assert made.acquire_server("middle", prompt_ids=[3] * 50)[0] == "c"
    # 105, 15 and 55 tokens: two more of 15 fit b before another has fewer.
    assert [made.acquire_server(f"more{n}", prompt_ids=[4 + n] * 10)[0] for n in range(4)] == ["b", "b", "b", "c"]


def test_a_server_has_a_prompt_until_its_last_rollout_is_over():
    made = router()
    first, _ = made.acquire_server("x0", prompt_ids=[1] * 30)
    made.acquire_server("x1", prompt_ids=[1] * 30)
    made.acquire_server("y0", prompt_ids=[2] * 20)
    made.acquire_server("z0", prompt_ids=[3] * 10)
    made.release_server(first, request_id="x0")
    assert made.acquire_server("x2", prompt_ids=[1] * 30)[0] == first
    assert made.acquire_server("w0", prompt_ids=[4])[0] == "c"
    for request in ("x1", "x2"):
        made.release_server(first, request_id=request)
    assert made.acquire_server("v0", prompt_ids=[5])[0] == first
    assert made.get_inflight_count(first) == 1


def test_later_turns_of_a_conversation_follow_its_first():
    made = router()
    first, _ = made.acquire_server("talk", prompt_ids=[1] * 10)
    made.release_server(first, request_id="talk")
    made.acquire_server("other", prompt_ids=[2] * 99)
    assert made.acquire_server("talk", prompt_ids=[1] * 25)[0] == first


def test_a_server_that_is_gone_gets_nothing():
    made = router(servers={"a": 1, "b": 2})
    made.acquire_server("x0", prompt_ids=[1])
    made.remove_servers(["a"])
    assert made.acquire_server("x1", prompt_ids=[1])[0] == "b"
    made.remove_servers(["b"])
    with pytest.raises(RuntimeError, match="No available servers"):
        made.acquire_server("x2", prompt_ids=[1])


def test_a_server_that_comes_back_has_nothing_ahead():
    made = router(answer_tokens=100, servers={"a": 1, "b": 2})
    made.acquire_server("x0", prompt_ids=[1])
    made.remove_servers(["a"])
    made.acquire_server("x1", prompt_ids=[1])
    made.add_servers({"a": 1})
    assert made.acquire_server("y0", prompt_ids=[2])[0] == "a"
    for request, server in (("x0", "a"), ("x1", "b"), ("y0", "a")):
        made.release_server(server, request_id=request)
    assert not any(made._tokens.values())


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60),
    answer_tokens=st.integers(0, 100),
)
def test_when_all_are_over_nothing_is_counted(arrivals, answer_tokens):
    made, running = router(answer_tokens), []
    for number, (prompt, ends) in enumerate(arrivals):
        place, _ = made.acquire_server(str(number), prompt_ids=[prompt] * (prompt + 1))
        running.append((place, str(number)))
        if ends:
            server, request = running.pop(0)
            made.release_server(server, request_id=request)
    for server, request in running:
        made.release_server(server, request_id=request)
    assert made.get_total_inflight() == 0
    assert (made._at, made._running, made._prompt_of) == ({}, {}, {})
    assert not any(made._tokens.values())


def test_several_servers_get_the_router_and_a_single_one_needs_none(tmp_path):
    settings = {"model": "m", "data": "d.parquet", "rollouts_per_prompt": 4, "max_response_tokens": 100}
    one = TrainConfig(**settings, gpus_per_node=8, rollout_tensor_parallel=8)
    assert verl_overrides.router(one) == {}
    assert "actor_rollout_ref.rollout.router_config_path" not in verl_overrides.settings(one, tmp_path, "optional")
    four = TrainConfig(**settings, gpus_per_node=8, rollout_tensor_parallel=2)
    path = verl_overrides.settings(four, tmp_path, "optional")["actor_rollout_ref.rollout.router_config_path"]
    (tmp_path / verl_overrides.ROUTER_FILE).write_text(json.dumps(verl_overrides.router(four)))
    read = OmegaConf.to_container(OmegaConf.load(path))
    assert load_class_from_fqn(read["router_class"], "router") is PromptRouter
    assert read["answer_tokens"] == 400

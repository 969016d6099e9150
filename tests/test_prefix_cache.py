"""The prefix cache that benchmarks measure clients with, by hand."""

import importlib.util
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / "benchmarks" / "servers" / "token_time.py"


def load():
    spec = importlib.util.spec_from_file_location("token_time", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_blocks_are_found_shared_and_evicted_as_vllm_does():
    cache = load().BlockCache(6)
    # Three blocks of a prompt and one of its answer; nothing is found while the prompt is being read.
    assert cache.take([1, 2, 3], 1) == 0
    assert cache.found([1, 2, 3]) == 0
    assert cache.name([1, 2, 3]) == [1, 2, 3]
    # Two are shared, so two more suffice; then all six are in use.
    assert cache.take([1, 2, 9], 1) == 2
    assert cache.take([7], 1) is None
    cache.give_back([1, 2, 3], 1, [-1])
    # What others still use stays; of the rest the last block of the request goes first.
    assert (cache.users, list(cache.unused), cache.unnamed) == ({1: 1, 2: 1}, [-1, 3], 2)
    assert cache.take([7], 0) == 0
    assert list(cache.unused) == [3]
    assert cache.found([1, 2, 3]) == 3
    assert cache.take([8], 0) == 0
    assert cache.found([1, 2, 3]) == 2


def test_a_twin_that_was_read_at_the_same_time_is_not_found_twice():
    cache = load().BlockCache(4)
    assert cache.take([1], 1) == 0
    assert cache.take([1], 1) == 0
    assert cache.name([1]) == [1]
    assert cache.name([1]) == []
    cache.give_back([1], 1, [-1])
    cache.give_back([], 2, [-2])
    assert (cache.users, list(cache.unused), cache.unnamed) == ({}, [-1, 1, -2], 0)


def test_a_block_is_known_by_all_before_it():
    module = load()
    one, other = (module.chain(start + b"x" * 128) for start in (b"a" * 64, b"b" * 64))
    assert len(one) == 3
    assert not set(one) & set(other)
    assert module.chain(b"a" * 64 + b"x" * 100) == one[:2]

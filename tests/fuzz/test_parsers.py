"""Every parser of text from outside reads what it is given or refuses it by name; `make fuzz` tries for longer."""

import pytest
from families import NAMES, family, seeds
from families.found import FOUND
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated

EXAMPLES = {"answers": 300, "configs": 150, "judged": 300, "records": 40, "replies": 40}
"""Damaged inputs of a family, by what one costs."""


@pytest.mark.parametrize("name", NAMES)
def test_valid_inputs_are_read_by_the_parsers_they_are_for(name):
    module = family(name)
    for parser, valid in module.READ_BY.items():
        assert valid
        for seed in valid:
            assert parser in module.check(seed), (parser, seed[:200])


@pytest.mark.parametrize("name", NAMES)
def test_damaged_inputs_are_read_or_refused_by_name(name):
    module = family(name)

    @settings(max_examples=EXAMPLES.get(name, 100), derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.builds(mutated, st.randoms(use_true_random=False), st.just(seeds(module))))
    def holds(data):
        module.check(data)

    holds()


@pytest.mark.parametrize(("name", "data"), FOUND, ids=[f"{name}-{number}" for number, (name, _) in enumerate(FOUND)])
def test_what_once_broke_a_parser_is_refused(name, data):
    family(name).check(data)

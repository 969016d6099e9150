"""Counts of several rounds as one."""

from collections import Counter
from collections.abc import Mapping


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums of two tallies, by name."""
    return dict(sorted((Counter(one) + Counter(other)).items()))


def added_each(
    one: Mapping[str, Mapping[str, int]], other: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """The same of tallies of the same name."""
    return {name: added(one.get(name, {}), other.get(name, {})) for name in sorted({*one, *other})}

"""What a reader would earn who answers every question of a dataset with the items that are right most often."""

from collections import Counter, defaultdict
from collections.abc import Sequence

LONGEST = 32
"""Items of an answer up to which a guess is followed."""
REPEATED = 2
"""Other answers that hold an item, from which a reader of these may guess it."""


class FrequentItems:
    """The items of the answers so far; a guess at an answer of n items is the n most frequent ones."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._by_size: defaultdict[int, Counter[str]] = defaultdict(Counter)
        # Counts only grow, so an item gets here when it is added or never.
        self._first: list[str] = []

    def add(self, items: Sequence[str]) -> None:
        """Take in an answer."""
        self._change(items, 1)
        self._rank({*self._first, *items})

    def gain(self) -> float:
        """How many answers the guesses come to, an answer of which they find half counting half."""
        found = 0.0
        for size, held in self._by_size.items():
            guess = (item for item in self._first[:size] if self._counts[item] > REPEATED)
            found += sum(held[item] for item in guess) / size
        return found

    def gain_with(self, items: Sequence[str]) -> float:
        """The gain if an answer came in."""
        first = self._first
        self._change(items, 1)
        self._rank({*first, *items})
        found = self.gain()
        self._change(items, -1)
        self._first = first
        return found

    def _change(self, items: Sequence[str], by: int) -> None:
        held = self._by_size[len(items)]
        for item in items:
            self._counts[item] += by
            held[item] += by

    def _rank(self, items: set[str]) -> None:
        self._first = sorted(items, key=lambda item: (-self._counts[item], item))[:LONGEST]

"""How many records each cell of a build shall have: the side, the capability and the length bin."""

import math
from collections.abc import Collection, Sequence

from golongrl.pipeline.dataset.assign import Assignment
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.settings import BuildConfig

Cell = tuple[bool, str, str]
"""Held out, capability, label of the length bin."""


def wanted_cells(config: BuildConfig, able: Collection[str]) -> dict[Cell, int]:
    """Records wanted per side, capability and bin; `able` are the capabilities that validation documents can serve,
    in which validation has its share of the records."""
    lengths = bins(config.length_bins)
    validation = _validation(config, able)
    turn = {True: 0, False: 0}
    wanted = {}
    for capability, total in config.wanted.items():
        of_side = {True: validation[capability], False: total - validation[capability]}
        for held_out, count in of_side.items():
            # What does not divide evenly goes to the bins in turn, not always to the shortest.
            share, rest = divmod(count, len(lengths))
            extra = {(turn[held_out] + n) % len(lengths) for n in range(rest)}
            turn[held_out] += rest
            for place, bin in enumerate(lengths):
                wanted[held_out, capability, bin.label] = share + (place in extra)
    return wanted


def held_out_capabilities(entries: Sequence[Entry], assignment: Assignment) -> set[str]:
    """Capabilities that a validation document can carry."""
    return {name for name, served in assignment.items() if any(entries[number].held_out for number in served)}


def _validation(config: BuildConfig, able: Collection[str]) -> dict[str, int]:
    """Validation records per capability: `val_share` of all, split by largest remainder over those that held-out
    documents can serve."""
    shares = {name: total * config.val_share for name, total in config.wanted.items() if name in able}
    counts = {capability: math.floor(shares.get(capability, 0)) for capability in config.wanted}
    left = round(sum(shares.values())) - sum(counts.values())
    for capability in sorted(shares, key=lambda c: (counts[c] - shares[c], c))[: max(0, left)]:
        counts[capability] += 1
    return counts

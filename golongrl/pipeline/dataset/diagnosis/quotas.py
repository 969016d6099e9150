"""What the next round should build: more where there is more to gain, and of nothing too little."""

import math
from collections.abc import Mapping, Sequence

from golongrl.core.errors import UsageError
from golongrl.pipeline.dataset.diagnosis.clusters import order, prior_mean
from golongrl.pipeline.dataset.reporting.phase_facts import CellFacts, QuotaFacts

FLOOR = 0.25
"""Smallest share of a capability, in even shares."""
CAP = 2.5
"""Largest one."""
LEAST_HEADROOM = 0.01
"""What is solved without exception still counts for so much."""
_HALVINGS = 200


def quotas(
    headroom: Mapping[str, float], target: int, *, floor: float = FLOOR, cap: float = CAP, least: int = 1
) -> dict[str, int]:
    """`target` records shared out in proportion to `headroom` (0 to 1), by largest remainder.

    No share is below `floor` or above `cap` even shares, none gets fewer than `least` records. The sum is exactly
    `target`, and more headroom never means fewer records. Raises UsageError when the target is too small for `least`,
    or floor and cap contradict each other.
    """
    if not headroom or target < least * len(headroom):
        raise UsageError(f"a target of {target} is too small for {len(headroom)} parts; raise --target")
    if not 0 <= floor <= 1 <= cap:
        raise UsageError(f"floor {floor} and cap {cap}: expected 0 <= floor <= 1 <= cap")
    even = target / len(headroom)
    low, high = max(floor * even, least), cap * even
    exact = _clipped({name: max(LEAST_HEADROOM, value) for name, value in headroom.items()}, target, low, high)
    # Rounding noise must not turn a whole number into the one below.
    found = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    left = target - sum(found.values())
    ranked = sorted(exact, key=lambda name: (round(found[name] - exact[name], 9), -headroom[name], name))
    for name in ranked[:left]:
        found[name] += 1
    return found


def _clipped(weights: Mapping[str, float], target: int, low: float, high: float) -> dict[str, float]:
    """Multiples of the weights, cut to [low, high], that add up to the target."""

    def at(scale: float) -> dict[str, float]:
        return {name: min(high, max(low, scale * weight)) for name, weight in weights.items()}

    under, over = 0.0, high / min(weights.values())
    for _ in range(_HALVINGS):
        middle = (under + over) / 2
        if math.fsum(at(middle).values()) < target:
            under = middle
        else:
            over = middle
    return at(over)


def quota_facts(cells: Sequence[CellFacts], capabilities: Sequence[str], target: int) -> list[QuotaFacts]:
    """The quota of every capability, and of its length bins where lengths are known.

    A capability without scores is taken for as hard as the others are on average.
    """
    means = {cell["capability"]: cell["shrunk"] for cell in cells if cell["axis"] == "capability"}
    believed = prior_mean(cells)
    headroom = {capability: 1 - means.get(capability, believed) for capability in capabilities}
    wanted = quotas(headroom, target)
    return [
        {
            "capability": capability,
            "records": wanted[capability],
            "headroom": round(headroom[capability], 4),
            "bins": _bins(cells, capability, wanted[capability]),
        }
        for capability in capabilities
    ]


def _bins(cells: Sequence[CellFacts], capability: str, records: int) -> dict[str, int]:
    own = {c["value"]: 1 - c["shrunk"] for c in cells if c["capability"] == capability and c["axis"] == "length"}
    own.pop("unknown", None)
    return quotas({value: own[value] for value in sorted(own, key=order)}, records, least=0) if own else {}

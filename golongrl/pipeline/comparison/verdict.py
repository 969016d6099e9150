"""What a comparison says, in words. Scores are told in points: hundredths of a score."""

from typing import Literal, Protocol

from golongrl.core.stats import Difference, minimum_detectable_effect, smallest_p
from golongrl.core.stats.power import NO_SPREAD

Outcome = Literal["better", "worse", "not shown", "no difference seen", "equal", "too few"]

FEW_CLUSTERS = 10
"""Below so many clusters the intervals may be too narrow, see docs/compare.md."""


class HasInterval(Protocol):
    """A difference as a share, and its interval where there is one."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def points(value: float) -> str:
    """A share in points: 0.032 as 3.2, 0.0004 as 0.04, what is below 0.005 points as 0.0."""
    scaled = abs(100 * value)
    text = f"{scaled:.2g}" if 0.005 <= scaled < 0.095 else f"{scaled:.1f}"
    return f"-{text}" if value < 0 and float(text) > 0 else text


def signed(value: float) -> str:
    """A difference in points with its sign."""
    text = points(value)
    return text if text.startswith("-") or float(text) == 0 else f"+{text}"


def difference_text(found: HasInterval) -> str:
    """Mean, low and high of a difference in points: "+3.2 [1.1, 5.4]", the mean alone without an interval."""
    if found.low is None or found.high is None:
        return signed(found.mean)
    return f"{signed(found.mean)} [{points(found.low)}, {points(found.high)}]"


def percent(level: float) -> str:
    """The coverage of an interval: 95%, 99.5%."""
    return f"{100 * level:.6g}%"


def p_text(p: float) -> str:
    """A p-value for people."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def outcome_of(found: Difference, p_holm: float, level: float) -> Outcome:
    """Better or worse where the adjusted p-value and the interval both say so."""
    if found.standard_error is not None and max(found.standard_error, abs(found.mean)) < NO_SPREAD:
        return "equal"
    limit = 1 - level
    if found.low is None or found.high is None or smallest_p(found.n_clusters) > limit:
        return "too few"
    if found.low <= 0 <= found.high:
        return "no difference seen" if p_holm > limit else "not shown"
    if p_holm > limit:
        return "not shown"
    return "better" if found.mean > 0 else "worse"


def verdict(
    run: str, baseline: str, found: Difference, p_holm: float, tests: int, level: float, what: str = "items"
) -> str:
    """One sentence about `run` against the baseline; `what` the values belong to."""
    outcome = outcome_of(found, p_holm, level)
    of = f"{found.n_items} {what.removesuffix('s') if found.n_items == 1 else what}"
    if found.n_clusters != found.n_items:
        of += f" from {found.n_clusters} document{'' if found.n_clusters == 1 else 's'}"
    if outcome == "equal":
        ends = ""
        if found.low is not None and found.high is not None:
            ends = f", which rules out a true one of more than {points(max(-found.low, found.high))} points"
        return f"no difference: the scores of all {of} are equal{ends}"
    if outcome == "too few":
        least = least_clusters(level)
        if found.n_clusters >= least:
            return f"{signed(found.mean)} points; one document or prompt by itself allows no interval of the mean"
        verb = "is" if found.n_items == 1 else "are"
        return (
            f"{signed(found.mean)} points, but {of} {verb} too few to tell: no test can reach p {1 - level:.2g} with "
            f"fewer than {least} clusters"
        )
    interval = f"[{points(found.low or 0)}, {points(found.high or 0)}]"
    p = f"p {p_text(p_holm)}" + (f" after Holm over {tests} tests" if tests > 1 else "")
    if outcome in ("better", "worse"):
        return f"{run} is {outcome} than {baseline} by {points(abs(found.mean))} points {interval}, {p} ({of})"
    seen = f"{signed(found.mean)} points {interval}, {p}"
    if outcome == "not shown":
        looks = "better" if found.mean > 0 else "worse"
        return f"{run} looks {looks} than {baseline}, which is not shown: {seen} ({of})"
    if found.detectable is None:
        return f"no difference seen: {seen} ({of})"
    least = points(found.detectable)
    missed = f"one under {least} points would be missed more than one time in five"
    return f"no difference seen: {seen}; {missed} with these {of}"


def detectable_alone(found: Difference, tests: int, level: float) -> float | None:
    """The smallest visible difference where no other of the `tests` sees one: Holm then asks as much as Bonferroni.

    `found.detectable` is that where all others see one, so that the whole level is left. None where `found` has none,
    or where no flip of the clusters' signs reaches so small a p.
    """
    limit = (1 - level) / tests
    if found.detectable is None or found.standard_error is None or smallest_p(found.n_clusters) > limit:
        return None
    return minimum_detectable_effect(found.standard_error, found.freedom + 1, 1 - limit)


def visible_text(detectable: float | None, alone: float | None) -> str | None:
    """The smallest visible difference in points; "12.7 to 14.0" where it depends on what other tests see."""
    if detectable is None:
        return None
    least = points(detectable)
    if alone is None:
        return f"{least} at best"
    return least if least == points(alone) else f"{least} to {points(alone)}"


def least_clusters(level: float) -> int:
    """How many clusters that differ let sign flips reach the level."""
    return next(count for count in range(2, 64) if smallest_p(count) <= 1 - level)

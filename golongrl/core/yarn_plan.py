"""Which prompts need YaRN, and how much: the smallest factor for every bucket of lengths.

Static YaRN costs quality on prompts that fit without it, so those run with the model as it is. Longer ones are put
in buckets that double the model's own length, and each bucket gets the smallest factor, in quarters, that its
longest prompt and answer fit in: a handful of factors, because each is one start of a server.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from golongrl.core.errors import DataError, UsageError
from golongrl.core.rope import Rope, own_length, read_rope, yarn_parameters

Setting = float | Literal["auto", "off"]

STEPS = 4
"""Factors are multiples of 1 / STEPS: near lengths share a start of the server and can be compared."""
MOST = 8.0
"""Where `auto` ends. Model cards stop at 4; a model of 131,072 tokens needs 8 for a million."""


@dataclass(frozen=True)
class Reach:
    """How long a model's prompts and answers can be, in tokens, without YaRN and with it."""

    own: int | None = None
    """Without a change to its config; YaRN that the config ships counts. None where it says nothing."""
    most: int | None = None
    """With YaRN; equal to `own` where there is none."""
    rope: Rope | None = None
    """What YaRN is put on; None where none is wanted or possible."""
    fixed: float | None = None
    """The one factor for all prompts, where the user named it."""
    why_not: str = ""
    """Why YaRN was wanted and is not possible."""


UNKNOWN = Reach()
"""Of a model whose config is not at hand, or whose server runs already."""


@dataclass(frozen=True)
class Bucket:
    """The prompts that run with one factor: all that are not in a bucket before it, up to `longest`."""

    longest: int
    """Tokens of prompt and answer."""
    factor: float | None
    """None is the model as it is."""


def reach(config: Mapping[str, Any], setting: Setting) -> Reach:
    """What a model config and `--yarn` allow.

    With a factor: raises UsageError or DataError when the model cannot be scaled by it. With "auto" that is the
    result's `why_not`, because prompts within the model's own length can still run.
    """
    own = own_length(config)
    if setting == "off":
        return Reach(own, own)
    if setting != "auto":
        rope = read_rope(config)
        yarn_parameters(rope, setting)
        return Reach(own, int(setting * rope.original_length), rope, setting)
    try:
        rope = read_rope(config)
        yarn_parameters(rope, MOST)
    except (DataError, UsageError) as error:
        return Reach(own, own, why_not=str(error))
    return Reach(own, max(own or 0, int(MOST * rope.original_length)), rope)


def smallest_factor(tokens: int, original_length: int) -> float:
    """The smallest multiple of 1 / STEPS that makes at least `tokens` of `original_length`."""
    return -(-STEPS * tokens // original_length) / STEPS


def plan_buckets(needs: Iterable[int], model: Reach) -> tuple[Bucket, ...]:
    """The buckets for requests of these sizes (tokens of prompt and answer), shortest first.

    Sizes beyond `model.most` are in none. No buckets where the model is not scaled.
    """
    if model.rope is None or model.own is None or model.most is None:
        return ()
    if model.fixed is not None:
        return (Bucket(model.most, model.fixed),)
    longest: dict[int, int] = {}
    for need in needs:
        if need <= model.most:
            doublings = (-(-need // model.own) - 1).bit_length()
            longest[doublings] = max(longest.get(doublings, 0), need)
    found = []
    for doublings in sorted(longest):
        if doublings == 0:
            found.append(Bucket(model.own, None))
        else:
            found.append(Bucket(longest[doublings], smallest_factor(longest[doublings], model.rope.original_length)))
    return tuple(found)


def factor_of(buckets: Sequence[Bucket], need: int | None) -> float | None:
    """The factor that a request of `need` tokens runs with; None is the model as it is.

    A request of unknown size runs in the first bucket, one beyond all buckets nowhere: it has no factor.
    """
    if need is None:
        return buckets[0].factor if buckets else None
    return next((bucket.factor for bucket in buckets if need <= bucket.longest), None)


def as_text(buckets: Sequence[Bucket]) -> str:
    """The buckets in words."""
    kinds = ["as it is" if bucket.factor is None else f"with YaRN {bucket.factor:g}" for bucket in buckets]
    return ", ".join(f"up to {bucket.longest} tokens {kind}" for bucket, kind in zip(buckets, kinds, strict=True))


def as_json(buckets: Sequence[Bucket]) -> list[dict[str, Any]]:
    """The buckets as plain JSON."""
    return [asdict(bucket) for bucket in buckets]

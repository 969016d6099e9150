"""Does a training run fit cards of a given size, and what does not."""

from dataclasses import dataclass
from typing import Literal

from golongrl.core.memory.host import host_rows
from golongrl.core.memory.layout import Layout
from golongrl.core.memory.rollout import Pool, kv_pool, rollout_rows, sync_rows, trainer_resident_in_rollouts
from golongrl.core.memory.rows import OTHER, Row, gib, rows_total
from golongrl.core.memory.update import update_rows
from golongrl.core.model_shape.shape import Shape

TIGHT, IMPOSSIBLE = 0.9, 1.2
"""Shares of the card: above the first it may not fit, above the second it cannot."""

Level = Literal["fits", "tight", "does not fit"]

Kind = Literal["pool", "start", "peak"]


@dataclass(frozen=True)
class Verdict:
    """A run on one size of card."""

    card: str
    bytes: int
    phase: str
    """The phase that takes the most."""
    peak: int
    pool: Pool | None
    problems: dict[Kind, str]
    """What does not fit, for people: the longest request in the pool, the server when it starts, the peak."""

    @property
    def level(self) -> Level:
        """Only the peak is an estimate with two thresholds; a pool or a server that does not fit fails for sure."""
        if {"pool", "start"} & set(self.problems) or self.peak > IMPOSSIBLE * self.bytes:
            return "does not fit"
        return "tight" if self.problems else "fits"

    def __str__(self) -> str:
        text = f"{self.card}: {self.level}, at most {gib(self.peak)} of {gib(self.bytes)} ({self.phase})"
        if self.pool is not None:
            requests = self.pool.tokens / self.pool.longest
            text += f"; {self.pool.tokens:,} tokens of key-value cache, {requests:.1f} requests of full length"
        return text


def estimate(shape: Shape, cut: Layout, card: int) -> list[Row]:
    """What every GPU holds in each phase on cards of `card` bytes, and what the host of a machine does."""
    return [
        *update_rows(shape, cut),
        *sync_rows(shape, cut),
        *rollout_rows(shape, cut, card),
        *host_rows(shape, cut),
    ]


def judge(shape: Shape, cut: Layout, name: str, card: int) -> Verdict:
    """What does not fit cards of `card` bytes."""
    phases = {
        "update": rows_total(update_rows(shape, cut), "update"),
        "weight sync": rows_total(sync_rows(shape, cut), "weight sync"),
        "rollouts": rows_total(rollout_rows(shape, cut, card), "rollouts"),
    }
    phase = max(phases, key=lambda key: phases[key])
    share = cut.rollout_memory
    pool = None if cut.rollout == "transformers" else kv_pool(shape, cut, card)
    problems: dict[Kind, str] = {}
    if pool is not None and not pool.holds_longest:
        problems["pool"] = (
            f"the key-value pool of a rollout server holds {pool.tokens:,} tokens on a card of {gib(card)} "
            f"(rollout_memory = {share}), and the longest request has {cut.longest:,}"
        )
    free = card - OTHER - trainer_resident_in_rollouts(shape, cut)
    if cut.rollout == "vllm" and share * card > free:
        problems["start"] = (
            f"rollout_memory = {share} asks for {gib(share * card)} of a card of {gib(card)}, and {gib(free)} are "
            "free when vLLM starts"
        )
    if phases[phase] > TIGHT * card:
        problems["peak"] = f"{phase} takes about {gib(phases[phase])}, and a card has {gib(card)}"
    return Verdict(name, card, phase, phases[phase], pool, problems)

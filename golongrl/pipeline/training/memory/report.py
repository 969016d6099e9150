"""Does a run fit: the estimate held against cards or host memory, and what would make it fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import FUSED, OFFLOAD_POLICY, layout
from golongrl.pipeline.training.memory.host import host_rows
from golongrl.pipeline.training.memory.rollout import (
    Pool,
    kv_pool,
    rollout_rows,
    sync_rows,
    trainer_resident_in_rollouts,
)
from golongrl.pipeline.training.memory.update import GIB, OTHER, Row, rows_total, update_rows
from golongrl.pipeline.training.model_shape import Shape

CARDS: dict[str, int] = {
    "80 GB": 81_559 << 20,
    "96 GB": 97_871 << 20,
    "141 GB": 143_771 << 20,
}
"""Card sizes a plan for another machine is held against: what nvidia-smi reports of an H100, an H20 and an H200."""

TIGHT, IMPOSSIBLE = 0.9, 1.2
"""Shares of the card: above the first it may not fit, above the second it cannot."""

MOST_ROLLOUT_MEMORY = 0.9

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


@dataclass(frozen=True)
class MemoryReport:
    """The estimate as a table, and what it says about the cards at hand or the usual ones."""

    rows: list[Row]
    verdicts: list[Verdict]
    parameters: int

    def totals(self) -> dict[str, int]:
        """Bytes per phase, in the order of the table."""
        return {phase: rows_total(self.rows, phase) for phase in dict.fromkeys(row.phase for row in self.rows)}

    def table(self) -> list[tuple[str, str, str, str]]:
        """(phase, item, size, arithmetic) per row, with the sum of each phase below it."""
        lines = []
        for phase, total in self.totals().items():
            lines += [(phase, row.item, gib(row.bytes), row.formula) for row in self.rows if row.phase == phase]
            lines.append((phase, "together", gib(total), ""))
        return lines


def report(shape: Shape, config: TrainConfig, cards: dict[str, int]) -> MemoryReport:
    """The estimate for a CPU run, or for cards by name and bytes; the table shows the pool on the smallest card."""
    host = host_rows(shape, config)
    if config.device == "cpu":
        return MemoryReport(host, [], shape.parameters.total)
    smallest = min(cards.values())
    rows = [*update_rows(shape, config), *sync_rows(shape, config), *rollout_rows(shape, config, smallest), *host]
    verdicts = [judge(shape, config, name, size) for name, size in cards.items()]
    return MemoryReport(rows, verdicts, shape.parameters.total)


def judge(shape: Shape, config: TrainConfig, name: str, card: int) -> Verdict:
    """What does not fit cards of `card` bytes."""
    phases = {
        "update": rows_total(update_rows(shape, config), "update"),
        "weight sync": rows_total(sync_rows(shape, config), "weight sync"),
        "rollouts": rows_total(rollout_rows(shape, config, card), "rollouts"),
    }
    phase = max(phases, key=lambda key: phases[key])
    share = layout(config).rollout_memory
    pool = None if config.rollout == "transformers" else kv_pool(shape, config, card)
    problems: dict[Kind, str] = {}
    if pool is not None and not pool.holds_longest:
        problems["pool"] = (
            f"the key-value pool of a rollout server holds {pool.tokens:,} tokens on a card of {gib(card)} "
            f"(rollout_memory = {share}), and the longest request has {config.longest:,}"
        )
    free = card - OTHER - trainer_resident_in_rollouts(shape, config)
    if config.rollout == "vllm" and share * card > free:
        problems["start"] = (
            f"rollout_memory = {share} asks for {gib(share * card)} of a card of {gib(card)}, and {gib(free)} are "
            "free when vLLM starts"
        )
    if phases[phase] > TIGHT * card:
        problems["peak"] = f"{phase} takes about {gib(phases[phase])} of the {gib(card)} of a card"
    return Verdict(name, card, phase, phases[phase], pool, problems)


def remedies(shape: Shape, config: TrainConfig, card: int, kind: Kind, most: int = 3) -> list[str]:
    """Single changes of the configuration, as `key = value`, that end one problem on a card of `card` bytes and make
    no other."""
    allowed = set(judge(shape, config, "", card).problems) - {kind}
    found = []
    for values in _changes(config):
        mending = (text for text, changed in values() if set(judge(shape, changed, "", card).problems) <= allowed)
        first = next(mending, None)
        if first is not None:
            found.append(first)
        if len(found) == most:
            break
    return found


def _changes(config: TrainConfig) -> Iterator[Callable[[], Iterator[tuple[str, TrainConfig]]]]:
    """Per key that may help, the values to try, the smallest change first."""
    world = config.nodes * config.gpus_per_node
    sizes = [size for size in range(2, world + 1) if world % size == 0]
    shares = [share / 20 for share in range(1, 19)]

    def tries(key: str, values: list[Any], **more: Any) -> Callable[[], Iterator[tuple[str, TrainConfig]]]:
        return lambda: _with(config, key, values, more)

    yield tries("offload", [True] if not config.offload else [])
    near = sorted(shares, key=lambda share: abs(share - config.rollout_memory))
    yield tries("rollout_memory", [share for share in near if share <= MOST_ROLLOUT_MEMORY])
    yield tries("rollout_tensor_parallel", [size for size in sizes if size > config.rollout_tensor_parallel])
    if config.engine == "megatron":
        yield tries("tensor_parallel", [size for size in sizes if size > config.tensor_parallel])
    yield tries(
        "context_parallel", [size for size in sizes if size > config.context_parallel], micro_batch_tokens=None
    )
    if config.engine == "fsdp" and config.attention == "sdpa":
        yield tries("attention", ["flash_attention_2"])
    yield lambda: _through(config, FUSED)
    if config.engine == "fsdp":
        yield lambda: _through(config, OFFLOAD_POLICY)
        yield lambda: _through(config, FUSED, OFFLOAD_POLICY)
    if config.micro_batch_tokens is not None:
        least = -(-config.longest // config.context_parallel)
        yield tries("micro_batch_tokens", [least] if least < config.micro_batch_tokens else [])
    shorter = [config.max_prompt_tokens * part // 16 // 256 * 256 for part in range(15, 0, -1)]
    yield tries("max_prompt_tokens", [size for size in shorter if size], micro_batch_tokens=None)


def _with(
    config: TrainConfig, key: str, values: list[Any], more: dict[str, Any]
) -> Iterator[tuple[str, TrainConfig]]:
    for value in values:
        try:
            changed = TrainConfig.model_validate({**config.model_dump(), **more, key: value})
        except ValidationError:
            continue
        yield f"{key} = {value!r}" if isinstance(value, str) else f"{key} = {str(value).lower()}", changed


def _through(config: TrainConfig, *paths: str) -> Iterator[tuple[str, TrainConfig]]:
    changed = config.model_copy(update={"verl": {**config.verl, **dict.fromkeys(paths, True)}})
    yield " and ".join(f"verl.{path} = true" for path in paths), changed


def gib(size: float) -> str:
    """Bytes for people."""
    return f"{size / GIB:.1f} GiB"

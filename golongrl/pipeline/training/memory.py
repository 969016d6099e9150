"""Does a run fit: the estimate held against cards or host memory, and what would make it fit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from golongrl.core.gpus import GPUS
from golongrl.core.memory.host import host_rows
from golongrl.core.memory.layout import FUSED, OFFLOAD_POLICY
from golongrl.core.memory.rows import Row, rows_table, rows_total
from golongrl.core.memory.verdict import Kind, Verdict, estimate, judge
from golongrl.core.model_shape.shape import Shape
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import layout

CARDS: dict[str, int] = {"80 GB": GPUS["H100"].memory, "96 GB": GPUS["H20"].memory, "141 GB": GPUS["H200"].memory}
"""Card sizes a plan for another machine is held against."""

MOST_ROLLOUT_MEMORY = 0.9


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
        return rows_table(self.rows)


def report(shape: Shape, config: TrainConfig, cards: dict[str, int]) -> MemoryReport:
    """The estimate for a CPU run, or for cards by name and bytes; the table shows the pool on the smallest card."""
    cut = layout(config)
    if config.device == "cpu":
        return MemoryReport(host_rows(shape, cut), [], shape.parameters.total)
    rows = estimate(shape, cut, min(cards.values()))
    verdicts = [judge(shape, cut, name, size) for name, size in cards.items()]
    return MemoryReport(rows, verdicts, shape.parameters.total)


def remedies(shape: Shape, config: TrainConfig, card: int, kind: Kind, most: int = 3) -> list[str]:
    """Single changes of the configuration, as `key = value`, that end one problem on a card of `card` bytes and make
    no other."""
    allowed = set(judge(shape, layout(config), "", card).problems) - {kind}
    found = []
    for values in _changes(config):
        tried = ((text, judge(shape, layout(changed), "", card)) for text, changed in values())
        first = next((text for text, verdict in tried if set(verdict.problems) <= allowed), None)
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

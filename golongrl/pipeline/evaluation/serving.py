"""The server of a run: which prompts need which start of it, and the endpoint that serves them.

A start has one YaRN factor, so a run whose prompts need several restarts the server between them, shortest prompts
first. A server that runs already is used as it is.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from golongrl.core import chat, engine_flags, rope, servers
from golongrl.core.errors import ServerError
from golongrl.core.model_config import model_config
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.job import BenchJob, Slot
from golongrl.pipeline.evaluation.plan import Model, started_engine

Say = Callable[[str], None]

_STREAMS = 32
_BUDGET_IN_LENGTHS = 8


@dataclass(frozen=True)
class Stage:
    """What one start of the server answers."""

    factor: float | None
    """The YaRN factor it runs with; None is the model as it is."""
    max_model_len: int
    """Tokens of prompt and answer together."""
    slots: Mapping[str, list[Slot]]
    """The slots that are asked in it, by benchmark, in the order in which they are sent."""


def identity(model: Model, factor: float | None) -> str:
    """The model's name in content keys: with YaRN it is another model, which answers differently."""
    return model.identity if factor is None else f"{model.identity} yarn {factor!r}"


def slot_identity(job: BenchJob, slot: Slot) -> str:
    """The identity of the model that answers a slot."""
    return identity(job.model, job.limits.factor(slot.n_input_tokens))


def stages(config: EvalConfig, model: Model, owed: Sequence[tuple[BenchJob, list[Slot]]]) -> list[Stage]:
    """The starts of the server that the owed slots need, in order; none when nothing is owed."""
    found: dict[float | None, dict[str, list[Slot]]] = {}
    for job, slots in owed:
        for slot in slots:
            factor = job.limits.factor(slot.n_input_tokens)
            found.setdefault(factor, {}).setdefault(job.bench.name, []).append(slot)
    longest = max((job.limits.max_model_len for job, _ in owed), default=0)
    return [
        Stage(factor, _length(config, model, factor, longest), found[factor])
        for factor in sorted(found, key=lambda factor: factor or 0.0)
    ]


def _length(config: EvalConfig, model: Model, factor: float | None, longest: int) -> int:
    """Tokens that a start of the server must take."""
    reach = model.reach
    if reach.rope is None or reach.own is None:
        return longest
    scaled = reach.own if factor is None else int(factor * reach.rope.original_length)
    return min(scaled, config.max_model_len or scaled)


@contextlib.contextmanager
def endpoint(config: EvalConfig, model: Model, stage: Stage, log: Path, say: Say) -> Iterator[chat.Endpoint]:
    """The configured endpoint, or a server that lives as long as the block.

    Raises ServerError when the server does not come up, or takes fewer tokens than the stage needs.
    """
    engine = started_engine(config, model.folder)
    # transformers serve neither batches nor keeps the random state of requests apart: one at a time.
    streams = 1 if engine == "transformers" else _STREAMS
    found = chat.Endpoint(
        base_url=config.base_url or "",
        model=config.model or "",
        identity=identity(model, stage.factor),
        max_requests=streams if config.concurrency == "auto" else config.concurrency,
        token_budget=config.token_budget or _BUDGET_IN_LENGTHS * stage.max_model_len,
        timeout=config.timeout,
        retries=config.retries,
    )
    if engine is None:
        yield found
        return
    with _started(engine, config, model, stage, log, say) as server:
        running = replace(found, base_url=server.base_url, model=server.model, alive=server.check)
        _check_length(running, stage, engine, log)
        say(f"{engine} is up at {server.base_url}")
        yield running


@contextlib.contextmanager
def _started(
    engine: str, config: EvalConfig, model: Model, stage: Stage, log: Path, say: Say
) -> Iterator[servers.Server]:
    yarn, version = _override(model, stage), None
    with_yarn = "" if stage.factor is None else f" with YaRN {stage.factor:g} for {stage.max_model_len} tokens"
    if yarn is not None:
        version = engine_flags.installed_version(engine, config.server_python or sys.executable)
        if doubt := engine_flags.doubt(engine, version):
            say(doubt)
    say(f"starting {engine}{f' {version}' if version else ''} for {model.name}{with_yarn}; its log is {log}")
    with servers.serve(
        engine,
        config.model or "",
        port=config.port,
        python=config.server_python,
        log=log,
        extra_args=config.server_args,
        max_model_len=stage.max_model_len,
        yarn=yarn,
        version=version,
    ) as server:
        yield server


def _override(model: Model, stage: Stage) -> rope.Override | None:
    """What the engine must be told about the rotary embedding; None where the config says it all."""
    if model.folder is None:
        return None
    config = model_config(model.folder)
    return rope.shipped_override(config) if stage.factor is None else rope.yarn_override(config, stage.factor)


def _check_length(running: chat.Endpoint, stage: Stage, engine: str, log: Path) -> None:
    length = chat.served_length(running)
    if length is not None and length < stage.max_model_len:
        raise ServerError(
            f"{engine} says it takes {length} tokens, {stage.max_model_len} were asked for; look for what overrides "
            f"the length in --server-arg and in {log}"
        )

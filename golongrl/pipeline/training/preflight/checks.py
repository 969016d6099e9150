"""Checks before anything expensive starts; each failure names the key to change and a value that works.

Nothing here imports torch, ray or verl: packages are looked up, GPUs asked for through nvidia-smi, memory estimated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from golongrl.core import chat_template, machine
from golongrl.core.errors import ConfigError, GolongrlError
from golongrl.core.memory.host import PHASE as HOST
from golongrl.core.memory.rows import gib, rows_total
from golongrl.core.model_config import model_config
from golongrl.core.model_shape.read import FAMILIES, context_length, read_shape
from golongrl.core.model_shape.shape import Shape
from golongrl.core.rope import rope_of
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import check_batches, check_layout
from golongrl.pipeline.training.memory import CARDS, MemoryReport, remedies, report
from golongrl.pipeline.training.model.base_model import model_folder
from golongrl.pipeline.training.preflight import data as data_check
from golongrl.pipeline.training.preflight import output as output_check
from golongrl.pipeline.training.preflight import versions
from golongrl.pipeline.training.preflight.data import DataFacts
from golongrl.pipeline.training.ray_settings import check_address


@dataclass(frozen=True)
class Facts:
    """What the checks found out."""

    prompts: int
    """Records that are not known to be longer than max_prompt_tokens."""
    too_long: int
    tasks: dict[str, int]
    """Records per metric, of those that were read."""
    think: Literal["required", "optional"]
    steps: int
    """Training steps in all."""
    data: DataFacts
    """How much of the data was read and scored."""
    context: int | None
    """Longest sequence the model takes, where its config says so."""
    memory: MemoryReport | None
    """None for a model type whose parameters are not counted."""
    checkpoint_bytes: int | None
    warnings: list[str] = field(default_factory=list)
    """What may go wrong, in full sentences."""


def check(config: TrainConfig, out: Path | None = None, *, planning: bool = False) -> Facts:
    """All checks; raises the first problem with what to do about it.

    `out` is the folder of the run; without it no place is checked. `planning` is for a run that will start elsewhere:
    what this machine lacks (packages, GPUs, memory, disk space) becomes a warning.
    """
    warnings: list[str] = []

    def here(problem: Callable[[], list[str] | None]) -> None:
        try:
            warnings.extend(problem() or [])
        except GolongrlError as error:
            if not planning:
                raise
            warnings.append(f"on this machine: {error}")

    here(lambda: versions.check_packages(config))
    here(lambda: versions.check_versions(config))
    folder = model_folder(config.model)
    described = model_config(folder)
    shape, context = read_shape(described), context_length(described)
    check_context(config, context, described)
    check_batches(config)
    if shape is not None:
        check_layout(config, shape)
    data = check_data(config, warnings)
    prompts = data.rows - data.too_long
    steps = config.steps or config.epochs * (prompts // config.prompts_per_batch)
    gpus = machine.gpus() if config.device == "cuda" else []
    here(lambda: check_gpus(config, gpus))
    here(lambda: check_address(config.ray_address))
    memory = None if shape is None else report(shape, config, cards(config, gpus))
    if shape is None or memory is None:
        warnings.append(
            f"no memory estimate: golongrl does not count the parameters of model_type "
            f"{described.get('model_type')!r}, only of {', '.join(FAMILIES)}"
        )
    else:
        here(lambda: check_memory(config, shape, memory, gpus))
    size = None if shape is None else output_check.checkpoint_bytes(shape, config)
    if out is not None:
        warnings += output_check.shared_folder_hint(out, config)
        here(lambda: output_check.check_out(out, config, size, steps))
    return Facts(
        prompts=prompts,
        too_long=data.too_long,
        tasks=dict(sorted(data.tasks.items())),
        think=think_mode(config, folder),
        steps=steps,
        data=data,
        context=context,
        memory=memory,
        checkpoint_bytes=size,
        warnings=warnings,
    )


def gate(config: TrainConfig) -> None:
    """Audit the rewards of a sample of the training data; CheckFailedError when an attack pays or a gold fails."""
    data_check.gate(config.data, seed=config.seed)


def check_data(config: TrainConfig, warnings: list[str]) -> DataFacts:
    """Facts about the training data; DataError for a bad row, ConfigError for less than a batch of prompts."""
    found = data_check.check_data(config.data, config.max_prompt_tokens)
    files = [(config.data, found)]
    if config.val_data:
        files.append((config.val_data, data_check.check_data(config.val_data, config.max_prompt_tokens)))
    warnings.extend(
        f"{facts.read:,} of {facts.rows:,} rows of {path} were checked, which is what {data_check.SECONDS:.0f} s "
        f"allow; check all of them with: golongrl verify-rewards {path}"
        for path, facts in files
        if not facts.whole
    )
    prompts = found.rows - found.too_long
    if prompts < config.prompts_per_batch:
        raise ConfigError(
            f"{config.data} has {prompts} prompts of at most {config.max_prompt_tokens} tokens, a batch needs "
            f"{config.prompts_per_batch}; lower prompts_per_batch, raise max_prompt_tokens, or build more data"
        )
    if config.sampling == "balanced" and len(found.tasks) > config.prompts_per_batch:
        raise ConfigError(
            f"sampling = 'balanced' puts every task into every batch, and {config.data} has {len(found.tasks)} tasks "
            f"for prompts_per_batch = {config.prompts_per_batch}; raise it to at least {len(found.tasks)}, or set "
            "sampling = 'shuffle'"
        )
    return found


def check_context(config: TrainConfig, context: int | None, described: dict[str, Any]) -> None:
    """ConfigError when prompt and response are longer than the model's context, with what fits and YaRN's factor."""
    if context is None or config.longest <= context:
        return
    room = context - config.max_response_tokens
    fits = (
        f"set max_prompt_tokens = {room}" if room > 0 else f"set max_prompt_tokens + max_response_tokens <= {context}"
    )
    rope = rope_of(described)
    original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
    if "yarn" in (rope.get("rope_type"), rope.get("type")) and original and factor and original * factor > context:
        longer = (
            f"or, as its YaRN reaches {int(original * factor)} tokens, set max_position_embeddings to that in its "
            "config.json: that number is what the engines read"
        )
    else:
        longer = (
            f"or write YaRN with factor {-(-config.longest // (original or context))} into a copy of the model "
            "folder (golongrl.core.rope.write_yarn)"
        )
    raise ConfigError(
        f"max_prompt_tokens + max_response_tokens = {config.longest} and the context of {config.model} is {context} "
        f"tokens (max_position_embeddings); {fits}, {longer}"
    )


def check_gpus(config: TrainConfig, found: list[machine.Gpu]) -> None:
    """ConfigError when a run without a cluster asks for more GPUs than this machine has, or for more machines.

    Those of a cluster are counted once it is joined.
    """
    if config.ray_address is not None:
        return
    if config.nodes > 1:
        raise ConfigError(
            f"nodes = {config.nodes} needs a Ray cluster to join; start one and set ray_address = 'auto', or set "
            "nodes = 1"
        )
    if config.device != "cuda":
        return
    if not found:
        raise ConfigError(
            f"gpus_per_node = {config.gpus_per_node} with device = 'cuda', and nvidia-smi finds no GPU here; join a "
            "cluster with ray_address = 'auto', or set device = 'cpu' and rollout = 'transformers'"
        )
    if len(found) < config.gpus_per_node:
        raise ConfigError(
            f"gpus_per_node = {config.gpus_per_node}, and this machine has {len(found)} ({found[0].name}); set "
            f"gpus_per_node = {len(found)}, or join a cluster with ray_address = 'auto'"
        )


def cards(config: TrainConfig, found: list[machine.Gpu]) -> dict[str, int]:
    """The card the estimate is held against: the smallest one here, or the usual sizes where there is none."""
    sizes = [gpu for gpu in found[: config.gpus_per_node] if gpu.total]
    smallest = min(sizes, key=lambda gpu: gpu.total, default=None)
    return CARDS if smallest is None else {smallest.name: smallest.total}


def check_memory(config: TrainConfig, shape: Shape, memory: MemoryReport, gpus: list[machine.Gpu]) -> list[str]:
    """What may not fit; ConfigError for what cannot on the GPUs of this machine, with single changes that help.

    The GPUs of a cluster may be others than those of the machine that starts the run.
    """
    hints = []
    host = machine.host_memory()
    if config.device == "cpu" or gpus:
        hints += check_host(config, rows_total(memory.rows, HOST), host)
    known = {gpu.name for gpu in gpus} if config.ray_address is None else set()
    for verdict in memory.verdicts:
        for kind, problem in verdict.problems.items():
            changes = remedies(shape, config, verdict.bytes, kind)
            text = f"{problem}; " + (
                f"one of these helps: {'; '.join(changes)}"
                if changes
                else "use larger cards, more GPUs, a smaller model, or a smaller max_prompt_tokens"
            )
            if verdict.level == "does not fit" and verdict.card in known:
                raise ConfigError(text)
            hints.append(text)
    return hints


def check_host(config: TrainConfig, need: int, host: machine.HostMemory | None) -> list[str]:
    """A hint when host memory may not be enough; ConfigError when a CPU run needs more than there is in all."""
    if host is None or need <= host.available:
        return []
    text = (
        f"host memory: the run takes about {gib(need)}, and of {gib(host.total)} {gib(host.available)} are available"
    )
    if config.device == "cpu":
        change = "lower micro_batch_tokens, max_prompt_tokens or gpus_per_node, or choose a smaller model"
        if need > host.total:
            least = -(-config.longest // config.context_parallel)
            raise ConfigError(f"{text}; {change} (micro_batch_tokens can go down to {least})")
        return [f"{text}; end other programs, or {change}"]
    return [f"{text}; set offload = false, or use more machines"]


def think_mode(config: TrainConfig, folder: Path) -> Literal["required", "optional"]:
    """Whether a rollout must close a think block, from the configuration or the model's chat template."""
    found = chat_template.read_template(folder)
    if found is None:
        raise ConfigError(
            f"{config.model} has no chat template, so prompts cannot be rendered; "
            "use an instruction-tuned model, or add chat_template.jinja to the folder"
        )
    return chat_template.detect_think(found) if config.think == "template" else config.think

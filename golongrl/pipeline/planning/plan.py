"""The plan: everything about a model at a length on GPUs, and whether it fits."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from golongrl.core.errors import UsageError
from golongrl.core.memory.layout import Layout
from golongrl.core.model_shape.read import Reading, read_or_guess
from golongrl.pipeline.planning.context import Context, plan_context
from golongrl.pipeline.planning.cuts import Cut, cuts
from golongrl.pipeline.planning.epoch import Prompts, Step, epoch, full_length, prompts_of_file
from golongrl.pipeline.planning.model_source import find_config
from golongrl.pipeline.planning.request import AUTO, Request
from golongrl.pipeline.planning.serving import Serving, plan_serving
from golongrl.pipeline.planning.stored import Stored, stored_weights
from golongrl.pipeline.planning.training import Training, plan_training


@dataclass(frozen=True)
class Plan:
    """A model at a length on GPUs. `serving` or `training` is None, whichever was not asked for."""

    source: str
    """Where the config.json was found."""
    reading: Reading
    stored: Stored
    request: Request
    context: Context
    cuts: list[Cut]
    serving: Serving | None
    training: Training | None
    step: Step | None
    """Train: the time of one step, where it fits."""
    prompts: Prompts | None
    """Train: the prompts of an epoch, where they are known."""
    epoch: Step | None
    """Train: the time of an epoch, where it fits and its prompts are known."""
    warnings: list[str]

    @property
    def fits(self) -> bool:
        """Whether the GPUs hold it and the model reaches the length."""
        if not self.context.reachable:
            return False
        if self.training is not None:
            return self.training.fits
        best = self.serving.best if self.serving else None
        return best is not None and best.server.total >= self.request.batch


def plan(
    model: str,
    request: Request,
    *,
    layout: Layout | None = None,
    data: str | None = None,
    tokens_per_epoch: int | None = None,
) -> Plan:
    """Work a plan out; nothing is downloaded but the config.json of a hub id, and nothing is started.

    `layout` is judged instead of looking for one. `data` (records) or `tokens_per_epoch` (prompt tokens) say how much
    an epoch is. Raises UsageError and DataError for a model, a length or data that make no plan.
    """
    config, source = find_config(model)
    return plan_config(config, source, request, layout=layout, data=data, tokens_per_epoch=tokens_per_epoch)


def plan_config(
    config: Mapping[str, Any],
    source: str,
    request: Request,
    *,
    layout: Layout | None = None,
    data: str | None = None,
    tokens_per_epoch: int | None = None,
) -> Plan:
    """`plan` for a config that was read already."""
    if request.purpose == "train" and request.prompt < 1:
        raise UsageError(
            f"a response of {request.response:,} tokens leaves no prompt in sequences of {request.length:,}; raise "
            "--length, which is prompt and response, or lower --response-length"
        )
    reading = read_or_guess(config)
    stored = stored_weights(config)
    if request.weights == AUTO:
        request = replace(request, weights=stored.dtype if request.purpose == "serve" else "bf16")
    context = plan_context(config, request.length)
    sizes = cuts(reading.shape, request.gpus)
    serving = plan_serving(reading.shape, request, sizes) if request.purpose == "serve" else None
    warnings = [*context.warnings, *_kind_warnings(reading, stored, request)]
    training = step = prompts = of_epoch = None
    if request.purpose == "train":
        training = plan_training(reading.shape, request, sizes, layout)
        best = training.best.layout
        prompts = _epoch_prompts(request, data, tokens_per_epoch)
        if training.fits:
            step = epoch(reading.shape, request, best, full_length(request))
            of_epoch = epoch(reading.shape, request, best, prompts) if prompts else None
    return Plan(
        source, reading, stored, request, context, sizes, serving, training, step, prompts, of_epoch, warnings
    )


def _epoch_prompts(request: Request, data: str | None, tokens_per_epoch: int | None) -> Prompts | None:
    if data is not None:
        return prompts_of_file(data, request.prompt)
    if tokens_per_epoch is None:
        return None
    number = max(1, tokens_per_epoch // request.prompt)
    return Prompts(Counter({request.prompt: number}), 0, f"{tokens_per_epoch:,} tokens in prompts of full length")


def _kind_warnings(reading: Reading, stored: Stored, request: Request) -> list[str]:
    found = []
    if stored.method and request.purpose == "train":
        found.append(f"the checkpoint is quantized ({stored.method}); training is planned for a copy of it in bf16")
    if not reading.known:
        found.append(f"model_type {reading.kind!r} is not known to golongrl; see what was assumed")
    mixers = reading.shape.mixers
    if any(mixer.window for mixer in mixers):
        found.append(
            "windowed layers are counted with their window; an engine that keeps whole sequences for them holds less"
        )
    if request.purpose == "train" and any(mixer.cached(1) == 0 or mixer.kind == "MLA" for mixer in mixers):
        kinds = ", ".join(mixer.kind for mixer in mixers)
        found.append(
            f"activations of {kinds} are estimated with the coefficients of plain attention; whether verl's engines "
            "train such a model with context parallelism has to be tried"
        )
    return found

"""A plan in sentences: whether it fits, and what was assumed."""

from golongrl.core.memory.rows import gib
from golongrl.pipeline.planning.epoch import Step
from golongrl.pipeline.planning.plan import Plan
from golongrl.pipeline.planning.servers import Way
from golongrl.pipeline.planning.serving import Serving
from golongrl.pipeline.planning.stored import Stored

LEVELS = {"fits": "fits", "tight": "fits barely, if at all", "does not fit": "does not fit"}


def verdict(plan: Plan) -> str:
    """Whether it fits, in a sentence or two."""
    request = plan.request
    if not plan.context.reachable:
        return f"does not fit: {plan.context.text}"
    if plan.training is not None:
        best = plan.training.best
        problems = "; ".join(best.verdict.problems.values())
        peak = f"at most {gib(best.verdict.peak)} of {gib(best.verdict.bytes)} ({best.verdict.phase})"
        return f"{LEVELS[best.verdict.level]}: {best}; {peak}" + (f". {problems}" if problems else "")
    assert plan.serving is not None
    best_option = plan.serving.best
    if best_option is None:
        return f"does not fit on {request.gpus}: {plan.serving.why_not}"
    made = best_option.server
    cut = made.way
    each = f", {made.sequences:,} on each of {made.servers} servers" if made.servers > 1 else ""
    tokens = f"{request.length:,} token{'s' * (request.length != 1)}"
    held = f"at {tokens} {made.total:,} sequence{'s' * (made.total != 1)} at once{each}"
    if made.total < request.batch:
        return f"does not fit on {request.gpus}: with {cut} {held}, and --batch asks for {request.batch}"
    return f"fits on {request.gpus} with {cut}; {held}{_slow_to_read(plan.serving)}"


def _slow_to_read(serving: Serving) -> str:
    """What attention split by data costs: a prompt's attention is computed by one GPU; empty for other ways."""
    best = serving.best
    if best is None or not best.server.way.by_data:
        return ""
    shared = Way(best.server.way.tensor)
    found = [option for option in serving.options if option.server.way == shared and option.server.sequences]
    against = f", with {shared} in {seconds(found[0].read)}" if found else ""
    return f"; one prompt of that length is read in {seconds(best.read)}{against}"


def assumptions(plan: Plan) -> list[str]:
    """Everything that was not measured or stated, in sentences."""
    request, efficiency = plan.request, plan.request.efficiency
    gpu = request.gpus.type
    found = [
        *plan.reading.assumed,
        f"{gpu.name}: {gib(gpu.memory)}, {gpu.flops / 1e12:,.0f} TFLOP/s dense bf16, {gpu.bandwidth / 1e9:,.0f} GB/s",
        f"{efficiency.prefill:.0%} of the FLOP/s in prefill and log-probabilities, {efficiency.bandwidth:.0%} of the "
        "bandwidth in decoding; communication is in these shares",
    ]
    if request.purpose == "serve":
        found.append(
            f"the server takes {request.memory_share:.0%} of a card; working memory for chunks of 8,192 tokens"
        )
        if plan.stored.method:
            found.append(_of_stored(plan.stored, request.weights))
        if request.weights != "bf16":
            found.append(
                f"every weight in {request.weights} (checkpoints keep some in bf16), multiplied at the speed of bf16"
            )
        if plan.reading.shape.experts:
            found.append("experts are spread evenly, and the tokens of a batch choose independently")
        return found
    found += [
        f"{efficiency.train:.0%} of the FLOP/s in the update; forward 1, backward 2 (attention 2.5), recomputation 1",
        "bf16 weights with fp32 Adam, no reference model (golongrl trains without a KL term; one would add "
        f"{gib(plan.training.reference if plan.training else 0)} a GPU unless offloaded, and a forward pass)",
        f"every response has {request.response:,} tokens; the parts of a step run one after another on all GPUs",
        "a prompt is read by each server that gets a part of its group"
        + (f"; {plan.step.concurrent} rollouts at once on a server" if plan.step else ""),
        "left out: weight transfer, waiting for the longest response, groups replaced by dynamic sampling, "
        "checkpoints, start-up",
    ]
    if plan.prompts is not None:
        found.append(f"epoch: {plan.prompts.source}")
    return found


def _of_stored(stored: Stored, weights: str) -> str:
    if not stored.recognised:
        return (
            f"how wide the weights are that {stored.method} stored is not clear from the config: {weights} is planned"
        )
    if stored.dtype == weights:
        return f"the checkpoint is stored in {weights} ({stored.method}); --weights-dtype plans with another"
    return f"the checkpoint is stored in {stored.dtype} ({stored.method}), and {weights} was asked for"


def gpu_hours(plan: Plan, step: Step) -> float:
    """GPU hours of a step or an epoch on all GPUs."""
    return step.total * plan.request.gpus.world / 3600


def seconds(value: float) -> str:
    """A duration for people."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    if value < 7200:
        return f"{value / 60:.1f} min"
    return f"{value / 3600:.1f} h"

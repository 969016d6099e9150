"""What people are told before the first request about prompts that are longer than the model: plan, or what to do."""

import shlex
from collections.abc import Iterator, Sequence

from golongrl.core import engine_flags, yarn_plan
from golongrl.core.errors import DataError, UsageError
from golongrl.core.model_config import model_config
from golongrl.core.rope import own_length, read_rope, yarn_override
from golongrl.pipeline.evaluation.config import RECIPE_INPUT, EvalConfig
from golongrl.pipeline.evaluation.job import BenchJob
from golongrl.pipeline.evaluation.plan import Model, length_for, started_engine


def notes(config: EvalConfig, model: Model, jobs: Sequence[BenchJob]) -> Iterator[str]:
    """One line each: the YaRN plan and its restarts, why there is none, or how a running server must be started."""
    if config.base_url is not None:
        yield from _for_running_server(config, model, jobs)
        return
    if started_engine(config, model.folder) is None:
        return
    scaled = [job for job in jobs if any(bucket.factor is not None for bucket in job.limits.yarn_buckets)]
    for job in scaled:
        yield f"{job.bench.name}: {yarn_plan.as_text(job.limits.yarn_buckets)}"
    if scaled:
        yield from _shipped(model)
    factors = {bucket.factor for job in jobs for bucket in job.limits.yarn_buckets}
    if len(factors) > 1:
        names = ["as it is" if factor is None else f"{factor:g}" for factor in sorted(factors, key=lambda f: f or 0)]
        yield f"the server is started {len(factors)} times, once per factor: {', '.join(names)}"
    if model.reach.why_not and any(slot.overlong for job in jobs for slot in job.slots):
        yield f"YaRN cannot make room for the prompts that do not fit: {model.reach.why_not}"


def _shipped(model: Model) -> Iterator[str]:
    rope = model.reach.rope
    if rope is None or rope.kind != "yarn":
        return
    kept = "replaced" if model.reach.fixed else f"kept up to {model.reach.own} tokens, replaced beyond"
    factor = rope.parameters.get("factor")
    yield f"config.json of {model.name} has YaRN {factor} of {rope.original_length} tokens: {kept}"


def _for_running_server(config: EvalConfig, model: Model, jobs: Sequence[BenchJob]) -> Iterator[str]:
    """The flags with which the server would take all prompts; nothing when it does or the user set its length."""
    if config.max_model_len is not None:
        return
    needs = {}
    for job in jobs:
        most = config.max_input or job.bench.max_input or RECIPE_INPUT
        inputs = [slot.n_input_tokens for slot in job.slots if slot.overlong and slot.n_input_tokens is not None]
        longest = max((n_input for n_input in inputs if n_input <= most), default=None)
        if longest is not None:
            needs[job.bench.name] = length_for(config, job.limits, longest, job.bench.max_output)
    if needs:
        length, takes = max(needs.values()), max(job.limits.max_model_len for job in jobs)
        yield (
            f"prompts of {', '.join(needs)} do not fit the {takes} tokens that the server takes; to ask them too, "
            f"start it with {_flags(model, length)} and run this command again with --fresh"
        )


def _flags(model: Model, length: int) -> str:
    """The options of vLLM and SGLang for a length in tokens, with YaRN where the model needs it and is at hand."""
    vllm, sglang = ["--max-model-len", str(length)], ["--context-length", str(length)]
    hint = ""
    try:
        found = model_config(model.files) if model.files is not None else {}
        own = own_length(found)
        if own is None:
            hint = " (and YaRN, if that is more than the model's own length: see docs/evaluation.md)"
        elif length > own:
            yarn = yarn_override(found, yarn_plan.smallest_factor(length, read_rope(found).original_length))
            vllm += engine_flags.yarn_launch("vllm", None, yarn).command
            sglang += engine_flags.yarn_launch("sglang", None, yarn).command
    except (DataError, UsageError) as error:
        hint = f" (YaRN cannot be set: {error})"
    return f"{shlex.join(vllm)} (vLLM) or {shlex.join(sglang)} (SGLang){hint}"

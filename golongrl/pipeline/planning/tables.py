"""A plan as tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from golongrl.core.memory.rollout import kv_bytes_per_token, sequence_bytes
from golongrl.core.memory.rows import GIB, count, gib, rows_table
from golongrl.pipeline.planning.epoch import Step
from golongrl.pipeline.planning.plan import Plan
from golongrl.pipeline.planning.request import BYTES
from golongrl.pipeline.planning.serving import Option
from golongrl.pipeline.planning.summary import assumptions, gpu_hours, seconds
from golongrl.pipeline.planning.work import Work, forward


@dataclass(frozen=True)
class Section:
    """One table."""

    title: str
    columns: list[str]
    rows: list[tuple[str, ...]]


def sections(plan: Plan) -> list[Section]:
    """All tables of a plan, in the order to read them."""
    found = [_model(plan), _cache(plan), _parallelism(plan)]
    if plan.serving is not None:
        found.append(_servers(plan))
    if plan.training is not None:
        found += [*_memory(plan), *_train_time(plan)]
    found += [_work(plan), _yarn(plan), Section("Assumed", ["", "what"], _numbered(assumptions(plan)))]
    return found


def _model(plan: Plan) -> Section:
    shape, counts = plan.reading.shape, plan.reading.shape.parameters
    rows = [
        ("config", plan.source),
        ("model_type", plan.reading.kind + ("" if plan.reading.known else " (not known, see below)")),
        ("layers", f"{shape.layers}, hidden {shape.hidden:,}"),
    ]
    for group in shape.groups:
        feed = group.feed
        wide = f"feed-forward {feed.intermediate:,}" if feed.intermediate else ""
        if feed.experts:
            wide = f"{feed.experts} experts of {feed.expert_intermediate:,}, {feed.experts_per_token} a token" + (
                f", shared {feed.intermediate:,}" if feed.intermediate else ""
            )
        rows.append((f"  {group.count} x {group.mixer.kind}", f"{_heads(group.mixer)}; {wide}"))
    rows += [
        ("parameters", f"{counts.total:,} ({count(counts.total)})"),
        ("  active per token", f"{counts.active:,} ({count(counts.active)})" if counts.experts else "all"),
        ("  embedding", f"{counts.embedding:,}" + (", tied to the head" if shape.tied else "")),
        ("  head", f"{counts.head:,}" if counts.head else "the embedding"),
        ("  attention, states", f"{counts.attention:,}"),
        ("  feed-forward", f"{counts.mlp:,}"),
    ]
    if counts.experts:
        rows.append(("  experts", f"{counts.experts:,}"))
    rows.append(("  norms, routers and such", f"{counts.replicated:,}"))
    rows.append(("weights", ", ".join(f"{gib(number * counts.total)} in {name}" for name, number in BYTES.items())))
    return Section("Model", ["quantity", "value"], rows)


def _heads(mixer) -> str:
    if mixer.kind == "MLA":
        return f"{mixer.heads} heads, latent {mixer.kv_rank} + rotary {mixer.rope_dim}"
    if mixer.cached(1) == 0:
        return f"state of {mixer.state:,} numbers"
    return f"{mixer.heads} heads, {mixer.kv_heads} key-value heads of {mixer.head_dim}"


def _cache(plan: Plan) -> Section:
    shape, length = plan.reading.shape, plan.request.length
    rows = []
    for name in ("bf16", "fp8"):
        each, whole = kv_bytes_per_token(shape, 1, BYTES[name]), sequence_bytes(shape, length, 1, BYTES[name])
        rows.append((name, f"{each:,} bytes", gib(whole)))
    return Section(
        f"Key-value cache of one sequence of {length:,} tokens, uncut", ["numbers", "a further token", "whole"], rows
    )


def _parallelism(plan: Plan) -> Section:
    rows = []
    # Servers do not split a sequence.
    for cut in [cut for cut in plan.cuts if plan.training is not None or not cut.kind.startswith("context")]:
        rows.append((cut.kind, cut.divides, ", ".join(map(str, cut.sizes)), ""))
        for word, reasons in (("not", cut.refused), ("at", cut.notes)):
            rows += [("", "", f"{word} {sizes}", reason) for reason, sizes in _by_reason(reasons).items()]
    return Section("Parallelism: sizes that divide", ["kind", "shared", "sizes", "why"], rows)


def _by_reason(reasons: Mapping[int, str]) -> dict[str, str]:
    """Reason -> the sizes that share it."""
    found: dict[str, list[int]] = {}
    for size, reason in reasons.items():
        found.setdefault(reason, []).append(size)
    return {reason: ", ".join(map(str, sizes)) for reason, sizes in found.items()}


def _servers(plan: Plan) -> Section:
    request, serving = plan.request, plan.serving
    assert serving is not None
    rows = [_server_row(plan, option, option is serving.best) for option in serving.options]
    columns = ["cut", "servers", "weights\nGiB", "cache\nGiB", "at\nonce", "read\none", "attention"]
    columns += ["tok/s\none", "tok/s\nfull"]
    return Section(
        f"Serving on {request.gpus}, {request.weights} weights, {request.cache} cache, sequences of "
        f"{request.length:,}",
        columns + (["cost of\n1M new"] if request.price is not None else []),
        rows,
    )


def _server_row(plan: Plan, option: Option, best: bool) -> tuple[str, ...]:
    made, price = option.server, plan.request.price
    cells = (
        ("* " if best else "") + ("by data" if made.way.by_data else str(made.way)),
        f"{made.servers} x {made.way.gpus}",
        f"{made.weights / GIB:,.1f}",
        f"{made.pool / GIB:,.1f}" if made.pool > 0 else "-",
        f"{made.total:,}",
        seconds(option.read),
        f"{option.read_attention / option.read:.0%}",
        f"{1 / option.alone:,.0f}",
        f"{option.tokens_per_second:,.0f}" if option.batch else "-",
    )
    if price is None:
        return cells
    hours = 1e6 / option.tokens_per_second * plan.request.gpus.world / 3600 if option.batch else 0
    return (*cells, f"{hours * price:,.2f}" if hours else "-")


def _memory(plan: Plan) -> list[Section]:
    training = plan.training
    assert training is not None
    rows = rows_table(training.rows)
    others = [
        (str(candidate), candidate.verdict.level, gib(candidate.verdict.peak), candidate.verdict.phase)
        for candidate in training.candidates
    ]
    others += [
        (f"  the first with {change}", found.level, gib(found.peak), found.phase)
        for change, found in training.variations
    ]
    return [
        Section(f"Layouts on {plan.request.gpus}", ["layout", "verdict", "peak/GPU", "phase"], others),
        Section("Memory of the first, per GPU (host: per machine)", ["phase", "item", "size", "arithmetic"], rows),
    ]


def _train_time(plan: Plan) -> list[Section]:
    request, step = plan.request, plan.step
    if step is None:
        return []
    rows = [_time_row(plan, "one step", step)]
    told = ""
    if plan.prompts is not None and plan.epoch is not None:
        rows.append(_time_row(plan, f"epoch of {plan.prompts.number:,} prompts", plan.epoch))
        told = f"; the epoch has {plan.prompts.tokens:,} prompt tokens"
        told += f", {plan.prompts.too_long:,} prompts too long are left out" if plan.prompts.too_long else ""
    else:
        rows.append(_time_row(plan, "1,000 prompts", step.times(1000 / request.prompts)))
    columns = ["", "read\nprompts", "write", "log-\nprobs", "update", "attention\nin it", "together", "GPU\nhours"]
    title = f"Time; a step is {request.prompts} prompts x {request.rollouts} rollouts, all of full length{told}"
    return [Section(title, columns + (["cost"] if request.price is not None else []), rows)]


def _time_row(plan: Plan, what: str, step: Step) -> tuple[str, ...]:
    hours = gpu_hours(plan, step)
    cells = (
        what,
        *map(seconds, (step.prefill, step.decode, step.log_probs, step.update)),
        f"{step.update_attention / step.update:.0%}",
        seconds(step.total),
        f"{hours:,.1f}",
    )
    return cells if plan.request.price is None else (*cells, f"{hours * plan.request.price:,.2f}")


def _work(plan: Plan) -> Section:
    shape = plan.reading.shape
    lengths = sorted({8192, 131_072, plan.request.length, 1 << 20})
    rows = [(f"{length:,}", *_work_cells(forward(shape, length, logits=1))) for length in lengths]
    return Section("FLOPs of reading one sequence", ["tokens", "matrices", "attention", "attention's share"], rows)


def _work_cells(work: Work) -> tuple[str, ...]:
    return f"{work.matrices:.2e}", f"{work.attention:.2e}", f"{work.attention / work.total:.0%}"


def _yarn(plan: Plan) -> Section:
    context = plan.context
    rows = [("needed", context.text)]
    if context.factor is not None:
        rows += [(f"  {key}", str(value)) for key, value in context.parameters.items()]
        rows.append(("  max_position_embeddings", str(context.max_position_embeddings)))
        rows += [(engine, options) for engine, options in context.flags.items()]
    return Section("YaRN", ["", "value"], rows)


def _numbered(lines: list[str]) -> list[tuple[str, str]]:
    return [(str(number), line) for number, line in enumerate(lines, 1)]

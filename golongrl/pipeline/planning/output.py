"""A plan for programs: one JSON object, and the table of `golongrl train` that it recommends."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golongrl.core.memory.rollout import kv_bytes_per_token, sequence_bytes
from golongrl.pipeline.planning import training as train
from golongrl.pipeline.planning.epoch import Step
from golongrl.pipeline.planning.plan import Plan
from golongrl.pipeline.planning.request import BYTES
from golongrl.pipeline.planning.serving import Option
from golongrl.pipeline.planning.summary import assumptions, gpu_hours, verdict
from golongrl.pipeline.planning.work import forward


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON: bytes, seconds, FLOPs, tokens."""
    shape, request = plan.reading.shape, plan.request
    counts = shape.parameters
    layers = [
        {"count": group.count, "kind": group.mixer.kind, "mixer": asdict(group.mixer), "feed": asdict(group.feed)}
        for group in shape.groups
    ]
    found: dict[str, Any] = {
        "fits": plan.fits,
        "verdict": verdict(plan),
        "model": {
            "source": plan.source,
            "model_type": plan.reading.kind,
            "known": plan.reading.known,
            "layers": layers,
            "parameters": {**asdict(counts), "total": counts.total, "active": counts.active},
            "weight_bytes": {name: round(number * counts.total) for name, number in BYTES.items()},
            "kv_bytes_per_token": {name: kv_bytes_per_token(shape, 1, number) for name, number in BYTES.items()},
            "sequence_bytes": {name: sequence_bytes(shape, request.length, 1, n) for name, n in BYTES.items()},
        },
        "request": {**asdict(request), "prompt": request.prompt},
        "parallelism": [asdict(cut) for cut in plan.cuts],
        "read_flops": asdict(forward(shape, request.length, logits=1)),
        "yarn": {
            "own_length": plan.context.own,
            "factor": plan.context.factor,
            "rope_parameters": dict(plan.context.parameters),
            "max_position_embeddings": plan.context.max_position_embeddings,
            "flags": dict(plan.context.flags),
            "text": plan.context.text,
        },
        "assumptions": assumptions(plan),
        "warnings": plan.warnings,
    }
    if plan.serving is not None:
        best = plan.serving.best
        found["serving"] = {
            "best": _option(best) if best else None,
            "options": [_option(option) for option in plan.serving.options],
        }
    if plan.training is not None:
        found["training"] = {
            **train.as_json(plan.training),
            "train_keys": train.train_keys(plan.training.best.layout, request),
            "step": _step(plan, plan.step) if plan.step else None,
            "epoch": _step(plan, plan.epoch) if plan.epoch else None,
            "epoch_prompts": plan.prompts.number if plan.prompts else None,
        }
    return found


def as_toml(plan: Plan, model: str) -> str:
    """The recommended layout as the [train] table of a TOML file; empty for a plan of serving."""
    if plan.training is None:
        return ""
    folder = str(Path(model).parent) if model.endswith(".json") else model
    keys = {"model": folder, **train.train_keys(plan.training.best.layout, plan.request)}
    return "\n".join(["[train]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())])


def _option(option: Option) -> dict[str, Any]:
    made = option.server
    return {
        **asdict(made),
        "sequences": made.sequences,
        "total_sequences": made.total,
        "batch": option.batch,
        "read_seconds": option.read,
        "read_attention_seconds": option.read_attention,
        "write_seconds_alone": option.alone,
        "write_seconds_full": option.full,
        "tokens_per_second_full": option.tokens_per_second,
    }


def _step(plan: Plan, step: Step) -> dict[str, Any]:
    hours = gpu_hours(plan, step)
    price = plan.request.price
    return {
        **asdict(step),
        "seconds": step.total,
        "gpu_hours": hours,
        "cost": None if price is None else hours * price,
    }

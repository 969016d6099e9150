"""Is the length within the model's context, and the YaRN it needs where it is not."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from golongrl.core.engine_flags import yarn_launch
from golongrl.core.errors import DataError, UsageError
from golongrl.core.rope import own_length, read_rope, yarn_override
from golongrl.core.yarn_plan import smallest_factor

USUAL = 4.0
"""The factor that model cards validate; beyond it quality is nobody's promise."""

ENGINES = {"vllm": "--max-model-len", "sglang": "--context-length"}


@dataclass(frozen=True)
class Context:
    """The length against the model's own."""

    own: int | None
    """Tokens the model takes as its config stands; None where it names none."""
    factor: float | None = None
    """The YaRN factor that is needed; None without."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """rope_parameters as they would stand in config.json."""
    max_position_embeddings: int | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    """Engine -> the options of its newest known version."""
    text: str = ""
    """In words."""
    warnings: list[str] = field(default_factory=list)
    reachable: bool = True
    """Whether the model can be run at that length at all."""


def plan_context(config: Mapping[str, Any], length: int) -> Context:
    """What must be done to the rotary embedding for sequences of `length` tokens."""
    own = own_length(config)
    if own is None:
        text = "the config names no max_position_embeddings: whether the model reaches the length is not checked"
        return Context(None, text=text, warnings=[text])
    if length <= own:
        return Context(own, text=f"not needed: the model takes {own:,} tokens")
    try:
        rope = read_rope(config)
        factor = smallest_factor(length, rope.original_length)
        override = yarn_override(config, factor)
    except (DataError, UsageError) as error:
        text = f"the model takes {own:,} tokens, and YaRN cannot lengthen it: {error}"
        return Context(own, text=text, warnings=[text], reachable=False)
    flags = {}
    for engine, option in ENGINES.items():
        launch = yarn_launch(engine, None, override)
        env = [f"{name}={value}" for name, value in launch.env.items()]
        flags[engine] = " ".join([*env, shlex.join([*launch.command, option, str(length)])])
    warnings = []
    if length > max(own, USUAL * rope.original_length):
        far = f"{own:,} tokens" if own > USUAL * rope.original_length else f"a factor of {USUAL:g}"
        warnings.append(
            f"YaRN factor {factor:g} goes beyond {far}, which is as far as model cards go; evaluate before you trust "
            "it"
        )
    return Context(
        own,
        factor,
        override.parameters,
        override.length,
        flags,
        f"factor {factor:g}: {length:,} tokens of a model trained for {rope.original_length:,}; short prompts do "
        "better without it",
        warnings,
    )

"""What a run will ask and within which limits: model facts, token limits, thinking, sampling."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from golongrl.core import chat, chat_template, json_text, tokens, yarn_plan
from golongrl.core.errors import DataError, UsageError
from golongrl.core.model_config import model_config
from golongrl.core.rope import own_length
from golongrl.core.weight_files import fingerprint
from golongrl.pipeline.evaluation.benchmarks.base import Thinking
from golongrl.pipeline.evaluation.config import RECIPE_INPUT, RECIPE_OUTPUT, EvalConfig

_PATH = (".", "/", "~")
"""How a model's name begins that can only be a path."""


@dataclass(frozen=True)
class Model:
    """The model under evaluation: `name` for people, `identity` for content keys."""

    name: str
    identity: str
    folder: Path | None
    """Where a server that this run starts finds it; None for a name of the hub, or of a server that runs already."""
    tokenizer: tokens.Tokenizer
    template: tuple[str, dict[str, Any]] | None
    think: Thinking
    files: Path | None = None
    """Where its chat template and config.json are at hand: `folder`, or the folder that --tokenizer names."""
    reach: yarn_plan.Reach = yarn_plan.UNKNOWN
    """How long it is with and without YaRN, where this run starts its server."""


@dataclass(frozen=True)
class Limits:
    """Token limits in force: every request keeps max_input + max_output <= max_model_len.

    `yarn_buckets` say which requests run with which YaRN factor; none, and all run with the model as it is.
    """

    max_model_len: int
    max_input: int
    max_output: int
    yarn_buckets: tuple[yarn_plan.Bucket, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""
        found = {"max_model_len": self.max_model_len, "max_input": self.max_input, "max_output": self.max_output}
        return {**found, "yarn_buckets": yarn_plan.as_json(self.yarn_buckets)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Limits":
        """What `as_json` wrote; TypeError when something else is in it."""
        buckets = tuple(yarn_plan.Bucket(**bucket) for bucket in value.get("yarn_buckets", ()))
        return cls(**{**value, "yarn_buckets": buckets})

    def factor(self, n_input: int | None) -> float | None:
        """The YaRN factor for a prompt of `n_input` tokens, None for the model as it is."""
        need = None if n_input is None else n_input + self.max_output
        return yarn_plan.factor_of(self.yarn_buckets, need)


def _read_json(path: Path) -> dict[str, Any]:
    return json_text.read_object(path, "the model folder is damaged, copy it again") if path.is_file() else {}


def model_length(folder: Path) -> int | None:
    """Longest sequence that config.json declares, YaRN included; None when it declares none."""
    return own_length(_read_json(folder / "config.json"))


def describe_model(config: EvalConfig) -> Model:
    """Tokenizer, template, thinking and identity of the configured model, without starting anything."""
    folder = _served_folder(config)
    files = folder
    if config.base_url is not None and config.tokenizer is not None and Path(config.tokenizer).expanduser().is_dir():
        files = Path(config.tokenizer).expanduser().resolve()
    name = config.tokenizer
    if name is None:
        name = str(folder) if folder is not None and (folder / "tokenizer.json").is_file() else tokens.APPROX
    found = chat_template.read_template(files) if files is not None else None
    label = config.model or Path(config.responses or "responses").stem
    if folder is not None or label.startswith(_PATH):
        label = tokens.label(str(folder or label))
    return Model(
        name=label,
        identity=f"folder:{fingerprint(folder)}" if folder is not None else label,
        folder=folder,
        tokenizer=tokens.load(name),
        template=found,
        think=chat_template.detect_think(found) if config.think == "auto" else config.think,
        files=files,
        reach=_reach(config, folder),
    )


def _served_folder(config: EvalConfig) -> Path | None:
    """The model folder that a server of this run's own loads.

    With --base-url the model is whatever goes by that name there, also where a folder here is called the same.
    """
    if config.model is None or config.base_url is not None:
        return None
    path = Path(config.model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise DataError(f"{config.model} is a folder without config.json; pass a model folder")
        return path.resolve()
    if config.model.startswith(_PATH):
        raise DataError(f"no such model folder: {config.model}; check --model")
    return None


def _reach(config: EvalConfig, folder: Path | None) -> yarn_plan.Reach:
    """What YaRN can do where this run starts the server; UsageError when it cannot do what the user asks for."""
    if started_engine(config, folder) is None:
        return yarn_plan.UNKNOWN
    if folder is not None:
        return yarn_plan.reach(model_config(folder), config.yarn)
    missing = f"it needs the config.json of {config.model}: give --model as a local folder"
    if not isinstance(config.yarn, str):
        raise UsageError(f"--yarn {config.yarn:g} cannot be set; {missing}")
    return yarn_plan.Reach(why_not=missing if config.yarn == "auto" else "")


def choose_limits(
    config: EvalConfig,
    known_length: int | None,
    short_output: int | None,
    *,
    reach: yarn_plan.Reach = yarn_plan.UNKNOWN,
    max_input: int | None = None,
    max_output: int | None = None,
) -> Limits:
    """The recipe's limits, fitted to the model: what the user fixed stays, the rest gives way.

    `max_input` and `max_output` are the benchmark's own where it has them. A default output takes at most the
    recipe's share of the model's length (51,200 of 182,272), and no more than `short_output` where that suffices.
    With `reach`, prompts may be as long as YaRN makes the model; the share stays that of the model as it is, or no
    prompt would run without scaling. Raises UsageError when nothing is left for the prompt.
    """
    most_input, most_output = max_input or RECIPE_INPUT, max_output or RECIPE_OUTPUT
    length = config.max_model_len or known_length
    if length is None:
        length = max(RECIPE_INPUT, config.max_input or most_input) + (config.max_output or most_output)
    longest = length
    if reach.rope is not None and reach.most is not None:
        longest = config.max_model_len or reach.most
        if longest > reach.most:
            raise UsageError(
                f"--max-model-len {longest} is more than the {reach.most} tokens that --yarn {config.yarn} makes of "
                "this model; lower it, or give a larger factor with --yarn"
            )
        if reach.fixed is not None:
            length = longest
    output = config.max_output
    if output is None:
        output = max(1, min(most_output, length * RECIPE_OUTPUT // (RECIPE_INPUT + RECIPE_OUTPUT)))
        if short_output is not None:
            output = min(output, short_output)
        if config.max_input is not None:
            output = min(output, longest - config.max_input)
    room = longest - output
    if output < 1 or room < 1:
        what, option = ("prompts", "--max-input") if output < 1 else ("answers", "--max-output")
        more = "raise --max-model-len" if longest == length else "give a larger factor with --yarn"
        raise UsageError(
            f"{what} of up to {config.max_input if output < 1 else output} tokens fill a model of {longest} tokens; "
            f"lower {option}, or {more}"
        )
    most = min(config.max_input or most_input, room)
    return Limits(min(longest, max(length, most + output)), most, output)


def length_for(config: EvalConfig, limits: Limits, n_input: int, most_output: int | None) -> int:
    """The model length with which `choose_limits` lets a prompt of `n_input` tokens through.

    `most_output` is the benchmark's own where it has one; `limits` are those in force.
    """
    share = limits.max_model_len * RECIPE_OUTPUT // (RECIPE_INPUT + RECIPE_OUTPUT)
    if config.max_output is not None or limits.max_output < min(share, most_output or RECIPE_OUTPUT):
        return n_input + limits.max_output
    with_share = -(-n_input * (RECIPE_INPUT + RECIPE_OUTPUT) // RECIPE_INPUT)
    return min(n_input + (most_output or RECIPE_OUTPUT), with_share)


def with_yarn(config: EvalConfig, model: Model, limits: Limits, inputs: Iterable[int]) -> Limits:
    """The limits with the YaRN plan for prompts of these sizes in tokens.

    A server that runs already has one factor for all, the one that the user names.
    """
    if config.base_url is not None and not isinstance(config.yarn, str):
        return replace(limits, yarn_buckets=(yarn_plan.Bucket(limits.max_model_len, config.yarn),))
    needs = (n_input + limits.max_output for n_input in inputs if n_input <= limits.max_input)
    return replace(limits, yarn_buckets=yarn_plan.plan_buckets(needs, model.reach))


def sampling_extra(config: EvalConfig, folder: Path | None) -> dict[str, Any]:
    """Request fields that only `transformers serve` needs.

    It keeps decoding greedily at any temperature unless the model's generation config says do_sample.
    """
    if started_engine(config, folder) != "transformers" or config.temperature == 0 or folder is None:
        return {}
    settings = _read_json(folder / "generation_config.json")
    if not settings:
        names = ("eos_token_id", "pad_token_id", "bos_token_id")
        model = _read_json(folder / "config.json")
        settings = {name: model[name] for name in names if model.get(name) is not None}
    if settings.get("do_sample"):
        return {}
    settings.pop("transformers_version", None)
    return {"generation_config": json.dumps({**settings, "do_sample": True}, sort_keys=True)}


def started_engine(config: EvalConfig, folder: Path | None) -> str | None:
    """The engine that this run starts: the configured one, transformers for a local folder, None otherwise."""
    if config.base_url is not None or config.responses is not None:
        return None
    return config.engine or ("transformers" if folder is not None else None)


def make_sampling(config: EvalConfig, model: Model, limits: Limits) -> chat.Sampling:
    """How every request of this run samples."""
    return chat.Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=limits.max_output,
        extra=sampling_extra(config, model.folder),
    )

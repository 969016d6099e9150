"""What a run will ask and within which limits: model facts, token limits, thinking, sampling."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from golongrl.core import chat, chat_template, tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import content_key
from golongrl.pipeline.evaluation.benchmarks.base import Thinking
from golongrl.pipeline.evaluation.config import RECIPE_INPUT, RECIPE_OUTPUT, EvalConfig

_EDGE = 1 << 20


@dataclass(frozen=True)
class Model:
    """The model under evaluation: `name` for people, `identity` for content keys, `folder` when it is local."""

    name: str
    identity: str
    folder: Path | None
    tokenizer: tokens.Tokenizer
    template: tuple[str, dict[str, Any]] | None
    think: Thinking


@dataclass(frozen=True)
class Limits:
    """Token limits in force: every request keeps max_input + max_output <= max_model_len."""

    max_model_len: int
    max_input: int
    max_output: int

    def as_json(self) -> dict[str, int]:
        """As plain JSON."""
        return asdict(self)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not JSON; the model folder is damaged, copy it again") from error
    return value if isinstance(value, dict) else {}


def fingerprint(folder: Path) -> str:
    """Hash of a model folder's settings and of size, first and last MiB of each weight file.

    Not of whole weights: those are tens of gigabytes, and training changes them everywhere.
    """
    parts = []
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.suffix not in (".json", ".jinja", ".safetensors", ".bin", ".model"):
            continue
        size = file.stat().st_size
        with open(file, "rb") as handle:
            digest = hashlib.sha256(handle.read(_EDGE))
            if size > _EDGE:
                handle.seek(max(_EDGE, size - _EDGE))
                digest.update(handle.read())
        parts.append([file.name, size, digest.hexdigest()])
    return content_key(parts)


def model_length(folder: Path) -> int | None:
    """Longest sequence that config.json declares, YaRN included; None when it declares none."""
    config = _read_json(folder / "config.json")
    config = config.get("text_config") or config
    length = config.get("max_position_embeddings")
    if not isinstance(length, int):
        return None
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    original, factor = rope.get("original_max_position_embeddings"), rope.get("factor")
    if isinstance(original, int) and isinstance(factor, (int, float)):
        length = max(length, int(original * factor))
    return length


def describe_model(config: EvalConfig) -> Model:
    """Tokenizer, template, thinking and identity of the configured model, without starting anything."""
    folder = None
    if config.model is not None:
        path = Path(config.model).expanduser()
        if path.is_dir():
            folder = path.resolve()
            if not (folder / "config.json").is_file():
                raise DataError(f"{config.model} is a folder without config.json; pass a model folder")
        elif config.base_url is None and config.model.startswith((".", "/", "~")):
            raise DataError(f"no such model folder: {config.model}; check --model")
    name = config.tokenizer
    if name is None:
        name = str(folder) if folder is not None and (folder / "tokenizer.json").is_file() else tokens.APPROX
    found = chat_template.read_template(folder) if folder is not None else None
    label = folder.name if folder is not None else config.model or Path(config.responses or "responses").stem
    return Model(
        name=label,
        identity=f"folder:{fingerprint(folder)}" if folder is not None else label,
        folder=folder,
        tokenizer=tokens.load(name),
        template=found,
        think=chat_template.detect_think(found) if config.think == "auto" else config.think,
    )


def choose_limits(
    config: EvalConfig,
    known_length: int | None,
    short_output: int | None,
    *,
    max_input: int | None = None,
    max_output: int | None = None,
) -> Limits:
    """The recipe's limits, fitted to the model: what the user fixed stays, the rest gives way.

    `max_input` and `max_output` are the benchmark's own where it has them. A default output takes at most the
    recipe's share of the model's length (51,200 of 182,272), and no more than `short_output` where that suffices.
    Raises UsageError when nothing is left for the prompt.
    """
    most_input, most_output = max_input or RECIPE_INPUT, max_output or RECIPE_OUTPUT
    length = config.max_model_len or known_length
    if length is None:
        length = max(RECIPE_INPUT, config.max_input or most_input) + (config.max_output or most_output)
    output = config.max_output
    if output is None:
        output = max(1, min(most_output, length * RECIPE_OUTPUT // (RECIPE_INPUT + RECIPE_OUTPUT)))
        if short_output is not None:
            output = min(output, short_output)
        if config.max_input is not None:
            output = min(output, length - config.max_input)
    room = length - output
    if output < 1 or room < 1:
        raise UsageError(
            f"max_input {config.max_input} and max_output {config.max_output} do not fit a model of {length} tokens; "
            "lower them, or raise --max-model-len"
        )
    return Limits(length, min(config.max_input or most_input, room), output)


def sampling_extra(config: EvalConfig, folder: Path | None) -> dict[str, Any]:
    """Request fields that only `transformers serve` needs.

    It keeps decoding greedily at any temperature unless the model's generation config says do_sample.
    """
    if config.base_url is not None or started_engine(config, folder) != "transformers" or config.temperature == 0:
        return {}
    if folder is None:
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

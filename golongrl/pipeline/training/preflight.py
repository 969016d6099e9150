"""Checks before anything expensive starts: data, model, packages, batch arithmetic."""

from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from golongrl.core import chat_template
from golongrl.core.errors import CheckFailedError, ConfigError, DataError, MissingPackageError, require
from golongrl.core.records import Record, read_records
from golongrl.pipeline.training.config import TrainConfig
from golongrl.rewards import gold_response, score_response
from golongrl.rewards.audit import audit

GATE_ROWS = 64
"""Rows that are audited before training: a second or two of work."""

NEEDED = {
    "transformers": ("verl", "torch", "ray", "transfer_queue", "cachetools"),
    "sglang": ("verl", "torch", "ray", "transfer_queue", "cachetools", "sglang"),
    "vllm": ("verl", "torch", "ray", "transfer_queue", "cachetools", "vllm"),
}


@dataclass(frozen=True)
class Facts:
    """What the checks found out."""

    prompts: int
    """Records that are not known to be longer than max_prompt_tokens."""
    too_long: int
    tasks: dict[str, int]
    """Records per metric."""
    think: Literal["required", "optional"]


def check(config: TrainConfig) -> Facts:
    """All checks; raises the first problem with what to do about it."""
    _check_packages(config)
    model = Path(config.model)
    if not model.is_dir() and (config.model.startswith((".", "/", "~")) or config.model.count("/") != 1):
        raise ConfigError(f"no such model folder: {config.model}; pass --model FOLDER or a hub id like Qwen/Qwen3-4B")
    if model.is_dir() and not (model / "config.json").exists():
        raise ConfigError(f"{config.model} holds no config.json, so it is not a model folder")
    tasks: Counter[str] = Counter()
    too_long = 0
    for path in (config.data, config.val_data) if config.val_data else (config.data,):
        if Path(path).suffix != ".parquet":
            raise DataError(f"{path}: training reads .parquet; `golongrl build-dataset` writes it")
        for row, record in enumerate(read_records(path), 1):
            _check_record(record, f"{path} row {row}")
            if path == config.data:
                tasks[record.metric] += 1
                too_long += int(record.extra_info.get("n_tokens") or 0) > config.max_prompt_tokens
    prompts = sum(tasks.values()) - too_long
    if prompts < config.prompts_per_batch:
        raise ConfigError(
            f"{config.data} has {prompts} prompts of at most {config.max_prompt_tokens} tokens, a batch needs "
            f"{config.prompts_per_batch}; lower prompts_per_batch, raise max_prompt_tokens, or build more data"
        )
    return Facts(prompts, too_long, dict(sorted(tasks.items())), think_mode(config))


def gate(config: TrainConfig) -> None:
    """Audit the rewards of a sample of the training data; CheckFailedError when an attack pays or a gold fails."""
    report = audit(config.data, sample=GATE_ROWS, costly=False, seed=config.seed)
    if report.passed:
        return
    shown = [failure.get("problem") or f"attack {failure['probe']} pays" for failure in report.failures[:3]]
    raise CheckFailedError(
        f"the rewards of {config.data} failed the audit of {report.checked} sampled rows: "
        f"{'; '.join(report.problems)}. First: {' | '.join(shown)}. See all with: "
        f"golongrl verify-rewards {config.data}; train all the same with --skip-gate"
    )


def _check_record(record: Record, where: str) -> None:
    try:
        score = score_response(record, gold_response(record), think="optional")
    except DataError as error:
        raise DataError(f"{where}, field reward_model.ground_truth: {error}; mend or remove the row") from error
    if score.value is None:
        raise DataError(
            f"{where}, field reward_model.ground_truth: {score.details.get('problem') or score.reason}; "
            "mend or remove the row"
        )


def _check_packages(config: TrainConfig) -> None:
    missing = [name for name in NEEDED[config.rollout] if find_spec(name) is None]
    if missing:
        extra = "train" if config.rollout == "transformers" else config.rollout
        raise MissingPackageError(
            f"{config.rollout} rollouts need {', '.join(missing)}; run: pip install 'golongrl[{extra}]'"
        )


def think_mode(config: TrainConfig) -> Literal["required", "optional"]:
    """Whether a rollout must close a think block, from the configuration or the model's chat template."""
    if config.think != "template":
        return config.think
    folder = Path(config.model)
    if not folder.is_dir():
        hub = require("huggingface_hub")
        try:
            folder = Path(hub.snapshot_download(config.model, allow_patterns=["*.json", "*.jinja"]))
        except (OSError, hub.errors.HfHubHTTPError, hub.errors.HFValidationError, ValueError) as error:
            raise ConfigError(
                f"cannot fetch {config.model!r} from the hub ({type(error).__name__}); check the name and the "
                "network, or pass --model the path of a model folder"
            ) from error
    found = chat_template.read_template(folder)
    if found is None:
        raise ConfigError(
            f"{config.model} has no chat template, so prompts cannot be rendered; "
            "use an instruction-tuned model, or add chat_template.jinja to the folder"
        )
    return chat_template.detect_think(found)

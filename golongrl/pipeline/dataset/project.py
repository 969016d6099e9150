"""golongrl.toml in the working folder: what `golongrl train` reads when it is called without flags."""

import json
from pathlib import Path

from golongrl.core.config import PROJECT_FILE
from golongrl.core.errors import StorageError
from golongrl.core.store import write_text
from golongrl.core.tokens import APPROX

RECIPE_RESPONSE = 16_384
"""Tokens of a response in the recipe, which training takes where nothing else is said."""


def write_project_file(
    folder: Path, train: Path, val: Path | None, tokenizer: str, *, records: int, longest: int
) -> list[str]:
    """Write golongrl.toml into the dataset's folder, and into the working folder unless there is one; returns lines
    saying what was done.

    `records` (training) and `longest` (upper bound of the prompts in tokens) give sizes that fit this dataset; the
    recipe's, which are the defaults, want thousands of records.
    """
    lines = [
        "# Written by golongrl build-dataset, read by: golongrl train --algo tmn-reweight",
        "# Every key can be overridden with --set KEY=VALUE.",
        "[train]",
        f"data = {_quoted(_relative(train))}",
    ]
    lines.append(f"val_data = {_quoted(_relative(val))}" if val else '# val_data = "..."')
    if tokenizer == APPROX:
        lines.append('# model = "path/of/a/model/folder"')
    else:
        lines.append(f"model = {_quoted(_model(tokenizer))}")
    lines.append(f"max_prompt_tokens = {longest}")
    response = _response(tokenizer, longest)
    if response is not None:
        lines.append(f"max_response_tokens = {response}")
    lines.append(f"prompts_per_batch = {_batch(records)}")
    text = "\n".join(lines) + "\n"
    own, path = folder / PROJECT_FILE, Path.cwd() / PROJECT_FILE
    write_text(own, text)
    model = " --model FOLDER" if tokenizer == APPROX else ""
    if path.exists() and path.resolve() != own.resolve():
        return [
            f"{PROJECT_FILE} of the working folder stays as it is; "
            f"golongrl train --config {_relative(own)} --algo tmn-reweight{model} starts from this dataset"
        ]
    try:
        write_text(path, text)
    except StorageError as error:
        return [
            f"{error}; golongrl train --config {_relative(own)} --algo tmn-reweight{model} starts from this dataset"
        ]
    return [f"wrote {PROJECT_FILE}: golongrl train --algo tmn-reweight{model} starts from it"]


def _batch(records: int) -> int:
    """The largest power of two that is at most a quarter of the records and at most the recipe's 128."""
    return min(128, 1 << max(0, (records // 4).bit_length() - 1))


def _response(tokenizer: str, longest: int) -> int | None:
    """Tokens that the model's context leaves for a response, where that is less than the recipe's; None elsewhere."""
    config = Path(_model(tokenizer)) / "config.json"
    if not config.is_file():
        return None
    try:
        context = json.loads(config.read_text(encoding="utf-8")).get("max_position_embeddings")
    except (ValueError, AttributeError):
        # Training will say what is wrong with the model; a dataset is no worse for it.
        return None
    if not isinstance(context, int) or longest >= context:
        return None
    return context - longest if context - longest < RECIPE_RESPONSE else None


def _relative(path: Path) -> str:
    full, here = path.resolve(), Path.cwd().resolve()
    return full.relative_to(here).as_posix() if full.is_relative_to(here) else str(full)


def _model(tokenizer: str) -> str:
    """The model folder that a tokenizer belongs to, or its hub id."""
    path = Path(tokenizer).expanduser()
    if not path.exists():
        return tokenizer
    return _relative(path if path.is_dir() else path.parent)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, except that TOML has no escape for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
